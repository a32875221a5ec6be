//! A table of a DuckDB database, with types that can be computed with.

use super::{COLUMNS, Cell};
use ::duckdb::types::{ToSql, ToSqlOutput, Value};
use ::duckdb::{Connection, appender_params_from_iter};
use anyhow::{Context as _, anyhow};
use std::path::{Path, PathBuf};

/// The table's name, as the Python product has it.
const TABLE: &str = "audit_logs";

/// The types of [`COLUMNS`].
const TYPES: [&str; 23] = [
    "VARCHAR",
    "INTEGER",
    "VARCHAR",
    "BIGINT",
    "TIMESTAMP WITH TIME ZONE",
    "VARCHAR",
    "VARCHAR",
    "VARCHAR",
    "BIGINT",
    "VARCHAR",
    "VARCHAR",
    "VARCHAR",
    "VARCHAR",
    "VARCHAR",
    "JSON",
    "JSON",
    "VARCHAR",
    "JSON",
    "VARCHAR",
    "VARCHAR",
    "JSON",
    "VARCHAR",
    "VARCHAR",
];

/// The table in its database.
pub(super) struct AuditTable {
    connection: Connection,
    path: PathBuf,
}

impl AuditTable {
    /// Opens the database, and makes the table when it is not there.
    ///
    /// # Errors
    /// When that is not possible, or a table of that name was made by something else.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let connection = Connection::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let table = Self { connection, path: path.to_owned() };
        let found = table.columns()?;
        if found.is_empty() {
            let columns: Vec<String> = wanted().map(|(name, kind)| format!("\"{name}\" {kind}")).collect();
            table.run(&format!("CREATE TABLE {TABLE} ({})", columns.join(", ")))?;
        } else if !found.iter().zip(wanted()).all(|(found, wanted)| (found.0.as_str(), found.1.as_str()) == wanted)
            || found.len() != COLUMNS.len()
        {
            return Err(anyhow!(
                "the table {TABLE} in {} has other columns than this version exports; export to another file",
                path.display()
            ));
        }
        Ok(table)
    }

    /// Adds the rows that `fill` appends, but for records that the table has already: all of them,
    /// or when something fails none. Returns how many were added.
    pub(super) fn add(
        &mut self,
        fill: impl FnOnce(&mut dyn FnMut([Cell; 23]) -> anyhow::Result<()>) -> anyhow::Result<()>,
    ) -> anyhow::Result<usize> {
        // Rows come into the table by a second step, which reads times whatever the time zone is.
        let columns: Vec<String> = wanted().map(|(name, kind)| format!("\"{name}\" {}", staged(kind))).collect();
        self.run(&format!("CREATE OR REPLACE TEMP TABLE staged ({})", columns.join(", ")))?;
        let refused = || format!("cannot write to {}", self.path.display());
        let mut appender = self.connection.appender("staged").with_context(refused)?;
        fill(&mut |row| appender.append_row(appender_params_from_iter(&row)).with_context(refused))?;
        appender.flush().with_context(refused)?;
        drop(appender);
        let cells: Vec<String> = wanted().map(|(name, kind)| cast(name, kind)).collect();
        let insert = format!(
            "INSERT INTO {TABLE} SELECT {} FROM staged AS new \
             WHERE NOT EXISTS (SELECT 1 FROM {TABLE} AS old WHERE old.record_id = new.record_id)",
            cells.join(", ")
        );
        self.connection.execute(&insert, []).with_context(refused)
    }

    fn columns(&self) -> anyhow::Result<Vec<(String, String)>> {
        let sql = "SELECT column_name, data_type FROM duckdb_columns() \
                   WHERE NOT internal AND schema_name = 'main' AND database_name = current_database() \
                   AND table_name = ? ORDER BY column_index";
        let read = || {
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map([TABLE], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<Result<Vec<_>, ::duckdb::Error>>()
        };
        read().with_context(|| format!("cannot read {}", self.path.display()))
    }

    fn run(&self, sql: &str) -> anyhow::Result<()> {
        self.connection.execute_batch(sql).with_context(|| format!("cannot write to {}", self.path.display()))
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> ::duckdb::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Missing => ToSqlOutput::Owned(Value::Null),
            Self::Number(number) => ToSqlOutput::Owned(Value::BigInt(i64::try_from(*number).unwrap_or(i64::MAX))),
            Self::Text(text) => ToSqlOutput::from(text.as_str()),
        })
    }
}

fn wanted() -> impl Iterator<Item = (&'static str, &'static str)> {
    COLUMNS.into_iter().zip(TYPES)
}

/// The type in which a value of the type `kind` is brought in.
fn staged(kind: &str) -> &str {
    if matches!(kind, "BIGINT" | "INTEGER") { "BIGINT" } else { "VARCHAR" }
}

/// What was brought in as the type `kind`. A time that an older writer garbled is left out.
fn cast(name: &str, kind: &str) -> String {
    match kind {
        "TIMESTAMP WITH TIME ZONE" => format!("TRY_CAST(new.\"{name}\" AS {kind})"),
        kind => format!("CAST(new.\"{name}\" AS {kind})"),
    }
}

//! A table of a DuckDB database, with types that can be computed with.

use super::{COLUMNS, Cell};
use ::duckdb::types::{ToSql, ToSqlOutput, Value};
use ::duckdb::{Connection, appender_params_from_iter};
use anyhow::{Context as _, anyhow};
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::Read as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The table's name, as the Python product has it.
const TABLE: &str = "audit_logs";

/// The types of [`COLUMNS`].
const TYPES: [&str; 25] = [
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
    "JSON",
    "VARCHAR",
    "VARCHAR",
    "VARCHAR",
];

/// Columns that earlier versions did not export.
const LATE: [&str; 2] = ["execution_events", "signature"];

/// What a DuckDB database has at the ninth byte.
const MAGIC: &[u8] = b"DUCK";

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
        let refused = || format!("cannot open {}", path.display());
        if !prepare_file(path).with_context(refused)? {
            return Err(anyhow!("{} is there and no DuckDB database; export to another file", path.display()));
        }
        let connection = Connection::open(path).with_context(refused)?;
        let table = Self { connection, path: path.to_owned() };
        table.prepare()?;
        Ok(table)
    }

    /// Makes the table, or gives it the columns that an earlier version did not know.
    fn prepare(&self) -> anyhow::Result<()> {
        let found = self.columns()?;
        if found.is_empty() {
            let columns: Vec<String> = wanted().map(|(name, kind)| format!("\"{name}\" {kind}")).collect();
            return self.run(&format!("CREATE TABLE {TABLE} ({})", columns.join(", ")));
        }
        let is_there = |(name, kind): (&str, &str)| found.iter().any(|found| found.0 == name && found.1 == kind);
        let missing: Vec<_> = wanted().filter(|column| !is_there(*column)).collect();
        let has_only_known = found.len() + missing.len() == COLUMNS.len();
        if !has_only_known || missing.iter().any(|(name, _)| !LATE.contains(name)) {
            return Err(anyhow!(
                "the table {TABLE} in {} has other columns than this version exports; export to another file",
                self.path.display()
            ));
        }
        missing
            .iter()
            .try_for_each(|(name, kind)| self.run(&format!("ALTER TABLE {TABLE} ADD COLUMN \"{name}\" {kind}")))
    }

    /// Adds the rows that `fill` appends, but for records that the table has already: all of them,
    /// or when something fails none. Returns how many were added.
    pub(super) fn add(
        &mut self,
        fill: impl FnOnce(&mut dyn FnMut([Cell; 25]) -> anyhow::Result<()>) -> anyhow::Result<()>,
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
            "INSERT INTO {TABLE} BY NAME SELECT {} FROM staged AS new \
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

/// Whether the file at `path` is a database; makes one when nothing is there.
fn prepare_file(path: &Path) -> anyhow::Result<bool> {
    if !path.try_exists()? {
        create_private(path)?;
        return Ok(true);
    }
    let mut begin = Vec::new();
    File::open(path)?.take(12).read_to_end(&mut begin)?;
    // DuckDB itself would show a CSV file as a table, and forget what is added to it.
    Ok(begin.get(8..) == Some(MAGIC))
}

/// Makes a database that is readable for its owner alone, as the log is. DuckDB asks for no mode and
/// takes no empty file, so it makes it in a folder that nobody else can enter.
fn create_private(path: &Path) -> anyhow::Result<()> {
    let mut folder = path.as_os_str().to_owned();
    folder.push(format!(".{}.tmp", std::process::id()));
    let folder = PathBuf::from(folder);
    DirBuilder::new().mode(0o700).create(&folder)?;
    let made = make_database(&folder.join("new"), path);
    fs::remove_dir_all(&folder)?;
    made
}

fn make_database(new: &Path, path: &Path) -> anyhow::Result<()> {
    Connection::open(new)?.close().map_err(|(_, error)| error)?;
    fs::set_permissions(new, Permissions::from_mode(0o600))?;
    Ok(fs::rename(new, path)?)
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
        "TIMESTAMP WITH TIME ZONE" => format!("TRY_CAST(new.\"{name}\" AS {kind}) AS \"{name}\""),
        kind => format!("CAST(new.\"{name}\" AS {kind}) AS \"{name}\""),
    }
}

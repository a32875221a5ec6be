//! Sealing every record anew, a transaction at a time.

use super::open::{OpenedFile, SqliteMarks};
use super::schema;
use crate::adapters::persistence::error::PersistenceError;
use crate::adapters::persistence::rotation::Resealable;
use crate::adapters::persistence::seal::{Place, Sealer, key_id};
use crate::adapters::persistence::vault::Marks;
use mxcp_actors::ports::StoreError;
use rusqlite::types::Value;
use rusqlite::{Connection, TransactionBehavior, params_from_iter};
use std::path::Path;

/// How many records a transaction looks at: enough to make its fsync cheap, few enough that a
/// killed command has little to do again.
const ROWS_PER_STEP: usize = 1_000;

/// A column of sealed records.
#[derive(Debug)]
struct SealedColumn {
    table: &'static str,
    column: &'static str,
    /// The primary key, in its own order, so that the table is walked along its index.
    key: &'static [&'static str],
    /// What [`Place::table`] says of its records.
    place: &'static str,
    /// The parts of the key in the order in which [`Place::row`] has them.
    row: &'static [usize],
}

/// Everything that is sealed, but for what [`crate::adapters::persistence::vault`] keeps itself.
const COLUMNS: [SealedColumn; 5] = [
    SealedColumn { table: "sessions", column: "sealed_session", key: &["id"], place: "sessions", row: &[0] },
    SealedColumn {
        table: "sessions",
        column: "sealed_upstream_tokens",
        key: &["id"],
        place: "sessions.upstream",
        row: &[0],
    },
    SealedColumn {
        table: "pending_logins",
        column: "sealed_login",
        key: &["handle_hash"],
        place: "pending_logins",
        row: &[0],
    },
    SealedColumn {
        table: "authorization_codes",
        column: "sealed_code",
        key: &["code_hash"],
        place: "authorization_codes",
        row: &[0],
    },
    SealedColumn {
        table: "consents",
        column: "sealed_consent",
        key: &["browser_hash", "client_id", "user_hash"],
        place: "consents",
        row: &[0, 2, 1],
    },
];

/// A SQLite store that nobody else uses meanwhile.
#[derive(Debug)]
pub(in crate::adapters::persistence) struct SqliteResealing {
    file: OpenedFile,
    /// Which of [`COLUMNS`] is walked.
    column: usize,
    /// The key of the last row that was looked at.
    after: Option<Vec<Value>>,
}

impl SqliteResealing {
    /// Begins with the first record of `file`.
    pub(in crate::adapters::persistence) fn new(file: OpenedFile) -> Result<Self, PersistenceError> {
        // What was sealed with an old key is overwritten rather than left in unused pages.
        let overwrite = file.database.pragma_update(None, "secure_delete", true);
        overwrite.map_err(|error| schema::explain(&file.path, &error))?;
        Ok(Self { file, column: 0, after: None })
    }

    fn reseal_some(&mut self, column: &SealedColumn, sealer: &Sealer) -> Result<u64, PersistenceError> {
        let path = &self.file.path;
        let failed = |error: rusqlite::Error| schema::explain(path, &error);
        let transaction =
            self.file.database.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let rows = column.read(&transaction, self.after.as_deref()).map_err(failed)?;
        self.after = rows.last().map(|(key, _)| key.clone());
        let mut resealed = 0;
        for (key, sealed) in rows {
            let anew = column.reseal(&key, sealed, sealer).map_err(|error| damaged(path, error))?;
            if let Some(anew) = anew {
                column.write(&transaction, &key, anew).map_err(failed)?;
                resealed += 1;
            }
        }
        transaction.commit().map_err(failed)?;
        Ok(resealed)
    }
}

impl Resealable for SqliteResealing {
    fn marks(&self) -> Box<dyn Marks + '_> {
        Box::new(SqliteMarks(&self.file.database))
    }

    fn step(&mut self, sealer: &Sealer) -> Result<Option<u64>, PersistenceError> {
        let Some(column) = COLUMNS.get(self.column) else { return Ok(None) };
        let resealed = self.reseal_some(column, sealer)?;
        if self.after.is_none() {
            self.column += 1;
        }
        Ok(Some(resealed))
    }

    fn finish(&mut self) -> Result<(), PersistenceError> {
        let (database, path) = (&self.file.database, &self.file.path);
        // The write-ahead log still holds pages as they were.
        let emptied = database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()));
        emptied.map_err(|error| schema::explain(path, &error))
    }
}

impl SealedColumn {
    /// The next rows after `after`, those without a record left out.
    fn read(&self, database: &Connection, after: Option<&[Value]>) -> rusqlite::Result<Vec<(Vec<Value>, Vec<u8>)>> {
        let (table, column, key) = (self.table, self.column, self.key.join(", "));
        let beyond = after.map_or_else(String::new, |_| format!("AND ({key}) > ({})", marks(1, self.key.len())));
        let sql = format!(
            "SELECT {key}, {column} FROM {table} WHERE {column} IS NOT NULL {beyond} ORDER BY {key} LIMIT {ROWS_PER_STEP}"
        );
        let mut statement = database.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(after.unwrap_or_default()), |row| {
            let key = (0..self.key.len()).map(|at| row.get(at)).collect::<rusqlite::Result<Vec<Value>>>()?;
            Ok((key, row.get(self.key.len())?))
        })?;
        rows.collect()
    }

    /// The record under the first key; `None` when it is already.
    fn reseal(&self, key: &[Value], record: Vec<u8>, sealer: &Sealer) -> Result<Option<Vec<u8>>, StoreError> {
        if key_id(&record) == sealer.key_ids().next() {
            return Ok(None);
        }
        let row: Vec<u8> = self.row.iter().filter_map(|at| key.get(*at)).flat_map(bytes).copied().collect();
        let place = Place { table: self.place, row: &row };
        let plain = sealer
            .open_bytes(place, record)
            .map_err(|error| StoreError { detail: format!("a record of {}: {error}", self.table) })?;
        sealer.seal_bytes(place, &plain).map(Some)
    }

    fn write(&self, database: &Connection, key: &[Value], sealed: Vec<u8>) -> rusqlite::Result<()> {
        let (table, column) = (self.table, self.column);
        let (names, values) = (self.key.join(", "), marks(2, self.key.len()));
        let sql = format!("UPDATE {table} SET {column} = ?1 WHERE ({names}) = ({values})");
        let sealed = Value::Blob(sealed);
        let parameters = std::iter::once(&sealed).chain(key);
        database.prepare_cached(&sql)?.execute(params_from_iter(parameters)).map(drop)
    }
}

/// `?first, …`, so many.
fn marks(first: usize, count: usize) -> String {
    (first..first + count).map(|number| format!("?{number}")).collect::<Vec<_>>().join(", ")
}

fn bytes(value: &Value) -> &[u8] {
    match value {
        Value::Text(text) => text.as_bytes(),
        Value::Blob(blob) => blob,
        Value::Null | Value::Integer(_) | Value::Real(_) => &[],
    }
}

fn damaged(path: &Path, error: StoreError) -> PersistenceError {
    PersistenceError::Damaged { path: path.to_owned(), detail: error.detail }
}

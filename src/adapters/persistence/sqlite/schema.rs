//! The tables and how they came about.

use super::super::error::PersistenceError;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, TransactionBehavior};
use std::path::Path;

/// One step of the schema's history for each entry; the version is its number, from 1. Entries
/// are added at the end and never changed.
const MIGRATIONS: [&str; 2] = [include_str!("schema_1.sql"), include_str!("schema_2.sql")];

/// Tables that the Python product's database has.
const INCUMBENT_TABLES: [&str; 3] = ["states", "auth_codes", "oauth_clients"];

/// What is in a file before anything is changed in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Empty,
    /// Our tables, of this version.
    Version(usize),
}

/// Looks at what is in the file.
pub(super) fn inspect(connection: &Connection, path: &Path) -> Result<Found, PersistenceError> {
    let tables = tables(connection).map_err(|error| explain(path, &error))?;
    if tables.is_empty() {
        return Ok(Found::Empty);
    }
    if !are_ours(&tables) {
        let is_incumbent = are_incumbent(&tables);
        let path = path.to_owned();
        return Err(if is_incumbent { PersistenceError::Incumbent(path) } else { PersistenceError::Foreign(path) });
    }
    let version: Option<i64> = connection
        .query_row("SELECT max(version) FROM schema_migrations", (), |row| row.get(0))
        .map_err(|error| explain(path, &error))?;
    let (found, known) = (version.unwrap_or(0), i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX));
    match usize::try_from(found) {
        Ok(version) if found <= known => Ok(Found::Version(version)),
        _ => Err(PersistenceError::Newer { path: path.to_owned(), found, known }),
    }
}

/// Whether a database is one that the Python product made.
pub(in crate::adapters::persistence) fn is_of_the_python_product(connection: &Connection) -> rusqlite::Result<bool> {
    tables(connection).map(|tables| !are_ours(&tables) && are_incumbent(&tables))
}

/// Whether a database is one of ours, of whatever version.
pub(in crate::adapters::persistence) fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    tables(connection).map(|tables| are_ours(&tables))
}

fn are_ours(tables: &[String]) -> bool {
    tables.iter().any(|table| table == "schema_migrations")
}

fn are_incumbent(tables: &[String]) -> bool {
    INCUMBENT_TABLES.iter().all(|name| tables.iter().any(|table| table == name))
}

/// Brings the tables up to this version; all of it or nothing.
pub(super) fn migrate(
    connection: &mut Connection,
    path: &Path,
    found: Found,
    now_micros: i64,
) -> Result<(), PersistenceError> {
    let done = match found {
        Found::Empty => 0,
        Found::Version(version) => version,
    };
    let mut steps = || -> rusqlite::Result<()> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (index, sql) in MIGRATIONS.iter().enumerate().skip(done) {
            transaction.execute_batch(sql)?;
            transaction.execute(
                "INSERT INTO schema_migrations (version, applied_at) VALUES (?1, ?2)",
                (i64::try_from(index + 1).unwrap_or(i64::MAX), now_micros),
            )?;
        }
        transaction.commit()
    };
    if done == MIGRATIONS.len() { Ok(()) } else { steps().map_err(|error| explain(path, &error)) }
}

/// A value of the `meta` table.
pub(super) fn meta(connection: &Connection, name: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0)).optional()
}

/// Sets a value of the `meta` table.
pub(super) fn set_meta(connection: &Connection, name: &str, value: &[u8]) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
    connection.execute(sql, (name, value)).map(drop)
}

/// What the operator is told of an error while opening.
pub(super) fn explain(path: &Path, error: &rusqlite::Error) -> PersistenceError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            PersistenceError::Damaged { path, detail: error.to_string() }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => PersistenceError::Database {
            path,
            detail: "it is locked by another program; close that one first".to_owned(),
        },
        Some(ErrorCode::ReadOnly) => PersistenceError::Database {
            path,
            detail: "it may not be written; check the owner and the mode of the file and its folder".to_owned(),
        },
        _ => PersistenceError::Database { path, detail: error.to_string() },
    }
}

fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let names = statement.query_map((), |row| row.get(0))?;
    names.collect()
}

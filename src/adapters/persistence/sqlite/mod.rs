//! The stores in one SQLite file: everything that changes goes through one connection in groups,
//! and reading has a connection of its own, which never waits for a write (WAL).

mod adopt;
mod assertions;
mod clients;
mod connection;
mod grants;
mod open;
mod reseal;
mod schema;
mod sessions;
#[cfg(test)]
mod tests;

use super::files::StoreLock;
use super::lane::Lane;
use super::seal::{Sealer, UserIndex};
use connection::SqliteConnection;
use mxcp_actors::model::secret::TokenHash;
use mxcp_actors::ports::{StoreError, StoreResult};
use rusqlite::types::Type;
use rusqlite::{Connection, Params, Row};
use std::sync::Arc;

pub(super) use adopt::adopt;
pub(super) use open::{open, open_for_resealing};
pub(super) use schema::{is_of_the_python_product, is_ours};

/// Clients, used assertions, grants and sessions in a SQLite file.
#[derive(Debug)]
pub(super) struct SqliteStore {
    writes: Lane<SqliteConnection>,
    reads: Lane<SqliteConnection>,
    sealer: Arc<Sealer>,
    users: UserIndex,
    // Released last.
    _lock: StoreLock,
}

impl SqliteStore {
    fn write<T: Send + 'static>(
        &self,
        step: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> StoreResult<'static, T> {
        self.writes.run(move |engine| step(engine.database()).map_err(|error| store_error(&error)))
    }

    fn read<T: Send + 'static>(
        &self,
        step: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> StoreResult<'static, T> {
        self.reads.run(move |engine| step(engine.database()).map_err(|error| store_error(&error)))
    }
}

fn store_error(error: &rusqlite::Error) -> StoreError {
    StoreError { detail: error.to_string() }
}

/// Runs a statement that is prepared once; tells how many rows it changed.
fn execute(database: &Connection, sql: &str, parameters: impl Params) -> rusqlite::Result<usize> {
    database.prepare_cached(sql)?.execute(parameters)
}

/// All rows of a query that is prepared once.
fn query<T>(
    database: &Connection,
    sql: &str,
    parameters: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = database.prepare_cached(sql)?;
    let rows = statement.query_map(parameters, read)?;
    rows.collect()
}

/// The first row of such a query.
fn query_first<T>(
    database: &Connection,
    sql: &str,
    parameters: impl Params,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    let mut statement = database.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    rows.next()?.map(read).transpose()
}

/// A column that holds a hash.
fn hash_of(row: &Row<'_>, column: usize) -> rusqlite::Result<TokenHash> {
    row.get(column).map(TokenHash::from_bytes)
}

/// A column that holds JSON.
fn json_of<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(row.get_ref(column)?.as_str()?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

/// A value as JSON for a column.
fn to_json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// A limit for SQL.
fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

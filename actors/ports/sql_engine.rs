//! The engine that runs SQL.

use super::PortFuture;
use crate::model::secret::Secret;
use crate::model::sql_value::{SqlRows, SqlValue};
use std::sync::Arc;
use std::time::Duration;

/// What `get_username()` and its sisters answer during one query.
///
/// Empty texts when nobody is known.
#[derive(Clone, Debug, Default)]
pub struct SqlCaller {
    /// `get_username()`.
    pub username: String,
    /// `get_user_email()`.
    pub email: String,
    /// `get_user_provider()`.
    pub provider: String,
    /// `get_user_external_token()`.
    pub external_token: Secret,
}

/// One query.
#[derive(Clone, Debug)]
pub struct SqlQuery {
    /// The text; the same `Arc` every time, so that it is prepared once per connection.
    pub sql: Arc<str>,
    /// Values by parameter name.
    pub arguments: Vec<(String, SqlValue)>,
    /// Who it runs for.
    pub caller: Arc<SqlCaller>,
    /// When to interrupt it, counted from the ask, waiting for a connection included.
    pub deadline: Duration,
    /// The most rows it may return.
    pub row_limit: usize,
    /// What it may do.
    pub access: SqlAccess,
}

/// What a query may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SqlAccess {
    /// Whatever the database allows: the operator wrote it.
    #[default]
    Full,
    /// Read tables and views of the database in one SELECT, and nothing else: somebody else wrote it.
    Look,
}

/// Why a query gave no rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// The engine refused the text or failed while running it.
    #[error("{0}")]
    Failed(String),
    /// A server that the SQL asked with the caller's token did not accept it (HTTP status 401). With
    /// a fresh token the query may work; it has changed nothing.
    #[error("{0}")]
    TokenRefused(String),
    /// It ran too long and was interrupted.
    #[error("the query ran longer than {} s and was interrupted", .0.as_secs_f64())]
    DeadlineExceeded(Duration),
    /// It had more rows than allowed.
    #[error("the query returned more than {0} rows; narrow it or add a LIMIT")]
    TooManyRows(usize),
    /// All connections stayed busy until the deadline.
    #[error("the database is busy; try again")]
    Busy,
    /// The engine is shutting down.
    #[error("the database is not available")]
    Unavailable,
}

/// Runs SQL.
pub trait SqlEngine: Send + Sync + std::fmt::Debug {
    /// Runs `query` for its caller and returns all rows. Dropping the future interrupts it.
    fn query(&self, query: SqlQuery) -> PortFuture<'_, Result<SqlRows, SqlError>>;

    /// Prepares `sql` against the real database and tells the names of its parameters, in
    /// order of first use. The query is not run, and no request is sent: a text that would ask a web
    /// server (a function that reads files, with `headers`) is checked for its grammar only.
    fn describe(&self, sql: Arc<str>) -> PortFuture<'_, Result<Vec<String>, SqlError>>;
}

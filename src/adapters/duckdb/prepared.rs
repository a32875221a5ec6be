//! A prepared statement that is run again and again, for one caller and the next.

use super::capi::{Activity, Connection, QueryResult, Statement, StatementKind};
use super::job::JobControl;
use super::look;
use super::rows::{self, Limits, ReadError};
use mxcp_actors::model::sql_value::SqlRows;
use mxcp_actors::ports::sql_engine::{SqlAccess, SqlError, SqlQuery};

/// A statement that a connection keeps.
#[derive(Debug)]
pub(super) struct Prepared {
    statement: Statement,
    /// Counts the queries of the connection.
    pub(super) last_use: u64,
    /// The plan may hold a caller's name, so it is good only if DuckDB binds it anew each time,
    /// which it does for functions that read files and not for all others.
    must_rebind: bool,
    is_new: bool,
}

/// Why a statement gave no rows.
#[derive(Debug)]
pub(super) enum RunError {
    /// The plan holds the answer that one of the caller's functions gave to another query.
    Stale,
    /// Anything else.
    Sql(SqlError),
}

impl From<RunError> for SqlError {
    fn from(error: RunError) -> Self {
        match error {
            // A statement that has just been prepared is not stale.
            RunError::Stale => Self::Failed("the statement must be prepared again".to_owned()),
            RunError::Sql(error) => error,
        }
    }
}

impl Prepared {
    /// Takes charge of a statement that has just been prepared; `must_rebind` says that a caller's
    /// function was asked while it was.
    pub(super) fn new(statement: Statement, must_rebind: bool) -> Self {
        Self { statement, last_use: 0, must_rebind, is_new: true }
    }

    pub(super) fn kind(&self) -> StatementKind {
        self.statement.kind()
    }

    /// Whether the plan may hold a caller's name.
    pub(super) fn must_rebind(&self) -> bool {
        self.must_rebind
    }

    /// Runs it with the arguments of `query`.
    ///
    /// # Errors
    /// `Stale` before anything is read, when the plan holds a former caller's name.
    pub(super) fn run(
        &mut self,
        connection: &Connection,
        query: &SqlQuery,
        control: &JobControl,
    ) -> Result<SqlRows, RunError> {
        let before = Activity::now();
        let must_rebind = self.must_rebind && !self.is_new;
        let transaction = Transaction::begin(connection, &self.statement)?;
        let is_stale = || must_rebind && !before.has_bound_since();
        let rows = run(&mut self.statement, query, control, is_stale).and_then(|rows| transaction.commit(rows));
        self.must_rebind |= before.may_have_kept_since();
        self.is_new = false;
        rows
    }
}

/// Runs a statement of a script, which has just been prepared and is not kept.
///
/// `begins` says whether it may have a transaction of its own; within the script's, it may not.
///
/// # Errors
/// As [`SqlError`].
pub(super) fn run_once(
    statement: &mut Statement,
    begins: Option<&Connection>,
    query: &SqlQuery,
    control: &JobControl,
) -> Result<SqlRows, SqlError> {
    let transaction = match begins {
        Some(connection) => Transaction::begin(connection, statement)?,
        None => Transaction(None),
    };
    Ok(run(statement, query, control, || false).and_then(|rows| transaction.commit(rows))?)
}

/// The transaction around a change that gives back rows: it is undone when there are too many of
/// them or nobody waits any more. Other changes give back a count and need none.
struct Transaction<'a>(Option<&'a Connection>);

impl<'a> Transaction<'a> {
    fn begin(connection: &'a Connection, statement: &Statement) -> Result<Self, RunError> {
        if !statement.has_returning() {
            return Ok(Self(None));
        }
        connection.run("BEGIN").map_err(|message| RunError::Sql(SqlError::Failed(message)))?;
        Ok(Self(Some(connection)))
    }

    /// Makes the change last. Without this the session rolls back, as after every failure.
    fn commit<T>(self, rows: T) -> Result<T, RunError> {
        if let Some(connection) = self.0 {
            connection.run("COMMIT").map_err(|message| RunError::Sql(SqlError::Failed(message)))?;
        }
        Ok(rows)
    }
}

fn run(
    statement: &mut Statement,
    query: &SqlQuery,
    control: &JobControl,
    is_stale: impl FnOnce() -> bool,
) -> Result<SqlRows, RunError> {
    bind(statement, query, control).map_err(RunError::Sql)?;
    let result = statement.execute();
    let rows = if is_stale() {
        drop(result);
        Err(RunError::Stale)
    } else {
        read(result, query, control).map_err(RunError::Sql)
    };
    statement.clear_bindings();
    rows
}

fn read(result: Result<QueryResult<'_>, String>, query: &SqlQuery, control: &JobControl) -> Result<SqlRows, SqlError> {
    let mut result = result.map_err(SqlError::Failed)?;
    let bytes = (query.access == SqlAccess::Look).then_some(look::BYTES_MAX);
    let limits = Limits { rows: query.row_limit, bytes };
    rows::read(&mut result, limits, || control.is_cancelled()).map_err(|error| match error {
        ReadError::Failed(message) => SqlError::Failed(message),
        ReadError::TooMuch => {
            let most = look::BYTES_MAX;
            SqlError::Failed(format!("the query returned more than {most} bytes; select fewer columns, or add a LIMIT"))
        }
        ReadError::TooMany => SqlError::TooManyRows(query.row_limit),
        ReadError::Cancelled => SqlError::Unavailable,
    })
}

/// Binds the arguments that the statement names; others are none of its business.
fn bind(statement: &Statement, query: &SqlQuery, control: &JobControl) -> Result<(), SqlError> {
    if control.is_cancelled() {
        return Err(SqlError::Unavailable);
    }
    for (position, name) in statement.parameters().iter().enumerate() {
        let Some((_, value)) = query.arguments.iter().find(|(argument, _)| argument == name) else {
            return Err(SqlError::Failed(format!("the parameter ${name} has no value")));
        };
        let bound = statement.bind(position, value);
        bound.map_err(|message| SqlError::Failed(format!("the parameter ${name}: {message}")))?;
    }
    Ok(())
}

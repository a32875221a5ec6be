//! The SQL engine on DuckDB.
//!
//! Owns one database, a pool of worker threads with a connection each, and the SQL functions that
//! tell who a query runs for (`get_username()` and its sisters). It knows nothing of tools,
//! policies or sessions.
//!
//! What keeps users apart: a connection serves one job at a time; the functions answer from that
//! connection's slot; and a connection on which a job may have left something (settings, variables,
//! temporary tables) is replaced.
//!
//! Several statements in one text run in order, and the rows are those of the last one. Each is
//! prepared when the ones before it have run. [`SqlEngine::describe`] runs nothing, so it refuses a
//! text in which a statement needs what an earlier one makes.
//!
//! A function that reads files may be given `headers`, which DuckDB does not have (`http_calls`): then a
//! request is sent for this query and its caller alone, and what came is a file in memory until the
//! query is over (`fetch`). Such statements are never kept prepared, and [`SqlEngine::describe`] sends no
//! requests: of a text with such a call it checks the grammar only, and leaves names and types of
//! columns to the first query.

#[expect(unsafe_code, reason = "the C API alone tells on whose connection a function runs; see the module")]
mod capi;
mod claim;
mod fetch;
mod harmless;
mod http_calls;
mod job;
mod line;
mod lock;
mod look;
mod memory_file;
mod numbers;
mod open;
mod pool;
mod prepared;
mod reaper;
mod rows;
mod session;
#[cfg(test)]
mod tests;
mod times;

pub use fetch::{FetchFault, FetchRequest, Fetched, Fetcher};
pub use open::{DuckDbSettings, OpenError, SetupStatement};

use job::{Cancelled, Reply, Work};
use mxcp_actors::model::sql_value::{SqlRows, SqlValue};
use mxcp_actors::ports::PortFuture;
use mxcp_actors::ports::sql_engine::{SqlAccess, SqlCaller, SqlEngine, SqlError, SqlQuery};
use pool::Pool;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long preparing may take; reading the header of a remote file is part of it.
const DESCRIBE_DEADLINE: Duration = Duration::from_mins(1);

/// An open database that runs SQL.
#[derive(Debug)]
pub struct DuckDbEngine {
    pool: Pool,
}

impl DuckDbEngine {
    /// Opens the database; connections follow when they are needed.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(settings: &DuckDbSettings) -> Result<Self, OpenError> {
        open::open(settings).map(|pool| Self { pool })
    }

    /// Runs a text of one or several statements for the operator, with texts for its parameters,
    /// and returns the rows of the last: those of a SELECT, the one with `Count` of a change, none
    /// of anything else.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub async fn run_script(
        &self,
        sql: &str,
        arguments: Vec<(String, String)>,
        deadline: Duration,
        row_limit: usize,
    ) -> Result<SqlRows, SqlError> {
        let arguments = arguments.into_iter().map(|(name, text)| (name, SqlValue::Text(text))).collect();
        let caller = Arc::new(SqlCaller::default());
        self.query(SqlQuery { sql: sql.into(), arguments, caller, deadline, row_limit, access: SqlAccess::Full }).await
    }

    /// Stops what runs, waits for it, and closes the database. Later queries are refused. Blocks;
    /// dropping the engine does the same.
    pub fn close(&self) {
        self.pool.close();
    }

    async fn ask<T>(&self, deadline: Duration, work: impl FnOnce(Reply<T>) -> Work) -> Result<T, SqlError> {
        let (reply, mut answer) = oneshot::channel();
        let ticket = self.pool.submit(work(reply))?;
        let answer = match tokio::time::timeout(deadline, &mut answer).await {
            Ok(answer) => {
                ticket.done();
                answer
            }
            Err(_elapsed) => match ticket.cancel() {
                Cancelled::BeforeStart => return Err(SqlError::Busy),
                Cancelled::WhileRunning => return Err(SqlError::DeadlineExceeded(deadline)),
                // It is done, and its answer on the way.
                Cancelled::TooLate => answer.await,
            },
        };
        // A reply dropped without an answer means that the pool closed.
        answer.unwrap_or(Err(SqlError::Unavailable))
    }
}

impl SqlEngine for DuckDbEngine {
    fn query(&self, query: SqlQuery) -> PortFuture<'_, Result<SqlRows, SqlError>> {
        let deadline = query.deadline;
        Box::pin(self.ask(deadline, |reply| Work::Query { query, reply }))
    }

    fn describe(&self, sql: Arc<str>) -> PortFuture<'_, Result<Vec<String>, SqlError>> {
        Box::pin(self.ask(DESCRIBE_DEADLINE, |reply| Work::Describe { sql, reply }))
    }
}

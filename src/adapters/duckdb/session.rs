//! One worker's connection and what is prepared on it.

use super::capi::{Activity, CallerSlot, Callers, Connection, Database, Interrupter, Statement, StatementKind};
use super::fetch::{Fetches, SECRET_LENGTH_MIN};
use super::http_calls::{self, Rewritten};
use super::job::JobControl;
use super::look::{self, Tables};
use super::prepared::{Prepared, RunError, run_once};
use mxcp_actors::model::sql_value::{SqlRows, SqlValue};
use mxcp_actors::ports::sql_engine::{SqlAccess, SqlError, SqlQuery};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// How many statements a connection keeps prepared; the one unused for longest goes first.
const STATEMENTS_MAX: usize = 512;

/// A connection with its prepared statements and the slot that tells who it works for.
#[derive(Debug)]
pub(super) struct Session {
    // Statements are declared, and so dropped, before their connection.
    statements: HashMap<Arc<str>, Prepared>,
    /// Statements that DuckDB would run with the name of a former caller.
    never_kept: HashSet<Arc<str>>,
    uses: u64,
    connection: Connection,
    slot: Arc<CallerSlot>,
    callers: Arc<Callers>,
    is_tainted: bool,
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// A message when DuckDB refuses.
    pub(super) fn open(database: &Arc<Database>, callers: &Arc<Callers>) -> Result<Self, String> {
        let connection = Connection::open(database)?;
        let slot = callers.enter(connection.id());
        let callers = Arc::clone(callers);
        Ok(Self {
            statements: HashMap::new(),
            never_kept: HashSet::new(),
            uses: 0,
            connection,
            slot,
            callers,
            is_tainted: false,
        })
    }

    /// Gives what stops the work of this connection.
    pub(super) fn interrupter(&self) -> Interrupter {
        self.connection.interrupter()
    }

    /// Whether the connection may carry something over to the next job (settings, variables,
    /// temporary tables), so that it must be replaced.
    pub(super) fn is_tainted(&self) -> bool {
        self.is_tainted
    }

    /// Runs `query` and reads the rows of its last statement.
    ///
    /// # Errors
    /// As [`SqlError`]; what a cancelled query answers is read by nobody.
    pub(super) fn query(&mut self, query: &SqlQuery, control: &Arc<JobControl>) -> Result<SqlRows, SqlError> {
        let _serving = Serving::begin(&self.slot, query);
        let answer = match query.access {
            SqlAccess::Full => self.run(query, control),
            SqlAccess::Look => self.look(query, control),
        };
        answer.map_err(|error| without_token(error, query.caller.external_token.expose()))
    }

    /// Prepares the statements of `sql` and names their parameters in order of first use. With a
    /// call that would send a request the text is only parsed: nobody is there to send it for.
    ///
    /// # Errors
    /// DuckDB's text.
    pub(super) fn describe(&self, sql: &str) -> Result<Vec<String>, SqlError> {
        if let Some(rewritten) = http_calls::rewrite(sql).map_err(SqlError::Failed)? {
            // The text of the author, so that DuckDB's message speaks of it.
            self.connection.extract(sql).map_err(SqlError::Failed)?;
            return Ok(rewritten.parameters);
        }
        let mut names: Vec<String> = Vec::new();
        for statement in self.connection.extract(sql).map_err(SqlError::Failed)? {
            let statement = statement.map_err(SqlError::Failed)?;
            for name in statement.parameters() {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
        Ok(names)
    }

    /// Makes the connection usable again after a job that failed or was interrupted: ends the
    /// transaction that it left open, if any, and clears the request to interrupt.
    pub(super) fn recover(&mut self) {
        // Fails when there is no transaction, which is the usual case and fine.
        let _no_transaction = self.connection.run("ROLLBACK");
    }

    fn run(&mut self, query: &SqlQuery, control: &Arc<JobControl>) -> Result<SqlRows, SqlError> {
        self.uses += 1;
        if let Some(prepared) = self.statements.remove(&query.sql) {
            match self.run_prepared(prepared, query, control, Keeping::Allowed) {
                Err(RunError::Stale) => self.never_keep(Arc::clone(&query.sql)),
                Err(RunError::Sql(error)) => return Err(error),
                Ok(rows) => return Ok(rows),
            }
        }
        match http_calls::rewrite(&query.sql).map_err(SqlError::Failed)? {
            Some(rewritten) => self.run_fetching(rewritten, query, control),
            None => self.run_text(query, control, Keeping::Allowed),
        }
    }

    /// Runs a text that somebody else than the operator wrote, if it does nothing but look at tables.
    /// It is not kept: it will hardly come again.
    fn look(&mut self, query: &SqlQuery, control: &Arc<JobControl>) -> Result<SqlRows, SqlError> {
        let functions = self.callers.known_functions().get(|| {
            let rows = self.ask(look::FUNCTIONS, Vec::new(), control)?;
            Ok::<_, SqlError>(rows.rows.iter().filter_map(|row| Some(row.get("name")?.as_str()?.to_owned())).collect())
        })?;
        let sql = SqlValue::Text(query.sql.to_string());
        let tree = self.ask(look::PARSE, vec![("sql".to_owned(), sql)], control)?;
        let tree = tree.rows.first().and_then(|row| row.get("tree")?.as_str()).unwrap_or_default();
        let tables = Tables::read(&self.ask(look::TABLES, Vec::new(), control)?.rows);
        look::judge(tree, &functions, &tables).map_err(SqlError::Failed)?;
        self.connection.run("BEGIN TRANSACTION READ ONLY").map_err(SqlError::Failed)?;
        let rows = self.run_looking(query, control);
        self.recover();
        rows
    }

    fn run_looking(&self, query: &SqlQuery, control: &Arc<JobControl>) -> Result<SqlRows, SqlError> {
        let mut statements = self.connection.extract(&query.sql).map_err(SqlError::Failed)?;
        match (statements.next(), statements.remaining()) {
            (Some(statement), 0) => {
                let mut statement = statement.map_err(SqlError::Failed)?;
                if statement.kind() != StatementKind::Select {
                    return Err(SqlError::Failed("only a SELECT can be run here".to_owned()));
                }
                run_once(&mut statement, None, query, control)
            }
            _ => Err(SqlError::Failed("only one statement can be run here".to_owned())),
        }
    }

    /// Runs a statement of our own.
    fn ask(
        &self,
        sql: &str,
        arguments: Vec<(String, SqlValue)>,
        control: &Arc<JobControl>,
    ) -> Result<SqlRows, SqlError> {
        let query = SqlQuery {
            sql: sql.into(),
            arguments,
            caller: Arc::default(),
            deadline: Duration::MAX,
            row_limit: usize::MAX,
            access: SqlAccess::Full,
        };
        let mut statements = self.connection.extract(sql).map_err(SqlError::Failed)?;
        let statement = statements.next().ok_or(SqlError::Unavailable)?;
        run_once(&mut statement.map_err(SqlError::Failed)?, None, &query, control)
    }

    /// Runs a text whose calls send requests. It is not kept: its plan is for what was fetched.
    fn run_fetching(
        &mut self,
        rewritten: Rewritten,
        query: &SqlQuery,
        control: &Arc<JobControl>,
    ) -> Result<SqlRows, SqlError> {
        let (caller, control) = (Arc::clone(&query.caller), Arc::clone(control));
        let fetches = Fetches::new(self.callers.fetcher(), caller, Arc::clone(&control), &rewritten.secrets);
        let fetches = Arc::new(fetches);
        self.slot.set_fetches(Some(Arc::clone(&fetches)));
        let query = SqlQuery { sql: rewritten.sql.into(), ..query.clone() };
        self.run_text(&query, &control, Keeping::Never).map_err(|error| fetches.explain(error))
    }

    /// Runs a text that is not prepared yet.
    fn run_text(&mut self, query: &SqlQuery, control: &JobControl, keeping: Keeping) -> Result<SqlRows, SqlError> {
        let before = Activity::now();
        let mut statements = self.connection.extract(&query.sql).map_err(SqlError::Failed)?;
        if statements.remaining() > 1 {
            return self.run_script(statements, query, control);
        }
        let Some(statement) = statements.next() else { return Ok(SqlRows::default()) };
        let statement = statement.map_err(SqlError::Failed)?;
        self.note(statement.kind());
        let ends_or_begins = statement.kind() == StatementKind::Transaction;
        let prepared = Prepared::new(statement, before.may_have_kept_since());
        let rows = self.run_prepared(prepared, query, control, keeping)?;
        self.refuse_open_transaction(ends_or_begins)?;
        Ok(rows)
    }

    /// Runs a statement, and keeps it for the next time if it may be kept.
    fn run_prepared(
        &mut self,
        mut prepared: Prepared,
        query: &SqlQuery,
        control: &JobControl,
        keeping: Keeping,
    ) -> Result<SqlRows, RunError> {
        let rows = prepared.run(&self.connection, query, control)?;
        // What failed is not kept, as it may be stale.
        if keeping == Keeping::Allowed && self.may_keep(&prepared, &query.sql) {
            prepared.last_use = self.uses;
            self.keep(Arc::clone(&query.sql), prepared);
        }
        Ok(rows)
    }

    fn may_keep(&self, prepared: &Prepared, sql: &Arc<str>) -> bool {
        match prepared.kind() {
            StatementKind::Select => !self.never_kept.contains(sql),
            // Whether it was stale is known only when it has run, which is too late for a change.
            StatementKind::Change => !prepared.must_rebind(),
            StatementKind::Transaction | StatementKind::Session => false,
        }
    }

    /// Runs several statements, each prepared when those before it have run, as it may need what
    /// they made. They are not kept: their connection is replaced if they left anything on it.
    fn run_script(
        &mut self,
        statements: impl Iterator<Item = Result<Statement, String>>,
        query: &SqlQuery,
        control: &JobControl,
    ) -> Result<SqlRows, SqlError> {
        let mut last = SqlRows::default();
        let mut has_transaction = false;
        for statement in statements {
            let mut statement = statement.map_err(SqlError::Failed)?;
            self.note(statement.kind());
            has_transaction |= statement.kind() == StatementKind::Transaction;
            let begins = if has_transaction { None } else { Some(&self.connection) };
            last = run_once(&mut statement, begins, query, control)?;
            if let Some(fetches) = self.slot.fetches() {
                fetches.next_statement();
            }
        }
        self.refuse_open_transaction(has_transaction)?;
        Ok(last)
    }

    fn note(&mut self, kind: StatementKind) {
        self.is_tainted |= !matches!(kind, StatementKind::Select | StatementKind::Change);
    }

    /// A transaction cannot outlive its job: the next job may be another user's.
    fn refuse_open_transaction(&self, has_transaction: bool) -> Result<(), SqlError> {
        if has_transaction && self.connection.run("ROLLBACK").is_ok() {
            let message = "the transaction was not ended, so it was rolled back; add COMMIT at the end";
            return Err(SqlError::Failed(message.to_owned()));
        }
        Ok(())
    }

    fn never_keep(&mut self, sql: Arc<str>) {
        if self.never_kept.len() >= STATEMENTS_MAX {
            self.never_kept.clear();
        }
        self.never_kept.insert(sql);
    }

    fn keep(&mut self, sql: Arc<str>, prepared: Prepared) {
        if self.statements.len() >= STATEMENTS_MAX {
            let oldest = self.statements.iter().min_by_key(|(_, prepared)| prepared.last_use);
            if let Some(oldest) = oldest.map(|(sql, _)| Arc::clone(sql)) {
                self.statements.remove(&oldest);
            }
        }
        self.statements.insert(sql, prepared);
    }
}

/// Whether a statement may stay prepared, as far as its text tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeping {
    Allowed,
    Never,
}

/// A connection at work for a caller; afterwards, and after a panic, for nobody.
struct Serving(Arc<CallerSlot>);

impl Serving {
    fn begin(slot: &Arc<CallerSlot>, query: &SqlQuery) -> Self {
        slot.set(Some(Arc::clone(&query.caller)));
        Self(Arc::clone(slot))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.set(None);
        self.0.set_fetches(None);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.callers.leave(self.connection.id());
    }
}

/// DuckDB quotes values in its messages, and messages go to logs.
fn without_token(error: SqlError, token: &str) -> SqlError {
    match error {
        SqlError::Failed(message) if token.len() >= SECRET_LENGTH_MIN => {
            SqlError::Failed(message.replace(token, "[redacted]"))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mxcp_actors::ports::sql_engine::SqlCaller;

    fn session() -> Session {
        let database = Arc::new(Database::open(None, &[]).unwrap());
        let callers = Arc::new(Callers::default());
        let session = Session::open(&database, &callers).unwrap();
        callers.register(&session.connection).unwrap();
        session
    }

    fn keeps(session: &mut Session, sql: &str) -> bool {
        let sql: Arc<str> = sql.into();
        for _ in 0..2 {
            let query = SqlQuery {
                sql: Arc::clone(&sql),
                arguments: Vec::new(),
                caller: Arc::new(SqlCaller::default()),
                deadline: Duration::MAX,
                row_limit: 1000,
                access: SqlAccess::Full,
            };
            session.query(&query, &Arc::default()).unwrap();
        }
        session.statements.contains_key(&sql)
    }

    #[test]
    fn statements_stay_prepared_when_they_may() {
        let mut session = session();
        session.connection.run("CREATE TABLE t AS SELECT 'x' AS who").unwrap();
        assert!(keeps(&mut session, "SELECT 1"));
        assert!(keeps(&mut session, "SELECT get_username()"));
        assert!(keeps(&mut session, "SELECT * FROM t WHERE who = get_username()"));
        assert!(keeps(&mut session, "INSERT INTO t SELECT get_username()"));
        assert!(!keeps(&mut session, "SELECT * FROM range(length(get_username()))"));
        assert!(!keeps(&mut session, "INSERT INTO t SELECT range FROM range(length(get_username()))"));
        assert!(!keeps(&mut session, "SET VARIABLE x = 1"));
        assert!(!keeps(&mut session, "SELECT 1; SELECT 2"));
    }

    #[test]
    fn the_statement_unused_for_longest_makes_room() {
        let mut session = session();
        assert!(keeps(&mut session, "SELECT 0"));
        assert!(keeps(&mut session, "SELECT 1"));
        for number in 2..STATEMENTS_MAX {
            assert!(keeps(&mut session, &format!("SELECT {number}")));
        }
        assert!(keeps(&mut session, "SELECT 0"));
        assert!(keeps(&mut session, "SELECT 'one more'"));
        assert_eq!(session.statements.len(), STATEMENTS_MAX);
        assert!(session.statements.contains_key("SELECT 0"));
        assert!(!session.statements.contains_key("SELECT 1"));
    }
}

//! A database that remembers what it was asked and answers what it was told.

use crate::model::sql_value::{Column, SqlRows};
use crate::ports::PortFuture;
use crate::ports::sql_engine::{SqlEngine, SqlError, SqlQuery};
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Answers every query with the same rows or the same error.
#[derive(Debug)]
pub struct FakeSql {
    queries: Mutex<Vec<SqlQuery>>,
    answer: Mutex<Result<SqlRows, SqlError>>,
    refused_token: Mutex<Option<&'static str>>,
    duration: Mutex<Duration>,
    interrupted: AtomicUsize,
}

impl Default for FakeSql {
    fn default() -> Self {
        Self {
            queries: Mutex::default(),
            answer: Mutex::new(Ok(SqlRows::default())),
            refused_token: Mutex::default(),
            duration: Mutex::default(),
            interrupted: AtomicUsize::new(0),
        }
    }
}

/// Counts a query that is dropped before it ends.
struct Running<'e> {
    engine: &'e FakeSql,
    has_ended: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.engine.interrupted.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl FakeSql {
    /// Rows from a JSON list of objects; the columns are those of the first.
    #[must_use]
    pub fn rows(rows: &Value) -> SqlRows {
        let rows: Vec<_> = rows.as_array().unwrap().iter().map(|row| row.as_object().unwrap().clone()).collect();
        let columns = rows.first().map(|row| row.keys().map(|name| Column { name: name.clone() }).collect());
        SqlRows { columns: columns.unwrap_or_default(), rows }
    }

    /// From now on every query is answered so.
    pub fn answer_with(&self, answer: Result<SqlRows, SqlError>) {
        *self.answer.lock().unwrap() = answer;
    }

    /// From now on queries with that token find it refused.
    pub fn refuse_token(&self, token: &'static str) {
        *self.refused_token.lock().unwrap() = Some(token);
    }

    /// From now on every query takes that long.
    pub fn take(&self, duration: Duration) {
        *self.duration.lock().unwrap() = duration;
    }

    /// Everything that was asked.
    #[must_use]
    pub fn queries(&self) -> Vec<SqlQuery> {
        self.queries.lock().unwrap().clone()
    }

    /// How many queries were interrupted.
    #[must_use]
    pub fn interrupted(&self) -> usize {
        self.interrupted.load(Ordering::SeqCst)
    }
}

impl SqlEngine for FakeSql {
    fn query(&self, query: SqlQuery) -> PortFuture<'_, Result<SqlRows, SqlError>> {
        Box::pin(async move {
            let refused = self.refused_token.lock().unwrap().filter(|token| query.caller.external_token.matches(token));
            self.queries.lock().unwrap().push(query);
            if refused.is_some() {
                return Err(SqlError::TokenRefused("GET https://api.example.com/ answered with status 401".to_owned()));
            }
            let mut running = Running { engine: self, has_ended: false };
            let duration = *self.duration.lock().unwrap();
            if !duration.is_zero() {
                tokio::time::sleep(duration).await;
            }
            running.has_ended = true;
            self.answer.lock().unwrap().clone()
        })
    }

    fn describe(&self, _: Arc<str>) -> PortFuture<'_, Result<Vec<String>, SqlError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

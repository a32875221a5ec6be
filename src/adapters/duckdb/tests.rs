use super::*;
use mxcp_actors::model::secret::Secret;
use serde_json::{Value, json};

mod engine;
mod fetching;
mod identity;
mod looking;
mod values;

const LONG: Duration = Duration::from_mins(1);

fn engine_of(settings: &DuckDbSettings) -> DuckDbEngine {
    DuckDbEngine::open(settings).unwrap()
}

fn engine() -> DuckDbEngine {
    engine_of(&DuckDbSettings::default())
}

/// One connection, so that jobs follow each other on it.
fn narrow_engine() -> DuckDbEngine {
    engine_of(&DuckDbSettings { connections: Some(1), ..DuckDbSettings::default() })
}

fn caller(name: &str) -> Arc<SqlCaller> {
    Arc::new(SqlCaller {
        username: name.to_owned(),
        email: format!("{name}@example.org"),
        provider: format!("idp of {name}"),
        external_token: Secret::new(format!("token of {name}")),
    })
}

fn ask(sql: impl Into<Arc<str>>) -> SqlQuery {
    SqlQuery {
        sql: sql.into(),
        arguments: Vec::new(),
        caller: Arc::new(SqlCaller::default()),
        deadline: LONG,
        row_limit: 100_000,
        access: mxcp_actors::ports::sql_engine::SqlAccess::Full,
    }
}

fn with(mut query: SqlQuery, name: &str, value: SqlValue) -> SqlQuery {
    query.arguments.push((name.to_owned(), value));
    query
}

fn by(mut query: SqlQuery, name: &str) -> SqlQuery {
    query.caller = caller(name);
    query
}

/// The rows as JSON.
async fn rows(engine: &DuckDbEngine, sql: &str) -> Value {
    let rows = engine.query(ask(sql)).await.unwrap();
    Value::Array(rows.rows.into_iter().map(Value::Object).collect())
}

/// The one value of the one row.
async fn one(engine: &DuckDbEngine, query: SqlQuery) -> Value {
    let rows = engine.query(query).await.unwrap();
    let [row] = rows.rows.as_slice() else { panic!("not one row: {rows:?}") };
    row.values().next().unwrap().clone()
}

async fn failure(engine: &DuckDbEngine, query: SqlQuery) -> String {
    engine.query(query).await.unwrap_err().to_string()
}

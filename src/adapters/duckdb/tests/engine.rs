use super::*;
use std::path::Path;

/// Runs for minutes if nobody stops it.
const ENDLESS: &str = "SELECT count(*) FROM range(100000000) a, range(100000) b WHERE (a.range + b.range) % 7 = 3";

fn within(mut query: SqlQuery, deadline: Duration) -> SqlQuery {
    query.deadline = deadline;
    query
}

fn limited(mut query: SqlQuery, row_limit: usize) -> SqlQuery {
    query.row_limit = row_limit;
    query
}

#[tokio::test]
async fn a_query_is_interrupted_at_its_deadline_and_its_connection_lives_on() {
    let engine = narrow_engine();
    let deadline = Duration::from_millis(150);
    let error = engine.query(within(ask(ENDLESS), deadline)).await.unwrap_err();
    assert_eq!(error, SqlError::DeadlineExceeded(deadline));
    assert_eq!(one(&engine, within(ask("SELECT 1"), Duration::from_secs(20))).await, json!(1));
}

#[tokio::test]
async fn a_query_that_nobody_waits_for_is_interrupted() {
    let engine = narrow_engine();
    let abandoned = tokio::time::timeout(Duration::from_millis(100), engine.query(ask(ENDLESS))).await;
    assert!(abandoned.is_err());
    assert_eq!(one(&engine, within(ask("SELECT 1"), Duration::from_secs(20))).await, json!(1));
}

#[tokio::test]
async fn waiting_for_a_connection_counts_towards_the_deadline() {
    let engine = narrow_engine();
    let long = engine.query(within(ask(ENDLESS), Duration::from_millis(400)));
    let short = engine.query(within(ask("SELECT 1"), Duration::from_millis(100)));
    let (long, short) = tokio::join!(long, short);
    assert!(matches!(long, Err(SqlError::DeadlineExceeded(_))));
    assert_eq!(short.unwrap_err(), SqlError::Busy);
}

#[tokio::test]
async fn an_interrupt_never_hits_the_next_query() {
    let engine = Arc::new(narrow_engine());
    let sql: Arc<str> = "SELECT count(*) FROM range(300000) WHERE range % 7 = 3".into();
    let mut cancelled = 0;
    for round in 0..400_u64 {
        // Cancels before, during and around the end of the query.
        let patience = Duration::from_micros(round * 37 % 3000);
        let abandoned = tokio::time::timeout(patience, engine.query(ask(Arc::clone(&sql)))).await;
        cancelled += u32::from(abandoned.is_err());
        assert_eq!(one(&engine, ask("SELECT 41 + 1")).await, json!(42), "round {round}");
        assert_eq!(one(&engine, ask(Arc::clone(&sql))).await, json!(42857), "round {round}");
    }
    assert!(cancelled > 0);
}

#[tokio::test]
async fn a_query_cancelled_at_any_moment_stops() {
    let engine = narrow_engine();
    for round in 0..60_u64 {
        // An interrupt that comes just before DuckDB begins is forgotten by it.
        let abandoned = tokio::time::timeout(Duration::from_micros(round * 20), engine.query(ask(ENDLESS))).await;
        assert!(abandoned.is_err());
    }
    assert_eq!(one(&engine, within(ask("SELECT 1"), Duration::from_secs(20))).await, json!(1));
}

#[tokio::test]
async fn rows_past_the_limit_are_not_computed() {
    let engine = narrow_engine();
    let huge = "SELECT range AS i FROM range(100000000000)";
    assert_eq!(engine.query(limited(ask(huge), 1000)).await.unwrap_err(), SqlError::TooManyRows(1000));
    let exact = engine.query(limited(ask("SELECT * FROM range(1000)"), 1000)).await.unwrap();
    assert_eq!(exact.rows.len(), 1000);
}

#[tokio::test]
async fn a_failed_transaction_does_not_outlive_its_query() {
    let engine = narrow_engine();
    engine.query(ask("CREATE TABLE t (i INTEGER)")).await.unwrap();
    let error = failure(&engine, ask("BEGIN; INSERT INTO t VALUES (1); SELECT error('stop'); COMMIT")).await;
    assert!(error.contains("stop"), "{error}");
    assert_eq!(rows(&engine, "SELECT * FROM t").await, json!([]));
    engine.query(ask("BEGIN; INSERT INTO t VALUES (2); COMMIT")).await.unwrap();
    assert_eq!(rows(&engine, "SELECT * FROM t").await, json!([{"i": 2}]));
}

#[tokio::test]
async fn a_transaction_left_open_is_rolled_back_and_told() {
    let engine = narrow_engine();
    engine.query(ask("CREATE TABLE t (i INTEGER)")).await.unwrap();
    for sql in ["BEGIN; INSERT INTO t VALUES (1)", "BEGIN"] {
        let error = failure(&engine, ask(sql)).await;
        assert_eq!(error, "the transaction was not ended, so it was rolled back; add COMMIT at the end");
    }
    assert_eq!(rows(&engine, "SELECT * FROM t").await, json!([]));
}

#[tokio::test]
async fn errors_are_duckdbs_own_words() {
    let engine = narrow_engine();
    let error = failure(&engine, ask("SELECT * FROM nowhere")).await;
    assert!(error.starts_with("Catalog Error: Table with name nowhere does not exist!"), "{error}");
    let error = failure(&engine, ask("SELEC 1")).await;
    assert!(error.starts_with("Parser Error: syntax error"), "{error}");
    let error = failure(&engine, ask("SELECT 'x'::INTEGER")).await;
    assert!(error.starts_with("Conversion Error: Could not convert string 'x' to INT32"), "{error}");
    assert_eq!(failure(&engine, ask(" -- nothing")).await, "there is no statement in the SQL");
    assert_eq!(failure(&engine, ask("SELECT 1\0")).await, "the text contains a zero byte");
    assert_eq!(one(&engine, ask("SELECT 1")).await, json!(1));
}

#[tokio::test]
async fn a_failure_among_the_rows_is_an_error() {
    let sql = "SELECT CASE WHEN i = 9999 THEN error('late') ELSE i END FROM range(10000) r(i)";
    let error = failure(&engine(), ask(sql)).await;
    assert!(error.contains("late"), "{error}");
}

#[tokio::test]
async fn a_change_of_a_table_reaches_prepared_statements() {
    let engine = engine();
    engine.query(ask("CREATE TABLE t AS SELECT 1 AS a")).await.unwrap();
    let sql: Arc<str> = "SELECT * FROM t".into();
    assert_eq!(rows(&engine, &sql).await, json!([{"a": 1}]));
    engine.query(ask("ALTER TABLE t ADD COLUMN b INTEGER DEFAULT 2")).await.unwrap();
    assert_eq!(rows(&engine, &sql).await, json!([{"a": 1, "b": 2}]));
    engine.query(ask("DROP TABLE t")).await.unwrap();
    assert!(failure(&engine, ask(Arc::clone(&sql))).await.contains("does not exist"));
    engine.query(ask("CREATE TABLE t AS SELECT 'x' AS c")).await.unwrap();
    assert_eq!(rows(&engine, &sql).await, json!([{"c": "x"}]));
}

#[tokio::test]
async fn describe_names_parameters_in_order_of_first_use() {
    let engine = engine();
    let names = engine.describe("SELECT $zed, $alpha, $zed + $mid".into()).await.unwrap();
    assert_eq!(names, ["zed", "alpha", "mid"]);
    let names = engine.describe("SELECT $b; SELECT $a, $b".into()).await.unwrap();
    assert_eq!(names, ["b", "a"]);
    assert!(engine.describe("SELECT 1".into()).await.unwrap().is_empty());
}

#[tokio::test]
async fn describe_runs_nothing() {
    let engine = narrow_engine();
    engine.query(ask("CREATE TABLE t AS SELECT 1 AS i; CREATE SEQUENCE s")).await.unwrap();
    for sql in ["DROP TABLE t; SELECT 1", "DELETE FROM t", "SELECT nextval('s')", "INSERT INTO t VALUES (2); SELECT 1"]
    {
        engine.describe(sql.into()).await.unwrap();
    }
    assert_eq!(rows(&engine, "SELECT * FROM t").await, json!([{"i": 1}]));
    assert_eq!(one(&engine, ask("SELECT nextval('s')")).await, json!(1));
}

#[tokio::test]
async fn describe_finds_what_is_wrong() {
    let engine = engine();
    let error = engine.describe("SELECT * FROM nowhere".into()).await.unwrap_err();
    assert!(error.to_string().contains("nowhere does not exist"), "{error}");
    let error = engine.describe("".into()).await.unwrap_err();
    assert_eq!(error, SqlError::Failed("there is no statement in the SQL".to_owned()));
}

#[tokio::test]
async fn a_script_gives_the_rows_of_its_last_statement() {
    let engine = engine();
    let run = async |sql: &str| {
        let arguments = vec![("n".to_owned(), "7".to_owned())];
        let rows = engine.run_script(sql, arguments, LONG, 100).await.unwrap();
        Value::Array(rows.rows.into_iter().map(Value::Object).collect())
    };
    assert_eq!(run("CREATE TABLE t (i INTEGER)").await, json!([]));
    assert_eq!(run("INSERT INTO t VALUES (1), ($n)").await, json!([{"Count": 2}]));
    assert_eq!(run("UPDATE t SET i = i + 1").await, json!([{"Count": 2}]));
    assert_eq!(run("DELETE FROM t WHERE i = 2; SELECT * FROM t WHERE i = $n::INTEGER + 1").await, json!([{"i": 8}]));
    assert_eq!(run("SELECT 1 AS a; DROP TABLE t").await, json!([]));
    assert_eq!(run("CREATE TEMP TABLE u AS SELECT 5 AS i; SELECT * FROM u;").await, json!([{"i": 5}]));
}

#[tokio::test]
async fn a_pivot_finds_its_columns() {
    let engine = engine();
    engine.query(ask("CREATE TABLE t AS SELECT * FROM (VALUES ('a', 1), ('b', 2)) v(k, n)")).await.unwrap();
    let sql: Arc<str> = "PIVOT t ON k USING sum(n)".into();
    for _ in 0..2 {
        assert_eq!(rows(&engine, &sql).await, json!([{"a": 1, "b": 2}]));
    }
    assert!(engine.describe(sql).await.unwrap().is_empty());
}

#[tokio::test]
async fn time_zones_and_current_date_work() {
    let engine = engine();
    let day = one(&engine, ask("SELECT current_date::VARCHAR")).await;
    assert_eq!(day.as_str().unwrap().len(), 10);
    let year = one(&engine, ask("SELECT extract(year FROM TIMESTAMPTZ '2024-06-01 00:00:00Z')")).await;
    assert_eq!(year, json!(2024));
}

#[tokio::test]
async fn a_file_keeps_its_data_and_its_folder_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep").join("data.duckdb");
    let settings = |read_only| DuckDbSettings { path: Some(path.clone()), read_only, ..DuckDbSettings::default() };
    let engine = engine_of(&settings(false));
    engine.query(ask("CREATE TABLE t AS SELECT 1 AS i")).await.unwrap();
    engine.close();
    let engine = engine_of(&settings(true));
    assert_eq!(rows(&engine, "SELECT * FROM t").await, json!([{"i": 1}]));
    assert_eq!(one(&engine, by(ask("SELECT get_username()"), "ada")).await, json!("ada"));
    let error = failure(&engine, ask("INSERT INTO t VALUES (2)")).await;
    assert!(error.contains("read-only"), "{error}");
}

fn open_error(path: &Path, read_only: bool) -> OpenError {
    let settings = DuckDbSettings { path: Some(path.to_owned()), read_only, ..DuckDbSettings::default() };
    DuckDbEngine::open(&settings).unwrap_err()
}

#[test]
fn a_database_that_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent.duckdb");
    assert!(matches!(open_error(&absent, true), OpenError::Missing { .. }));
    let garbage = folder.path().join("garbage.duckdb");
    std::fs::write(&garbage, [7; 16384]).unwrap();
    assert!(matches!(open_error(&garbage, false), OpenError::NotADatabase { .. }));
    assert!(matches!(open_error(&garbage.join("below"), false), OpenError::Folder { .. }));
}

#[test]
fn a_statement_of_the_start_that_fails_does_not_show_itself() {
    let setup = vec![
        SetupStatement { purpose: "the schema".to_owned(), sql: Secret::new("CREATE TABLE t AS SELECT 1 AS i") },
        SetupStatement { purpose: "the secret x".to_owned(), sql: Secret::new("SELECT 'hunter2' FROM nowhere") },
    ];
    let error = DuckDbEngine::open(&DuckDbSettings { setup, ..DuckDbSettings::default() }).unwrap_err().to_string();
    assert!(error.starts_with("the secret x failed: Catalog Error"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn closing_stops_what_runs_and_refuses_what_comes() {
    let engine = Arc::new(engine());
    let running = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { engine.query(ask(ENDLESS)).await }
    });
    // Once the other has been polled, its job is with a worker.
    tokio::task::yield_now().await;
    let closing = Arc::clone(&engine);
    tokio::task::spawn_blocking(move || closing.close()).await.unwrap();
    assert_eq!(running.await.unwrap().unwrap_err(), SqlError::Unavailable);
    assert_eq!(engine.query(ask("SELECT 1")).await.unwrap_err(), SqlError::Unavailable);
}

#[tokio::test]
async fn rows_past_the_limit_undo_the_change_that_gives_them() {
    let engine = narrow_engine();
    engine.query(ask("CREATE TABLE t (i BIGINT)")).await.unwrap();
    let sql: Arc<str> = "INSERT INTO t SELECT * FROM range(10) RETURNING i".into();
    let error = engine.query(limited(ask(Arc::clone(&sql)), 9)).await.unwrap_err();
    assert_eq!(error, SqlError::TooManyRows(9));
    assert_eq!(one(&engine, ask("SELECT count(*) FROM t")).await, json!(0));
    assert_eq!(engine.query(limited(ask(Arc::clone(&sql)), 10)).await.unwrap().rows.len(), 10);
    assert_eq!(one(&engine, ask("SELECT count(*) FROM t")).await, json!(10));
    let script = format!("BEGIN; {sql}; COMMIT; SELECT count(*) FROM t");
    assert_eq!(one(&engine, ask(script)).await, json!(20));
    let error = failure(&engine, ask(format!("BEGIN; {sql}"))).await;
    assert!(error.starts_with("the transaction was not ended"), "{error}");
    assert_eq!(one(&engine, ask("SELECT count(*) FROM t")).await, json!(20));
}

#[tokio::test]
async fn deep_expressions_do_not_overflow_the_stack() {
    let engine = engine();
    let deep = format!("SELECT {}1{}", "abs(".repeat(900), ")".repeat(900));
    assert_eq!(one(&engine, ask(deep)).await, json!(1));
    let deeper = format!("SELECT {}1{}", "(".repeat(100_000), ")".repeat(100_000));
    // Whether refused or computed, the process lives.
    let _either = engine.query(ask(deeper)).await;
    assert_eq!(one(&engine, ask(format!("SELECT {}1", "1 + ".repeat(900)))).await, json!(901));
    let nested = format!("SELECT {}1{}", "[".repeat(100), "]".repeat(100));
    assert!(one(&engine, ask(nested)).await.is_array());
}

#[tokio::test]
async fn more_jobs_than_connections_are_all_served() {
    let engine = engine_of(&DuckDbSettings { connections: Some(2), ..DuckDbSettings::default() });
    let sql: Arc<str> = "SELECT $n * 2 AS n".into();
    let asks = (0..300).map(|n| {
        let query = with(ask(Arc::clone(&sql)), "n", SqlValue::Integer(n));
        let engine = &engine;
        async move { assert_eq!(one(engine, query).await, json!(n * 2)) }
    });
    futures_util::future::join_all(asks).await;
}

#[tokio::test]
async fn too_long_a_queue_turns_jobs_away() {
    let engine = narrow_engine();
    let mut asks: Vec<_> = (0..300).map(|_| engine.query(ask(ENDLESS))).collect();
    let mut turned_away = 0;
    for ask in &mut asks {
        match futures_util::future::poll_immediate(ask).await {
            Some(answer) => {
                assert_eq!(answer.unwrap_err(), SqlError::Busy);
                turned_away += 1;
            }
            None => assert_eq!(turned_away, 0),
        }
    }
    assert_eq!(turned_away, 300 - 257);
    drop(asks);
    assert_eq!(one(&engine, within(ask("SELECT 1"), Duration::from_secs(20))).await, json!(1));
}

#[tokio::test]
async fn reading_a_file_works() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.json");
    std::fs::write(&path, r#"[{"a": 1, "b": {"c": [true]}}]"#).unwrap();
    let sql: Arc<str> = "SELECT * FROM read_json_auto($path)".into();
    let query = || with(ask(Arc::clone(&sql)), "path", SqlValue::Text(path.display().to_string()));
    let engine = narrow_engine();
    for _ in 0..2 {
        let rows = engine.query(query()).await.unwrap();
        assert_eq!(Value::Object(rows.rows[0].clone()), json!({"a": 1, "b": {"c": [true]}}));
    }
    assert_eq!(engine.describe(Arc::clone(&sql)).await.unwrap(), ["path"]);
}

#[test]
fn a_file_is_opened_once_in_a_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.duckdb");
    let settings = |path: &Path| DuckDbSettings { path: Some(path.to_owned()), ..DuckDbSettings::default() };
    let first = engine_of(&settings(&path));
    let same = folder.path().join(".").join("data.duckdb");
    assert!(matches!(open_error(&same, false), OpenError::AlreadyOpen { .. }));
    assert!(matches!(open_error(&path, true), OpenError::AlreadyOpen { .. }));
    let other = engine_of(&settings(&folder.path().join("other.duckdb")));
    first.close();
    let second = engine_of(&settings(&path));
    drop((second, other));
    drop(engine_of(&settings(&path)));
}

#[test]
fn a_database_that_cannot_be_opened_is_not_claimed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.duckdb");
    std::fs::write(&path, [7; 16384]).unwrap();
    assert!(matches!(open_error(&path, false), OpenError::NotADatabase { .. }));
    std::fs::remove_file(&path).unwrap();
    drop(engine_of(&DuckDbSettings { path: Some(path), ..DuckDbSettings::default() }));
}

#[tokio::test]
async fn a_pivot_takes_parameters_when_its_columns_are_given() {
    let engine = engine();
    engine.query(ask("CREATE TABLE t AS SELECT * FROM (VALUES ('a', 1), ('b', 2), ('b', 5)) v(k, n)")).await.unwrap();
    let sql: Arc<str> = "PIVOT (SELECT * FROM t WHERE n < $limit) ON k IN ('a', 'b') USING sum(n)".into();
    assert_eq!(engine.describe(Arc::clone(&sql)).await.unwrap(), ["limit"]);
    let row = engine.query(with(ask(sql), "limit", SqlValue::Integer(5))).await.unwrap();
    assert_eq!(Value::Object(row.rows[0].clone()), json!({"a": 1, "b": 2}));
    let dynamic: Arc<str> = "PIVOT (SELECT * FROM t WHERE n < $limit) ON k USING sum(n)".into();
    let error = engine.describe(dynamic).await.unwrap_err().to_string();
    assert!(error.contains("cannot have parameters in their source"), "{error}");
}

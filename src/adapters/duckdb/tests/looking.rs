//! What SQL of strangers can see and do.

use super::*;
use mxcp_actors::ports::sql_engine::SqlAccess;

async fn filled() -> DuckDbEngine {
    let engine = narrow_engine();
    let sql = "CREATE TABLE t AS SELECT range AS n, 'row ' || range AS name FROM range(5); CREATE SCHEMA other; \
               CREATE TABLE other.u AS SELECT 7 AS n; CREATE VIEW v AS SELECT n * 2 AS m FROM t; \
               CREATE SEQUENCE counter; CREATE MACRO reader(p) AS TABLE SELECT * FROM read_text(p); \
               CREATE MACRO peek(p) AS (SELECT content FROM read_text(p))";
    engine.run_script(sql, Vec::new(), LONG, 10).await.unwrap();
    engine
}

fn look(sql: &str) -> SqlQuery {
    SqlQuery { access: SqlAccess::Look, ..by(ask(sql), "ada") }
}

#[tokio::test]
async fn a_select_of_tables_and_views_is_answered() {
    let engine = filled().await;
    for (sql, expected) in [
        ("SELECT count(*) FROM t", json!(5)),
        ("select sum(m) from main.v where m > 2", json!(18)),
        ("SELECT n FROM other.u", json!(7)),
        ("SELECT max(n) FROM memory.main.t", json!(4)),
        ("WITH c AS (SELECT n FROM t WHERE n < 2) SELECT count(*) FROM c, c AS d", json!(4)),
        ("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT max(n) FROM r", json!(9)),
        ("SELECT upper(name) FROM t ORDER BY n DESC NULLS LAST LIMIT 1 OFFSET 1", json!("ROW 3")),
        ("FROM (VALUES (1), (2)) AS x(y) SELECT count(DISTINCT y) FILTER (WHERE y > 1)", json!(1)),
        ("SELECT row_number() OVER (PARTITION BY n % 2 ORDER BY n) FROM t WHERE n = 4 QUALIFY true", json!(1)),
        ("SELECT list_transform([1, 2], lambda x: x + 1)[2]::INTEGER", json!(3)),
        ("SELECT CASE WHEN n BETWEEN 1 AND 3 AND name LIKE 'r%' THEN {'a': [n]}.a[1] END FROM t WHERE n = 2", json!(2)),
        ("SELECT n FROM t WHERE n IN (SELECT max(n) FROM t) AND EXISTS (FROM other.u) GROUP BY ALL", json!(4)),
        ("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'main'", json!(2)),
        ("SELECT column_name FROM (DESCRIBE t) LIMIT 1", json!("n")),
        ("SELECT CAST('2024-02-03' AS DATE) + INTERVAL 1 DAY < now()", json!(true)),
        ("SELECT extract(year FROM DATE '2024-02-03') || trim(' x ') || coalesce(NULL, round(1.5))", json!("2024x2")),
        ("SELECT get_username()", json!("ada")),
        ("SELECT count(*) FROM t TABLESAMPLE 100%, range(2)", json!(10)),
        ("SELECT unnest([7])", json!(7)),
        ("SELECT string_agg(replace(name, 'row', 'r'), ', ') FROM t WHERE n = 1", json!("r 1")),
        ("SELECT count(*) FROM generate_series(1, length('abc')), json_each('[1, 2]')", json!(6)),
        ("SELECT 1 UNION SELECT 1 EXCEPT SELECT 2", json!(1)),
    ] {
        let answer = engine.query(look(sql)).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let value = answer.rows[0].values().next().unwrap();
        assert_eq!(*value, expected, "{sql}");
    }
}

#[tokio::test]
async fn nothing_else_is_run() {
    let engine = filled().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret.csv");
    std::fs::write(&file, "a\n1\n").unwrap();
    let file = file.display();
    for sql in [
        "INSERT INTO t VALUES (9, 'x')",
        "UPDATE t SET n = 1",
        "DELETE FROM t",
        "DROP TABLE t",
        "CREATE TABLE x AS SELECT 1",
        "WITH x AS (INSERT INTO t VALUES (9, 'x') RETURNING n) SELECT * FROM x",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE t",
        "SET threads = 1",
        "SET VARIABLE x = 1",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "BEGIN",
        "COMMIT",
        "CHECKPOINT",
        "LOAD json",
        "INSTALL httpfs",
        "EXPLAIN ANALYZE SELECT 1",
        "PREPARE p AS SELECT 1",
        "PIVOT t ON name",
        "SHOW TABLES",
        "FROM (SHOW ALL TABLES)",
        "SELECT nextval('counter')",
        "SELECT current_setting('home_directory')",
        "SELECT getvariable('x')",
        "SELECT get_user_external_token()",
        "SELECT __mxcp_fetch('https://example.com', '{}', '')",
        "SELECT write_log('x')",
        "SELECT sleep_ms(1)",
        "SELECT \"__internal_compress_integral_utinyint\"(1, 1)",
        "SELECT other.lower('X')",
        "SELECT json_serialize_plan('SELECT 1')",
        "SELECT finalize(sum(n) EXPORT_STATE) FROM t",
        "SELECT pg_sleep(1)",
        "SELECT len(range(1000000000000))",
        "SELECT * FROM range(length(repeat('x', 4000000000)))",
        "SELECT format('{:>1000000000}', 1)",
        "SELECT printf('%500000000d', 1)",
        "SELECT bitstring('1', 1000000000)",
        "SELECT levenshtein('a', 'b')",
        "SELECT list_aggregate(['a', 'b'], 'string_agg', 'x')",
        "SELECT list_reduce(['a', 'b'], lambda a, b: a || b)",
        "SELECT damerau_levenshtein('a', 'b')",
        "WITH a AS (SELECT 'x' AS s) SELECT replace(s, 'x', s) FROM a",
        "WITH a AS (SELECT 'x' AS s) SELECT string_agg('y', s) FROM a GROUP BY s",
        "SELECT peek('/etc/hostname')",
        "FROM reader('/etc/hostname')",
        "FROM query('SELECT 1')",
        "FROM query_table('t')",
        "FROM glob('*')",
        "FROM duckdb_settings()",
        "FROM duckdb_secrets()",
        "FROM duckdb_logs",
        "FROM duckdb_views",
        "FROM sqlite_master",
        "FROM pg_catalog.pg_settings",
        "FROM information_schema.views",
        "FROM system.main.duckdb_tables",
        "FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
        "FROM 'https://example.com/x.csv'",
        "FROM secret.csv",
        "SELECT $1",
        "SELECT",
        "",
        ";",
        "SELEC 1",
    ] {
        assert!(engine.query(look(sql)).await.is_err(), "{sql}");
    }
    for sql in [
        format!("FROM '{file}'"),
        format!("FROM read_csv('{file}')"),
        format!("SELECT (SELECT a FROM read_csv('{file}'))"),
        format!("SELECT * FROM t WHERE n IN (FROM '{file}')"),
        format!("SELECT * FROM (WITH \"{file}\" AS (SELECT 1) SELECT 1), \"{file}\""),
        format!("SELECT list_transform([1], lambda x: (SELECT a FROM '{file}'))"),
        format!("COPY t TO '{file}'"),
        format!("COPY (SELECT 1) TO '{file}'"),
        format!("ATTACH '{file}.db'"),
        format!("EXPORT DATABASE '{file}.d'"),
        "SELECT * FROM (WITH duckdb_logs AS (SELECT 1) SELECT 1), duckdb_logs".to_owned(),
    ] {
        assert!(engine.query(look(&sql)).await.is_err(), "{sql}");
    }
    assert_eq!(rows(&engine, "SELECT count(*) AS n FROM t").await, json!([{"n": 5}]));
    assert_eq!(rows(&engine, "SELECT nextval('counter') AS n").await, json!([{"n": 1}]));
}

#[tokio::test]
async fn a_text_that_is_refused_says_why() {
    let engine = filled().await;
    for (sql, why) in [
        ("DROP TABLE t", "only a SELECT can be run here"),
        ("SELECT 1; SELECT 2", "only one statement can be run here"),
        ("FROM read_csv('x.csv')", "the function \"read_csv\" cannot be called here"),
        ("FROM 'x.csv'", "there is no table or view \"x.csv\""),
        ("SELEC 1", "syntax error at or near \"SELEC\""),
        ("SELECT $1", "the SQL has a parameter, which nobody gives a value"),
    ] {
        assert_eq!(failure(&engine, look(sql)).await, why);
    }
    let deep = format!("SELECT {}1{}", "abs(".repeat(200), ")".repeat(200));
    assert_eq!(failure(&engine, look(&deep)).await, "the SQL is nested too deeply");
}

#[tokio::test]
async fn rows_and_bytes_and_time_are_limited() {
    let engine = filled().await;
    let many = SqlQuery { row_limit: 10, ..look("FROM range(11)") };
    assert_eq!(engine.query(many).await.unwrap_err(), SqlError::TooManyRows(10));
    let large = failure(&engine, look("SELECT string_agg('0123456789', '') FROM range(1000000)")).await;
    assert_eq!(large, "the query returned more than 4194304 bytes; select fewer columns, or add a LIMIT");
    let wide = failure(&engine, look("SELECT list(range) FROM range(1000000)")).await;
    assert!(wide.starts_with("the query returned more than"), "{wide}");
    let deadline = Duration::from_millis(200);
    let slow = SqlQuery {
        deadline,
        ..look("SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range = 7")
    };
    assert_eq!(engine.query(slow).await.unwrap_err(), SqlError::DeadlineExceeded(deadline));
    assert_eq!(one(&engine, look("SELECT count(*) FROM t")).await, json!(5), "the connection is of use afterwards");
}

#[tokio::test]
async fn looks_that_never_end_leave_connections_to_tools() {
    let engine = engine_of(&DuckDbSettings { connections: Some(4), ..DuckDbSettings::default() });
    let endless = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = -1";
    let mut looks: Vec<_> = (0..8).map(|_| Box::pin(engine.query(look(endless)))).collect();
    // Each is submitted when it is first polled; none of them ends.
    let all = futures_util::future::poll_fn(|context| {
        assert!(looks.iter_mut().all(|look| look.as_mut().poll(context).is_pending()));
        std::task::Poll::Ready(())
    });
    all.await;
    assert_eq!(rows(&engine, "SELECT 1 AS n").await, json!([{"n": 1}]));
    // When the ones before it are given up, a look that waited is served.
    let short = engine.query(look("SELECT 2 AS n"));
    drop(looks);
    assert_eq!(short.await.unwrap().rows.len(), 1);
}

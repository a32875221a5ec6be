use super::*;

const WHO: &str = "SELECT get_username() || '|' || get_user_email() || '|' || get_user_provider() || '|' || get_user_external_token()";

#[tokio::test]
async fn the_functions_answer_the_caller() {
    let engine = engine();
    let expected = json!("ada|ada@example.org|idp of ada|token of ada");
    assert_eq!(one(&engine, by(ask(WHO), "ada")).await, expected);
}

#[tokio::test]
async fn nobody_is_an_empty_text() {
    assert_eq!(one(&engine(), ask(WHO)).await, json!("|||"));
}

#[tokio::test]
async fn one_prepared_statement_serves_two_users() {
    let engine = narrow_engine();
    let sql: Arc<str> = WHO.into();
    for name in ["ada", "bob", "ada", "cyd"] {
        let answer = one(&engine, by(ask(Arc::clone(&sql)), name)).await;
        assert!(answer.as_str().unwrap().starts_with(&format!("{name}|{name}@")), "{answer}");
    }
    assert_eq!(one(&engine, ask(sql)).await, json!("|||"));
}

/// Places where a plan may keep, fold, copy or move the call.
const PLACES: &[&str] = &[
    "SELECT get_username()",
    "WITH me AS (SELECT get_username() AS u) SELECT a.u FROM me a JOIN me b ON a.u = b.u",
    "WITH me AS MATERIALIZED (SELECT get_username() AS u) SELECT a.u FROM me a, me b WHERE a.u = b.u",
    "SELECT (SELECT get_username())",
    "SELECT u FROM (SELECT get_username() AS u) WHERE u = get_username()",
    "SELECT max(get_username()) FROM range(20000)",
    "SELECT who FROM users WHERE who = get_username()",
    "SELECT who FROM users WHERE who IN (SELECT get_username())",
    "SELECT who FROM mine",
    "SELECT me()",
    "SELECT x FROM me_table()",
    "SELECT u FROM query('SELECT ''' || get_username() || ''' AS u') t(u)",
    "SELECT unnest([get_username()])",
    "SELECT CASE WHEN count(*) = length(get_username()) THEN get_username() END FROM range(length(get_username()))",
    "SELECT list_transform([1], lambda x: get_username())[1]",
    "SELECT get_username() FROM range(1) GROUP BY ALL ORDER BY 1",
    "SELECT CASE WHEN true THEN get_username() ELSE 'none' END",
    "SELECT DISTINCT get_username() FROM range(5000)",
    "SELECT first(u) FROM (SELECT get_username() AS u, row_number() OVER (ORDER BY i) FROM range(3000) r(i))",
    "SELECT u FROM (SELECT get_username() AS u UNION SELECT get_username())",
    "SELECT s.who FROM users s JOIN LATERAL (SELECT get_username() AS u) m ON m.u = s.who",
    "SELECT $p || get_username()",
    "PIVOT (SELECT get_username() AS k, get_username() AS v) ON k USING first(v)",
    "SELECT COLUMNS(*) FROM (PIVOT (SELECT 'k' AS k, get_username() AS v) ON k IN ('k') USING first(v))",
    "FROM query_table('users') WHERE who = get_username()",
    "SELECT get_username() LIMIT length(get_username())",
    "SELECT u FROM (SELECT get_username() AS u, i FROM range(20) r(i)) LIMIT 1 OFFSET length(get_username())",
    "WITH RECURSIVE r AS (SELECT 1 AS n, get_username() AS u UNION ALL SELECT n + 1, get_username() FROM r WHERE n < 3) \
     SELECT DISTINCT u FROM r",
    "SELECT string_agg(DISTINCT u, ',') FROM (SELECT get_username() AS u FROM range(100000))",
    "SELECT g FROM generate_series(1, length(get_username())) t(i), LATERAL (SELECT get_username()) l(g) LIMIT 1",
];

const SETUP: &str = "CREATE TABLE users AS SELECT 'user' || i AS who FROM range(200) r(i);
     CREATE VIEW mine AS SELECT who FROM users WHERE who = get_username();
     CREATE MACRO me() AS get_username();
     CREATE MACRO me_table() AS TABLE SELECT get_username() AS x;";

async fn assert_sees_itself(engine: &DuckDbEngine, sql: &Arc<str>, name: &str) {
    let query = with(by(ask(Arc::clone(sql)), name), "p", SqlValue::Text(String::new()));
    assert_eq!(one(engine, query).await, json!(name), "{sql}");
}

#[tokio::test]
async fn no_place_in_a_statement_keeps_the_former_user() {
    let engine = narrow_engine();
    engine.query(ask(SETUP)).await.unwrap();
    for place in PLACES {
        let sql: Arc<str> = (*place).into();
        for name in ["user7", "user123", "user7", "user0"] {
            assert_sees_itself(&engine, &sql, name).await;
        }
    }
}

#[tokio::test]
async fn users_at_the_same_moment_never_see_each_other() {
    let engine = Arc::new(engine_of(&DuckDbSettings { connections: Some(6), ..DuckDbSettings::default() }));
    engine.query(ask(SETUP)).await.unwrap();
    let places: Arc<[Arc<str>]> = PLACES.iter().map(|place| Arc::from(*place)).collect();
    let users = (0..12).map(|user| {
        let (engine, places) = (Arc::clone(&engine), Arc::clone(&places));
        tokio::spawn(async move {
            for round in 0..260 {
                let place = &places[(round + user) % places.len()];
                assert_sees_itself(&engine, place, &format!("user{}", (user * 17 + round) % 200)).await;
            }
        })
    });
    for user in users.collect::<Vec<_>>() {
        user.await.unwrap();
    }
}

#[tokio::test]
async fn the_threads_of_a_parallel_scan_all_know_the_user() {
    let engine = Arc::new(engine_of(&DuckDbSettings { connections: Some(3), ..DuckDbSettings::default() }));
    // A change of this setting belongs to the whole database.
    engine.query(ask("SET threads = 4")).await.unwrap();
    engine.query(ask("CREATE TABLE big AS SELECT i, 'user' || (i % 10) AS who FROM range(500000) r(i)")).await.unwrap();
    let sql: Arc<str> = "SELECT count(*) || min(who) || max(get_username()) FROM big WHERE who = get_username()".into();
    let users = (0..6).map(|user| {
        let (engine, sql) = (Arc::clone(&engine), Arc::clone(&sql));
        tokio::spawn(async move {
            for round in 0..8 {
                let name = format!("user{}", (user + round) % 10);
                let answer = one(&engine, by(ask(Arc::clone(&sql)), &name)).await;
                assert_eq!(answer, json!(format!("50000{name}{name}")));
            }
        })
    });
    for user in users.collect::<Vec<_>>() {
        user.await.unwrap();
    }
}

#[tokio::test]
async fn changes_are_signed_by_the_caller() {
    let engine = narrow_engine();
    engine.query(ask("CREATE TABLE log (who VARCHAR DEFAULT get_username(), what INTEGER)")).await.unwrap();
    let sql: Arc<str> = "INSERT INTO log (what) SELECT i FROM range(3000) r(i)".into();
    for name in ["ada", "bob"] {
        assert_eq!(one(&engine, by(ask(Arc::clone(&sql)), name)).await, json!(3000));
    }
    let counts = rows(&engine, "SELECT who, count(*) AS n FROM log GROUP BY who ORDER BY who").await;
    assert_eq!(counts, json!([{"who": "ada", "n": 3000}, {"who": "bob", "n": 3000}]));
}

#[tokio::test]
async fn what_a_user_leaves_on_a_connection_is_gone() {
    let engine = narrow_engine();
    for script in [
        "SET VARIABLE mine = 'secret'; SELECT 1",
        "CREATE TEMP TABLE t AS SELECT 'secret' AS s; SELECT 1",
        "SET search_path = 'temp'; SELECT 1",
        "PREPARE p AS SELECT 'secret'; SELECT 1",
    ] {
        engine.query(by(ask(script), "ada")).await.unwrap();
    }
    assert_eq!(one(&engine, by(ask("SELECT getvariable('mine')"), "bob")).await, Value::Null);
    assert!(failure(&engine, by(ask("SELECT * FROM t"), "bob")).await.contains("does not exist"));
    assert!(failure(&engine, by(ask("EXECUTE p"), "bob")).await.contains("does not exist"));
    assert_eq!(one(&engine, by(ask("SELECT current_schema()"), "bob")).await, json!("main"));
}

#[tokio::test]
async fn a_token_is_not_in_an_error() {
    let engine = engine();
    let error = failure(&engine, by(ask("SELECT get_user_external_token()::INTEGER"), "ada")).await;
    assert!(error.contains("Could not convert string '[redacted]'"), "{error}");
    assert!(!error.contains("token of ada"), "{error}");
}

#[tokio::test]
async fn a_file_is_chosen_by_its_reader() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["ada", "bob"] {
        std::fs::write(folder.path().join(format!("{name}.csv")), format!("who\n{name}\n")).unwrap();
    }
    let engine = narrow_engine();
    let folder = folder.path().display().to_string();
    let source = "read_csv($folder || '/' || get_username() || '.csv', header = true)";
    for sql in [
        format!("SELECT who FROM {source}"),
        format!("SELECT who FROM (SELECT * FROM {source})"),
        format!("WITH f AS (SELECT who FROM {source}) SELECT * FROM f"),
    ] {
        let sql: Arc<str> = sql.into();
        for name in ["ada", "bob", "bob", "ada"] {
            let query = with(by(ask(Arc::clone(&sql)), name), "folder", SqlValue::Text(folder.clone()));
            assert_eq!(one(&engine, query).await, json!(name), "{sql}");
        }
    }
}

#[tokio::test]
async fn a_change_whose_plan_holds_a_name_is_made_once_and_right() {
    let engine = narrow_engine();
    engine.query(ask("CREATE TABLE t (who VARCHAR)")).await.unwrap();
    let sql: Arc<str> = "INSERT INTO t SELECT u FROM query('SELECT ''' || get_username() || ''' AS u') q(u)".into();
    for name in ["ada", "bob", "ada"] {
        engine.query(by(ask(Arc::clone(&sql)), name)).await.unwrap();
    }
    let counts = rows(&engine, "SELECT who, count(*) AS n FROM t GROUP BY who ORDER BY who").await;
    assert_eq!(counts, json!([{"who": "ada", "n": 2}, {"who": "bob", "n": 1}]));
}

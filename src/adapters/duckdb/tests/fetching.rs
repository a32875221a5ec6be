use super::*;
use crate::adapters::duckdb::lock::Lock;
use std::collections::HashMap;

const TOKEN_CALL: &str = "SELECT * FROM read_json_auto('https://api.example/me', \
     headers = MAP {'Authorization': 'Bearer ' || get_user_external_token(), 'User-Agent': 'MXCP'})";

/// Answers from a table, and remembers what it was asked.
#[derive(Debug, Default)]
struct FakeApi {
    bodies: HashMap<&'static str, Vec<u8>>,
    asked: Lock<Vec<String>>,
}

impl FakeApi {
    fn with(bodies: &[(&'static str, &[u8])]) -> Arc<Self> {
        let bodies = bodies.iter().map(|(url, body)| (*url, body.to_vec())).collect();
        Arc::new(Self { bodies, asked: Lock::default() })
    }

    fn engine(self: &Arc<Self>, connections: usize) -> DuckDbEngine {
        let fetcher: Arc<dyn Fetcher> = Arc::clone(self) as _;
        let settings = DuckDbSettings { fetcher: Some(fetcher), connections: Some(connections), ..Default::default() };
        engine_of(&settings)
    }

    /// What was asked since the last look.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock())
    }
}

impl Fetcher for FakeApi {
    fn fetch(&self, request: FetchRequest, is_cancelled: &dyn Fn() -> bool) -> Result<Fetched, FetchFault> {
        let headers: Vec<String> =
            request.headers.iter().map(|(name, value)| format!("{name}: {}", value.expose())).collect();
        self.asked.lock().push(format!("{} {}", request.url, headers.join(", ")));
        let shown_url = request.url.split('?').next().unwrap().to_owned();
        match shown_url.as_str() {
            "https://api.example/refused" => {
                Err(FetchFault::TokenRefused(format!("GET {shown_url} answered with status 401")))
            }
            "https://api.example/repeats" => {
                let value = request.headers[0].1.expose();
                Err(FetchFault::Failed(format!("GET {shown_url} answered with status 400: {value} is bad")))
            }
            "https://api.example/panics" => panic!("on purpose"),
            "https://api.example/hangs" => {
                while !is_cancelled() {
                    std::thread::yield_now();
                }
                Err(FetchFault::Cancelled)
            }
            "https://api.example/me" => {
                let body = format!(r#"[{{"who": "{}"}}]"#, request.headers[0].1.expose());
                Ok(Fetched { body: body.into_bytes(), shown_url })
            }
            url => {
                let body = self.bodies.get(url).cloned();
                let missing = FetchFault::Failed(format!("GET {url} answered with status 404: Not Found"));
                body.map(|body| Fetched { body, shown_url }).ok_or(missing)
            }
        }
    }

    fn bytes_max(&self) -> usize {
        1_000_000
    }
}

#[tokio::test]
async fn each_call_is_fetched_anew_with_its_callers_own_token() {
    let api = FakeApi::with(&[]);
    let engine = api.engine(1);
    let sql: Arc<str> = TOKEN_CALL.into();
    for name in ["ada", "bob", "bob", "ada"] {
        let answer = one(&engine, by(ask(Arc::clone(&sql)), name)).await;
        assert_eq!(answer, json!(format!("Bearer token of {name}")));
        let asked = format!("https://api.example/me Authorization: Bearer token of {name}, User-Agent: MXCP");
        assert_eq!(api.asked(), [asked]);
    }
}

#[tokio::test]
async fn callers_at_the_same_moment_never_get_each_others_answer() {
    let api = FakeApi::with(&[]);
    let engine = Arc::new(api.engine(6));
    let sql: Arc<str> = TOKEN_CALL.into();
    let users = (0..12).map(|user| {
        let (engine, sql) = (Arc::clone(&engine), Arc::clone(&sql));
        tokio::spawn(async move {
            for round in 0..40 {
                let name = format!("user {}", (user + round) % 7);
                let answer = one(&engine, by(ask(Arc::clone(&sql)), &name)).await;
                assert_eq!(answer, json!(format!("Bearer token of {name}")));
            }
        })
    });
    for user in users.collect::<Vec<_>>() {
        user.await.unwrap();
    }
    assert_eq!(api.asked().len(), 12 * 40);
}

#[tokio::test]
async fn each_call_in_a_text_sends_one_request() {
    let api = FakeApi::with(&[("https://api.example/a", br#"[{"a": 1}, {"a": 2}]"#)]);
    let engine = api.engine(1);
    let call = "read_json('https://api.example/a', headers = MAP {'X': 'y'})";
    for (sql, count, expected) in [
        (format!("SELECT sum(a) FROM {call}"), 1, 3),
        (format!("SELECT sum(a) FROM {}", call.replace("'https://api.example/a'", "$url")), 1, 3),
        (format!("SELECT sum(x.a * y.a) FROM {call} x, {call} y"), 2, 9),
        (format!("WITH c AS (FROM {call}) SELECT sum(x.a * y.a) FROM c x, c y"), 1, 9),
        (format!("WITH c AS NOT MATERIALIZED (FROM {call}) SELECT sum(x.a * y.a) FROM c x, c y"), 1, 9),
        (format!("CREATE OR REPLACE TABLE t AS FROM {call}; INSERT INTO t FROM {call}; SELECT sum(a) FROM t"), 2, 6),
        (
            format!(
                "SELECT sum(a) FROM {}",
                call.replace("'https://api.example/a'", "['https://api.example/a', $url]")
            ),
            1,
            6,
        ),
        (format!("PREPARE p AS SELECT sum(a) FROM {call}; EXECUTE p"), 1, 3),
        (format!("SELECT sum(a) FROM t WHERE a IN (SELECT a FROM {call})"), 1, 6),
    ] {
        for _round in 0..2 {
            let query = with(ask(sql.clone()), "url", SqlValue::Text("https://api.example/a".to_owned()));
            assert_eq!(one(&engine, query).await, json!(expected), "{sql}");
            assert_eq!(api.asked().len(), count, "{sql}");
        }
    }
}

#[tokio::test]
async fn every_reader_reads_what_was_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.parquet").display().to_string();
    engine().query(ask(format!("COPY (SELECT 7 AS a) TO '{file}'"))).await.unwrap();
    let parquet = std::fs::read(&file).unwrap();
    let api = FakeApi::with(&[
        ("https://api.example/json", br#"[{"a": 7}]"#),
        ("https://api.example/ndjson", b"{\"a\": 7}\n"),
        ("https://api.example/csv", b"a,b\n7,x\n"),
        ("https://api.example/semicolon", b"a;b\n7;x\n"),
        ("https://api.example/parquet", &parquet),
        ("https://api.example/empty", b""),
    ]);
    let engine = api.engine(1);
    for (what, call) in [
        ("a", "read_json('https://api.example/json', headers = MAP {'X': 'y'})"),
        ("a", "read_json_auto('https://api.example/json', headers = {'X': 'y'})"),
        ("a", "read_json('https://api.example/json', columns = {a: 'INT'}, headers := MAP {'X': 1})"),
        ("a", "read_ndjson('https://api.example/ndjson', headers => MAP {'X': true})"),
        ("a", "read_ndjson_auto('https://api.example/ndjson', headers = MAP {})"),
        ("json.a", "read_json_objects('https://api.example/json', headers = MAP {})"),
        ("json.a", "read_ndjson_objects('https://api.example/ndjson', headers = MAP {})"),
        ("a", "read_csv('https://api.example/csv', headers = MAP {})"),
        ("a", "\"READ_CSV_AUTO\"('https://api.example/semicolon', \"Headers\" = MAP {}, delim = ';')"),
        ("a", "read_parquet('https://api.example/parquet', headers = MAP {})"),
        ("content[11:11]::INT", "read_text('https://api.example/csv', headers = MAP {})"),
    ] {
        let (what, call) = if what.starts_with("content") { ("content[5:5]::INT", call) } else { (what, call) };
        let answer = one(&engine, ask(format!("SELECT {what}::INT FROM {call}"))).await;
        assert_eq!(answer, json!(7), "{call}");
    }
    for reader in ["read_json_auto", "read_ndjson", "read_csv"] {
        let empty = format!("FROM {reader}('https://api.example/empty', headers = MAP {{}})");
        assert_eq!(rows(&engine, &empty).await, json!([]), "{reader}");
    }
    let error = failure(&engine, ask("FROM read_parquet('https://api.example/empty', headers = MAP {})")).await;
    assert!(error.ends_with("File 'https://api.example/empty' too small to be a Parquet file"), "{error}");
}

#[tokio::test]
async fn describing_sends_no_request() {
    let api = FakeApi::with(&[]);
    let engine = api.engine(1);
    let describe = async |sql: &str| engine.describe(sql.into()).await;
    assert_eq!(describe(TOKEN_CALL).await, Ok(Vec::new()));
    let sql = "SELECT *, $b FROM read_json($url, headers = MAP {'X': $a}) WHERE x = $b; SELECT $c FROM not_there";
    assert_eq!(describe(sql).await, Ok(["b", "url", "a", "c"].map(str::to_owned).to_vec()));
    let error = describe(&format!("{TOKEN_CALL} WHERE")).await.unwrap_err().to_string();
    assert!(error.starts_with("Parser Error: syntax error"), "{error}");
    let error = describe(&format!("CREATE VIEW v AS {TOKEN_CALL}")).await.unwrap_err().to_string();
    assert!(error.contains("a view cannot keep a call with headers"), "{error}");
    assert_eq!(api.asked(), [] as [&str; 0]);
    // What is described without a caller is not sent by hand either.
    let by_hand = "SELECT __mxcp_fetch('https://api.example/me', '{}', '0 read_json')";
    engine.query(ask("CREATE TABLE IF NOT EXISTS x (i INT)")).await.unwrap();
    let error = failure(&engine, ask(by_hand)).await;
    assert!(error.contains("give headers to a function that reads files"), "{error}");
    assert_eq!(api.asked(), [] as [&str; 0]);
}

#[tokio::test]
async fn what_was_fetched_ends_with_its_query() {
    let api = FakeApi::with(&[("https://api.example/a", b"a text that is nowhere else")]);
    let engine = api.engine(1);
    let call = "read_text('https://api.example/a', headers = MAP {})";
    for sql in [format!("SELECT filename FROM {call}"), format!("SELECT filename FROM {call}, range(2) LIMIT 1")] {
        let path = one(&engine, ask(sql)).await;
        let left = std::fs::read(path.as_str().unwrap()).unwrap_or_default();
        assert_ne!(left, b"a text that is nowhere else");
    }
    // Neither after a failure, nor after a panic.
    let error = failure(&engine, ask(format!("SELECT error(filename) FROM {call}"))).await;
    assert!(error.contains("https://api.example/a") && !error.contains("/proc/"), "{error}");
    let error =
        failure(&engine, ask(format!("FROM {call}; FROM read_text('https://api.example/panics', headers = MAP {{}})")))
            .await;
    assert!(error.contains("the request failed inside mxcp"), "{error}");
    // Other tests have files in memory too.
    let files = std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
    let is_memory = |path: &std::path::PathBuf| {
        std::fs::read_link(path).is_ok_and(|to| to.display().to_string().starts_with("/memfd:mxcp"))
    };
    let left = files.filter(is_memory).filter_map(|path| std::fs::read(path).ok());
    assert_eq!(left.filter(|content| content == b"a text that is nowhere else").count(), 0);
    assert_eq!(one(&engine, ask("SELECT 1")).await, json!(1));
}

#[tokio::test]
async fn a_failed_request_is_the_error_of_the_query() {
    let api = FakeApi::with(&[("https://api.example/a", b"[1]"), ("https://api.example/broken", b"[{\"a\": 1}, {\"")]);
    let engine = api.engine(1);
    let call = |url: &str| {
        format!("SELECT * FROM read_json_auto('{url}', headers = MAP {{'X-Api-Key': 'Key of-the-api-81'}})")
    };
    let error = failure(&engine, ask(call("https://api.example/missing?key=of-the-api-81"))).await;
    assert_eq!(error, "GET https://api.example/missing answered with status 404: Not Found");
    let refused = engine.query(by(ask(call("https://api.example/refused")), "ada")).await.unwrap_err();
    assert_eq!(refused, SqlError::TokenRefused("GET https://api.example/refused answered with status 401".to_owned()));
    let repeated = failure(&engine, ask(call("https://api.example/repeats"))).await;
    assert_eq!(repeated, "GET https://api.example/repeats answered with status 400: [redacted] is bad");
    // What DuckDB would quote of the statement: the values of headers are in it.
    let binder = failure(&engine, ask(call("https://api.example/a").replace('*', "nope"))).await;
    assert!(binder.starts_with("Binder Error: Referenced column \"nope\" not found"), "{binder}");
    let broken = failure(&engine, ask(call("https://api.example/broken"))).await;
    assert!(broken.contains("Malformed JSON in file \"https://api.example/broken\""), "{broken}");
    let parser = failure(&engine, ask(format!("{} WHERE", call("https://api.example/a")))).await;
    assert!(parser.starts_with("Parser Error"), "{parser}");
    let cast = failure(&engine, ask(call("https://api.example/a").replace("81'", "81'::INT"))).await;
    assert!(cast.contains("[redacted]"), "{cast}");
    for error in [binder, broken, parser, cast] {
        assert!(!error.contains("of-the-api-81") && !error.contains("LINE") && !error.contains("__mxcp"), "{error}");
    }
}

#[tokio::test]
async fn the_token_is_in_no_error() {
    let api = FakeApi::with(&[]);
    let engine = api.engine(1);
    for sql in [
        TOKEN_CALL.replace('*', "nope"),
        TOKEN_CALL.replace('*', "who::INT"),
        TOKEN_CALL.replace('*', "error(who)"),
        TOKEN_CALL.replace("'Bearer ' || get_user_external_token()", "get_user_external_token()::INT::VARCHAR"),
        TOKEN_CALL.replace("/me", "/repeats"),
        TOKEN_CALL.replace("'MXCP'", "NULL"),
        TOKEN_CALL.replace("https://api.example/me', ", "nowhere ' || get_user_external_token(), "),
    ] {
        let error = failure(&engine, by(ask(sql.clone()), "ada")).await;
        assert!(!error.contains("token of ada"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn what_is_null_or_no_map_is_refused_before_any_request() {
    let api = FakeApi::with(&[]);
    let engine = api.engine(1);
    for (arguments, expected) in [
        ("NULL, headers = MAP {'X': 'y'}", "read_json: the URL is NULL"),
        ("$url, headers = MAP {'X': 'y'}", "read_json: the URL is NULL"),
        ("'https://api.example/a', headers = NULL", "read_json: headers is NULL"),
        ("'https://api.example/a', headers = MAP {'X': 'Bearer ' || NULL}", "read_json: the header \"X\" is NULL"),
        ("'https://api.example/a', headers = MAP {'X': [1]}", "read_json: the header \"X\" is not a text"),
        (
            "'https://api.example/a', headers = 'X: y'",
            "read_json: headers must be a MAP of texts, such as MAP {'Accept': 'application/json'}",
        ),
        ("['https://api.example/a', NULL], headers = NULL", "read_json: headers is NULL"),
    ] {
        let query = with(ask(format!("FROM read_json({arguments})")), "url", SqlValue::Null);
        assert_eq!(failure(&engine, query).await, expected, "{arguments}");
    }
    assert_eq!(api.asked(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_query_fetches_within_limits() {
    let large = vec![b'x'; 600_000];
    let api = FakeApi::with(&[("https://api.example/large", &large), ("https://api.example/a", b"x")]);
    let engine = api.engine(1);
    let twice = "FROM read_text(['https://api.example/large', 'https://api.example/large?2'], headers = MAP {})";
    let error = failure(&engine, ask(twice)).await;
    assert_eq!(error, "the answers to this query are larger than 1000000 bytes together");
    let many = "SELECT count(*) FROM read_text(list_transform(range($n), lambda i: 'https://api.example/a?' || i), headers = MAP {})";
    let many = many.replace("list_transform", "[u for u in list_transform").replace("|| i)", "|| i)]");
    for (n, outcome) in [(100, Ok(json!(100))), (101, Err("read_text: a query may send 100 requests at most"))] {
        let query = with(ask(many.clone()), "n", SqlValue::Integer(n));
        match outcome {
            Ok(count) => assert_eq!(one(&engine, query).await, count),
            Err(expected) => assert_eq!(failure(&engine, query).await, expected),
        }
    }
}

#[tokio::test]
async fn compressed_data_is_read_when_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let compressed = async |compression: &str| {
        let file = folder.path().join(compression).display().to_string();
        let sql = format!("COPY (SELECT 7 AS a) TO '{file}' (FORMAT json, COMPRESSION {compression})");
        engine().query(ask(sql)).await.unwrap();
        std::fs::read(&file).unwrap()
    };
    let (gzip, zstd) = (compressed("gzip").await, compressed("zstd").await);
    let api = FakeApi::with(&[("https://api.example/gzip", &gzip), ("https://api.example/zstd", &zstd)]);
    let engine = api.engine(1);
    for compression in ["gzip", "zstd"] {
        let call = format!("SELECT a FROM read_json('https://api.example/{compression}', headers = MAP {{}})");
        let expected = format!(
            "https://api.example/{compression} is compressed with {compression}; add compression = '{compression}' to read_json"
        );
        assert_eq!(failure(&engine, ask(call.clone())).await, expected);
        let named = call.replace("MAP {}", &format!("MAP {{}}, compression = '{compression}'"));
        assert_eq!(one(&engine, ask(named)).await, json!(7));
    }
}

#[tokio::test]
async fn a_request_is_given_up_with_its_query() {
    let api = FakeApi::with(&[]);
    let engine = api.engine(1);
    let hanging = || ask("FROM read_json('https://api.example/hangs', headers = MAP {})");
    let deadline = Duration::from_millis(100);
    let error = engine.query(SqlQuery { deadline, ..hanging() }).await.unwrap_err();
    assert_eq!(error, SqlError::DeadlineExceeded(deadline));
    assert!(tokio::time::timeout(deadline, engine.query(hanging())).await.is_err());
    assert_eq!(one(&engine, ask("SELECT 1")).await, json!(1));
    // Closing does not wait for it.
    let engine = Arc::new(engine);
    let asking = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { engine.query(hanging()).await }
    });
    while api.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    tokio::task::spawn_blocking(move || engine.close()).await.unwrap();
    assert_eq!(asking.await.unwrap().unwrap_err(), SqlError::Unavailable);
}

#[tokio::test]
async fn without_a_fetcher_calls_with_headers_are_refused() {
    assert_eq!(failure(&engine(), ask(TOKEN_CALL)).await, "calls with headers cannot be made here");
}

#[tokio::test]
async fn a_header_that_is_different_each_time_sends_one_request_all_the_same() {
    let api = FakeApi::with(&[("https://api.example/a", br#"[{"a": 1}]"#)]);
    let engine = api.engine(1);
    let call = "FROM read_json('https://api.example/a', headers = MAP {'X-Request-Id': uuid()::VARCHAR})";
    assert_eq!(rows(&engine, call).await, json!([{"a": 1}]));
    assert_eq!(api.asked().len(), 1);
    // But what is asked for with other headers is another answer.
    let prepared = "PREPARE p AS FROM read_json('https://api.example/a', headers = MAP {'X': $x}); \
                    EXECUTE p(x := 'one'); EXECUTE p(x := 'one'); EXECUTE p(x := 'two')";
    assert_eq!(rows(&engine, prepared).await, json!([{"a": 1}]));
    assert_eq!(api.asked(), ["https://api.example/a X: one", "https://api.example/a X: two"]);
}

#[tokio::test]
async fn a_column_is_not_named_by_the_call_in_it() {
    let api = FakeApi::with(&[("https://api.example/a", br#"[{"a": 1}, {"a": 2}]"#)]);
    let call = "(SELECT sum(a) FROM read_json('https://api.example/a', headers = MAP {'X': 'a secret key'}))";
    let sql = format!("SELECT 0 AS column1, {call}, {call} AS total");
    assert_eq!(rows(&api.engine(1), &sql).await, json!([{"column1": 0, "column1_1": 3, "total": 3}]));
}

#[tokio::test]
async fn a_url_that_is_no_text_is_refused_in_plain_words() {
    let api = FakeApi::with(&[]);
    let urls = SqlValue::List(vec![SqlValue::Text("https://api.example/a".to_owned())]);
    for url in ["$urls", "list_value('https://api.example/a')", "5"] {
        let query = with(ask(format!("FROM read_json({url}, headers = MAP {{}})")), "urls", urls.clone());
        let expected = "the first argument of a call with headers must be a text, or a list of texts in brackets";
        assert_eq!(failure(&api.engine(1), query).await, expected);
    }
}

#[tokio::test]
async fn duckdb_reads_a_rewritten_call_however_it_was_written() {
    let api = FakeApi::with(&[("https://api.example/a", br#"[{"a": 7}]"#)]);
    let engine = api.engine(1);
    for call in [
        "read_json('https://api.example/a',headers=MAP{'X':'y'})",
        "\"READ_JSON\"\n(\n'https://api.example/a'\n,\n\"HEADERS\"\n=\nMAP\n{'X':'y'}\n)",
        "/* ' /* ' */ */ system . main /**/ . read_json -- ('\n ( E'https://api.example/\\x61' -- '\r , headers /* , */ => MAP {$$X$$: 'y' /* ) */} )",
        "read_json($a$https://api.example/a$a$, headers := {'X': 'y)', \"Y\": $$ ' $$ || E'\\''}, columns = {\"a\": 'INT'})",
        "read_json('https://api.example/' || 'a' -- the path\n, headers = MAP(['X'], ['y']), format = 'array',)",
        "read_json(headers = MAP {'X': CASE WHEN 1 = 1 THEN 'y' END}, 'https://api.example/a')",
        "read_json(['https://api.example/a'], headers = MAP {'X': upper('y') /* , */}, union_by_name = true)",
    ] {
        let sql = format!("SELECT a /* read_json('x', headers = y) */ FROM {call} AS \"'\" WHERE a = 7 -- '");
        assert_eq!(engine.describe(sql.clone().into()).await, Ok(Vec::new()), "{call}");
        assert_eq!(one(&engine, ask(sql)).await, json!(7), "{call}");
    }
}

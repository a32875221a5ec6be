//! Requests that SQL sends: DuckDB and the adapter together, against real servers on this machine.

use crate::upstream_support::{Misbehaviour, dead_address, misbehaving_server};
use mxcp::adapters::duckdb::{DuckDbEngine, DuckDbSettings};
use mxcp::adapters::http_fetch::{HttpFetch, HttpFetchSettings};
use mxcp_actors::model::allowed_target::AllowedTarget;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::ports::sql_engine::{SqlAccess, SqlCaller, SqlEngine as _, SqlError, SqlQuery};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const TOKEN: &str = "gho_token-of-ada-0123";

fn settings(allowed: &[&str]) -> HttpFetchSettings {
    let allowed = allowed.iter().map(|target| AllowedTarget::parse(target).unwrap()).collect();
    HttpFetchSettings { allowed, timeout: Duration::from_secs(20), bytes_max: 100_000 }
}

fn engine_with(settings: HttpFetchSettings) -> DuckDbEngine {
    let fetcher = Some(Arc::new(HttpFetch::new(settings)) as _);
    DuckDbEngine::open(&DuckDbSettings { fetcher, connections: Some(2), ..Default::default() }).unwrap()
}

/// An engine that may ask this machine.
fn engine() -> DuckDbEngine {
    engine_with(settings(&["127.0.0.1", "localhost"]))
}

fn ask(sql: impl Into<Arc<str>>) -> SqlQuery {
    let caller = SqlCaller { external_token: Secret::new(TOKEN), ..SqlCaller::default() };
    let deadline = Duration::from_secs(60);
    SqlQuery {
        sql: sql.into(),
        arguments: Vec::new(),
        caller: Arc::new(caller),
        deadline,
        row_limit: 1000,
        access: SqlAccess::Full,
    }
}

/// A call with the caller's token, a cookie and a key.
fn call(url: &str) -> SqlQuery {
    ask(format!(
        "SELECT * FROM read_json_auto('{url}', headers = MAP {{'Authorization': 'Bearer ' || get_user_external_token(), \
         'Cookie': 'session=abcdefgh', 'X-Token': get_user_external_token(), 'Private-Token': 'a private token', \
         'User-Agent': 'MXCP'}})"
    ))
}

async fn rows(engine: &DuckDbEngine, query: SqlQuery) -> Value {
    let rows = engine.query(query).await.unwrap_or_else(|error| panic!("{error}"));
    Value::Array(rows.rows.into_iter().map(Value::Object).collect())
}

/// The error of a call, which must show no secret.
async fn failure(engine: &DuckDbEngine, url: &str) -> String {
    let error = engine.query(call(url)).await.unwrap_err();
    for text in [error.to_string(), format!("{error:?}")] {
        for secret in [TOKEN, "abcdefgh", "a private token", "__mxcp", "?key="] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    error.to_string()
}

async fn answer(server: &MockServer, at: &str, template: ResponseTemplate) {
    Mock::given(method("GET")).and(path(at)).respond_with(template).mount(server).await;
}

fn json_answer(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

fn redirect(status: u16, to: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).insert_header("location", to)
}

async fn received(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.unwrap()
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn the_call_of_the_documentation_reaches_the_api_with_its_headers() {
    let api = MockServer::start().await;
    answer(&api, "/user/repos", json_answer(&json!([{"name": "a"}, {"name": "b"}]))).await;
    let sql = "SELECT *\nFROM read_json_auto(\n    'https://api.github.com/user/repos',\n    headers = MAP {\n        \
               'Authorization': 'Bearer ' || get_user_external_token(),\n        'User-Agent': 'MXCP'\n    }\n);\n";
    let sql = sql.replace("https://api.github.com", &api.uri());
    assert_eq!(rows(&engine(), ask(sql)).await, json!([{"name": "a"}, {"name": "b"}]));
    let [request] = received(&api).await.try_into().unwrap();
    assert_eq!(header(&request, "authorization"), format!("Bearer {TOKEN}"));
    assert_eq!(header(&request, "user-agent"), "MXCP");
    assert_eq!((header(&request, "cookie"), request.body.len()), ("", 0));
}

#[tokio::test]
async fn what_is_encoded_for_the_way_is_decoded_and_nothing_is_no_rows() {
    let api = MockServer::start().await;
    let zeros = include_bytes!("cases/zeros.gz").as_slice();
    let encoded =
        |body: &[u8]| ResponseTemplate::new(200).insert_header("content-encoding", "gzip").set_body_bytes(body);
    answer(&api, "/encoded", encoded(zeros)).await;
    answer(&api, "/empty", ResponseTemplate::new(204)).await;
    let engine = engine_with(HttpFetchSettings { bytes_max: 5_000_000, ..settings(&["127.0.0.1"]) });
    let size = ask(format!("SELECT size FROM read_text('{}/encoded', headers = MAP {{}})", api.uri()));
    assert_eq!(rows(&engine, size).await, json!([{"size": 4 * 1024 * 1024}]));
    assert_eq!(rows(&engine, call(&format!("{}/empty", api.uri()))).await, json!([]));
    let too_large = failure(&self::engine(), &format!("{}/encoded?key=1", api.uri())).await;
    let expected = "failed: its answer is larger than 100000 bytes; ask for less, or raise http_fetch.max_size";
    assert_eq!(too_large, format!("GET {}/encoded {expected}", api.uri()));
}

#[tokio::test]
async fn a_failure_is_told_without_the_token() {
    let api = MockServer::start().await;
    answer(&api, "/missing", ResponseTemplate::new(404).set_body_json(json!({"message": "Not Found"}))).await;
    answer(&api, "/broken", ResponseTemplate::new(500).set_body_string("<h1>Oops</h1>")).await;
    let repeated = json!({"error": {"message": format!("bad credentials: {TOKEN}, a private token")}});
    answer(&api, "/repeats", ResponseTemplate::new(403).set_body_json(repeated)).await;
    let engine = engine();
    for (at, expected) in [
        ("/missing?key=1", "/missing answered with status 404: Not Found"),
        ("/broken", "/broken answered with status 500"),
        ("/repeats", "/repeats answered with status 403: bad credentials: [redacted], [redacted]"),
    ] {
        let error = failure(&engine, &format!("{}{at}", api.uri())).await;
        assert_eq!(error, format!("GET {}{expected}", api.uri()));
    }
    let (_socket, dead) = dead_address();
    let error = failure(&engine, &format!("http://{dead}/x?key=1")).await;
    assert_eq!(error, format!("GET http://{dead}/x failed: the connection was refused"));
    let broken = misbehaving_server(Misbehaviour::HangUp).await;
    let error = failure(&engine, &format!("http://{broken}/x")).await;
    assert_eq!(error, format!("GET http://{broken}/x failed: the connection broke off before the answer was complete"));
    for (url, expected) in [
        ("/etc/passwd", "headers are for http and https URLs only, and the URL is neither"),
        (
            "https://me:pass@example.com/",
            "the URL holds a user name or a password; send them with the header Authorization",
        ),
    ] {
        assert_eq!(failure(&engine, url).await, expected);
    }
}

#[tokio::test]
async fn a_refused_token_is_told_from_other_refusals() {
    let api = MockServer::start().await;
    let bad = json!({"message": "Bad credentials"});
    answer(&api, "/user", ResponseTemplate::new(401).set_body_json(bad)).await;
    let (engine, url) = (engine(), format!("{}/user", api.uri()));
    let text = format!("GET {url} answered with status 401: Bad credentials");
    assert_eq!(engine.query(call(&url)).await.unwrap_err(), SqlError::TokenRefused(text.clone()));
    let without = ask(format!("FROM read_json('{url}', headers = MAP {{'Authorization': 'Bearer of the team'}})"));
    assert_eq!(engine.query(without).await.unwrap_err(), SqlError::Failed(text));
}

#[tokio::test]
async fn private_addresses_are_asked_only_when_they_are_named() {
    let api = MockServer::start().await;
    answer(&api, "/", json_answer(&json!([{"a": 1}]))).await;
    let port = api.address().port();
    let hint = "its address is not on the public internet; name the host in http_fetch.allow if it may be asked";
    let closed = engine_with(settings(&[]));
    for host in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        "169.254.169.254".to_owned(),
        "10.0.0.1".to_owned(),
        "[fd00::1]".to_owned(),
        "2130706433".to_owned(),
    ] {
        let error = failure(&closed, &format!("https://{host}/")).await;
        assert!(error.ends_with(hint), "{error}");
        let error = failure(&closed, &format!("http://{host}/")).await;
        assert!(
            error.ends_with(
                "was not sent: plain http is for hosts that http_fetch.allow names; use https, or name the host there"
            ),
            "{error}"
        );
    }
    assert!(received(&api).await.is_empty());
    for (allowed, host) in [
        ("127.0.0.0/8", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "localhost"),
        ("localhost", "localhost"),
    ] {
        let engine = engine_with(settings(&[allowed]));
        assert_eq!(rows(&engine, call(&format!("http://{host}:{port}/"))).await, json!([{"a": 1}]), "{allowed} {host}");
    }
    let other = failure(&engine_with(settings(&["localhost"])), &format!("https://127.0.0.1:{port}/")).await;
    assert!(other.ends_with(hint), "the name was allowed, and not the address: {other}");
}

#[tokio::test]
async fn a_redirect_to_another_origin_takes_no_secret_along() {
    let (first, second) = (MockServer::start().await, MockServer::start().await);
    let second_by_name = format!("http://localhost:{}", second.address().port());
    answer(&first, "/here", redirect(302, "/there?x=1")).await;
    answer(&first, "/there", json_answer(&json!([{"a": "here"}]))).await;
    answer(&first, "/away", redirect(307, &format!("{}/data", second.uri()))).await;
    answer(&first, "/by-name", redirect(308, &format!("{second_by_name}/data"))).await;
    answer(&first, "/and-back", redirect(303, &format!("{}/back", second.uri()))).await;
    answer(&second, "/back", redirect(301, &format!("{}/there", first.uri()))).await;
    answer(&second, "/data", json_answer(&json!([{"a": "away"}]))).await;
    let engine = engine();
    let names = ["authorization", "cookie", "x-token", "private-token"];
    let seen = |request: &Request| names.map(|name| request.headers.contains_key(name));
    assert_eq!(rows(&engine, call(&format!("{}/here", first.uri()))).await, json!([{"a": "here"}]));
    assert!(received(&first).await.iter().all(|request| seen(request) == [true; 4]));
    for at in ["/away", "/by-name"] {
        assert_eq!(rows(&engine, call(&format!("{}{at}", first.uri()))).await, json!([{"a": "away"}]));
    }
    assert_eq!(rows(&engine, call(&format!("{}/and-back", first.uri()))).await, json!([{"a": "here"}]));
    let elsewhere = received(&second).await;
    assert_eq!(elsewhere.len(), 3);
    for request in elsewhere {
        assert_eq!(seen(&request), [false; 4], "{request:?}");
        assert_eq!(header(&request, "user-agent"), "MXCP");
        assert!(!format!("{:?}", request.headers).contains(TOKEN));
    }
    let back = received(&first).await.pop().unwrap();
    assert_eq!((back.url.path(), seen(&back)), ("/there", [false; 4]), "what was left behind stays behind");
}

#[tokio::test]
async fn every_hop_of_a_redirect_is_guarded_and_their_number_is_limited() {
    let api = MockServer::start().await;
    answer(&api, "/metadata", redirect(302, "https://169.254.169.254/latest/meta-data/")).await;
    answer(&api, "/plain", redirect(302, "http://10.0.0.1/")).await;
    answer(&api, "/file", redirect(302, "file:///etc/passwd")).await;
    answer(&api, "/loop", redirect(302, "/loop")).await;
    answer(&api, "/nowhere", ResponseTemplate::new(302)).await;
    let engine = engine();
    for (at, expected) in [
        (
            "/metadata",
            "/metadata, redirected to https://169.254.169.254 failed: its address is not on the public internet",
        ),
        (
            "/plain",
            "/plain, redirected to http://10.0.0.1 was not sent: plain http is for hosts that http_fetch.allow names",
        ),
        ("/file", "/file was redirected to something that is not asked"),
        ("/loop", "/loop was redirected more than 5 times"),
        ("/nowhere", "/nowhere answered with status 302"),
    ] {
        let error = failure(&engine, &format!("{}{at}", api.uri())).await;
        assert!(error.contains(expected), "{error}");
    }
    let loops = received(&api).await.into_iter().filter(|request| request.url.path() == "/loop").count();
    assert_eq!(loops, 6);
}

#[tokio::test]
async fn a_silent_server_keeps_nobody_longer_than_they_wait() {
    let api = MockServer::start().await;
    answer(&api, "/", json_answer(&json!([])).set_delay(Duration::from_mins(10))).await;
    let url = format!("{}/", api.uri());
    let impatient = HttpFetchSettings { timeout: Duration::from_millis(200), ..settings(&["127.0.0.1"]) };
    let error = failure(&engine_with(impatient), &url).await;
    assert_eq!(error, format!("GET {url} failed: it did not answer within 0.2 s"));
    let engine = engine();
    let deadline = Duration::from_millis(200);
    let error = engine.query(SqlQuery { deadline, ..call(&url) }).await.unwrap_err();
    assert_eq!(error, SqlError::DeadlineExceeded(deadline));
    // Nobody waits any more: both connections are free again at once.
    for _round in 0..2 {
        assert!(tokio::time::timeout(deadline, engine.query(call(&url))).await.is_err());
    }
    let free = SqlQuery { deadline: Duration::from_secs(10), ..ask("SELECT 1 AS a") };
    assert_eq!(rows(&engine, free).await, json!([{"a": 1}]));
    // Closing cuts off what is on its way.
    let engine = Arc::new(engine);
    let asking = tokio::spawn({
        let (engine, query) = (Arc::clone(&engine), call(&url));
        async move { engine.query(query).await }
    });
    let before = received(&api).await.len();
    while received(&api).await.len() <= before {
        tokio::task::yield_now().await;
    }
    let closing = tokio::task::spawn_blocking(move || engine.close());
    tokio::time::timeout(Duration::from_secs(10), closing).await.unwrap().unwrap();
    assert_eq!(asking.await.unwrap().unwrap_err(), SqlError::Unavailable);
}

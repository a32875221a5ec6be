//! What nobody in their right mind sends: every route says no in the usual form, none fails, and
//! the daemon goes on.

use crate::common::TestApp;
use reqwest::{Method, Response};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Takes {
    Form,
    Json,
    Nothing,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Route {
    path: String,
    method: String,
    takes: Takes,
}

/// Something to send.
struct Attack {
    name: &'static str,
    content_type: &'static str,
    body: Vec<u8>,
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

fn routes() -> Vec<Route> {
    let routes: Vec<Route> = serde_yaml::from_str(include_str!("cases/hostile_routes.yaml")).unwrap();
    assert!(routes.len() > 15);
    routes
}

fn attacks(takes: Takes) -> Vec<Attack> {
    let right = if takes == Takes::Json { JSON } else { FORM };
    let attack = |name, content_type, body: &[u8]| Attack { name, content_type, body: body.to_vec() };
    let nested = |open: &str, close: &str| format!("{}{}", open.repeat(20_000), close.repeat(20_000)).into_bytes();
    vec![
        attack("an empty body", right, b""),
        attack("a body of nothing but zeros", right, &[0; 500]),
        attack("bytes that are no text", right, b"\xff\xfe\xfd=\x80&\xc3\x28={\"\xff"),
        attack("another kind of body", "multipart/form-data; boundary=x", b"--x\r\n\r\nclient_id=a\r\n--x--"),
        attack("a content type that is none", "nonsense", b"client_id=a"),
        attack(
            "XML",
            "application/xml",
            b"<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>",
        ),
        attack(
            "escapes that are none",
            right,
            b"grant_type=%zz&client_id=%&token=%f&code=%u0041&client_secret=%00%ff%c0%80",
        ),
        attack(
            "parameters twice",
            right,
            b"client_id=a&client_id=b&grant_type=x&grant_type=y&token=1&token=2&login=a&login=b",
        ),
        attack("ten thousand parameters", right, "a=1&".repeat(10_000).as_bytes()),
        attack("a name of many bytes", right, format!("{}=1", "x".repeat(60_000)).as_bytes()),
        attack("JSON that breaks off", JSON, b"{\"redirect_uris\": [\"https://a"),
        attack("JSON of another shape", JSON, b"[[], 1, null, \"x\"]"),
        attack("a bare number", JSON, b"1e999"),
        attack("a number that is too large", JSON, b"{\"redirect_uris\": 123456789012345678901234567890}"),
        attack(
            "a surrogate alone",
            JSON,
            b"{\"client_name\": \"\\ud800\", \"redirect_uris\": [\"https://a.example/\"]}",
        ),
        attack(
            "the same key twice",
            JSON,
            b"{\"jsonrpc\": \"2.0\", \"jsonrpc\": \"1.0\", \"method\": 1, \"method\": 2}",
        ),
        attack("deep lists", JSON, &nested("[", "]")),
        attack("deep objects", JSON, &nested("{\"a\":", "}")),
        attack("texts that would be JSON again, with a level of their own", JSON, &texts_of_texts()),
        attack("a megabyte", right, &vec![b'x'; 1_000_000]),
        attack("ten megabytes", right, &vec![b'{'; 10_000_000]),
    ]
}

/// Nested lists, at whose end stands a text with further ones under a key that some readers of JSON
/// take for a sign to read it.
fn texts_of_texts() -> Vec<u8> {
    let nested = |inner: &str| format!("{}{inner}{}", "[".repeat(100), "]".repeat(100));
    let within = |inner: &str| {
        let text = serde_json::to_string(inner).unwrap();
        nested(&format!("{{\"$serde_json::private::RawValue\":{text}}}"))
    };
    let value = (0..10).fold(nested(""), |inner, _| within(&inner));
    format!("{{\"redirect_uris\": 1, \"zzz\": {value}}}").into_bytes()
}

/// An answer that says no in the usual form. Whoever is sent a page gets one that explains.
async fn assert_refused(what: &str, response: Response) {
    let status = response.status();
    assert!(status.is_client_error(), "{what}: {status}");
    assert!(response.headers().contains_key("x-request-id"), "{what}");
    let content_type = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
    let text = response.text().await.unwrap();
    match content_type.as_deref() {
        Some("application/json") => {
            let body: Value = serde_json::from_str(&text).unwrap();
            let is_json_rpc = body["jsonrpc"] == "2.0" && body["error"]["message"].is_string();
            let is_oauth = body["error"].is_string() && body["error_description"].is_string();
            assert!(is_json_rpc || is_oauth, "{what}: {text}");
        }
        Some("text/html; charset=utf-8") => assert!(text.contains("<h1>"), "{what}: {text}"),
        other => panic!("{what}: {status} {other:?} {text}"),
    }
}

async fn assert_alive(app: &TestApp) {
    assert_eq!(app.get("/health").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn bodies_that_make_no_sense_are_refused_in_the_usual_form() {
    let app = TestApp::start().await;
    let token = crate::common::OAuthClient::register(&app).await.tokens(&app, "ada").await.access;
    for route in routes().iter().filter(|route| route.takes != Takes::Nothing) {
        for attack in attacks(route.takes) {
            let what = format!("{} {}: {}", route.method, route.path, attack.name);
            let request = app
                .http
                .request(route.method.parse().unwrap(), app.url(&route.path))
                .timeout(Duration::from_secs(20))
                .bearer_auth(&token)
                .header("accept", "application/json, text/event-stream")
                .header("content-type", attack.content_type.as_bytes())
                .body(attack.body);
            match request.send().await {
                // Nobody is signed in, so there is nothing to refuse.
                Ok(response) if route.path == "/logout" && response.status() == 303 => {}
                Ok(response) => assert_refused(&what, response).await,
                // Who sends more than is read may find the connection closed.
                Err(error) => assert!(attack.name.contains("megabyte") && !error.is_timeout(), "{what}: {error:?}"),
            }
        }
        assert_alive(&app).await;
    }
}

#[tokio::test]
async fn queries_that_make_no_sense_do_no_harm() {
    let app = TestApp::start().await;
    let long = format!("client_id={}", "x".repeat(20_000));
    let many = "a=1&".repeat(5_000);
    let queries =
        ["%ff%fe=%80", "client_id=%zz&state=%", "&&&==&=", "client_id=a&client_id=b", "%00=%00", &long, &many];
    for route in routes().iter().filter(|route| route.takes == Takes::Nothing) {
        for query in queries {
            let response =
                app.get(&format!("{}?{query}", route.path)).header("accept", "text/html").send().await.unwrap();
            let what = format!("{} with {}", route.path, &query[..query.len().min(30)]);
            if route.path == "/authorize" {
                assert_refused(&what, response).await;
            } else {
                assert_eq!(response.status(), 200, "{what}");
            }
        }
    }
    assert_alive(&app).await;
}

#[tokio::test]
async fn methods_that_a_path_does_not_take_are_refused_in_the_usual_form() {
    let app = TestApp::start().await;
    let routes = routes();
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECTED", "PROPFIND", "x"];
    for route in &routes {
        for method in methods {
            let is_taken = routes.iter().any(|other| other.path == route.path && other.method == method);
            if is_taken || route.path.starts_with("/mcp") {
                continue;
            }
            let request = app.http.request(Method::from_bytes(method.as_bytes()).unwrap(), app.url(&route.path));
            let response = request.send().await.unwrap();
            assert_refused(&format!("{method} {}", route.path), response).await;
        }
        let head = app.http.head(app.url(&route.path)).send().await.unwrap();
        assert!(!head.status().is_server_error(), "{}", route.path);
    }
    assert_alive(&app).await;
}

#[tokio::test]
async fn paths_that_are_not_there_are_refused_in_the_usual_form() {
    let app = TestApp::start().await;
    for path in [
        "/nothing",
        "//",
        "/%ff%fe",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/authorize/",
        "/token/x",
        "/.well-known/",
        "/%00",
        "/.well-known/oauth-protected-resource/other",
        "/callback",
        "/favicon.ico",
        "/mcp/x",
        "/a\u{202e}b",
    ] {
        let response = app.get(path).send().await.unwrap();
        assert_eq!(response.status(), 404, "{path}");
        assert_refused(path, response).await;
    }
    let long = format!("/{}", "x".repeat(30_000));
    assert!(app.get(&long).send().await.unwrap().status().is_client_error());
    assert_alive(&app).await;
}

#[tokio::test]
async fn headers_that_make_no_sense_do_no_harm() {
    let app = TestApp::start().await;
    let values: [&[u8]; 6] = [b"", b"\xff\xfe", b"Basic", b"Basic ////", b"Bearer a b c", &[b'x'; 5_000]];
    for route in routes() {
        for value in values {
            for name in
                ["authorization", "cookie", "origin", "accept", "mcp-session-id", "x-request-id", "x-forwarded-for"]
            {
                let request = app.http.request(route.method.parse().unwrap(), app.url(&route.path));
                let response = request.header(name, value).send().await.unwrap();
                let status = response.status();
                assert!(!status.is_server_error(), "{} {name}: {value:?}: {status}", route.path);
            }
        }
    }
    assert_alive(&app).await;
}

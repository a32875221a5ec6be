//! The rules of the MCP endpoint, one request at a time.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails loudly, its helpers too"
)]

mod calls;
mod doors;
mod rig;
mod sessions;
mod subscriptions;

use reqwest::Method;
use rig::{Setup, TestServer, Texts, assert_holds};
use serde::Deserialize;
use serde_json::Value;

/// A request and what must come of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    method: Option<String>,
    /// Added to what every client sends; null takes one of those away. `$session` stands for an
    /// open session.
    #[serde(default)]
    headers: Texts,
    /// The message, or a text that is sent as it is.
    #[serde(default)]
    body: Value,
    status: u16,
    /// Headers of the answer; null must not be there, `*` may have any value.
    #[serde(default)]
    answer_headers: Texts,
    /// What the answer must hold; null is an empty body.
    #[serde(default)]
    answer: Value,
}

#[actix_web::test]
async fn the_modern_era_keeps_every_rule() {
    run(include_str!("cases/mcp_modern.yaml"), Setup::default()).await;
}

#[actix_web::test]
async fn the_legacy_era_keeps_every_rule() {
    run(include_str!("cases/mcp_legacy.yaml"), Setup::default()).await;
}

#[actix_web::test]
async fn without_sessions_both_eras_are_served_statelessly() {
    let setup = Setup { is_stateless: true, ..Setup::default() };
    run(include_str!("cases/mcp_stateless.yaml"), setup).await;
}

async fn run(cases: &str, setup: Setup) {
    let is_stateless = setup.is_stateless;
    let server = TestServer::start(setup).await;
    let token = server.token("alice", "client").await;
    let session = if is_stateless { String::new() } else { server.open_mcp_session(&token).await };
    let cases: Vec<Case> = serde_yaml::from_str(cases).unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        check(&server, &token, &session, &case).await;
    }
}

async fn check(server: &TestServer, token: &str, session: &str, case: &Case) {
    let name = &case.name;
    let method = case.method.as_deref().map_or(Method::POST, |method| method.parse().unwrap());
    let mut request = server.http.request(method, format!("{}mcp", server.base)).bearer_auth(token);
    for (header, usual) in [("accept", "application/json, text/event-stream"), ("content-type", "application/json")] {
        if !case.headers.contains_key(header) {
            request = request.header(header, usual);
        }
    }
    for (header, value) in &case.headers {
        if let Some(value) = value {
            request = request.header(header, value.replace("$session", session));
        }
    }
    request = match &case.body {
        Value::Null => request,
        Value::String(text) => request.body(text.clone()),
        message => request.body(message.to_string()),
    };
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.text().await.unwrap();
    assert_eq!(status.as_u16(), case.status, "{name}: {body}");
    for (header, expected) in &case.answer_headers {
        let actual = headers.get(header).map(|value| value.to_str().unwrap());
        match expected.as_deref() {
            Some("*") => assert!(actual.is_some(), "{name}: no header {header}"),
            expected => assert_eq!(actual, expected, "{name}: header {header}"),
        }
    }
    if case.answer.is_null() {
        assert_eq!(body, "", "{name}");
    } else {
        let body: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{name}: no JSON: {body}"));
        assert_holds(name, "answer", &case.answer, Some(&body));
    }
}

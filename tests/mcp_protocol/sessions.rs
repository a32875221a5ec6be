//! Sessions of older clients, and the streams that they open.

use super::rig::{Setup, TestServer, legacy};
use mxcp::http::mcp::McpTimes;
use mxcp_actors::model::session::EndReason;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

fn quick() -> Setup {
    let times = McpTimes { keep_alive: Duration::from_millis(50), ..McpTimes::default() };
    Setup { times, ..Setup::default() }
}

async fn open_stream(server: &TestServer, token: &str, session: &str) -> Response {
    let request = server.request(Method::GET).bearer_auth(token).header("mcp-session-id", session);
    let mut answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert_eq!(answer.headers()["x-accel-buffering"], "no");
    // A comment comes at once, and again while nothing happens.
    assert_eq!(answer.chunk().await.unwrap().unwrap(), ":\n\n");
    answer
}

#[actix_web::test]
async fn a_session_answers_to_its_owner_only() {
    let server = TestServer::start(Setup::default()).await;
    let alice = server.token("alice", "client").await;
    let session = server.open_mcp_session(&alice).await;
    let ping = legacy(&json!(1), "ping", &json!({}));
    let others = [server.token("mallory", "client").await, server.token("alice", "other-client").await];
    for token in &others {
        for method in [Method::POST, Method::GET, Method::DELETE] {
            let request = server.request(method.clone()).bearer_auth(token).header("mcp-session-id", &session);
            let answer = request.json(&ping).send().await.unwrap();
            assert_eq!(answer.status(), 404, "{method}");
            assert_eq!(answer.json::<Value>().await.unwrap()["jsonrpc"], "2.0");
        }
    }
    let again = server.token("alice", "client").await;
    for token in [&alice, &again] {
        let answer = server.post(token, &ping).header("mcp-session-id", &session).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
}

#[actix_web::test]
async fn a_session_is_found_by_every_worker() {
    let server = TestServer::start(Setup::default()).await;
    let token = server.token("alice", "client").await;
    let session = server.open_mcp_session(&token).await;
    let ping = legacy(&json!(1), "ping", &json!({}));
    // Each client has a connection of its own, so that both workers get some.
    for _ in 0..16 {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = http.post(format!("{}mcp", server.base)).bearer_auth(&token).json(&ping);
        assert_eq!(request.header("mcp-session-id", &session).send().await.unwrap().status(), 200);
    }
}

#[actix_web::test]
async fn session_names_are_long_random_and_visible_ascii() {
    let server = TestServer::start(Setup::default()).await;
    let token = server.token("alice", "client").await;
    let (first, second) = (server.open_mcp_session(&token).await, server.open_mcp_session(&token).await);
    assert_ne!(first, second);
    assert!(first.len() >= 43 && first.bytes().all(|byte| byte.is_ascii_graphic()), "{first}");
}

#[actix_web::test]
async fn a_stream_ends_as_soon_as_its_token_does() {
    // Long before the next sign of life.
    let server = TestServer::start(Setup::default()).await;
    let token = server.token("alice", "client").await;
    let session = server.open_mcp_session(&token).await;
    let stream = open_stream(&server, &token, &session).await;
    let sessions = &server.supervisor.handles().sessions;
    let id = sessions.verify_access_token(&token).unwrap().principal.session_id.clone().unwrap();
    sessions.end_session(id, EndReason::Revoked).await.unwrap();
    let rest = timeout(Duration::from_secs(10), stream.text()).await.expect("the stream does not end").unwrap();
    assert_eq!(rest, "");
}

#[actix_web::test]
async fn a_stream_ends_with_its_session() {
    let server = TestServer::start(quick()).await;
    let token = server.token("alice", "client").await;
    let session = server.open_mcp_session(&token).await;
    let mut stream = open_stream(&server, &token, &session).await;
    let delete = server.request(Method::DELETE).bearer_auth(&token).header("mcp-session-id", &session);
    assert_eq!(delete.send().await.unwrap().status(), 204);
    while stream.chunk().await.unwrap().is_some() {}
}

#[actix_web::test]
async fn open_streams_do_not_hold_up_the_end_of_the_server() {
    let server = TestServer::start(Setup::default()).await;
    let token = server.token("alice", "client").await;
    let session = server.open_mcp_session(&token).await;
    let mut stream = open_stream(&server, &token, &session).await;
    server.stopping.send_replace(true);
    assert_eq!(stream.chunk().await.unwrap(), None);
    server.server.stop(true).await;
}

//! `subscriptions/listen`: what is acknowledged, how long the stream lasts, and how it ends.

use super::rig::{Setup, TestServer, modern};
use mxcp::http::mcp::{McpTimes, StreamLimits};
use mxcp_actors::model::session::EndReason;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

const PROMPTLY: Duration = Duration::from_secs(10);

fn listen(server: &TestServer, token: &str) -> RequestBuilder {
    let wanted = json!({"toolsListChanged": true, "resourceSubscriptions": ["file:///a"]});
    server
        .post(token, &modern("subscriptions/listen", json!({"notifications": wanted})))
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "subscriptions/listen")
}

fn message(event: &[u8]) -> Value {
    let text = std::str::from_utf8(event).unwrap();
    let data = text.strip_prefix("event: message\ndata: ").and_then(|rest| rest.strip_suffix("\n\n"));
    serde_json::from_str(data.unwrap_or_else(|| panic!("no event: {text}"))).unwrap()
}

/// Opens a subscription and takes its acknowledgement.
async fn open(server: &TestServer, token: &str) -> Response {
    let mut answer = listen(server, token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert_eq!(answer.headers()["x-accel-buffering"], "no");
    let acknowledgement = message(&answer.chunk().await.unwrap().unwrap());
    let expected = json!({
        "jsonrpc": "2.0",
        "method": "notifications/subscriptions/acknowledged",
        // Nothing that was asked for, because the server declares none of it.
        "params": {"_meta": {"io.modelcontextprotocol/subscriptionId": 1}, "notifications": {}},
    });
    assert_eq!(acknowledgement, expected);
    answer
}

/// Everything up to the end of the stream, which must come soon.
async fn rest(answer: Response) -> String {
    timeout(PROMPTLY, answer.text()).await.expect("the stream does not end").unwrap()
}

async fn end_session(server: &TestServer, token: &str) {
    let sessions = &server.supervisor.handles().sessions;
    let id = sessions.verify_access_token(token).unwrap().principal.session_id.clone().unwrap();
    sessions.end_session(id, EndReason::Revoked).await.unwrap();
}

#[actix_web::test]
async fn a_quiet_subscription_shows_signs_of_life() {
    let times = McpTimes { keep_alive: Duration::from_millis(20), ..McpTimes::default() };
    let server = TestServer::start(Setup { times, ..Setup::default() }).await;
    let token = server.token("alice", "client").await;
    let mut answer = open(&server, &token).await;
    for _ in 0..3 {
        assert_eq!(answer.chunk().await.unwrap().unwrap(), ":\n\n");
    }
}

#[actix_web::test]
async fn a_subscription_ends_without_a_result_as_soon_as_its_session_does() {
    let server = TestServer::start(Setup::default()).await;
    let (token, other) = (server.token("alice", "client").await, server.token("bob", "client").await);
    let (answer, mut others) = (open(&server, &token).await, open(&server, &other).await);
    end_session(&server, &token).await;
    assert_eq!(rest(answer).await, "");
    // Somebody else's stays open: it ends only now, and knows why.
    server.stopping.send_replace(true);
    assert_eq!(message(&others.chunk().await.unwrap().unwrap())["result"]["resultType"], "complete");
}

#[actix_web::test]
async fn a_subscription_ends_when_its_token_is_revoked_alone() {
    let server = TestServer::start(Setup::default()).await;
    let token = server.token("alice", "client").await;
    let answer = open(&server, &token).await;
    let sessions = &server.supervisor.handles().sessions;
    let client = mxcp_actors::model::ids::ClientId::new("client");
    sessions.revoke_token(mxcp_actors::model::secret::Secret::new(token), client).await.unwrap().unwrap();
    assert_eq!(rest(answer).await, "");
}

#[actix_web::test]
async fn a_server_that_stops_ends_subscriptions_with_a_result() {
    let server = TestServer::start(Setup::default()).await;
    let token = server.token("alice", "client").await;
    let mut answer = open(&server, &token).await;
    server.stopping.send_replace(true);
    let last = message(&answer.chunk().await.unwrap().unwrap());
    assert_eq!((&last["id"], &last["result"]["resultType"]), (&json!(1), &json!("complete")));
    let meta = &last["result"]["_meta"];
    assert_eq!(meta["io.modelcontextprotocol/subscriptionId"], 1);
    assert_eq!(meta["io.modelcontextprotocol/serverInfo"]["name"], "mxcp");
    assert_eq!(answer.chunk().await.unwrap(), None);
    timeout(PROMPTLY, server.server.stop(true)).await.expect("the server does not stop");
}

#[actix_web::test]
async fn without_authentication_subscriptions_last_until_the_server_stops() {
    let server = TestServer::start(Setup { is_protected: false, ..Setup::default() }).await;
    let mut answer = open(&server, "ignored").await;
    server.stopping.send_replace(true);
    assert_eq!(message(&answer.chunk().await.unwrap().unwrap())["id"], 1);
}

#[actix_web::test]
async fn streams_are_counted_for_each_sign_in_and_in_all() {
    let limits = StreamLimits { per_session: 1, total: 2 };
    let server = TestServer::start(Setup { stream_limits: limits, ..Setup::default() }).await;
    let alice = server.token("alice", "client").await;
    let held = open(&server, &alice).await;
    let refused = listen(&server, &alice).send().await.unwrap();
    assert_eq!(refused.status(), 200);
    let refused = refused.json::<Value>().await.unwrap();
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(1), &json!(-32603)));
    assert!(refused["error"]["message"].as_str().unwrap().contains("this sign-in holds 1 open streams"), "{refused}");

    // A stream of the old kind counts as well.
    let bob = server.token("bob", "client").await;
    let session = server.open_mcp_session(&bob).await;
    let old = || server.request(Method::GET).bearer_auth(&bob).header("mcp-session-id", &session);
    let other = old().send().await.unwrap();
    assert_eq!(other.status(), 200);
    let carol = server.token("carol", "client").await;
    let refused = listen(&server, &carol).send().await.unwrap().json::<Value>().await.unwrap();
    assert!(refused["error"]["message"].as_str().unwrap().contains("try again later"), "{refused}");
    assert_eq!(old().send().await.unwrap().status(), 429);

    // Who goes away makes room.
    drop((held, other));
    let makes_room = async {
        while !listen(&server, &carol).send().await.unwrap().headers()["content-type"].as_bytes().starts_with(b"text/")
        {
        }
    };
    timeout(PROMPTLY, makes_room).await.expect("the places are not freed");
}

//! Calls of tools: what comes back, and what ends them.

use super::rig::{Setup, TestServer, legacy};
use mxcp::http::mcp::McpTimes;
use serde_json::{Value, json};
use std::time::Duration;

async fn result_of(server: &TestServer, tool: &str) -> Value {
    let token = server.token("alice", "client").await;
    let answer = server.call(&token, tool, &json!({})).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json::<Value>().await.unwrap()["result"].take()
}

fn texts(result: &Value) -> Vec<&str> {
    result["content"].as_array().unwrap().iter().map(|item| item["text"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn results_have_one_text_for_each_row_and_structure_where_it_is_declared() {
    let server = TestServer::start(Setup::default()).await;
    let rows = result_of(&server, "rows").await;
    assert_eq!(texts(&rows), ["{\n  \"n\": 1\n}", "{\n  \"n\": 2\n}"]);
    assert_eq!(rows.get("structuredContent"), None);
    let numbers = result_of(&server, "numbers").await;
    assert_eq!(texts(&numbers), ["1", "2", "3"]);
    assert_eq!(numbers["structuredContent"], json!({"result": [1, 2, 3]}));
    let total = result_of(&server, "total").await;
    assert_eq!((texts(&total), &total["structuredContent"]), (vec!["6"], &json!({"result": 6})));
    assert_eq!(result_of(&server, "empty").await["content"], json!([]));
}

#[actix_web::test]
async fn a_failure_is_a_result_that_says_why() {
    let server = TestServer::start(Setup::default()).await;
    let broken = result_of(&server, "broken").await;
    assert_eq!(broken["isError"], true);
    assert_eq!(texts(&broken), ["Error executing tool broken: Failed to execute SQL: no such table"]);
    let secret = result_of(&server, "secret").await;
    assert_eq!(secret["isError"], true);
    assert_eq!(texts(&secret), ["Error executing tool secret: Policy enforcement failed: root only"]);
}

#[actix_web::test]
async fn two_callers_on_one_connection_are_told_apart() {
    let server = TestServer::start(Setup::default()).await;
    let (alice, root) = (server.token("alice", "client").await, server.token("root", "client").await);
    for _ in 0..3 {
        for (token, is_error) in [(&alice, true), (&root, false)] {
            let answer = server.call(token, "secret", &json!({})).send().await.unwrap();
            assert_eq!(answer.json::<Value>().await.unwrap()["result"]["isError"], is_error);
        }
    }
}

#[actix_web::test]
async fn the_audit_record_carries_the_identifier_that_the_answer_carries() {
    let server = TestServer::start(Setup::default()).await;
    let token = server.token("alice", "client").await;
    let request = server.call(&token, "rows", &json!({})).header("x-request-id", "from-the-proxy");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["x-request-id"], "from-the-proxy");
    let records = server.audit.records();
    let record = records.iter().find(|record| record.operation_name == "rows").unwrap();
    assert_eq!(record.trace_id.as_deref(), Some("from-the-proxy"));
}

#[actix_web::test]
async fn a_client_that_goes_away_interrupts_its_call() {
    let server = TestServer::start(Setup::default()).await;
    let token = server.token("alice", "client").await;
    let call = actix_web::rt::spawn(server.call(&token, "wait", &json!({})).send());
    server.engine.wait_for_running(1).await;
    call.abort();
    server.engine.wait_for_interrupted(1).await;
}

#[actix_web::test]
async fn a_call_that_takes_long_is_answered_as_a_stream_with_signs_of_life() {
    let (stream_after, keep_alive) = (Duration::from_millis(20), Duration::from_millis(20));
    let server = TestServer::start(Setup { times: McpTimes { stream_after, keep_alive }, ..Setup::default() }).await;
    let token = server.token("alice", "client").await;
    let mut answer = server.call(&token, "wait", &json!({})).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert_eq!(answer.headers()["x-accel-buffering"], "no");
    assert_eq!(answer.chunk().await.unwrap().unwrap(), ":\n\n");
    server.engine.release();
    let rest = answer.text().await.unwrap();
    let event = rest.trim_start_matches(":\n\n");
    let data = event.strip_prefix("event: message\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
    assert_eq!(serde_json::from_str::<Value>(data).unwrap()["result"]["isError"], false);
}

#[actix_web::test]
async fn closing_the_stream_of_a_call_interrupts_it() {
    let times = McpTimes { stream_after: Duration::from_millis(20), ..McpTimes::default() };
    let server = TestServer::start(Setup { times, ..Setup::default() }).await;
    let token = server.token("alice", "client").await;
    let answer = server.call(&token, "wait", &json!({})).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    server.engine.wait_for_running(1).await;
    drop(answer);
    server.engine.wait_for_interrupted(1).await;
}

#[actix_web::test]
async fn a_client_that_takes_events_only_gets_one() {
    let server = TestServer::start(Setup::default()).await;
    let token = server.token("alice", "client").await;
    let request = server.http.post(format!("{}mcp", server.base)).bearer_auth(&token);
    let request = request.header("accept", "text/event-stream").json(&super::rig::initialize("2025-11-25"));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert!(answer.headers().contains_key("mcp-session-id"));
    assert!(answer.text().await.unwrap().starts_with("event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,"));
}

#[actix_web::test]
async fn a_client_takes_a_call_back_by_its_identifier_in_its_own_session() {
    let server = TestServer::start(Setup::default()).await;
    let token = server.token("alice", "client").await;
    let session = server.open_mcp_session(&token).await;
    let call = legacy(&json!("the-call"), "tools/call", &json!({"name": "wait", "arguments": {}}));
    let call = actix_web::rt::spawn(server.post(&token, &call).header("mcp-session-id", &session).send());
    server.engine.wait_for_running(1).await;
    let take_back = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "the-call"}});
    let other = server.open_mcp_session(&token).await;
    for (session, is_running) in [(&other, 1), (&session, 0)] {
        let answer = server.post(&token, &take_back).header("mcp-session-id", session).send().await.unwrap();
        assert_eq!(answer.status(), 202);
        server.engine.wait_for_running(is_running).await;
    }
    server.engine.wait_for_interrupted(1).await;
    // To what was taken back there is no answer.
    let answer = call.await.unwrap().unwrap();
    assert_eq!(answer.status(), 202);
    assert_eq!(answer.text().await.unwrap(), "");
}

#[actix_web::test]
async fn a_body_beyond_the_limit_is_too_large() {
    let server = TestServer::start(Setup { body_max: 2_000, ..Setup::default() }).await;
    let token = server.token("alice", "client").await;
    let small = server.call(&token, "greet", &json!({"name": "x".repeat(1_000)})).send().await.unwrap();
    assert_eq!(small.status(), 200);
    let large = server.call(&token, "greet", &json!({"name": "x".repeat(2_000)})).send().await.unwrap();
    assert_eq!(large.status(), 413);
    assert_eq!(large.json::<Value>().await.unwrap()["error"]["code"], -32600);
}

#[actix_web::test]
async fn a_call_that_cannot_be_recorded_is_an_internal_error_that_may_be_tried_again() {
    let server = TestServer::start(Setup::default()).await;
    let token = server.token("alice", "client").await;
    server.audit.fail_next();
    let answer = server.call(&token, "rows", &json!({})).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer = answer.json::<Value>().await.unwrap();
    assert_eq!(answer["error"]["code"], -32603);
    assert!(answer["error"]["message"].as_str().unwrap().ends_with("try again"), "{answer}");
    assert_eq!(server.call(&token, "rows", &json!({})).send().await.unwrap().status(), 200);
}

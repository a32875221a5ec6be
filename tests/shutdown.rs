//! Stopping: what is in flight is finished, and what was answered is in the audit log.
#![expect(clippy::expect_used, reason = "a test fails loudly, its helpers too")]

use crate::common::{OAuthClient, Setup, TestApp, text_of};
use serde_json::Value;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// A named pipe: a query that reads it runs until somebody has written to it, so that a test
/// knows when it is under way without waiting for a time.
fn pipe() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    (folder, path)
}

/// Opens the pipe for writing, which takes until the query has opened it for reading.
async fn wait_for_query(path: PathBuf) -> std::fs::File {
    let (opened, is_opened) = oneshot::channel();
    // A thread of its own may be left behind when the query never comes.
    std::thread::spawn(move || opened.send(std::fs::OpenOptions::new().write(true).open(path)));
    timeout(Duration::from_secs(30), is_opened).await.expect("the query did not begin").unwrap().unwrap()
}

#[tokio::test]
async fn a_call_in_flight_is_finished_before_the_daemon_stops() {
    let (_folder, path) = pipe();
    let sql = format!("SELECT length(content) AS length FROM read_text('{}')", path.display());
    let mut app = TestApp::with(Setup::default().with_tool("slow", &sql)).await;
    let token = OAuthClient::register(&app).await.tokens(&app, "ada").await.access;
    let request = app.call(&token, "slow");
    let call = tokio::spawn(async move { request.send().await.unwrap().json::<Value>().await.unwrap() });
    let mut writer = wait_for_query(path).await;

    let stopping = app.begin_stop();
    // Stopping has begun when nobody new is let in.
    while app.get("/health").send().await.is_ok() {}
    assert!(!call.is_finished());
    writer.write_all(b"finished after all\n").unwrap();
    drop(writer);
    let answer = call.await.unwrap();
    assert!(text_of(&answer).contains("length"), "{answer}");
    tokio::task::spawn_blocking(|| stopping.wait()).await.unwrap();
    let last = app.audit().pop().unwrap();
    assert_eq!((last["operation_name"].as_str(), last["operation_status"].as_str()), (Some("slow"), Some("success")));
}

#[tokio::test]
async fn every_call_that_was_answered_is_in_the_audit_log() {
    let mut app = TestApp::start().await;
    let token = OAuthClient::register(&app).await.tokens(&app, "ada").await.access;
    let calls = (0..200).map(|_| app.call(&token, "whoami").send());
    let mut answered = Vec::new();
    for answer in futures_util::future::join_all(calls).await {
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 200);
        answered.push(answer.headers()["x-request-id"].to_str().unwrap().to_owned());
    }
    let stopping = app.begin_stop();
    tokio::task::spawn_blocking(|| stopping.wait()).await.unwrap();
    let records = app.audit();
    for id in &answered {
        let count = records.iter().filter(|record| record["trace_id"] == id.as_str()).count();
        assert_eq!(count, 1, "the call {id}");
    }
    let numbers: Vec<u64> = records.iter().map(|record| record["sequence"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "there is a gap in {numbers:?}");
}

#[tokio::test]
async fn calls_that_race_with_the_stop_are_answered_and_recorded_or_neither() {
    let mut app = TestApp::start().await;
    let token = OAuthClient::register(&app).await.tokens(&app, "ada").await.access;
    let calls: Vec<_> = (0..50).map(|_| tokio::spawn(app.call(&token, "whoami").send())).collect();
    let stopping = app.begin_stop();
    let mut answered = Vec::new();
    for call in calls {
        // Those that came too late find nobody there.
        let Ok(answer) = call.await.unwrap() else { continue };
        assert_eq!(answer.status(), 200);
        answered.push(answer.headers()["x-request-id"].to_str().unwrap().to_owned());
    }
    tokio::task::spawn_blocking(|| stopping.wait()).await.unwrap();
    let records = Value::from(app.audit()).to_string();
    for id in &answered {
        assert!(records.contains(id), "the call {id} was answered and is not in the log");
    }
}

#[tokio::test]
async fn connections_that_wait_for_their_next_request_do_not_hold_up_the_stop() {
    let mut app = TestApp::start().await;
    let keeping = reqwest::Client::builder().no_proxy().build().unwrap();
    for _ in 0..4 {
        assert_eq!(keeping.get(app.url("/health")).send().await.unwrap().status(), 200);
    }
    let began = tokio::time::Instant::now();
    let stopping = app.begin_stop();
    tokio::task::spawn_blocking(|| stopping.wait()).await.unwrap();
    assert!(began.elapsed().as_secs() < 15, "{:?}", began.elapsed());
}

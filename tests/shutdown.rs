//! Stopping: what is in flight is finished, and what was answered is in the audit log.
#![expect(clippy::expect_used, reason = "a test fails loudly, its helpers too")]

use crate::common::{OAuthClient, Setup, TestApp, audit_of, call, legacy_initialize, listen, text_of};
use crate::config_project::Project;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
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

/// A query that reads the pipe.
fn slow_sql(pipe: &Path) -> String {
    format!("SELECT length(content) AS length FROM read_text('{}')", pipe.display())
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
    let mut app = TestApp::with(Setup::default().with_tool("slow", &slow_sql(&path))).await;
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

/// The program itself, which goes when the test does.
struct Process(Child);

impl Process {
    /// Starts `mxcp serve` and waits until it says where it listens.
    fn start(project: &Project) -> (Self, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mxcp"));
        command.args(["serve", "--port", "0"]).current_dir(project.root()).envs(&project.env);
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let line = lines.find(|line| line.trim_start().starts_with("pages")).expect("it does not say where it listens");
        assert!(lines.any(|line| line.starts_with("Ready")));
        (Self(child), line.split_whitespace().last().unwrap().to_owned())
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It is usually gone by then.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test]
async fn a_signal_lets_the_program_finish_what_it_does() {
    for signal in ["TERM", "INT"] {
        let (_folder, path) = pipe();
        let setup = Setup { auth: json!({"provider": "none"}), ..Setup::default() };
        let project = setup.with_tool("slow", &slow_sql(&path)).write();
        let (mut process, address) = Process::start(&project);
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        let request = call(&http, &address, "slow");
        let running = tokio::spawn(async move { request.send().await.unwrap().json::<Value>().await.unwrap() });
        let mut writer = wait_for_query(path).await;
        process.signal(signal);
        while http.get(format!("{address}/health")).send().await.is_ok() {}
        assert!(!running.is_finished());
        writer.write_all(b"finished after all\n").unwrap();
        drop(writer);
        assert!(text_of(&running.await.unwrap()).contains("length"));
        let status = tokio::task::spawn_blocking(move || process.0.wait().unwrap()).await.unwrap();
        assert!(status.success(), "{status}");
        assert_eq!(audit_of(&project).pop().unwrap()["operation_name"], "slow");
    }
}

#[tokio::test]
async fn a_signal_ends_the_streams_that_would_stay_open() {
    let setup = Setup { auth: json!({"provider": "none"}), ..Setup::default() };
    let (mut process, address) = Process::start(&setup.write());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let subscription = listen(&http, &address).send().await.unwrap();
    assert_eq!(subscription.headers()["content-type"], "text/event-stream");
    let url = format!("{address}/mcp");
    let opened = http.post(&url).json(&legacy_initialize()).send().await.unwrap();
    let session = opened.headers()["mcp-session-id"].clone();
    let old = http.get(&url).header("accept", "text/event-stream").header("mcp-session-id", session);
    let old = old.send().await.unwrap();
    assert_eq!(old.status(), 200);

    process.signal("TERM");
    let soon = Duration::from_secs(15);
    let events = timeout(soon, subscription.text()).await.expect("the subscription does not end").unwrap();
    assert!(events.contains("\"id\":1,\"result\":{\"resultType\":\"complete\""), "{events}");
    timeout(soon, old.text()).await.expect("the old stream does not end").unwrap();
    let ended = tokio::task::spawn_blocking(move || process.0.wait().unwrap());
    assert!(timeout(soon, ended).await.expect("the program does not end").unwrap().success());
}

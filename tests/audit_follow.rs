//! `mxcp log --follow`, and the local socket behind it.

use crate::common::{OAuthClient, Setup, TestApp};
use crate::daemon_process::mxcp;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tokio::time::Instant;

/// How long a line may take that is sure to come.
const LINE_WITHIN: Duration = Duration::from_secs(30);

/// A running `mxcp log --follow --jsonl --full`.
struct Follower {
    process: Child,
    lines: Receiver<String>,
}

impl Follower {
    fn start(project: &Path, options: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = mxcp(project);
        command.args(["log", "--follow", "--jsonl", "--full"]).args(options).envs(environment.iter().copied());
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        let (send, lines) = channel();
        // Ends with the process, or when nobody listens any more.
        std::thread::spawn(move || out.lines().map_while(Result::ok).all(|line| send.send(line).is_ok()));
        Self { process, lines }
    }

    fn next(&self) -> Value {
        let line = self.lines.recv_timeout(LINE_WITHIN).unwrap_or_else(|_| panic!("nothing more was shown"));
        serde_json::from_str(&line).unwrap()
    }

    /// The numbers of what is shown until the record with the number `last` is.
    fn numbers_until(&self, last: u64) -> Vec<u64> {
        let mut numbers = Vec::new();
        while numbers.last() != Some(&last) {
            numbers.push(self.next()["sequence"].as_u64().unwrap());
        }
        numbers
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ended = self.process.kill().and_then(|()| self.process.wait());
    }
}

/// Calls a tool that many times and tells the number of the last record.
async fn call(app: &TestApp, token: &str, times: usize) -> u64 {
    for _ in 0..times {
        assert!(app.whoami(token).await.contains("ada"));
    }
    last_number(app)
}

fn last_number(app: &TestApp) -> u64 {
    app.audit().last().unwrap()["sequence"].as_u64().unwrap()
}

/// A daemon that begins a new file every few records.
async fn rotating() -> TestApp {
    TestApp::with(Setup { audit: json!({"enabled": true, "max_file_size": 4096}), ..Setup::default() }).await
}

async fn token(app: &TestApp) -> String {
    OAuthClient::register(app).await.tokens(app, "ada").await.access
}

#[tokio::test]
async fn everything_is_shown_once_and_in_order_over_rotation_and_restarts() {
    let mut app = rotating().await;
    let access = token(&app).await;
    let before = call(&app, &access, 5).await;
    let follower = Follower::start(app.project().root(), &["--limit", "3"], &[]);
    let begun = follower.numbers_until(before);
    assert_eq!(begun, [before - 2, before - 1, before]);
    let mut last = call(&app, &access, 20).await;
    let mut shown = follower.numbers_until(last);
    for _ in 0..2 {
        app.restart().await;
        let access = token(&app).await;
        last = call(&app, &access, 12).await;
        shown.extend(follower.numbers_until(last));
    }
    assert_eq!(shown, (before + 1..=last).collect::<Vec<_>>());
}

#[tokio::test]
async fn without_the_socket_the_files_are_followed() {
    let app = rotating().await;
    let access = token(&app).await;
    let before = call(&app, &access, 1).await;
    let follower = Follower::start(app.project().root(), &["--limit", "1"], &[("MXCP_ADMIN_ENABLED", "false")]);
    assert_eq!(follower.numbers_until(before), [before]);
    let last = call(&app, &access, 30).await;
    assert_eq!(follower.numbers_until(last), (before + 1..=last).collect::<Vec<_>>());
}

#[tokio::test]
async fn only_what_was_asked_for_is_shown() {
    let app = TestApp::start().await;
    let access = token(&app).await;
    let options = ["--event", "login*", "--tool", "whoami", "--status", "success", "--user", "ada"];
    let follower = Follower::start(app.project().root(), &options, &[]);
    assert_eq!(follower.next()["operation_name"], "auth.login_succeeded");
    call(&app, &access, 2).await;
    token(&app).await;
    let names: Vec<_> = (0..3).map(|_| follower.next()["operation_name"].clone()).collect();
    assert_eq!(names, ["whoami", "whoami", "auth.login_succeeded"]);
}

#[tokio::test]
async fn a_record_is_shown_within_a_tenth_of_a_second() {
    let app = TestApp::start().await;
    let access = token(&app).await;
    let last = call(&app, &access, 1).await;
    let follower = Follower::start(app.project().root(), &["--limit", "1"], &[]);
    follower.numbers_until(last);
    // The first one may come while the follower still connects. Of several the quickest counts,
    // since the machine may have other things to do.
    let mut quickest = Duration::MAX;
    for _ in 0..10 {
        app.whoami(&access).await;
        let answered = Instant::now();
        follower.next();
        quickest = quickest.min(answered.elapsed());
    }
    assert!(quickest < Duration::from_millis(100), "{quickest:?}");
}

#[tokio::test]
async fn the_socket_answers_its_owner_and_goes_with_the_daemon() {
    let mut app = TestApp::start().await;
    token(&app).await;
    let socket = app.project().root().join("audit/logs-default.sock");
    let local = reqwest::Client::builder().unix_socket(socket.clone()).build().unwrap();
    let get = async |path: &str| {
        let answer = local.get(format!("http://localhost{path}")).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    assert_eq!(get("/health").await, (200, json!({"status": "ok"})));
    assert_eq!(get("/").await.1["service"], "mxcp-admin");
    let (status, found) = get("/audit/query?event=login_succeeded&limit=5").await;
    assert_eq!((status, &found["count"]), (200, &json!(1)));
    assert_eq!(found["records"][0]["operation_name"], "auth.login_succeeded");
    let (_, second) = get("/audit/query?operation_type=auth&limit=1&offset=1").await;
    let (_, both) = get("/audit/query?type=auth&limit=2").await;
    assert_eq!((&second["count"], &second["records"][0]), (&json!(1), &both["records"][1]));
    assert_eq!(get("/audit/query?usr=ada").await, (422, json!({"detail": "there is no parameter usr"})));
    let (status, numbers) = get("/audit/stats").await;
    let (_, all) = get("/audit/query?limit=1000").await;
    assert_eq!((status, &numbers["total_records"], &numbers["by_type"]["auth"]), (200, &all["count"], &all["count"]));
    assert_eq!(numbers["latest_timestamp"], all["records"][0]["timestamp"]);
    assert_eq!(numbers["by_policy"], json!({}));
    assert_eq!(get("/audit/stats?event=login_succeeded").await.1["by_status"], json!({"success": 1}));
    assert_eq!(get("/audit/stats?limit=5").await.0, 422);
    assert_eq!(get("/nothing").await, (404, json!({"detail": "Not Found"})));
    app.stop().await;
    assert!(!socket.exists());
}

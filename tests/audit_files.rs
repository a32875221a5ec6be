//! The files of the audit log under the real program: killed, out of room, checked and cleaned up.

use crate::common::{call, text_of};
use crate::config_project::Project;
use crate::daemon_process::{mxcp, run};
use reqwest::Client;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A project with one tool that nobody has to sign in for.
fn project(audit: &Value) -> Project {
    let site = json!({
        "mxcp": 1, "project": "bookshop", "profile": "default",
        "profiles": {"default": {"audit": audit}},
    });
    let project = Project::new(&site.to_string()).with_user("mxcp: 1\n");
    let tool = json!({"name": "one", "description": "One", "parameters": [], "source": {"code": "SELECT 1 AS one"}});
    project.write("tools/one.yml", &json!({"mxcp": 1, "tool": tool}).to_string());
    // The database is there before there is no room for it.
    run(command(&project).args(["query", "SELECT 1"]));
    project
}

fn command(project: &Project) -> Command {
    let mut command = mxcp(project.root());
    command.env("MXCP_CONFIG", project.root().join("config.yml"));
    command
}

/// The daemon as a process of its own.
struct Served {
    process: Child,
    address: String,
    http: Client,
}

impl Served {
    fn start(project: &Project) -> Self {
        Self::start_by(project, "exec \"$0\" \"$@\"")
    }

    /// Starts it from a shell that may do something before.
    fn start_by(project: &Project, script: &str) -> Self {
        let mut command = Command::new("sh");
        for (name, value) in command_environment(project) {
            command.env(name, value);
        }
        command.current_dir(project.root());
        command.args(["-c", script, env!("CARGO_BIN_EXE_mxcp"), "serve", "--port", "0", "--readonly"]);
        let log = project.root().join("serve.log");
        let log = fs::File::options().create(true).append(true).open(&log).unwrap();
        let mut process = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut address = None;
        for line in BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap) {
            address = line.trim().strip_prefix("pages").map(|url| url.trim().to_owned()).or(address);
            if line.starts_with("Ready") {
                break;
            }
        }
        let told = || fs::read_to_string(project.root().join("serve.log")).unwrap();
        let address = address.unwrap_or_else(|| panic!("not started: {}", told()));
        Self { process, address, http: Client::builder().build().unwrap() }
    }

    async fn answer(&self) -> Value {
        call(&self.http, &self.address, "one").send().await.unwrap().json().await.unwrap()
    }

    /// Calls the tool until that is refused, at most `max` times; returns the refusal.
    async fn call_until_refused(&self, max: usize) -> Option<Value> {
        for _ in 0..max {
            let answer = self.answer().await;
            if answer["error"].is_object() {
                return Some(answer);
            }
            assert!(text_of(&answer).contains('1'), "{answer}");
        }
        None
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn terminate(mut self) {
        assert!(Command::new("kill").arg(self.process.id().to_string()).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ended = self.process.kill().and_then(|()| self.process.wait());
    }
}

fn command_environment(project: &Project) -> [(&'static str, PathBuf); 1] {
    [("MXCP_CONFIG", project.root().join("config.yml"))]
}

/// The segments, oldest first.
fn segments(project: &Project) -> Vec<PathBuf> {
    let entries = fs::read_dir(project.root().join("audit")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.to_string_lossy().contains(".jsonl"));
    // Several begun within one second do not sort by their names.
    paths.sort_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
    paths
}

/// What `mxcp log verify` finds, and whether it succeeded.
fn verify(project: &Project) -> (bool, Value) {
    let output = command(project).args(["log", "verify", "--json"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
    (output.status.success(), document["result"].clone())
}

fn records(project: &Project, options: &[&str]) -> Vec<Value> {
    let text = run(command(project).args(["log", "--jsonl", "--full"]).args(options));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_killed_daemon_loses_no_record_and_the_chain_goes_on() {
    let project = project(&json!({"enabled": true}));
    let mut answered = 0;
    for round in 0..3 {
        let daemon = Served::start(&project);
        for _ in 0..20 {
            daemon.answer().await;
            answered += 1;
        }
        // Some are under way when it ends.
        let under_way: Vec<_> =
            (0..8).map(|_| tokio::spawn(call(&daemon.http, &daemon.address, "one").send())).collect();
        daemon.kill();
        for call in under_way {
            answered += u64::from(call.await.unwrap().is_ok_and(|response| response.status() == 200));
        }
        let (is_intact, found) = verify(&project);
        assert!(is_intact, "before anything is repaired: {found}");
        if round == 1 {
            // And the machine, too: the last line is torn.
            let newest = segments(&project).pop().unwrap();
            let file = fs::File::options().append(true).open(newest).unwrap();
            std::io::Write::write_all(&mut &file, b"{\"schema_name\":\"mxcp.endpoints\",\"sche").unwrap();
            assert_eq!(verify(&project).1["is_end_torn"], true);
        }
    }
    Served::start(&project).terminate();
    let (is_intact, found) = verify(&project);
    assert!(is_intact, "{found}");
    let calls = records(&project, &["--tool", "one", "--limit", "10000"]).len();
    assert!(u64::try_from(calls).unwrap() >= answered, "{calls} of {answered}");
    assert_eq!(records(&project, &["--event", "audit.repaired"]).len(), 1);
}

#[tokio::test]
async fn a_removed_end_is_found_also_when_the_head_went_with_it() {
    let project = project(&json!({"enabled": true}));
    let daemon = Served::start(&project);
    daemon.answer().await;
    daemon.answer().await;
    // It had no second to note how far the log goes.
    daemon.kill();
    let (is_intact, found) = verify(&project);
    assert!(is_intact, "{found}");
    let noted = found["newest"].as_str().unwrap().to_owned();
    let expecting = || command(&project).args(["log", "verify", "--expect", &noted]).output().unwrap();
    assert!(expecting().status.success());
    let path = segments(&project).pop().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.split_inclusive('\n').next().unwrap()).unwrap();
    fs::remove_file(project.root().join("audit/logs-default.head")).unwrap();
    assert_eq!(verify(&project).1["faults"][0]["fault"], "head_missing");
    let daemon = Served::start(&project);
    daemon.answer().await;
    let told = || records(&project, &["--event", "audit.head_missing"]);
    for _ in 0..1_000 {
        if told().len() == 1 {
            break;
        }
        daemon.answer().await;
    }
    daemon.terminate();
    assert_eq!(told()[0]["input_data"]["trusted_from"], 2);
    let log = fs::read_to_string(project.root().join("serve.log")).unwrap();
    assert!(log.contains("the head of the audit log is missing"), "{log}");
    assert_eq!(verify(&project).1["faults"][0]["fault"], "head_was_missing");
    // Somebody removes everything; the log knows nothing of it, who noted its end elsewhere does.
    fs::remove_dir_all(project.root().join("audit")).unwrap();
    let daemon = Served::start(&project);
    daemon.answer().await;
    daemon.terminate();
    assert!(verify(&project).0);
    let output = expecting();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success() && text.contains("noted elsewhere"), "{text}");
}

#[tokio::test]
async fn without_room_for_a_record_calls_are_refused_and_a_gap_is_told() {
    let project = project(&json!({"enabled": true}));
    // A file may not become larger than 16 KiB, as on a full disk.
    let daemon = Served::start_by(&project, "trap '' XFSZ; ulimit -f 32; exec \"$0\" \"$@\"");
    let refused = daemon.call_until_refused(200).await.expect("there is room for this many");
    assert_eq!(refused["error"]["code"], -32603, "{refused}");
    assert!(daemon.answer().await["error"].is_object());
    let log = fs::read_to_string(project.root().join("serve.log")).unwrap();
    assert!(log.contains("audit records could not be written"), "{log}");
    // Room is made by somebody who takes the file away.
    let full = segments(&project).pop().unwrap();
    let aside = project.root().join("aside.jsonl");
    fs::rename(&full, &aside).unwrap();
    fs::copy(&aside, &full).unwrap();
    fs::remove_file(&aside).unwrap();
    assert!(text_of(&daemon.answer().await).contains('1'));
    daemon.terminate();
    let gaps = records(&project, &["--event", "audit.gap"]);
    assert_eq!(gaps.len(), 1);
    assert!(gaps[0]["input_data"]["records"].as_u64().unwrap() >= 1, "{}", gaps[0]);
    let (is_intact, found) = verify(&project);
    assert!(is_intact, "{found}");
}

#[tokio::test]
async fn without_room_for_a_record_calls_go_on_where_the_operator_says_so() {
    let project = project(&json!({"enabled": true, "on_failure": "allow"}));
    let daemon = Served::start_by(&project, "trap '' XFSZ; ulimit -f 32; exec \"$0\" \"$@\"");
    assert_eq!(daemon.call_until_refused(100).await, None);
    daemon.terminate();
    assert!(records(&project, &["--limit", "1000"]).len() < 100);
    let log = fs::read_to_string(project.root().join("serve.log")).unwrap();
    assert!(log.contains("audit records could not be written"), "{log}");
    let (is_intact, found) = verify(&project);
    assert!(is_intact, "what is there is whole: {found}");
}

#[tokio::test]
async fn verify_names_file_line_and_number_of_what_was_changed_and_fails() {
    let project = project(&json!({"enabled": true, "durability": "strict"}));
    let daemon = Served::start(&project);
    for _ in 0..5 {
        daemon.answer().await;
    }
    daemon.terminate();
    let (is_intact, found) = verify(&project);
    assert!(is_intact && found["records"] == 5, "{found}");
    let path = segments(&project).pop().unwrap();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let changed = lines[2].replace("\"success\"", "\"error\"");
    fs::write(&path, text.replace(lines[2], &changed)).unwrap();
    let (is_intact, found) = verify(&project);
    assert!(!is_intact);
    assert_eq!(found["faults"].as_array().unwrap().len(), 1, "{found}");
    let fault = &found["faults"][0];
    assert_eq!((&fault["file"], &fault["line"], &fault["sequence"]), (&json!(name), &json!(3), &json!(3)));
    let output = command(&project).args(["log", "verify"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(&format!("{name}:3 (number 3): the record was changed")), "{text}");
    fs::write(&path, lines[..3].join("\n") + "\n").unwrap();
    assert_eq!(verify(&project).1["faults"][0]["fault"], "end_missing");
}

#[tokio::test]
async fn log_cleanup_removes_old_files_and_the_daemon_tells_of_it() {
    let project = project(&json!({"enabled": true, "retention_days": 30}));
    let old = json!({
        "schema_name": "mxcp.endpoints", "schema_version": 2, "record_id": "r", "timestamp": "2020-01-01T00:00:00Z",
        "operation_type": "tool", "operation_name": "old", "operation_status": "success",
    });
    project.write("audit/logs-default-20200101T000000.jsonl", &format!("{old}\n{old}\n"));
    // The newest file is not removed, however old.
    let young = Served::start(&project);
    young.answer().await;
    young.terminate();
    let cleanup = |options: &[&str]| -> Value {
        let text = run(command(&project).arg("log-cleanup").arg("--json").args(options));
        serde_json::from_str::<Value>(&text).unwrap()["result"].clone()
    };
    let found = cleanup(&["--dry-run"]);
    assert_eq!((&found["status"], &found["deleted_per_schema"]), (&json!("dry_run"), &json!({"mxcp.endpoints:v2": 2})));
    assert_eq!(segments(&project).len(), 2);
    let removed = cleanup(&[]);
    assert_eq!((&removed["status"], &removed["message"]), (&json!("success"), &json!("Deleted 2 records")));
    assert_eq!(segments(&project).len(), 1);
    assert_eq!(cleanup(&[])["deleted_per_schema"], json!({}));
    // The next start removes by itself.
    project.write("audit/logs-default-20200101T000000.jsonl", &format!("{old}\n"));
    let daemon = Served::start(&project);
    let told = || records(&project, &["--event", "audit.segments_removed"]).len();
    for _ in 0..1_000 {
        daemon.answer().await;
        if told() == 2 {
            break;
        }
    }
    assert_eq!((told(), segments(&project).len()), (2, 2));
    daemon.terminate();
    let (is_intact, found) = verify(&project);
    assert!(is_intact, "{found}");
}

#[tokio::test]
async fn a_second_daemon_for_one_log_is_refused() {
    let project = project(&json!({"enabled": true}));
    let _first = Served::start(&project);
    let output = command(&project).args(["serve", "--port", "0", "--readonly"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("is written by another process"), "{error}");
}

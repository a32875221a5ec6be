//! The MCP SDKs of both generations against the real binary: given nothing but its URL, they
//! find the way to sign a person in, and the SQL of a tool knows who that is.

use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const ADA: (&str, &str) = ("ada", "analytical-engine");
const BEN: (&str, &str) = ("ben", "lightning-rod");
const TOOLS: [&str; 5] = ["customer_profile", "my_documents", "orders_by_day", "revenue_report", "search_books"];

/// The daemon, serving a copy of the quickstart on a free port.
struct Daemon {
    process: Child,
    project: TempDir,
    url: String,
}

impl Daemon {
    fn start() -> Self {
        let project = TempDir::new().unwrap();
        copy_folder(&repository().join("config-examples/quickstart"), project.path());
        run(mxcp(project.path()).args(["query", "--file", "sql/data.sql"]));
        let log = project.path().join("serve.log");
        let mut serve = mxcp(project.path());
        serve.args(["serve", "--port", "0"]).stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        let mut process = serve.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut url = None;
        for line in lines.take_while(|line| !line.starts_with("Ready")) {
            url = line.trim().strip_prefix("MCP endpoint").map(|url| url.trim().to_owned()).or(url);
        }
        let url = url.unwrap_or_else(|| panic!("not started: {}", fs::read_to_string(&log).unwrap()));
        Self { process, project, url }
    }

    /// What the client of `sdk` reports of a call that it makes after `person` has signed in.
    fn call_with(&self, sdk: &str, person: (&str, &str), tool: &str, arguments: &str) -> Value {
        let folder = sdks().join(sdk);
        let mut client = if sdk.starts_with("python") {
            let mut python = Command::new(folder.join("bin/python"));
            python.arg(repository().join("tests/clients/python_login.py"));
            python
        } else {
            let mut node = Command::new("node");
            node.arg(repository().join("tests/clients/ts_login.mjs")).arg(folder);
            node
        };
        let output = run(client.arg(&self.url).args([person.0, person.1, tool, arguments]));
        serde_json::from_str(&output).unwrap()
    }

    /// Ends the daemon without a chance to tidy up, and returns what `mxcp log` then shows.
    fn log_after_kill(mut self, options: &[&str]) -> String {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        run(mxcp(self.project.path()).arg("log").args(options))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ended = self.process.kill().and_then(|()| self.process.wait());
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sdks() -> PathBuf {
    let folder = std::env::var_os("MXCP_TEST_SDKS");
    folder.map_or_else(
        || panic!("MXCP_TEST_SDKS is not set: run `make test`, which installs the MCP SDKs there"),
        PathBuf::from,
    )
}

/// The program in the folder of a project, free of settings from the outside.
fn mxcp(project: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mxcp"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MXCP_")) {
        command.env_remove(name);
    }
    command.current_dir(project).env("MXCP_CONFIG", "config.yml");
    command
}

/// Runs `command` to its end and returns what it wrote; it must succeed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}:\n{errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), target).unwrap();
        } else if entry.file_name() != "data" && entry.file_name() != "audit" {
            copy_folder(&entry.path(), &target);
        }
    }
}

/// Both people sign in with `sdk` and get their own documents, over revision `protocol`.
fn assert_everybody_gets_their_own_documents(sdk: &str, protocol: &str) {
    let daemon = Daemon::start();
    for person in [ADA, BEN] {
        let report = daemon.call_with(sdk, person, "my_documents", r#"{"since": "2024-01-01"}"#);
        assert_eq!(report["protocol"], protocol, "{report}");
        assert_eq!(report["tools"], serde_json::json!(TOOLS));
        let documents = report["result"]["structuredContent"]["result"].as_array().unwrap();
        assert_eq!(documents.len(), 12, "{report}");
        let notes = format!("Notes of {} ", person.0);
        assert!(documents.iter().all(|document| document["body"].as_str().unwrap().starts_with(&notes)), "{report}");
    }
}

#[test]
fn the_python_sdk_1_signs_people_in() {
    assert_everybody_gets_their_own_documents("python1", "2025-11-25");
}

#[test]
fn the_python_sdk_2_signs_people_in() {
    assert_everybody_gets_their_own_documents("python2", "2026-07-28");
}

#[test]
fn the_typescript_sdk_1_signs_people_in() {
    assert_everybody_gets_their_own_documents("typescript1", "2025-11-25");
}

#[test]
fn the_typescript_sdk_2_signs_people_in() {
    assert_everybody_gets_their_own_documents("typescript2", "2026-07-28");
}

#[test]
fn what_was_answered_is_in_the_log_even_when_the_daemon_is_killed() {
    let daemon = Daemon::start();
    let report = daemon.call_with("python2", BEN, "revenue_report", "{}");
    assert_eq!(report["result"]["isError"], true, "{report}");
    let log: Value = serde_json::from_str(&daemon.log_after_kill(&["--json", "--since", "1h"])).unwrap();
    let records = log["result"]["records"].as_array().unwrap();
    let find = |name: &str| records.iter().find(|record| record["operation_name"] == name).unwrap();
    assert_eq!(find("auth.login_succeeded")["user_id"], "local:ben");
    let denied = find("revenue_report");
    assert_eq!((&denied["policy_decision"], &denied["user_id"]), (&Value::from("deny"), &Value::from("local:ben")));
}

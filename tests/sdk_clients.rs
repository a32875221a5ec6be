//! The MCP SDKs of both generations against the real binary: given nothing but its URL, they
//! find the way to sign a person in, and the SQL of a tool knows who that is.

use crate::common::{Setup, TestApp};
use crate::daemon_process::{Daemon, repository, run};
use crate::upstream_support::{TEST_AUTHORITY, tls_server};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;

const ADA: (&str, &str) = ("ada", "analytical-engine");
const BEN: (&str, &str) = ("ben", "lightning-rod");
const TOOLS: [&str; 5] = ["customer_profile", "my_documents", "orders_by_day", "revenue_report", "search_books"];

/// What the client of `sdk` reports of a call that it makes after `person` has signed in.
fn call_with(daemon: &Daemon, sdk: &str, person: (&str, &str), tool: &str, arguments: &str) -> Value {
    call_as(None, daemon, sdk, person, (tool, arguments))
}

/// The same for a client that is described by a document, if there is one, and else registers.
fn call_as(
    document: Option<&str>,
    daemon: &Daemon,
    sdk: &str,
    person: (&str, &str),
    (tool, arguments): (&str, &str),
) -> Value {
    report(client(daemon, sdk, person).args([tool, arguments]).args(document))
}

/// The client of `sdk`, as `person`; what it is to call is still to be said.
fn client(daemon: &Daemon, sdk: &str, person: (&str, &str)) -> Command {
    client_of(&daemon.mcp_url(), sdk, person)
}

fn client_of(url: &str, sdk: &str, person: (&str, &str)) -> Command {
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
    client.arg(url).args([person.0, person.1]);
    client
}

fn report(client: &mut Command) -> Value {
    serde_json::from_str(&run(client)).unwrap()
}

fn sdks() -> PathBuf {
    let folder = std::env::var_os("MXCP_TEST_SDKS");
    folder.map_or_else(
        || panic!("MXCP_TEST_SDKS is not set: run `make test`, which installs the MCP SDKs there"),
        PathBuf::from,
    )
}

/// Both people sign in with `sdk` and get their own documents, over revision `protocol`.
fn assert_everybody_gets_their_own_documents(sdk: &str, protocol: &str) {
    let daemon = Daemon::start();
    for person in [ADA, BEN] {
        let report = call_with(&daemon, sdk, person, "my_documents", r#"{"since": "2024-01-01"}"#);
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

/// The document of a client that no SDK knows more of than where it is.
fn document(url: &str) -> Value {
    json!({
        "client_id": url, "client_name": "Published Client", "redirect_uris": ["http://127.0.0.1/callback"],
        "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "none",
    })
}

#[tokio::test]
async fn every_sdk_signs_people_in_with_a_metadata_document_and_registers_nothing() {
    let url = |port: u16| format!("https://localhost:{port}/client.json");
    let server = tls_server(|address| document(&url(address.port())).to_string()).await;
    let url = url(server.port());
    let calls = tokio::task::spawn_blocking(move || {
        let daemon = Daemon::start_with(&[("SSL_CERT_FILE", TEST_AUTHORITY)]);
        for sdk in ["python1", "python2", "typescript1", "typescript2"] {
            let report = call_as(Some(&url), &daemon, sdk, ADA, ("my_documents", r#"{"since": "2024-01-01"}"#));
            let documents = report["result"]["structuredContent"]["result"].as_array().unwrap();
            assert_eq!(documents.len(), 12, "{sdk}: {report}");
        }
        let log: Value = serde_json::from_str(&daemon.log_after_kill(&["--json", "--since", "1h"])).unwrap();
        let records = log["result"]["records"].as_array().unwrap().clone();
        let find = |name: &str| records.iter().filter(|record| record["operation_name"] == name).collect::<Vec<_>>();
        assert_eq!(find("auth.client_registered"), [] as [&Value; 0]);
        assert_eq!(find("auth.client_document_read").len(), 1);
        assert_eq!(find("auth.login_succeeded").len(), 4);
    });
    calls.await.unwrap();
}

/// Has the client of `sdk` call a tool that needs a scope of its own, and tells how many clients were
/// registered, calls refused and logins made until it had the answer.
async fn steps_to_a_further_scope(sdk: &'static str, authorization: Value) -> [usize; 3] {
    let mut setup = Setup::default().with_tool("report", "SELECT get_username() AS reader");
    setup.tools.get_mut("report").unwrap()["scopes"] = json!(["reports:read"]);
    setup.auth["authorization"] = authorization;
    let app = TestApp::with(setup).await;
    let url = app.resource();
    let call = move || report(client_of(&url, sdk, ADA).args(["report", "{}"]));
    let report = tokio::task::spawn_blocking(call).await.unwrap();
    assert_eq!(report["result"]["isError"], Value::Bool(false), "{sdk}: {report}");
    let records = app.audit();
    let count = |name: &str| records.iter().filter(|record| record["operation_name"] == name).count();
    ["auth.client_registered", "auth.scope_refused", "auth.login_succeeded"].map(count)
}

#[tokio::test]
async fn sdks_come_by_a_scope_that_a_call_needs_all_by_themselves() {
    for sdk in ["python1", "python2", "typescript2"] {
        // One login when it connects, one when it calls.
        assert_eq!(steps_to_a_further_scope(sdk, json!({})).await, [1, 1, 2], "{sdk}");
    }
}

#[tokio::test]
async fn an_sdk_that_cannot_ask_for_more_is_told_at_first() {
    let authorization = json!({"default_scopes": ["reports:read"]});
    assert_eq!(steps_to_a_further_scope("typescript1", authorization).await, [1, 0, 1]);
}

#[test]
fn the_sdks_2_see_a_subscription_end_when_the_server_stops() {
    for sdk in ["python2", "typescript2"] {
        let daemon = Daemon::start();
        let mut client = client(&daemon, sdk, ADA);
        client.args(["my_documents", "{}"]).env("SERVER_PROCESS", daemon.process_id().to_string());
        let report = report(&mut client);
        let expected = serde_json::json!({"honored": {}, "events": 0, "end": "graceful"});
        assert_eq!(report["subscription"], expected, "{sdk}: {report}");
    }
}

#[test]
fn what_was_answered_is_in_the_log_even_when_the_daemon_is_killed() {
    let daemon = Daemon::start();
    let report = call_with(&daemon, "python2", BEN, "revenue_report", "{}");
    assert_eq!(report["result"]["isError"], true, "{report}");
    let log: Value = serde_json::from_str(&daemon.log_after_kill(&["--json", "--since", "1h"])).unwrap();
    let records = log["result"]["records"].as_array().unwrap();
    let find = |name: &str| records.iter().find(|record| record["operation_name"] == name).unwrap();
    assert_eq!(find("auth.login_succeeded")["user_id"], "local:ben");
    let denied = find("revenue_report");
    assert_eq!((&denied["policy_decision"], &denied["user_id"]), (&Value::from("deny"), &Value::from("local:ben")));
}

//! `mxcp doctor`: what it finds before a server goes live, as the program itself says it.

use crate::common::{FakeProvider, GitHubApp, Setup, TestApp};
use crate::config_project::Project;
use crate::daemon_process::Serving;
use crate::upstream_support::dead_address;
use serde_json::{Value, json};
use std::fs::{Permissions, set_permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

/// What the program says of the project, and its exit code.
async fn examined(project: &Project, options: &[&str]) -> (Output, i32) {
    said(project, "doctor", options).await
}

async fn said(project: &Project, command: &str, options: &[&str]) -> (Output, i32) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mxcp"));
    program.current_dir(project.root()).env_clear().envs(&project.env).arg(command).args(options);
    let output = tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
    let code = output.status.code().unwrap();
    (output, code)
}

async fn checks(project: &Project) -> (Vec<Value>, i32) {
    let (output, code) = examined(project, &["--json-output"]).await;
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let checks = document["result"]["checks"].as_array().unwrap().clone();
    let has_error = checks.iter().any(|check| check["status"] == "error");
    assert_eq!((code, document["result"]["status"] == "error"), (i32::from(has_error), has_error), "{document:#}");
    assert_eq!(document["status"], if has_error { "error" } else { "ok" });
    (checks, code)
}

/// The statuses and messages of one check.
fn of<'a>(checks: &'a [Value], name: &str) -> Vec<(&'a str, &'a str)> {
    let text = |check: &'a Value, key: &str| check[key].as_str().unwrap();
    checks.iter().filter(|check| check["check"] == name).map(|c| (text(c, "status"), text(c, "message"))).collect()
}

/// The same where nothing listens at the public URL.
fn silent(mut setup: Setup) -> Setup {
    let (_freed, address) = dead_address();
    setup.http["port"] = json!(address.port());
    setup
}

fn private(project: &Project) {
    set_permissions(project.root().join("config.yml"), Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test]
async fn a_provider_that_answers_and_files_that_are_private_are_fine() {
    let github = GitHubApp::start().await;
    let project = silent(github.setup()).with_persistence("sqlite").write();
    private(&project);
    let (checks, code) = checks(&project).await;
    assert_eq!(code, 0, "{checks:#?}");
    let provider = of(&checks, "provider");
    assert_eq!(provider.len(), 2, "{provider:?}");
    assert!(provider.iter().all(|(status, message)| *status == "ok" && message.contains("answers")), "{provider:?}");
    let [(_, callback)] = of(&checks, "callback")[..] else { panic!("{checks:#?}") };
    assert!(callback.contains("/callback/github"), "{callback}");
    assert!(of(&checks, "file_mode").contains(&("ok", of(&checks, "file_mode")[0].1)));
    let [(status, secrets)] = of(&checks, "secrets")[..] else { panic!("{checks:#?}") };
    assert!(status == "warning" && secrets.contains("github.client_secret"), "{secrets}");
    assert!(!secrets.contains("secret-at-github"), "{secrets}");
    assert_eq!(of(&checks, "persistence")[0].0, "ok");
}

#[tokio::test]
async fn every_line_of_the_checklist_is_looked_at() {
    let github = GitHubApp::start().await;
    let mut setup = github.setup();
    setup.auth["github"]["scope"] = json!("read:user repo");
    setup.auth["clients"] = json!([{
        "client_id": "dev-client", "name": "For development", "redirect_uris": ["http://localhost:3000/callback"],
    }]);
    let project = silent(setup).write();
    set_permissions(project.root().join("config.yml"), Permissions::from_mode(0o644)).unwrap();
    let (checks, code) = checks(&project).await;
    let status = |name: &str| of(&checks, name).first().map(|(status, _)| (*status).to_owned()).unwrap_or_default();
    for (name, expected) in [
        ("persistence", "warning"),
        ("file_mode", "error"),
        ("secrets", "warning"),
        ("https", "warning"),
        ("redirect_uris", "warning"),
        ("scopes", "warning"),
        ("development_clients", "warning"),
        ("audit", "ok"),
        ("monitoring", "skipped"),
    ] {
        assert_eq!(status(name), expected, "{name}: {checks:#?}");
    }
    assert_eq!(code, 1);
}

#[tokio::test]
async fn required_scopes_that_keep_nobody_out_are_told_at_the_start_and_by_doctor_alone() {
    let idle = "required_scopes keeps nobody out";
    let everybody = json!([{"when": "true", "scopes": ["a", "reports"]}]);
    let implied = json!([{"when": "true", "scopes": ["reports"]}]);
    let some = json!([{"when": "user.role == 'x'", "scopes": ["a"]}]);
    for (authorization, found, level) in [
        (json!({"required_scopes": ["a"]}), Some("warning"), Some("WARN")),
        (json!({"required_scopes": ["a"], "grants": everybody}), Some("ok"), Some("INFO")),
        (json!({"required_scopes": ["a"], "implies": {"reports": ["a"]}, "grants": implied}), Some("ok"), Some("INFO")),
        (json!({"required_scopes": ["a"], "grants": some}), None, None),
        (json!({"grants": everybody}), None, None),
    ] {
        let mut setup = Setup::default();
        setup.auth["authorization"] = authorization.clone();
        let project = silent(setup).write();
        let (checks, _) = checks(&project).await;
        let of_scopes: Vec<&str> = of(&checks, "required_scopes").into_iter().map(|(status, _)| status).collect();
        assert_eq!(of_scopes.first().copied(), found, "{authorization}: {checks:#?}");
        let (validated, _) = said(&project, "validate", &[]).await;
        assert!(!String::from_utf8_lossy(&validated.stderr).contains(idle), "{authorization}: {validated:?}");
        drop(Serving::start(&project, &TcpListener::bind("127.0.0.1:0").unwrap()));
        let log = std::fs::read_to_string(project.root().join("serve.log")).unwrap();
        let line = log.lines().find(|line| line.contains(idle));
        assert_eq!(line.is_some(), level.is_some(), "{authorization}: {log}");
        assert!(line.is_none_or(|line| level.is_some_and(|level| line.contains(level))), "{authorization}: {log}");
    }
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_an_error() {
    let (_held, address) = dead_address();
    let auth = FakeProvider::setup_at(&format!("http://{address}")).auth;
    let project = silent(Setup { auth, ..Setup::default() }).write();
    private(&project);
    let (checks, code) = checks(&project).await;
    let [(status, message)] = of(&checks, "provider")[..] else { panic!("{checks:#?}") };
    assert!(code == 1 && status == "error" && message.contains("could not be reached"), "{message}");
}

#[tokio::test]
async fn what_answers_at_the_public_url_must_be_this_server() {
    let app = TestApp::start().await;
    let project = |base_url: &str| {
        let http = json!({"host": "127.0.0.1", "base_url": base_url});
        let project = Setup { http, ..Setup::default() }.write();
        private(&project);
        project
    };
    let (same, _) = checks(&project(&app.address)).await;
    assert_eq!(of(&same, "issuer"), [("ok", &*format!("{0} answers as {0}", app.address))]);
    let other = app.address.replace("127.0.0.1", "localhost");
    let (other, code) = checks(&project(&other)).await;
    assert_eq!((of(&other, "issuer")[0].0, code), ("error", 1), "{other:#?}");
}

#[tokio::test]
async fn people_read_a_line_for_each_check_and_what_to_do() {
    let mut setup = Setup::default();
    setup.auth["lifetimes"] = json!({"nonsense": 1});
    let project = setup.write();
    let (output, code) = examined(&project, &[]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(code, 1);
    assert!(text.contains("✗ configuration: config.yml") && text.contains("→ correct it"), "{text}");
    assert!(text.ends_with("1 error, 0 warnings\n"), "{text}");
}

#[tokio::test]
async fn what_keeps_the_server_from_starting_is_an_error() {
    let mut setup = silent(Setup::default());
    setup.tools.get_mut("whoami").unwrap()["policies"] =
        json!({"output": [{"condition": "true", "action": "filter_sensitive_fields"}]});
    let project = setup.write();
    private(&project);
    let (found, code) = checks(&project).await;
    let [(status, message)] = of(&found, "configuration")[..] else { panic!("{found:#?}") };
    assert!(code == 1 && status == "error" && message.contains("nothing to filter"), "{message}");
    project.write("tools/whoami.yml", "mxcp: 1\ntool:\n  source: {code: SELECT 1}\n");
    let (found, code) = checks(&project).await;
    assert!(code == 1 && of(&found, "configuration").iter().any(|(status, _)| *status == "error"), "{found:#?}");
}

//! A real browser against the real binary: what people see works with what browsers enforce,
//! such as the pages' own security policy, which no other client of the tests obeys.

use crate::common::{GitHubApp, Setup, TestApp};
use crate::daemon_process::{Daemon, repository, run};
use serde_json::json;
use std::path::PathBuf;
use std::process::Command;

fn driver() -> PathBuf {
    let folder = std::env::var_os("MXCP_TEST_BROWSER");
    folder.map_or_else(
        || panic!("MXCP_TEST_BROWSER is not set: run `make test`, which installs the browser's driver there"),
        PathBuf::from,
    )
}

/// Plays a story of `clients/browser_visit.mjs` on a daemon of its own.
fn play(story: &str) {
    let daemon = Daemon::start();
    let script = repository().join("tests/clients/browser_visit.mjs");
    run(Command::new("node").arg(script).arg(driver()).args([&daemon.base_url, story]));
}

#[test]
fn a_person_signs_in_sees_who_they_are_and_signs_out() {
    play("visit");
}

#[test]
fn a_client_is_allowed_or_refused_and_gets_the_answer() {
    play("authorization");
}

#[test]
fn the_browser_goes_on_to_an_application_with_a_scheme_of_its_own() {
    play("application");
}

#[tokio::test]
async fn a_person_chooses_where_to_sign_in() {
    let github = GitHubApp::start().await;
    let mut setup = Setup::default();
    let auth = setup.auth.as_object_mut().unwrap();
    auth.remove("provider");
    auth.insert("providers".to_owned(), json!(["github", "local"]));
    auth.insert("github".to_owned(), github.block());
    let app = TestApp::with(setup).await;
    let script = repository().join("tests/clients/browser_visit.mjs");
    let mut node = Command::new("node");
    node.arg(script).arg(driver()).args([&app.issuer, "choice", &github.repositories()]);
    tokio::task::spawn_blocking(move || run(&mut node)).await.unwrap();
}

#[tokio::test]
async fn a_person_watches_the_audit_log() {
    let audit = json!({"enabled": true, "viewers": ["admin"]});
    let app = TestApp::with(Setup { audit, ..Setup::default() }).await;
    let script = repository().join("tests/clients/browser_visit.mjs");
    let mut node = Command::new("node");
    node.arg(script).arg(driver()).args([&app.issuer, "audit"]);
    tokio::task::spawn_blocking(move || run(&mut node)).await.unwrap();
}

#[test]
fn the_pages_fit_a_telephone_and_name_their_parts() {
    play("telephone");
}

#[test]
fn the_pages_need_no_mouse() {
    play("keyboard");
}

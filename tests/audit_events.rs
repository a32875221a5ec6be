//! What the audit log holds of signing in, from registration to sign-out.

use crate::common::{OAuthClient, Setup, TestApp};
use crate::daemon_process::{mxcp, run};
use serde_json::{Value, json};

fn names(app: &TestApp) -> Vec<String> {
    app.audit().iter().map(|record| record["operation_name"].as_str().unwrap().to_owned()).collect()
}

fn named(app: &TestApp, name: &str) -> Vec<Value> {
    app.audit().into_iter().filter(|record| record["operation_name"] == name).collect()
}

#[tokio::test]
async fn the_life_of_a_login_is_in_the_log_and_found_by_its_kind() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let tokens = client.tokens(&app, "ada").await;
    app.whoami(&tokens.access).await;
    client.refresh(&app, &tokens.refresh).await;
    client.refresh(&app, "made up").await;
    let tokens = client.tokens(&app, "ada").await;
    client.revoke(&app, &tokens.refresh).await;
    let happened = names(&app);
    for event in [
        "auth.client_registered",
        "auth.login_started",
        "auth.consent_given",
        "auth.login_succeeded",
        "auth.token_issued",
        "auth.token_refreshed",
        "auth.token_refused",
        "auth.session_ended",
        "auth.token_revoked",
    ] {
        assert!(happened.contains(&event.to_owned()), "{event} is missing in {happened:?}");
    }
    let shown = run(mxcp(app.project().root()).args(["log", "--since", "24h"]));
    assert!(shown.lines().filter(|line| line.contains("auth")).count() >= 9, "{shown}");
    for record in app.audit() {
        assert!(record["signature"].is_null() && record["execution_events"] == json!([]), "{record}");
        assert!(record["record_hash"].is_string(), "{record}");
    }
}

#[tokio::test]
async fn what_happened_in_a_time_is_shown_however_many_calls_came_after_it() {
    let app = TestApp::start().await;
    let tokens = OAuthClient::register(&app).await.tokens(&app, "ada").await;
    for _ in 0..160 {
        app.whoami(&tokens.access).await;
    }
    let shown = run(mxcp(app.project().root()).args(["log", "--since", "24h"]));
    assert!(shown.contains("[auth] auth.login_succeeded"), "{shown}");
    assert_eq!(shown.lines().filter(|line| line.contains("whoami")).count(), 160);
    let output = mxcp(app.project().root()).arg("log").output().unwrap();
    let (shown, told) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success() && shown.ends_with("Total records: 100\n"), "{shown}");
    assert!(told.contains("more records match"), "{told}");
}

#[tokio::test]
async fn a_flood_of_made_up_tokens_is_one_record_and_a_number() {
    let mut app = TestApp::start().await;
    for _ in 0..50 {
        assert_eq!(app.status_with("mxcp_at_made-up").await, 401);
    }
    let no_token = app.get("/mcp").send().await.unwrap();
    assert_eq!(no_token.status(), 401);
    app.begin_stop().wait();
    let refused = named(&app, "auth.access_refused");
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused[0]["trace_id"].is_string());
    assert_eq!(refused[1]["input_data"]["repeated"], 49);
}

/// What `mxcp log` shows of a trace, oldest first.
fn traced(app: &TestApp, id: &str) -> Vec<Value> {
    let text = run(mxcp(app.project().root()).args(["log", "--jsonl", "--full", "--trace", id]));
    let mut records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    records.reverse();
    records
}

#[tokio::test]
async fn a_login_is_one_trace_from_its_begin_to_its_tokens() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    client.tokens(&app, "ada").await;
    client.tokens(&app, "ada").await;
    let started = named(&app, "auth.login_started");
    assert_eq!(started.len(), 2);
    for start in &started {
        let login = traced(&app, start["trace_id"].as_str().unwrap());
        let names: Vec<_> = login.iter().map(|record| record["operation_name"].as_str().unwrap()).collect();
        assert_eq!(names.first(), Some(&"auth.login_started"), "{names:?}");
        assert_eq!(names[names.len() - 2..], ["auth.login_succeeded", "auth.token_issued"], "{names:?}");
        assert!(login.iter().all(|record| record["trace_id"] == start["trace_id"]));
        assert_eq!(login.iter().filter(|record| record["session_id"].is_string()).count(), 2, "{login:?}");
        // The number of one request, as it stands on its error page and in the daemon's log, finds it too.
        let last = login.last().unwrap();
        let request = last["business_context"]["request_id"].as_str().unwrap();
        assert_eq!(traced(&app, request), std::slice::from_ref(last));
        assert!(login[0]["business_context"]["request_id"].is_null(), "the first request gives the trace its id");
    }
    assert_ne!(started[0]["trace_id"], started[1]["trace_id"]);
}

#[tokio::test]
async fn who_is_refused_is_recorded_with_the_address() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    client.refresh(&app, "made up").await;
    assert_eq!(app.status_with("mxcp_at_made-up").await, 401);
    let refused = app.get("/authorize?client_id=nobody&response_type=code").send().await.unwrap();
    assert!(refused.status().is_client_error());
    client.tokens(&app, "ada").await;
    for name in ["auth.token_refused", "auth.access_refused", "auth.authorization_refused", "auth.consent_given"] {
        assert_eq!(named(&app, name)[0]["input_data"]["peer"], "127.0.0.1", "{name}");
    }
}

#[tokio::test]
async fn who_cannot_register_or_begin_a_login_is_recorded() {
    let app = TestApp::start().await;
    let refused = app.post("/register").json(&json!({"redirect_uris": ["not a uri"]})).send().await.unwrap();
    assert_eq!(refused.status(), 400);
    let refused = app.get("/authorize?client_id=nobody&response_type=code").send().await.unwrap();
    assert!(refused.status().is_client_error());
    // What nobody waits for is written before what somebody waits for.
    OAuthClient::register(&app).await;
    let record = named(&app, "auth.registration_refused").remove(0);
    assert_eq!((&record["operation_status"], &record["input_data"]["peer"]), (&json!("error"), &json!("127.0.0.1")));
    let record = named(&app, "auth.authorization_refused").remove(0);
    assert!(record["error"].as_str().unwrap().contains("not registered"), "{record}");
}

#[tokio::test]
async fn the_log_of_a_test_daemon_is_whole_at_its_end() {
    let mut app =
        TestApp::with(Setup { audit: json!({"enabled": true, "max_file_size": 4096}), ..Setup::default() }).await;
    for _ in 0..3 {
        let tokens = OAuthClient::register(&app).await.tokens(&app, "ada").await;
        app.whoami(&tokens.access).await;
        app.restart().await;
    }
    app.begin_stop().wait();
    let path = app.project().root().join("audit/logs-default.jsonl");
    let found = mxcp::adapters::jsonl_audit::verify(&path, &[]).unwrap();
    assert!(found.is_intact() && found.files > 3, "{found:?}");
}

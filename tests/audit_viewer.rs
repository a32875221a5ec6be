//! The audit log in the browser: who may see it, and what the stream of its page says.

use crate::common::{Browser, Page, Setup, TestApp, give_password};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

/// Longer than a stream goes on for somebody who may not see it any more.
const END_WITHIN: Duration = Duration::from_secs(30);

/// A server whose admins may see the log: ada is one and ben is not.
async fn app() -> TestApp {
    TestApp::with(Setup { audit: json!({"enabled": true, "viewers": ["admin"]}), ..Setup::default() }).await
}

async fn signed_in(app: &TestApp, user: &str) -> (Browser, Page) {
    let mut browser = Browser::new(app);
    let page = browser.open(app.url("/")).await;
    let back = give_password(&mut browser, &page, user).await;
    let home = browser.open(back.location()).await;
    (browser, home)
}

/// The stream as the page of that browser asks for it.
fn events(app: &TestApp, browser: &Browser, query: &str) -> RequestBuilder {
    let cookie = browser.cookie("mxcp-session").unwrap();
    app.get(&format!("/audit/events{query}")).header("cookie", format!("mxcp-session={cookie}"))
}

/// Reads a stream until it has said `count` records, and returns their numbers and names.
async fn records(stream: &mut Response, count: usize) -> Vec<(u64, String)> {
    let mut text = String::new();
    while text.matches("\ndata: ").count() < count || !text.ends_with("\n\n") {
        let chunk = timeout(END_WITHIN, stream.chunk()).await.unwrap().unwrap().unwrap();
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
    lines
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|record| (record["sequence"].as_u64().unwrap(), record["operation_name"].as_str().unwrap().to_owned()))
        .collect()
}

fn recorded(app: &TestApp, name: &str) -> Vec<Value> {
    app.audit().into_iter().filter(|record| record["operation_name"] == name).collect()
}

#[tokio::test]
async fn who_has_the_role_sees_the_log_and_is_seen() {
    let app = app().await;
    let (mut browser, _) = signed_in(&app, "ada").await;
    let page = browser.open(app.url("/audit")).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none';") && policy.contains("connect-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(recorded(&app, "auth.audit_viewed").is_empty(), "the page alone shows nothing");
    let mut stream = events(&app, &browser, "?event=audit&event=login_succ&limit=2").send().await.unwrap();
    let shown = records(&mut stream, 2).await;
    let viewed = recorded(&app, "auth.audit_viewed");
    assert_eq!((viewed.len(), &viewed[0]["user_id"]), (1, &json!("local:ada")));
    assert_eq!(viewed[0]["input_data"], json!({"query": "event=audit&event=login_succ&limit=2", "peer": "127.0.0.1"}));
    assert_eq!(shown[0].1, "auth.login_succeeded");
    assert_eq!(shown[1].1, "auth.audit_viewed");
    // It goes on with what happens now.
    signed_in(&app, "ben").await;
    let live = records(&mut stream, 1).await;
    assert_eq!(live[0].1, "auth.login_succeeded");
    // A browser that comes back has missed nothing and gets nothing twice.
    let again = events(&app, &browser, "?event=audit&event=login_succ").header("last-event-id", shown[0].0);
    let missed = records(&mut again.send().await.unwrap(), 2).await;
    assert_eq!(missed, [shown[1].clone(), live[0].clone()]);
}

#[tokio::test]
async fn nobody_else_sees_the_log_and_who_tries_is_recorded() {
    let app = app().await;
    let (mut ben, _) = signed_in(&app, "ben").await;
    ben.open(app.url("/audit")).await.assert_error_page(403);
    assert_eq!(events(&app, &ben, "").send().await.unwrap().status(), 403);
    let refused = recorded(&app, "auth.viewer_refused");
    assert_eq!(refused.len(), 2);
    assert_eq!((&refused[0]["user_id"], &refused[0]["operation_status"]), (&json!("local:ben"), &json!("error")));
    assert_eq!(refused[0]["input_data"], json!({"role": "analyst", "peer": "127.0.0.1"}));
    let mut nobody = Browser::new(&app);
    assert_eq!(nobody.open(app.url("/audit")).await.location().as_str(), app.url("/"));
    assert_eq!(app.get("/audit/events").send().await.unwrap().status(), 401);
    assert!(recorded(&app, "auth.audit_viewed").is_empty());
}

#[tokio::test]
async fn a_stream_is_for_our_page_and_for_filters_that_mean_something() {
    let app = app().await;
    let (ada, _) = signed_in(&app, "ada").await;
    let elsewhere = events(&app, &ada, "").header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert_eq!(elsewhere.status(), 403);
    let wrong = events(&app, &ada, "?status=bad").send().await.unwrap();
    assert_eq!(
        (wrong.status().as_u16(), wrong.json::<Value>().await.unwrap()),
        (400, json!({"error": "the value of status is not valid"}))
    );
}

#[tokio::test]
async fn a_stream_ends_soon_after_its_reader_has_signed_out() {
    let app = app().await;
    let (mut ada, home) = signed_in(&app, "ada").await;
    let mut stream = events(&app, &ada, "?tool=none").send().await.unwrap();
    assert_eq!(stream.status(), 200);
    ada.submit(&home, "", &[]).await;
    let end = async { while stream.chunk().await.unwrap().is_some() {} };
    timeout(END_WITHIN, end).await.unwrap();
}

#[tokio::test]
async fn where_no_role_is_listed_there_is_no_page() {
    let app = TestApp::start().await;
    let (mut ada, _) = signed_in(&app, "ada").await;
    for path in ["/audit", "/audit/events"] {
        ada.open(app.url(path)).await.assert_error_page(404);
    }
}

//! The server's own pages: a person signs in, sees who they are, and signs out.

use crate::common::{Browser, OAuthClient, TestApp, change, give_password, header, oauth_error};
use serde_json::{Value, json};

async fn signed_in(app: &TestApp, user: &str) -> Browser {
    let mut browser = Browser::new(app);
    let page = browser.open(app.url("/")).await;
    let back = give_password(&mut browser, &page, user).await;
    assert_eq!(back.location().as_str(), app.url("/"));
    browser
}

#[tokio::test]
async fn visiting_the_root_in_a_browser_starts_a_sign_in() {
    let app = TestApp::start().await;
    let mut browser = Browser::new(&app);
    let page = browser.open(app.url("/")).await;
    assert_eq!((page.status, page.form().action.as_str()), (200, "/login"));
    let back = give_password(&mut browser, &page, "ada").await;
    let home = browser.open(back.location()).await;
    for text in ["Ada Falk", "ada@example.com", "admin", "whoami", &app.resource()] {
        assert!(home.text().contains(text), "{text} is not in {}", home.body);
    }
}

#[tokio::test]
async fn a_program_is_told_where_everything_is() {
    let app = TestApp::start().await;
    for accept in ["application/json", "*/*"] {
        let response = app.get("/").header("accept", accept).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["name"], "mxcp");
        assert_eq!(body["endpoints"]["mcp"], app.resource());
        for name in ["health", "authorization_server_metadata", "protected_resource_metadata"] {
            let url = body["endpoints"][name].as_str().unwrap();
            assert_eq!(app.http.get(url).send().await.unwrap().status(), 200, "{url}");
        }
    }
}

#[tokio::test]
async fn signing_out_ends_the_session_and_no_other() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let tokens = client.tokens(&app, "ada").await;
    let mut browser = signed_in(&app, "ada").await;
    let mut elsewhere = signed_in(&app, "ada").await;
    let cookie = browser.cookie("mxcp-session").unwrap().to_owned();
    let home = browser.open(app.url("/")).await;
    let out = browser.submit(&home, "", &[]).await;
    assert_eq!(out.location().path(), "/signed-out");
    assert_eq!(browser.cookie("mxcp-session"), None);
    assert_eq!(browser.open(out.location()).await.status, 200);
    assert_eq!(browser.open(app.url("/")).await.form().action, "/login");
    // The cookie itself is worth nothing any more.
    let request = app.get("/").header("accept", "text/html").header("cookie", format!("mxcp-session={cookie}"));
    assert!(request.send().await.unwrap().text().await.unwrap().contains("action=\"/login\""));
    assert!(elsewhere.open(app.url("/")).await.text().contains("Ada Falk"));
    assert_eq!(app.status_with(&tokens.access).await, 200);
}

#[tokio::test]
async fn signing_out_everywhere_ends_every_session_of_that_person_alone() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let (ada, ben) = (client.tokens(&app, "ada").await, client.tokens(&app, "ben").await);
    let (mut browser, mut elsewhere) = (signed_in(&app, "ada").await, signed_in(&app, "ada").await);
    let mut bens = signed_in(&app, "ben").await;
    let home = browser.open(app.url("/")).await;
    browser.submit(&home, "yes", &[]).await;
    assert_eq!(app.status_with(&ada.access).await, 401);
    let refused = client.refresh(&app, &ada.refresh).await;
    assert_eq!(oauth_error(refused).await, (400, "invalid_grant".to_owned()));
    assert_eq!(elsewhere.open(app.url("/")).await.form().action, "/login");
    assert_eq!(app.status_with(&ben.access).await, 200);
    assert!(bens.open(app.url("/")).await.text().contains("ben"));
}

#[tokio::test]
async fn a_sign_out_that_is_not_from_our_page_is_refused() {
    let app = TestApp::start().await;
    let mut browser = signed_in(&app, "ada").await;
    let form = browser.open(app.url("/")).await.form().filled("yes", &[]);
    let foreign = signed_in(&app, "ben").await.open(app.url("/")).await.form().value("csrf").to_owned();
    for token in [None, Some("x"), Some(foreign.as_str())] {
        let mut forged = form.clone();
        change(&mut forged, "csrf", token);
        browser.post(&app.url("/logout"), &forged).await.assert_error_page(403);
    }
    assert!(browser.open(app.url("/")).await.text().contains("Ada Falk"));
    browser.forget("mxcp-session");
    let nobody = browser.post(&app.url("/logout"), &form).await;
    assert_eq!(nobody.location().path(), "/signed-out");
}

#[tokio::test]
async fn a_session_cookie_that_means_nothing_starts_a_sign_in() {
    let app = TestApp::start().await;
    for cookie in ["mxcp-session=x", "mxcp-session=", "mxcp-session=%ff; mxcp-browser=%00", "mxcp-browser=\"x\""] {
        let request = app.get("/").header("accept", "text/html").header("cookie", cookie);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{cookie}");
        assert!(response.text().await.unwrap().contains("action=\"/login\""), "{cookie}");
    }
}

#[tokio::test]
async fn a_visitors_cookie_is_no_access_token_and_the_other_way_round() {
    let app = TestApp::start().await;
    let browser = signed_in(&app, "ada").await;
    assert_eq!(app.status_with(browser.cookie("mxcp-session").unwrap()).await, 401);
    let tokens = OAuthClient::register(&app).await.tokens(&app, "ada").await;
    let cookie = format!("mxcp-session={}", tokens.access);
    let response = app.get("/").header("accept", "text/html").header("cookie", cookie).send().await.unwrap();
    assert!(response.text().await.unwrap().contains("action=\"/login\""));
}

#[tokio::test]
async fn a_server_without_authentication_shows_its_page_at_once() {
    let setup = crate::common::Setup { auth: json!({"provider": "none"}), ..Default::default() };
    let app = TestApp::with(setup).await;
    let page = Browser::new(&app).open(app.url("/")).await;
    assert!(page.text().contains("Nobody needs to sign in"));
    let response = app.get("/").send().await.unwrap();
    assert_eq!(header(&response, "cache-control"), "no-store");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["endpoints"].get("authorization_server_metadata"), None);
}

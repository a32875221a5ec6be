//! What a server says of itself that trusts an issuer, and what it does not have.

use super::issuer::{Issuer, sign};
use crate::common::{TestApp, header};
use serde_json::{Value, json};

async fn document(app: &TestApp, path: &str) -> Value {
    let response = app.get(path).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    assert_eq!(header(&response, "content-type"), "application/json");
    response.json().await.unwrap()
}

#[tokio::test]
async fn the_resource_names_its_issuer_exactly() {
    for slash in ["", "/"] {
        let issuer = Issuer::spelt_with(slash).await;
        let app = TestApp::with(issuer.setup_with_scopes(&["mcp:write"])).await;
        let expected = json!({
            "resource": app.resource(), "authorization_servers": [issuer.name()],
            "scopes_supported": ["openid", "mcp:read", "mcp:write"], "bearer_methods_supported": ["header"],
            "resource_name": "mxcp: bookshop",
        });
        for path in [
            "/.well-known/oauth-protected-resource",
            "/.well-known/oauth-protected-resource/mcp",
            "/mcp/.well-known/oauth-protected-resource",
        ] {
            assert_eq!(document(&app, path).await, expected, "{path}");
        }
        assert_eq!(app.status_with(&issuer.token(&app)).await, 200, "{slash}");
    }
}

#[tokio::test]
async fn without_scopes_none_are_advertised_and_none_are_needed() {
    let issuer = Issuer::start().await;
    let app = TestApp::with(issuer.setup()).await;
    assert!(document(&app, "/.well-known/oauth-protected-resource/mcp").await.get("scopes_supported").is_none());
    let refused = app.mcp(&json!({})).send().await.unwrap();
    let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", app.issuer);
    assert_eq!(header(&refused, "www-authenticate"), format!("Bearer resource_metadata=\"{metadata}\""));
    let mut claims = issuer.claims(&app);
    claims.as_object_mut().unwrap().remove("scope");
    assert_eq!(app.status_with(&sign(&claims)).await, 200);
}

#[tokio::test]
async fn nobody_is_sent_to_an_issuer_whose_name_is_not_known_yet() {
    let issuer = Issuer::start().await;
    issuer.go_away().await;
    let app = TestApp::with(issuer.setup()).await;
    let response = app.get("/.well-known/oauth-protected-resource/mcp").send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(header(&response, "retry-after"), "5");
    assert_eq!(app.get("/health").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn nothing_is_left_of_the_server_that_issues_tokens() {
    let issuer = Issuer::start().await;
    let app = TestApp::with(issuer.setup()).await;
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/mcp",
        "/mcp/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/.well-known/openid-configuration/mcp",
        "/mcp/.well-known/openid-configuration",
        "/authorize",
        "/token",
        "/register",
        "/revoke",
        "/login",
        "/consent",
        "/logout",
        "/signed-out",
        "/callback",
    ] {
        assert_eq!(app.get(path).send().await.unwrap().status(), 404, "GET {path}");
        assert_eq!(app.post(path).send().await.unwrap().status(), 404, "POST {path}");
    }
    assert_eq!(app.get("/health").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_page_says_where_tokens_come_from_and_nothing_about_tools() {
    let issuer = Issuer::start().await;
    let app = TestApp::with(issuer.setup()).await;
    let page = app.get("/").header("accept", "text/html").send().await.unwrap();
    assert_eq!(page.status(), 200);
    let html = page.text().await.unwrap();
    let escaped = issuer.name().replace('/', "&#x2f;");
    assert!(html.contains(&escaped) && html.contains(&app.resource().replace('/', "&#x2f;")), "{html}");
    assert!(!html.contains("whoami") && !html.contains("<form"), "{html}");
    let described = document(&app, "/").await;
    let endpoints = described["endpoints"].as_object().unwrap();
    let names: Vec<&str> = endpoints.keys().map(String::as_str).collect();
    assert_eq!(names, ["mcp", "health", "protected_resource_metadata"]);
}

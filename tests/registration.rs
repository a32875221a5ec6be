//! Dynamic client registration (RFC 7591), and clients of the configuration.

use crate::common::{Browser, OAuthClient, REDIRECT_URI, Setup, TestApp, Tokens, header, oauth_error};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    body: Value,
    error: Option<String>,
    #[serde(default)]
    answer: Value,
}

async fn register(app: &TestApp, body: &Value) -> reqwest::Response {
    app.post("/register").json(body).send().await.unwrap()
}

#[tokio::test]
async fn registrations_are_completed_or_refused() {
    let app = TestApp::start().await;
    let cases: Vec<Case> = serde_yaml::from_str(include_str!("cases/registration.yaml")).unwrap();
    for case in cases {
        let mut body = json!({"redirect_uris": [REDIRECT_URI]});
        for (name, value) in case.body.as_object().unwrap() {
            body[name] = value.clone();
        }
        let response = register(&app, &body).await;
        assert_eq!(header(&response, "cache-control"), "no-store", "{}", case.name);
        if let Some(error) = case.error {
            assert_eq!(oauth_error(response).await, (400, error), "{}", case.name);
            continue;
        }
        assert_eq!(response.status(), 201, "{}", case.name);
        let answer: Value = response.json().await.unwrap();
        for (name, expected) in case.answer.as_object().unwrap() {
            match (expected, answer.get(name)) {
                (Value::Null, actual) => assert_eq!(actual, None, "{}: {name}", case.name),
                (Value::String(any), Some(actual)) if any == "*" => assert!(!actual.is_null(), "{}", case.name),
                (expected, actual) => assert_eq!(actual, Some(expected), "{}: {name}", case.name),
            }
        }
        assert_eq!(answer["redirect_uris"], body["redirect_uris"], "{}", case.name);
    }
}

#[tokio::test]
async fn the_example_of_the_documentation_is_answered_as_printed() {
    let app = TestApp::start().await;
    let asked = r#"{
        "client_name": "My Application",
        "redirect_uris": ["https://myapp.example.com/oauth/callback"],
        "grant_types": ["authorization_code"],
        "scope": "mxcp:access"
    }"#;
    let printed = json!({
        "client_id": "generated-client-id",
        "client_secret": "generated-client-secret",
        "client_id_issued_at": 1_640_995_200,
        "client_secret_expires_at": 0,
        "redirect_uris": ["https://myapp.example.com/oauth/callback"],
        "grant_types": ["authorization_code"],
        "scope": "mxcp:access",
    });
    let request = app.post("/register").header("content-type", "application/json").body(asked);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(header(&response, "pragma"), "no-cache");
    let answer: Value = response.json().await.unwrap();
    for (name, value) in printed.as_object().unwrap() {
        match name.as_str() {
            "client_id" | "client_secret" => assert!(answer[name].as_str().unwrap().len() >= 20, "{answer}"),
            "client_id_issued_at" => assert!(answer[name].as_i64().unwrap() > 1_640_995_200, "{answer}"),
            _ => assert_eq!(answer[name], *value),
        }
    }
    assert_eq!(answer["client_name"], "My Application");
    let client = OAuthClient {
        id: answer["client_id"].as_str().unwrap().to_owned(),
        secret: Some(answer["client_secret"].as_str().unwrap().to_owned()),
        redirect_uri: "https://myapp.example.com/oauth/callback".to_owned(),
    };
    let tokens = client.tokens(&app, "ada").await;
    assert_eq!(app.status_with(&tokens.access).await, 200);
}

#[tokio::test]
async fn every_registration_is_another_client() {
    let app = TestApp::start().await;
    let body = json!({"client_name": "Same", "redirect_uris": [REDIRECT_URI]});
    let mut seen = BTreeSet::new();
    for _ in 0..10 {
        let answer: Value = register(&app, &body).await.json().await.unwrap();
        assert!(seen.insert(answer["client_id"].to_string()));
        assert!(seen.insert(answer["client_secret"].to_string()));
    }
}

#[tokio::test]
async fn a_registration_that_is_too_large_is_refused() {
    let app = TestApp::start().await;
    let uri = |length: usize| format!("https://app.example.com/{}", "x".repeat(length));
    let many: Vec<String> = (0..100).map(uri).collect();
    for (body, error) in [
        (json!({"redirect_uris": many}), "invalid_redirect_uri"),
        (json!({"redirect_uris": [uri(3_000)]}), "invalid_redirect_uri"),
        (json!({"redirect_uris": [REDIRECT_URI], "client_name": "n".repeat(5_000)}), "invalid_client_metadata"),
        (json!({"redirect_uris": [REDIRECT_URI], "scope": "s".repeat(5_000)}), "invalid_client_metadata"),
    ] {
        assert_eq!(oauth_error(register(&app, &body).await).await, (400, error.to_owned()));
    }
    let huge = json!({"redirect_uris": [REDIRECT_URI], "client_name": "n".repeat(1_000_000)});
    let (status, _) = oauth_error(register(&app, &huge).await).await;
    assert_eq!(status, 413);
}

#[tokio::test]
async fn clients_of_the_configuration_need_not_register() {
    let clients = json!([
        {"client_id": "desk", "name": "Desk", "client_secret": "desk secret: %+&", "redirect_uris": [REDIRECT_URI]},
        {"client_id": "public", "name": "Public", "redirect_uris": ["http://localhost/callback"],
            "grant_types": ["authorization_code", "refresh_token"]},
    ]);
    let mut setup = Setup::default().with_clients(clients);
    setup.auth["registration"] = json!({"enabled": false});
    let app = TestApp::with(setup).await;
    let secret = Some("desk secret: %+&".to_owned());
    let desk = OAuthClient { id: "desk".to_owned(), secret, redirect_uri: REDIRECT_URI.to_owned() };
    let page = Browser::new(&app).open(desk.authorize_url(&app, &[])).await;
    assert!(page.text().contains("Desk"));
    let tokens = desk.tokens(&app, "ada").await;
    assert_eq!((tokens.scope.as_str(), tokens.refresh.as_str()), ("mxcp:access", ""));
    assert_eq!(app.status_with(&tokens.access).await, 200);
    let redirect_uri = "http://localhost:40001/callback".to_owned();
    let public = OAuthClient { id: "public".to_owned(), secret: None, redirect_uri };
    let tokens = public.tokens(&app, "ben").await;
    Tokens::of(public.refresh(&app, &tokens.refresh).await).await;

    let refused = register(&app, &json!({"redirect_uris": [REDIRECT_URI]})).await;
    assert_eq!(oauth_error(refused).await, (403, "access_denied".to_owned()));
    let metadata: Value =
        app.get("/.well-known/oauth-authorization-server").send().await.unwrap().json().await.unwrap();
    assert_eq!(metadata.get("registration_endpoint"), None);
}

#[tokio::test]
async fn a_flood_of_registrations_is_told_to_wait_and_others_still_sign_in() {
    let app =
        TestApp::with(Setup { http: json!({"host": "127.0.0.1", "trust_proxy": true}), ..Setup::default() }).await;
    let client = OAuthClient::register(&app).await;
    let register = |peer: &'static str| {
        let body = json!({"redirect_uris": [REDIRECT_URI]});
        app.post("/register").header("x-forwarded-for", peer).json(&body).send()
    };
    for _ in 0..100 {
        assert_eq!(register("203.0.113.7").await.unwrap().status(), 201);
    }
    let refused = register("198.51.100.1, 203.0.113.7").await.unwrap();
    let wait: u64 = header(&refused, "retry-after").parse().unwrap();
    assert!((1..=6).contains(&wait), "{wait}");
    assert_eq!(oauth_error(refused).await, (429, "temporarily_unavailable".to_owned()));
    assert_eq!(register("203.0.113.8").await.unwrap().status(), 201);
    assert_eq!(app.status_with(&client.tokens(&app, "ada").await.access).await, 200);
}

#[actix_web::test]
async fn a_registration_is_taken_as_json_only_when_it_is_sent_as_json() {
    let app = TestApp::start().await;
    for (content_type, status) in [("application/json; charset=utf-8", 201), ("text/plain", 400)] {
        let request = app.post("/register").header("content-type", content_type);
        let answer = request.body(r#"{"redirect_uris": ["https://app.example.com/cb"]}"#).send().await.unwrap();
        assert_eq!(answer.status(), status, "{content_type}");
    }
}

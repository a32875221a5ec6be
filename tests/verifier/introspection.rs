//! Tokens that the issuer is asked about (RFC 7662).

use super::issuer::{CLIENT_ID, CLIENT_SECRET, Issuer, now, ok};
use crate::common::{TestApp, header, text_of};
use crate::upstream_support::form_of;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use wiremock::{Request, Respond, ResponseTemplate};

/// An answer, which passes the request on to the test.
struct Passing {
    answer: ResponseTemplate,
    requests: mpsc::UnboundedSender<Request>,
}

impl Respond for Passing {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        // Not every test looks at the requests.
        let _is_looked_at = self.requests.send(request.clone());
        self.answer.clone()
    }
}

/// A server whose issuer gives `answer` about every token; the requests come with it.
async fn asking(answer: ResponseTemplate) -> (Issuer, TestApp, mpsc::UnboundedReceiver<Request>) {
    let issuer = Issuer::start().await;
    let (requests, received) = mpsc::unbounded_channel();
    issuer.answer("POST", "/introspect", Passing { answer, requests }).await;
    let app = TestApp::with(issuer.setup_with_introspection().with_audience()).await;
    (issuer, app, received)
}

const AUDIENCE: &str = "https://api.example.com";

trait WithAudience {
    fn with_audience(self) -> Self;
}

impl WithAudience for crate::common::Setup {
    fn with_audience(mut self) -> Self {
        self.auth["oidc"]["audience"] = json!(AUDIENCE);
        self
    }
}

fn active() -> Value {
    json!({
        "active": true, "aud": ["account", AUDIENCE], "sub": "user-7", "exp": now() + 300, "scope": "mcp:read",
        "client_id": "agent", "token_type": "Bearer", "preferred_username": "ada", "email": "ada@example.com",
    })
}

async fn status_of(answer: ResponseTemplate) -> u16 {
    let (_issuer, app, _) = asking(answer).await;
    app.status_with("opaque-token").await
}

#[tokio::test]
async fn an_active_token_calls_and_the_issuer_is_asked_once_by_who_we_are() {
    let (_issuer, app, mut requests) = asking(ok(&active())).await;
    let response = app.call("opaque-token", "identity").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(text_of(&response.json().await.unwrap()).contains("ada@example.com"));
    let calls = (0..10).map(|_| app.status_with("opaque-token"));
    assert_eq!(futures_util::future::join_all(calls).await, [200; 10]);
    let asked = requests.recv().await.unwrap();
    assert!(requests.try_recv().is_err(), "asked once");
    let form = form_of(&asked);
    assert_eq!((form["token"].as_str(), form["token_type_hint"].as_str()), ("opaque-token", "access_token"));
    assert!(!form.contains_key("client_secret"));
    let credentials = format!("{}:{CLIENT_SECRET}", CLIENT_ID.replace(' ', "+"));
    assert_eq!(asked.headers["authorization"], format!("Basic {}", STANDARD.encode(credentials)).as_str());
}

#[tokio::test]
async fn many_calls_at_once_with_a_new_token_ask_once() {
    let (_issuer, app, mut requests) = asking(ok(&active())).await;
    let calls = (0..20).map(|_| app.status_with("opaque-token"));
    assert_eq!(futures_util::future::join_all(calls).await, [200; 20]);
    assert!(requests.recv().await.is_some());
    assert!(requests.try_recv().is_err(), "asked once");
}

#[tokio::test]
async fn many_calls_at_once_share_a_refusal_and_a_failure() {
    for (answer, status) in [(ok(&json!({"active": false})), 401), (ResponseTemplate::new(500), 503)] {
        let (_issuer, app, mut requests) = asking(answer.set_delay(std::time::Duration::from_millis(300))).await;
        let calls = (0..10).map(|_| app.status_with("opaque-token"));
        assert_eq!(futures_util::future::join_all(calls).await, [status; 10]);
        let mut asked = 0;
        while requests.try_recv().is_ok() {
            asked += 1;
        }
        assert!(asked <= 2, "asked {asked} times");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_make_the_token_ours_is_a_refusal() {
    let with = |name: &str, value: Value| {
        let mut answer = active();
        answer[name] = value;
        answer
    };
    let without = |name: &str| {
        let mut answer = active();
        answer.as_object_mut().unwrap().remove(name);
        answer
    };
    for (defect, answer) in [
        ("inactive", json!({"active": false})),
        ("inactive, with everything else right", with("active", json!(false))),
        ("expired", with("exp", json!(now() - 61))),
        ("another audience", with("aud", json!("https://other.example"))),
        ("no audience, although our client_id", {
            let mut answer = without("aud");
            answer["client_id"] = json!(CLIENT_ID);
            answer
        }),
        ("another issuer", with("iss", json!("https://evil.example"))),
        ("no subject", without("sub")),
        ("not yet valid", with("nbf", json!(now() + 120))),
        ("a refresh token", with("token_use", json!("refresh_token"))),
        ("bound to a key", with("cnf", json!({"jkt": "x"}))),
        ("to be proved", with("token_type", json!("DPoP"))),
    ] {
        assert_eq!(status_of(ok(&answer)).await, 401, "{defect}");
    }
    assert_eq!(status_of(ok(&without("exp"))).await, 200, "an issuer need not name the end");
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_properly_is_no_reason_to_call_a_token_invalid() {
    for (fault, answer) in [
        ("a server's fault", ResponseTemplate::new(500)),
        ("too many requests", ResponseTemplate::new(429)),
        ("we are unknown", ResponseTemplate::new(401).set_body_json(json!({"error": "invalid_client"}))),
        ("no JSON", ResponseTemplate::new(200).set_body_string("<html>")),
        ("no word about it", ok(&json!({"sub": "user-7"}))),
        ("a redirect", ResponseTemplate::new(302).insert_header("location", "/elsewhere")),
    ] {
        let (_issuer, app, _) = asking(answer).await;
        let response = app.call("opaque-token", "whoami").send().await.unwrap();
        assert_eq!(response.status(), 503, "{fault}");
        assert_eq!(header(&response, "retry-after"), "5", "{fault}");
        assert_eq!(header(&response, "www-authenticate"), "", "{fault}");
    }
}

#[tokio::test]
async fn a_server_that_asks_does_not_look_at_signatures_instead() {
    let issuer = Issuer::start().await;
    issuer.answer("POST", "/introspect", ok(&json!({"active": false}))).await;
    let app = TestApp::with(issuer.setup_with_introspection()).await;
    assert_eq!(app.status_with(&issuer.token(&app)).await, 401);
    assert_eq!(issuer.requests_to("/introspect").await, 1);
    assert_eq!(issuer.requests_to("/jwks").await + issuer.requests_to("/userinfo").await, 0);
}

#[tokio::test]
async fn scopes_of_an_answer_are_enforced() {
    for (scope, status) in [(json!("mcp:read mcp:write"), 200), (json!("mcp:read"), 403), (json!(null), 403)] {
        let issuer = Issuer::start().await;
        let mut answer = active();
        answer["scope"] = scope;
        issuer.answer("POST", "/introspect", ok(&answer)).await;
        let mut setup = issuer.setup_with_introspection().with_audience();
        setup.auth["authorization"] = json!({"required_scopes": ["mcp:write"]});
        let app = TestApp::with(setup).await;
        assert_eq!(app.status_with("opaque-token").await, status);
    }
}

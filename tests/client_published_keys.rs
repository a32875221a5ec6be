//! Clients that publish their keys (`jwks_uri`): when they are fetched, and from where they are not.

use crate::client_assertions::{attempt, claims, with_assertion};
use crate::common::{OAuthClient, REDIRECT_URI, Setup, TestApp, Tokens, oauth_error};
use crate::upstream_keys::{OTHER_RSA, P256, RSA, TestKey, signed};
use crate::upstream_support::dead_address;
use mxcp::adapters::client_keys::HttpClientKeys;
use mxcp::adapters::outgoing_guard::OutgoingGuard;
use mxcp_actors::ports::client_key_source::ClientKeySource as _;
use serde_json::{Value, json};
use std::time::Duration;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// From now on this is what is at `/keys.json`.
async fn publish(host: &MockServer, answer: ResponseTemplate) {
    host.reset().await;
    Mock::given(path("/keys.json")).respond_with(answer).mount(host).await;
}

fn keys(keys: &[Value]) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({ "keys": keys }))
}

/// A client that says its keys are at `uri`.
async fn register(app: &TestApp, uri: &str) -> OAuthClient {
    let metadata = json!({
        "redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": uri,
    });
    OAuthClient::register_with(app, &metadata).await
}

fn assertion(app: &TestApp, client: &OAuthClient, key: &TestKey, kid: &str) -> String {
    signed(key, &json!({"alg": "RS256", "kid": kid}), &claims(app, &client.id))
}

async fn fetches(host: &MockServer) -> usize {
    host.received_requests().await.unwrap().len()
}

#[tokio::test]
async fn published_keys_are_fetched_once_and_again_when_one_is_missing() {
    let (app, host) = (TestApp::start().await, MockServer::start().await);
    publish(&host, keys(&[RSA.jwk("old")]).set_delay(Duration::from_millis(50))).await;
    let client = register(&app, &format!("{}/keys.json", host.uri())).await;
    let attempts: Vec<String> = (0..20).map(|_| assertion(&app, &client, &RSA, "old")).collect();
    let outcomes = futures_util::future::join_all(attempts.iter().map(|text| attempt(&app, text))).await;
    assert!(outcomes.iter().all(|(status, _)| *status == 200), "{outcomes:?}");
    assert_eq!(fetches(&host).await, 1);
    publish(&host, keys(&[OTHER_RSA.jwk("new")])).await;
    assert_eq!(attempt(&app, &assertion(&app, &client, &OTHER_RSA, "new")).await.0, 200, "a new key is found");
    let (status, text) = attempt(&app, &assertion(&app, &client, &RSA, "old")).await;
    assert_eq!(status, 401, "a key that was taken away counts no longer");
    assert!(text.contains("kid"), "{text}");
    for _ in 0..5 {
        assert_eq!(attempt(&app, &assertion(&app, &client, &RSA, "made-up")).await.0, 401);
    }
    assert_eq!(fetches(&host).await, 1, "made-up names of keys do not send us there again and again");
}

#[tokio::test]
async fn what_is_no_set_of_keys_is_none() {
    let (app, host) = (TestApp::start().await, MockServer::start().await);
    let large = json!({"keys": [], "x": "x".repeat(70_000)});
    for (answer, reason) in [
        (ResponseTemplate::new(404).set_body_json(json!({"keys": [RSA.jwk("k")]})), "status 404"),
        (ResponseTemplate::new(302).insert_header("location", "/elsewhere"), "redirect"),
        (ResponseTemplate::new(200).set_body_string("<html>keys</html>"), "not JSON"),
        (ResponseTemplate::new(200).set_body_json(json!({"keys": "k"})), "list of keys"),
        (ResponseTemplate::new(200).set_body_json(large), "too large"),
        (keys(&[]), "no key that fits"),
        (keys(&[P256.jwk("k")]), "no key that fits"),
    ] {
        publish(&host, answer).await;
        // A failure is remembered for some seconds, so each has a place of its own.
        let uri = format!("{}/keys.json?{}", host.uri(), reason.replace(' ', "-"));
        let client = register(&app, &uri).await;
        let (status, text) = attempt(&app, &assertion(&app, &client, &RSA, "k")).await;
        assert_eq!(status, 401, "{reason}");
        assert!(text.contains(reason), "{reason}: {text}");
    }
    let (_socket, nobody) = dead_address();
    let client = register(&app, &format!("http://{nobody}/keys.json")).await;
    let (status, text) = attempt(&app, &assertion(&app, &client, &RSA, "k")).await;
    assert_eq!(status, 503, "at a 401 the client would throw away what it has");
    assert!(text.contains("did not answer"), "{text}");
}

#[tokio::test]
async fn a_server_for_others_fetches_nothing_from_its_own_machine() {
    let host = MockServer::start().await;
    publish(&host, keys(&[RSA.jwk("k")])).await;
    let http = json!({"host": "127.0.0.1", "base_url": "https://mcp.example.com"});
    let app = TestApp::with(Setup { http, ..Setup::default() }).await;
    let port = host.address().port();
    for name in ["127.0.0.1", "localhost", "[::1]"] {
        let client = register(&app, &format!("http://{name}:{port}/keys.json")).await;
        let (status, text) = attempt(&app, &assertion(&app, &client, &RSA, "k")).await;
        assert_eq!(status, 401, "{name}");
        assert!(text.contains("not on the public internet"), "{name}: {text}");
    }
    assert_eq!(fetches(&host).await, 0);
}

#[tokio::test]
async fn a_client_with_a_metadata_document_signs_with_the_keys_that_it_names() {
    let (app, host) = (TestApp::start().await, MockServer::start().await);
    let set = json!({"keys": [RSA.jwk("k")]});
    Mock::given(path("/keys.json")).respond_with(ResponseTemplate::new(200).set_body_json(&set)).mount(&host).await;
    for (at, field, keys) in
        [("/inline.json", "jwks", set), ("/published.json", "jwks_uri", json!(format!("{}/keys.json", host.uri())))]
    {
        let id = format!("{}{at}", host.uri());
        let mut document = json!({
            "client_id": id, "client_name": "Night Desk", "redirect_uris": [REDIRECT_URI],
            "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "private_key_jwt",
        });
        document[field] = keys;
        Mock::given(path(at)).respond_with(ResponseTemplate::new(200).set_body_json(document)).mount(&host).await;
        let client = OAuthClient { id: id.clone(), secret: None, redirect_uri: REDIRECT_URI.to_owned() };
        let form = client.redemption(&client.code(&app, "ada").await);
        let sign = |key: &TestKey| {
            let mut form = form.clone();
            form.extend(with_assertion(&[], &assertion(&app, &client, key, "k")));
            form
        };
        for refused in [form.clone(), sign(&OTHER_RSA)] {
            let refused = app.post_form("/token", &refused).await;
            assert_eq!(oauth_error(refused).await, (401, "invalid_client".to_owned()), "{at}");
        }
        let tokens = Tokens::of(app.post_form("/token", &sign(&RSA)).await).await;
        assert_eq!(app.status_with(&tokens.access).await, 200, "{at}");
    }
}

fn source() -> HttpClientKeys {
    HttpClientKeys::new(OutgoingGuard::new(true))
}

#[tokio::test]
async fn nobody_is_asked_for_the_keys_of_too_many_strangers() {
    let host = MockServer::start().await;
    publish(&host, keys(&[RSA.jwk("k")])).await;
    let source = source();
    let uri = |number: u32| format!("{}/keys.json?{number}", host.uri());
    for number in 0..20 {
        source.keys(&uri(number)).await.unwrap();
    }
    let refused = source.keys(&uri(20)).await.unwrap_err();
    assert!(refused.to_string().contains("too many"), "{refused}");
    assert_eq!(fetches(&host).await, 20);
    let held = source.keys(&uri(7)).await.unwrap();
    assert_eq!(fetches(&host).await, 20);
    publish(&host, keys(&[OTHER_RSA.jwk("k")])).await;
    assert_ne!(source.newer_keys(&uri(7), held.clone()).await.unwrap(), held, "those that are known may renew theirs");
}

//! How long what was found out about a token counts, with time that the test moves.

use super::issuer::{CLIENT_ID, CLIENT_SECRET, Issuer, ok};
use crate::upstream_keys::{OTHER_RSA, RSA, signed};
use crate::upstream_support::{StandingClock, http_client, impatient_client};
use mxcp::adapters::http_client::HttpClient;
use mxcp::adapters::upstream::oidc::verifier::{IntrospectionClient, OidcVerifier, VerifierSettings};
use mxcp_actors::model::resource::Resource;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::ports::token_verifier::{TokenVerifier as _, VerifyError};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const AUDIENCE: &str = "https://mcp.example.com/mcp";

fn verifier(issuer: &Issuer, is_asking: bool, http: HttpClient) -> OidcVerifier {
    let client = IntrospectionClient { client_id: CLIENT_ID.to_owned(), client_secret: Secret::new(CLIENT_SECRET) };
    let settings = VerifierSettings {
        config_url: issuer.oidc()["config_url"].as_str().unwrap().to_owned(),
        provider_name: "corp".to_owned(),
        audiences: vec![AUDIENCE.to_owned()],
        resource: Resource::parse(AUDIENCE).unwrap(),
        user_mapping: Arc::default(),
        scope_rules: Arc::default(),
        introspection: is_asking.then_some(client),
    };
    OidcVerifier::new(settings, http, StandingClock::new()).unwrap()
}

fn claims(issuer: &Issuer) -> Value {
    let now = StandingClock::START.as_secs();
    json!({"iss": issuer.name(), "aud": AUDIENCE, "sub": "7", "iat": now, "exp": now + 86_400, "active": true})
}

/// Moves the time that things are remembered by; requests are made in real time.
async fn pass(span: Duration) {
    tokio::time::pause();
    tokio::time::advance(span).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_key_that_is_taken_back_ends_its_tokens_within_minutes() {
    let issuer = Issuer::start().await;
    let verifier = verifier(&issuer, false, http_client());
    let token = Secret::new(signed(&RSA, &json!({"alg": "RS256", "kid": "k1"}), &claims(&issuer)));
    assert!(verifier.verify(&token).await.is_ok());
    issuer.publish(&json!([OTHER_RSA.jwk("k2")])).await;
    pass(Duration::from_secs(299)).await;
    assert!(verifier.verify(&token).await.is_ok());
    assert_eq!(issuer.requests_to("/jwks").await, 0, "a hot token costs no request");
    pass(Duration::from_secs(1)).await;
    assert_eq!(verifier.verify(&token).await.unwrap_err(), VerifyError::Refused);
}

#[tokio::test]
async fn keys_serve_through_an_outage_however_old_they_are() {
    let issuer = Issuer::start().await;
    let verifier = verifier(&issuer, false, http_client());
    let token = Secret::new(signed(&RSA, &json!({"alg": "RS256", "kid": "k1"}), &claims(&issuer)));
    assert!(verifier.verify(&token).await.is_ok());
    issuer.go_away().await;
    for _ in 0..3 {
        pass(Duration::from_hours(3)).await;
        assert!(verifier.verify(&token).await.is_ok());
    }
}

#[tokio::test]
async fn a_token_that_the_issuer_revokes_ends_within_half_a_minute() {
    let issuer = Issuer::start().await;
    issuer.answer("POST", "/introspect", ok(&claims(&issuer))).await;
    let verifier = verifier(&issuer, true, http_client());
    let token = Secret::new("opaque");
    assert!(verifier.verify(&token).await.is_ok());
    issuer.publish(&json!([])).await;
    issuer.answer("POST", "/introspect", ok(&json!({"active": false}))).await;
    pass(Duration::from_secs(29)).await;
    assert!(verifier.verify(&token).await.is_ok());
    assert_eq!(issuer.requests_to("/introspect").await, 0);
    pass(Duration::from_secs(1)).await;
    assert_eq!(verifier.verify(&token).await.unwrap_err(), VerifyError::Refused);
}

#[tokio::test]
async fn a_token_that_was_not_active_is_asked_about_again_after_five_seconds() {
    let issuer = Issuer::start().await;
    issuer.answer("POST", "/introspect", ok(&json!({"active": false}))).await;
    let verifier = verifier(&issuer, true, http_client());
    let token = Secret::new("opaque");
    assert_eq!(verifier.verify(&token).await.unwrap_err(), VerifyError::Refused);
    pass(Duration::from_millis(4_500)).await;
    assert_eq!(verifier.verify(&token).await.unwrap_err(), VerifyError::Refused);
    assert_eq!(issuer.requests_to("/introspect").await, 1);
    pass(Duration::from_secs(1)).await;
    issuer.publish(&json!([])).await;
    issuer.answer("POST", "/introspect", ok(&claims(&issuer))).await;
    assert!(verifier.verify(&token).await.is_ok());
}

#[tokio::test]
async fn an_issuer_that_takes_too_long_is_unavailable_and_asked_again_by_the_next_call() {
    let issuer = Issuer::start().await;
    let slow = ok(&claims(&issuer)).set_delay(Duration::from_secs(30));
    issuer.answer("POST", "/introspect", slow).await;
    let verifier = verifier(&issuer, true, impatient_client());
    let token = Secret::new("opaque");
    assert_eq!(verifier.verify(&token).await.unwrap_err(), VerifyError::Unavailable);
    issuer.publish(&json!([])).await;
    issuer.answer("POST", "/introspect", ok(&claims(&issuer))).await;
    assert!(verifier.verify(&token).await.is_ok());
}

#[tokio::test]
async fn an_issuer_of_another_name_is_not_believed() {
    let issuer = Issuer::start().await;
    issuer.forget().await;
    let document = json!({"issuer": "https://evil.example", "jwks_uri": "https://evil.example/jwks"});
    issuer.answer("GET", "/.well-known/openid-configuration", ok(&document)).await;
    let verifier = verifier(&issuer, false, http_client());
    assert_eq!(verifier.issuer().await, Err(VerifyError::Unavailable));
    let token = Secret::new(signed(&RSA, &json!({"alg": "RS256", "kid": "k1"}), &claims(&issuer)));
    assert_eq!(verifier.verify(&token).await.unwrap_err(), VerifyError::Unavailable);
}

#[tokio::test]
async fn a_stream_waits_as_long_as_its_token_is_good_and_no_longer() {
    let issuer = Issuer::start().await;
    issuer.answer("POST", "/introspect", ok(&claims(&issuer))).await;
    let verifier = verifier(&issuer, true, http_client());
    let token = Secret::new("opaque");
    let end = verifier.wait_for_end(&token);
    tokio::pin!(end);
    let early = tokio::time::timeout(Duration::from_millis(200), &mut end).await;
    assert!(early.is_err(), "the token is good");
    issuer.publish(&json!([])).await;
    issuer.answer("POST", "/introspect", ok(&json!({"active": false}))).await;
    pass(Duration::from_secs(30)).await;
    end.await;
}

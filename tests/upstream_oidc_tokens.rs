//! The `id_token` and the keys behind it: every defect one by one, against a simulator.
use crate::upstream_keys::{ED25519, OTHER_RSA, P256, P384, RSA, TestKey, signed, signed_symmetrically, unsigned};
use crate::upstream_oidc::{CLIENT_ID, Provider, ok, pass, unusable};
use crate::upstream_support::{ACCESS_TOKEN, CLIENT_SECRET, StandingClock, assert_no_secret, exchange};
use mxcp_actors::ports::upstream_idp::{UpstreamError, UpstreamIdp as _};
use serde_json::{Value, json};
use std::time::Duration;
use wiremock::ResponseTemplate;

const UNKNOWN_KEY: &str = "the id_token is signed with a key that the provider does not publish";
const BAD_SIGNATURE: &str = "the id_token has a wrong signature";
const BAD_ALGORITHM: &str = "the id_token is signed with an algorithm that is not accepted";

fn header() -> Value {
    json!({"alg": "RS256", "kid": "k1"})
}

/// Signs in with an `id_token` that is made from the right claims.
async fn fault_of(make: impl FnOnce(&Value) -> String) -> UpstreamError {
    let provider = Provider::start().await;
    let id_token = make(&provider.claims());
    let provider = provider.with_id_token(id_token.clone()).await.with_defaults().await;
    let fault = provider.sign_in().await.unwrap_err();
    assert_no_secret("id_token", &fault);
    assert!(id_token.len() < 20 || !fault.to_string().contains(&id_token), "{fault}");
    fault
}

async fn fault_of_claim(name: &str, value: Value) -> UpstreamError {
    fault_of(|claims| {
        let mut claims = claims.clone();
        claims[name] = value;
        signed(&RSA, &header(), &claims)
    })
    .await
}

#[tokio::test]
async fn every_algorithm_of_the_list_is_accepted() {
    let keys: [(&TestKey, &[&str]); 4] = [
        (&RSA, &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]),
        (&P256, &["ES256"]),
        (&P384, &["ES384"]),
        (&ED25519, &["EdDSA"]),
    ];
    for (key, algorithms) in keys {
        for algorithm in algorithms {
            let provider = Provider::start().await;
            let id_token = signed(key, &json!({"alg": algorithm, "kid": "k", "typ": "JWT"}), &provider.claims());
            let provider = provider.with_keys(json!([key.jwk("k")])).await.with_id_token(id_token).await;
            let outcome = provider.with_defaults().await.sign_in().await;
            assert!(outcome.is_ok(), "{algorithm}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn wrong_claims_are_refused() {
    let now = StandingClock::START.as_secs();
    for (name, value, detail) in [
        ("iss", json!("https://evil.example/realm"), "the id_token was issued by somebody else"),
        ("aud", json!("another client"), "the id_token is meant for another client"),
        ("azp", json!("another client"), "the id_token was issued to another client"),
        ("aud", json!([CLIENT_ID, "other"]), "the id_token has no claim `azp`, or one of the wrong type"),
        ("exp", json!(now - 60), "the id_token has expired; is the clock of this machine right?"),
        ("iat", json!(now + 61), "the id_token is not valid yet; is the clock of this machine right?"),
        ("nbf", json!(now + 61), "the id_token is not valid yet; is the clock of this machine right?"),
        ("nonce", json!("another"), "the id_token belongs to another login (its nonce is not ours)"),
        ("nonce", json!(null), "the id_token has no claim `nonce`, or one of the wrong type"),
        ("sub", json!(""), "the id_token has no claim `sub`, or one of the wrong type"),
        ("at_hash", json!("AAAA"), "the id_token belongs to another access token (at_hash)"),
    ] {
        assert_eq!(fault_of_claim(name, value.clone()).await, unusable(detail), "{name} {value}");
    }
}

#[tokio::test]
async fn an_unsigned_token_is_refused() {
    for alg in ["none", "None", "NONE"] {
        let fault = fault_of(|claims| format!("{}.", unsigned(&json!({ "alg": alg }), claims))).await;
        assert_eq!(fault, unusable(BAD_ALGORITHM));
    }
    let stripped = fault_of(|claims| format!("{}.", unsigned(&header(), claims))).await;
    assert_eq!(stripped, unusable(BAD_SIGNATURE));
}

#[tokio::test]
async fn a_symmetric_signature_is_refused_whatever_its_secret_and_whatever_discovery_says() {
    let secrets = [RSA.public_bytes(), RSA.jwk("k1").to_string().into_bytes(), CLIENT_SECRET.as_bytes().to_vec()];
    for secret in &secrets {
        let forge = |claims: &Value| signed_symmetrically(secret, &json!({"alg": "HS256", "kid": "k1"}), claims);
        assert_eq!(fault_of(forge).await, unusable(BAD_ALGORITHM));
        let provider = Provider::start().await;
        let id_token = forge(&provider.claims());
        let weak = |d: &mut Value| d["id_token_signing_alg_values_supported"] = json!(["HS256", "none", "RS256"]);
        let provider = provider.with_discovery(weak).await.with_id_token(id_token).await.with_defaults().await;
        assert_eq!(provider.sign_in().await.unwrap_err(), unusable(BAD_ALGORITHM));
    }
}

#[tokio::test]
async fn a_symmetric_key_among_the_published_ones_is_no_key() {
    let provider = Provider::start().await;
    let id_token = signed_symmetrically(b"public", &json!({"alg": "HS256", "kid": "s"}), &provider.claims());
    let keys = json!([{"kty": "oct", "kid": "s", "alg": "HS256", "k": "cHVibGlj"}]);
    let provider = provider.with_keys(keys).await.with_id_token(id_token).await.with_defaults().await;
    assert_eq!(provider.sign_in().await.unwrap_err(), unusable(BAD_ALGORITHM));
}

#[tokio::test]
async fn an_algorithm_that_the_provider_does_not_use_is_refused() {
    let provider = Provider::start().await;
    let id_token = signed(&RSA, &json!({"alg": "RS384", "kid": "k1"}), &provider.claims());
    let only = |d: &mut Value| d["id_token_signing_alg_values_supported"] = json!(["RS256"]);
    let provider = provider.with_discovery(only).await.with_id_token(id_token).await.with_defaults().await;
    assert_eq!(provider.sign_in().await.unwrap_err(), unusable(BAD_ALGORITHM));
}

#[tokio::test]
async fn a_signature_of_another_key_or_over_other_claims_is_refused() {
    let forged = fault_of(|claims| signed(&OTHER_RSA, &header(), claims)).await;
    assert_eq!(forged, unusable(BAD_SIGNATURE));
    let altered = fault_of(|claims| {
        let good = signed(&RSA, &header(), claims);
        let mut admin = claims.clone();
        admin["role"] = json!("admin");
        format!("{}.{}", unsigned(&header(), &admin), good.rsplit_once('.').unwrap().1)
    })
    .await;
    assert_eq!(altered, unusable(BAD_SIGNATURE));
    let other_kind = fault_of(|claims| signed(&P256, &json!({"alg": "ES256", "kid": "k1"}), claims)).await;
    assert_eq!(other_kind, unusable(UNKNOWN_KEY));
}

#[tokio::test]
async fn a_key_that_the_token_brings_along_is_not_believed() {
    let with_jwk = json!({"alg": "RS256", "kid": "k1", "jwk": OTHER_RSA.jwk("k1")});
    assert_eq!(fault_of(|claims| signed(&OTHER_RSA, &with_jwk, claims)).await, unusable(BAD_SIGNATURE));
    let with_jku = json!({"alg": "RS256", "kid": "new", "jku": "https://evil.example/jwks"});
    assert_eq!(fault_of(|claims| signed(&OTHER_RSA, &with_jku, claims)).await, unusable(UNKNOWN_KEY));
}

#[tokio::test]
async fn a_token_of_another_kind_is_refused() {
    let critical =
        fault_of(|claims| signed(&RSA, &json!({"alg": "RS256", "kid": "k1", "crit": ["b64"]}), claims)).await;
    assert_eq!(critical, unusable("the id_token has a critical header that is not understood"));
    let access = fault_of(|claims| signed(&RSA, &json!({"alg": "RS256", "kid": "k1", "typ": "at+jwt"}), claims)).await;
    assert_eq!(access, unusable("the id_token says that it is a token of another kind"));
    for text in ["", "a.b", "eyJhbGciOiJSUzI1NiJ9..", "not a token", ACCESS_TOKEN] {
        let fault = fault_of(|_| text.to_owned()).await;
        assert!(matches!(fault, UpstreamError::Unusable { .. }), "{text}: {fault:?}");
    }
}

#[tokio::test]
async fn an_answer_without_id_token_is_refused() {
    let provider = Provider::start().await;
    let answer = json!({"access_token": ACCESS_TOKEN, "token_type": "Bearer"});
    let provider = provider.with("POST", "/realm/token", ok(&answer)).await.with_defaults().await;
    let detail = "there is no id_token; is `openid` among the scopes?";
    assert_eq!(provider.sign_in().await.unwrap_err(), unusable(detail));
}

#[tokio::test]
async fn a_token_that_names_no_key_is_checked_against_all_that_fit() {
    let provider = Provider::start().await;
    let id_token = signed(&RSA, &json!({"alg": "RS256"}), &provider.claims());
    let keys = json!([P256.jwk("a"), OTHER_RSA.jwk("b"), RSA.jwk("c")]);
    let provider = provider.with_keys(keys).await.with_id_token(id_token).await.with_defaults().await;
    assert!(provider.sign_in().await.is_ok());
}

#[tokio::test]
async fn a_new_key_is_fetched_when_it_is_first_seen_and_the_old_one_drops_out() {
    let provider = Provider::start().await.with_defaults().await;
    let idp = provider.idp();
    assert!(idp.exchange(exchange()).await.is_ok());

    provider.server.reset().await;
    let rotated = signed(&OTHER_RSA, &json!({"alg": "RS256", "kid": "k2"}), &provider.claims());
    let provider =
        provider.with_keys(json!([OTHER_RSA.jwk("k2")])).await.with_id_token(rotated).await.with_defaults().await;
    assert!(idp.exchange(exchange()).await.is_ok());
    assert_eq!(provider.key_fetches().await, 1);

    provider.server.reset().await;
    let _provider = provider.with_keys(json!([OTHER_RSA.jwk("k2")])).await.with_defaults().await;
    assert_eq!(idp.exchange(exchange()).await.unwrap_err(), unusable(UNKNOWN_KEY), "the old key is gone");
}

#[tokio::test]
async fn made_up_key_identifiers_cause_one_fetch_a_minute() {
    let provider = Provider::start().await.with_defaults().await;
    let idp = provider.idp();
    idp.warm_up().await;
    provider.server.reset().await;
    let unknown = signed(&OTHER_RSA, &json!({"alg": "RS256", "kid": "random"}), &provider.claims());
    let provider = provider.with_id_token(unknown).await.with_defaults().await;
    for minute in 1..=3 {
        let flood = futures_util::future::join_all((0..20).map(|_| idp.exchange(exchange()))).await;
        assert!(flood.into_iter().all(|outcome| outcome.unwrap_err() == unusable(UNKNOWN_KEY)));
        assert_eq!(provider.key_fetches().await, minute);
        pass(Duration::from_mins(1)).await;
    }
}

#[tokio::test]
async fn keys_serve_through_an_outage_of_their_endpoint() {
    let provider = Provider::start().await.with_defaults().await;
    let idp = provider.idp();
    idp.warm_up().await;
    provider.server.reset().await;
    let provider = provider.with("GET", "/realm/jwks", ResponseTemplate::new(500)).await.with_defaults().await;
    pass(Duration::from_hours(2)).await;
    assert!(idp.exchange(exchange()).await.is_ok());
    assert_eq!(provider.key_fetches().await, 1, "the keys were due");
}

#[tokio::test]
async fn a_key_that_was_taken_away_is_trusted_for_an_hour_at_most() {
    let provider = Provider::start().await.with_defaults().await;
    let idp = provider.idp();
    assert!(idp.exchange(exchange()).await.is_ok());
    provider.server.reset().await;
    let provider = provider.with_keys(json!([OTHER_RSA.jwk("k2")])).await.with_defaults().await;
    assert!(idp.exchange(exchange()).await.is_ok());
    assert_eq!(provider.key_fetches().await, 0);
    pass(Duration::from_hours(1)).await;
    assert_eq!(idp.exchange(exchange()).await.unwrap_err(), unusable(UNKNOWN_KEY));
}

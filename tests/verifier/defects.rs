//! Every defect of a JWT one by one: each alone keeps its bearer out, and nobody else is asked.

use super::issuer::{Issuer, now, ok, sign};
use crate::common::{TestApp, header};
use crate::upstream_keys::{OTHER_RSA, RSA, signed, signed_symmetrically, unsigned};
use serde_json::{Value, json};

/// A server and its issuer, which would say yes to every token if it were asked.
async fn start() -> (Issuer, TestApp) {
    let issuer = Issuer::start().await;
    let yes = json!({"active": true, "sub": "user-7", "aud": "anything", "exp": now() + 300});
    issuer.answer("POST", "/introspect", ok(&yes)).await;
    let app = TestApp::with(issuer.setup()).await;
    assert_eq!(app.status_with(&issuer.token(&app)).await, 200, "the token of which the defects are made is good");
    (issuer, app)
}

async fn assert_refused(issuer: &Issuer, app: &TestApp, tokens: &[(&str, String)]) {
    for (defect, token) in tokens {
        let response = app.call(token, "whoami").send().await.unwrap();
        assert_eq!(response.status(), 401, "{defect}");
        let challenge = header(&response, "www-authenticate").to_owned();
        assert!(challenge.starts_with("Bearer error=\"invalid_token\""), "{defect}: {challenge}");
        assert!(challenge.contains("/.well-known/oauth-protected-resource/mcp\""), "{defect}: {challenge}");
    }
    assert_eq!(issuer.requests_to("/introspect").await, 0, "what the signature says is not asked again");
    assert_eq!(issuer.requests_to("/userinfo").await, 0);
}

fn usual_header() -> Value {
    json!({"alg": "RS256", "kid": "k1", "typ": "at+jwt"})
}

#[tokio::test]
async fn a_claim_that_is_wrong_or_missing_is_refused() {
    let (issuer, app) = start().await;
    let good = issuer.claims(&app);
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        sign(&claims)
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        sign(&claims)
    };
    let slash = format!("{}/", app.resource());
    assert_refused(
        &issuer,
        &app,
        &[
            ("another issuer", with("iss", json!("https://evil.example"))),
            ("the issuer with a slash", with("iss", json!(format!("{}/", issuer.name())))),
            ("no issuer", without("iss")),
            ("another audience", with("aud", json!("https://other.example/mcp"))),
            ("the origin as audience", with("aud", json!(app.issuer))),
            ("the resource with a slash", with("aud", json!(slash))),
            ("a list of other audiences", with("aud", json!(["account", "https://other.example/mcp"]))),
            ("an empty list of audiences", with("aud", json!([]))),
            ("an audience that is no text", with("aud", json!([app.resource(), 7]))),
            ("no audience", without("aud")),
            ("expired", with("exp", json!(now() - 61))),
            ("an end that is no time", with("exp", json!("soon"))),
            ("no end", without("exp")),
            ("not yet valid", with("nbf", json!(now() + 120))),
            ("issued in the future", with("iat", json!(now() + 120))),
            ("no subject", without("sub")),
            ("an empty subject", with("sub", json!(""))),
            ("a subject that is no text", with("sub", json!(7))),
            ("bound to a key", with("cnf", json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}))),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_header_or_signature_that_is_wrong_is_refused() {
    let (issuer, app) = start().await;
    let good = issuer.claims(&app);
    let header_with = |name: &str, value: Value| {
        let mut header = usual_header();
        header[name] = value;
        signed(&RSA, &header, &good)
    };
    let symmetric = |secret: &[u8]| signed_symmetrically(secret, &json!({"alg": "HS256", "kid": "k1"}), &good);
    let with_key = json!({"alg": "RS256", "kid": "k1", "jwk": OTHER_RSA.jwk("k1")});
    let token = issuer.token(&app);
    let (message, _) = token.rsplit_once('.').unwrap();
    assert_refused(
        &issuer,
        &app,
        &[
            ("alg none", format!("{}.", unsigned(&json!({"alg": "none", "kid": "k1"}), &good))),
            ("no signature", format!("{message}.")),
            ("the public key as a secret", symmetric(&RSA.public_bytes())),
            ("the published key as a secret", symmetric(RSA.jwk("k1").to_string().as_bytes())),
            ("another key", signed(&OTHER_RSA, &usual_header(), &good)),
            ("a key that it brings along", signed(&OTHER_RSA, &with_key, &good)),
            ("an unknown key", header_with("kid", json!("k9"))),
            ("a key identifier that is no text", header_with("kid", json!(1))),
            ("a critical header", header_with("crit", json!(["exp"]))),
            ("an empty list of critical headers", header_with("crit", json!([]))),
            ("the type of a logout token", header_with("typ", json!("logout+jwt"))),
            ("a type that is no text", header_with("typ", json!(1))),
            ("an algorithm that the key is not for", {
                let header = json!({"alg": "ES256", "kid": "k1"});
                signed(&RSA, &header, &good)
            }),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_token_for_another_purpose_is_refused_even_if_it_is_meant_for_us() {
    let (issuer, app) = start().await;
    let plain = |change: &dyn Fn(&mut Value)| {
        let mut claims = issuer.claims(&app);
        change(&mut claims);
        signed(&RSA, &json!({"alg": "RS256", "kid": "k1", "typ": "JWT"}), &claims)
    };
    let id_token = plain(&|claims| {
        for name in ["scope", "client_id"] {
            claims.as_object_mut().unwrap().remove(name);
        }
        claims["nonce"] = json!("n");
        claims["azp"] = json!("agent");
    });
    assert_refused(
        &issuer,
        &app,
        &[
            ("an id_token with a nonce", id_token),
            ("an id_token with the hash of an access token", plain(&|claims| claims["at_hash"] = json!("x"))),
            ("a notice of a logout", plain(&|claims| claims["events"] = json!({}))),
            ("a refresh token", plain(&|claims| claims["typ"] = json!("Refresh"))),
            ("an id_token that says so", plain(&|claims| claims["token_use"] = json!("id"))),
        ],
    )
    .await;
    let with_nonce = plain(&|claims| claims["nonce"] = json!("n"));
    assert_eq!(app.status_with(&with_nonce).await, 200, "a nonce beside scopes is not that of an id_token");
    let of_keycloak = plain(&|claims| claims["typ"] = json!("Bearer"));
    assert_eq!(app.status_with(&of_keycloak).await, 200);
}

#[tokio::test]
async fn what_is_no_token_is_refused_without_a_word_to_the_issuer() {
    let (issuer, app) = start().await;
    let keys = issuer.requests_to("/jwks").await;
    let long = format!("{}.{}", issuer.token(&app), "x".repeat(20_000));
    assert_refused(
        &issuer,
        &app,
        &[
            ("a word", "garbage".to_owned()),
            ("dots", "....".to_owned()),
            ("no JSON", "eyJ.eyJ.x".to_owned()),
            ("four parts", format!("{}.x", issuer.token(&app))),
            ("one of ours", format!("mcp_{}", "0".repeat(43))),
            ("twenty kilobytes", long),
        ],
    )
    .await;
    assert_eq!(issuer.requests_to("/jwks").await, keys);
    let none = app.mcp(&json!({})).send().await.unwrap();
    assert_eq!(none.status(), 401);
    assert!(header(&none, "www-authenticate").starts_with("Bearer resource_metadata="));
    let twice = app.call(&issuer.token(&app), "whoami").bearer_auth("other").send().await.unwrap();
    assert_eq!(twice.status(), 400);
}

#[tokio::test]
async fn a_configured_audience_is_the_only_one() {
    let issuer = Issuer::start().await;
    let mut setup = issuer.setup();
    setup.auth["oidc"]["audience"] = json!("https://api.example.com");
    let app = TestApp::with(setup).await;
    let mut claims = issuer.claims(&app);
    assert_eq!(app.status_with(&sign(&claims)).await, 401, "our URL is not our name any more");
    claims["aud"] = json!(["account", "https://api.example.com"]);
    assert_eq!(app.status_with(&sign(&claims)).await, 200);
}

#[tokio::test]
async fn a_server_on_this_machine_is_meant_by_each_of_its_names() {
    let (issuer, app) = start().await;
    let port = app.address.rsplit_once(':').unwrap().1;
    for (host, status) in [("localhost", 200), ("127.0.0.1", 200), ("[::1]", 200), ("localhost.example", 401)] {
        let mut claims = issuer.claims(&app);
        claims["aud"] = json!(format!("http://{host}:{port}/mcp"));
        assert_eq!(app.status_with(&sign(&claims)).await, status, "{host}");
    }
}

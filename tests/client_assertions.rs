//! Clients that prove themselves with what they sign: `private_key_jwt` (RFC 7523).

use crate::common::{OAuthClient, Pairs, REDIRECT_URI, Setup, TestApp, Tokens, basic, change, oauth_error, pairs};
use crate::upstream_keys::{ED25519, OTHER_RSA, P256, P384, RSA, TestKey, signed, signed_symmetrically, unsigned};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ALGORITHMS: [&str; 9] = ["ES256", "ES384", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"];

fn key_of(algorithm: &str) -> &'static TestKey {
    match algorithm {
        "ES256" => &P256,
        "ES384" => &P384,
        "EdDSA" => &ED25519,
        _ => &RSA,
    }
}

/// All four keys, each under the name of its kind.
fn jwks() -> Value {
    json!({"keys": [RSA.jwk("rsa"), P256.jwk("p256"), P384.jwk("p384"), ED25519.jwk("ed")]})
}

/// Seconds since the epoch, that many from now.
#[expect(clippy::disallowed_methods, reason = "the daemon under test goes by the machine's clock")]
fn seconds_from_now(offset: i64) -> i64 {
    let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(now.as_secs()).unwrap() + offset
}

/// The claims of an assertion that will do, never the same twice.
pub(crate) fn claims(app: &TestApp, id: &str) -> Value {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let jti = format!("assertion-{}", NUMBER.fetch_add(1, Ordering::SeqCst));
    let (iat, exp) = (seconds_from_now(0), seconds_from_now(60));
    json!({"iss": id, "sub": id, "aud": app.issuer, "iat": iat, "exp": exp, "jti": jti})
}

/// `form` with an assertion.
pub(crate) fn with_assertion(form: &[(&str, &str)], assertion: &str) -> Pairs {
    let mut form = pairs(form);
    form.extend(pairs(&[("client_assertion_type", JWT_BEARER), ("client_assertion", assertion)]));
    form
}

/// A fresh assertion that will do.
fn good(app: &TestApp, id: &str) -> String {
    signed(&RSA, &json!({"alg": "RS256", "kid": "rsa"}), &claims(app, id))
}

/// What comes of revoking a token that does not exist: 200 when the client is who it says.
pub(crate) async fn attempt(app: &TestApp, assertion: &str) -> (u16, String) {
    answer(app.post_form("/revoke", &with_assertion(&[("token", "unknown")], assertion)).await).await
}

async fn answer(response: reqwest::Response) -> (u16, String) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    (status, body["error_description"].as_str().unwrap_or_default().to_owned())
}

async fn register(app: &TestApp) -> OAuthClient {
    let metadata = json!({
        "client_name": "Night Desk", "redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "private_key_jwt",
        "grant_types": ["authorization_code", "refresh_token"], "jwks": jwks(),
    });
    let client = OAuthClient::register_with(app, &metadata).await;
    assert_eq!(client.secret, None, "a client that signs has no secret");
    client
}

#[tokio::test]
async fn a_client_that_signs_gets_tokens_refreshes_and_revokes_them() {
    let app = TestApp::start().await;
    let client = register(&app).await;
    let code = client.code(&app, "ada").await;
    let with = |mut form: Pairs, id: Option<&str>| {
        change(&mut form, "client_id", id);
        form.extend(with_assertion(&[], &good(&app, &client.id)));
        form
    };
    let tokens = Tokens::of(app.post_form("/token", &with(client.redemption(&code), None)).await).await;
    assert_eq!(app.status_with(&tokens.access).await, 200);
    let form = with(client.refreshment(&tokens.refresh), Some(&client.id));
    let next = Tokens::of(app.post_form("/token", &form).await).await;
    let revoked = app.post_form("/revoke", &with(pairs(&[("token", &next.refresh)]), None)).await;
    assert_eq!(revoked.status(), 200);
    assert_eq!(app.status_with(&next.access).await, 401);
}

#[tokio::test]
async fn every_algorithm_that_is_advertised_works() {
    let app = TestApp::start().await;
    let client = register(&app).await;
    let document = app.get("/.well-known/oauth-authorization-server").send().await.unwrap();
    let document: Value = document.json().await.unwrap();
    for endpoint in ["token", "revocation"] {
        let methods = document[format!("{endpoint}_endpoint_auth_methods_supported")].as_array().unwrap();
        assert!(methods.contains(&json!("private_key_jwt")), "{methods:?}");
        assert_eq!(document[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")], json!(ALGORITHMS));
    }
    for algorithm in ALGORITHMS {
        let assertion = signed(key_of(algorithm), &json!({"alg": algorithm}), &claims(&app, &client.id));
        assert_eq!(attempt(&app, &assertion).await, (200, String::new()), "{algorithm}");
    }
}

#[tokio::test]
async fn a_signature_that_is_not_the_clients_proves_nothing() {
    let app = TestApp::start().await;
    let client = register(&app).await;
    let claims = || claims(&app, &client.id);
    let rs256 = json!({"alg": "RS256", "kid": "rsa"});
    let good_parts = good(&app, &client.id);
    let (message, signature) = good_parts.rsplit_once('.').unwrap();
    let other = unsigned(&rs256, &claims());
    let mut jwk_inside = rs256.clone();
    jwk_inside["jwk"] = OTHER_RSA.jwk("rsa");
    for (name, assertion) in [
        ("another key", signed(&OTHER_RSA, &rs256, &claims())),
        ("another key without a name", signed(&OTHER_RSA, &json!({"alg": "RS256"}), &claims())),
        ("a key that the header brings", signed(&OTHER_RSA, &jwk_inside, &claims())),
        ("the name of no key", signed(&RSA, &json!({"alg": "RS256", "kid": "none"}), &claims())),
        ("the name of a key of another kind", signed(&RSA, &json!({"alg": "RS256", "kid": "p256"}), &claims())),
        ("the signature of another message", format!("{other}.{signature}")),
        ("no signature", format!("{message}.")),
        ("alg none", format!("{}.", unsigned(&json!({"alg": "none"}), &claims()))),
        ("alg none, signed", signed(&RSA, &json!({"alg": "none"}), &claims())),
        ("the public key as a secret", signed_symmetrically(&RSA.public_bytes(), &json!({"alg": "HS256"}), &claims())),
        (
            "the public key as a secret under its name",
            signed_symmetrically(&P256.public_bytes(), &json!({"alg": "HS256", "kid": "p256"}), &claims()),
        ),
        ("two parts", message.to_owned()),
        ("no JWT", "secret".to_owned()),
    ] {
        let form = with_assertion(&[("token", "unknown"), ("client_id", &client.id)], &assertion);
        let (status, text) = answer(app.post_form("/revoke", &form).await).await;
        assert_eq!(status, 401, "{name}");
        assert!(text.contains("client_assertion"), "{name}: {text}");
        assert!(!text.contains(&assertion), "{name}: {text}");
    }
    assert_eq!(attempt(&app, &good_parts).await.0, 200, "the genuine one was not used up");
}

#[tokio::test]
async fn claims_that_do_not_fit_are_refused_with_a_reason() {
    let app = TestApp::start().await;
    let client = register(&app).await;
    let other = register(&app).await;
    for (name, value, reason) in [
        ("iss", json!(other.id), "iss and sub"),
        ("iss", Value::Null, "iss"),
        ("sub", json!(other.id), "iss and sub"),
        ("sub", Value::Null, "sub"),
        ("aud", json!("https://elsewhere.example.com"), "must be this server: http://127.0.0.1"),
        ("aud", json!([app.issuer, "https://elsewhere.example.com"]), "must be this server"),
        ("aud", json!([]), "must be this server"),
        ("aud", Value::Null, "aud"),
        ("exp", json!(seconds_from_now(-120)), "expired"),
        ("exp", json!(seconds_from_now(3_600)), "ahead"),
        ("exp", Value::Null, "exp"),
        ("exp", json!("soon"), "exp"),
        ("iat", json!(seconds_from_now(300)), "not valid yet"),
        ("nbf", json!(seconds_from_now(300)), "not valid yet"),
        ("jti", Value::Null, "jti"),
        ("jti", json!(""), "jti"),
    ] {
        let mut claims = claims(&app, &client.id);
        claims[name] = value.clone();
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let assertion = signed(&RSA, &json!({"alg": "RS256", "kid": "rsa"}), &claims);
        let form = with_assertion(&[("token", "unknown"), ("client_id", &client.id)], &assertion);
        let (status, text) = answer(app.post_form("/revoke", &form).await).await;
        assert_eq!(status, 401, "{name}: {value}");
        assert!(text.contains(reason), "{name}: {value}: {text}");
    }
}

#[tokio::test]
async fn a_client_may_name_the_server_as_older_libraries_do() {
    let app = TestApp::start().await;
    let client = register(&app).await;
    let port = app.issuer.rsplit_once(':').unwrap().1;
    for aud in [
        json!([app.issuer]),
        json!(format!("{}/", app.issuer)),
        json!(format!("{}/token", app.issuer)),
        json!([app.issuer, format!("{}/token", app.issuer)]),
        json!(format!("http://localhost:{port}")),
        json!(format!("http://localhost:{port}/token")),
    ] {
        let mut claims = claims(&app, &client.id);
        claims["aud"] = aud.clone();
        let assertion = signed(&ED25519, &json!({"alg": "EdDSA", "typ": "JWT"}), &claims);
        assert_eq!(attempt(&app, &assertion).await.0, 200, "{aud}");
    }
}

#[tokio::test]
async fn an_assertion_works_once() {
    let app = TestApp::start().await;
    let client = register(&app).await;
    let assertion = good(&app, &client.id);
    assert_eq!(attempt(&app, &assertion).await.0, 200);
    let (status, text) = attempt(&app, &assertion).await;
    assert_eq!(status, 401);
    assert!(text.contains("used before"), "{text}");
    // Several rounds, since the order of the twenty is a matter of luck.
    for round in 0..10 {
        let assertion = good(&app, &client.id);
        let outcomes = futures_util::future::join_all((0..20).map(|_| attempt(&app, &assertion))).await;
        let mut statuses: Vec<u16> = outcomes.into_iter().map(|(status, _)| status).collect();
        statuses.sort_unstable();
        assert_eq!((statuses[0], &statuses[1..]), (200, [401; 19].as_slice()), "round {round}");
    }
}

#[tokio::test]
async fn an_assertion_that_was_used_at_one_endpoint_is_used_at_the_other() {
    let app = TestApp::start().await;
    let client = register(&app).await;
    let assertion = good(&app, &client.id);
    assert_eq!(attempt(&app, &assertion).await.0, 200);
    let form = with_assertion(&[("grant_type", "refresh_token"), ("refresh_token", "unknown")], &assertion);
    assert_eq!(oauth_error(app.post_form("/token", &form).await).await, (401, "invalid_client".to_owned()));
    let why = app.audit().into_iter().rev().find(|record| record["operation_name"] == "auth.token_refused").unwrap();
    assert!(why["error"].as_str().unwrap().contains("used before"), "{why}");
    assert_eq!(why["client_id"], client.id.as_str());
    assert!(!why.to_string().contains(&assertion));
    assert_eq!(attempt(&app, &assertion).await.0, 401);
    let why =
        app.audit().into_iter().rev().find(|record| record["operation_name"] == "auth.revocation_refused").unwrap();
    assert!(why["error"].as_str().unwrap().contains("used before"), "{why}");
}

#[tokio::test]
async fn an_assertion_comes_alone() {
    let app = TestApp::start().await;
    let client = register(&app).await;
    let fresh = || good(&app, &client.id);
    let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
    let token = [("token", "unknown")];
    let set = |name: &str, value: Option<&str>| {
        let mut form = with_assertion(&token, &fresh());
        change(&mut form, name, value);
        form
    };
    for (form, status) in [
        (set("client_secret", Some("x")), 400),
        (set("client_assertion", None), 400),
        (set("client_assertion_type", None), 400),
        (set("client_assertion_type", Some(saml)), 401),
        (set("client_id", Some("somebody-else")), 401),
        ([with_assertion(&token, &fresh()), with_assertion(&[], &fresh())].concat(), 400),
        (set("client_id", Some(&client.id)), 200),
    ] {
        assert_eq!(app.post_form("/revoke", &form).await.status(), status, "{form:?}");
    }
    let request = app.post("/revoke").form(&with_assertion(&token, &fresh()));
    let refused = request.header("authorization", basic(&client.id, "x")).send().await.unwrap();
    assert_eq!(oauth_error(refused).await, (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn nobody_takes_another_way_than_the_one_that_was_registered() {
    let app = TestApp::start().await;
    let signing = register(&app).await;
    for form in [
        pairs(&[("token", "unknown"), ("client_id", &signing.id)]),
        pairs(&[("token", "unknown"), ("client_id", &signing.id), ("client_secret", "x")]),
    ] {
        let (status, text) = answer(app.post_form("/revoke", &form).await).await;
        assert_eq!(status, 401);
        assert!(text.contains("private_key_jwt"), "{text}");
    }
    for method in ["none", "client_secret_basic", "client_secret_post"] {
        let metadata = json!({"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": method, "jwks": jwks()});
        let client = OAuthClient::register_with(&app, &metadata).await;
        let (status, text) = attempt(&app, &good(&app, &client.id)).await;
        assert_eq!(status, 401, "{method}");
        assert!(text.contains("not registered"), "{method}: {text}");
        // Nor is its secret a key of its own.
        let secret = client.secret.unwrap_or_default();
        let forged = signed_symmetrically(secret.as_bytes(), &json!({"alg": "HS256"}), &claims(&app, &client.id));
        assert_eq!(attempt(&app, &forged).await.0, 401, "{method}");
    }
}

#[tokio::test]
async fn clients_of_the_configuration_sign_too() {
    let client = |id: &str, more: Value| {
        let mut client = json!({"client_id": id, "name": id, "redirect_uris": [REDIRECT_URI],
            "grant_types": ["authorization_code", "refresh_token"]});
        client.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client
    };
    let jwks = json!({"keys": [P256.jwk("p256")]});
    let clients = json!([
        client("desk", json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks})),
        client("text", json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks.to_string()})),
    ]);
    let app = TestApp::with(Setup::default().with_clients(clients)).await;
    for id in ["desk", "text"] {
        let assertion = || signed(&P256, &json!({"alg": "ES256", "kid": "p256"}), &claims(&app, id));
        let desk = OAuthClient { id: id.to_owned(), secret: None, redirect_uri: REDIRECT_URI.to_owned() };
        let mut form = desk.redemption(&desk.code(&app, "ben").await);
        let refused = app.post_form("/token", &form).await;
        assert_eq!(oauth_error(refused).await, (401, "invalid_client".to_owned()), "a client_id alone proves nothing");
        form.extend(with_assertion(&[], &assertion()));
        let tokens = Tokens::of(app.post_form("/token", &form).await).await;
        assert_eq!(app.status_with(&tokens.access).await, 200);
        let stranger = signed(&RSA, &json!({"alg": "RS256"}), &claims(&app, id));
        assert_eq!(attempt(&app, &stranger).await.0, 401);
    }
}

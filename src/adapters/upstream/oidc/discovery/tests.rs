use super::*;
use crate::adapters::upstream::oidc::flavour::Plain;
use serde_json::json;

fn document() -> Value {
    json!({
        "issuer": "https://idp.example.com/realm",
        "authorization_endpoint": "https://idp.example.com/authorize",
        "token_endpoint": "https://idp.example.com/token",
        "jwks_uri": "https://idp.example.com/jwks",
    })
}

fn checked(change: impl FnOnce(&mut Value)) -> Result<Metadata, String> {
    let mut document = document();
    change(&mut document);
    let config_url = "https://idp.example.com/realm/.well-known/openid-configuration";
    read(&document, Source { provider: "oidc", config_url, flavour: &Plain })
}

#[test]
fn the_defaults_are_those_of_the_specification() {
    let metadata = checked(|_| ()).unwrap();
    assert!(matches!(metadata.auth_type, AuthType::BasicAuth));
    assert!(metadata.takes_challenge);
    assert!(!metadata.sends_issuer);
    assert_eq!(metadata.algorithms, ALGORITHMS);
    assert!(metadata.userinfo_endpoint.is_none());
    assert!(metadata.revocation_endpoint.is_none());
}

#[test]
fn the_issuer_must_belong_to_the_address() {
    for issuer in ["https://idp.example.com", "https://idp.example.com/Realm", "https://evil.example/realm", ""] {
        let problem = checked(|document| document["issuer"] = json!(issuer)).unwrap_err();
        assert!(problem.contains("issuer"), "{problem}");
    }
    let slash = checked(|document| document["issuer"] = json!("https://idp.example.com/realm/")).unwrap();
    assert_eq!(slash.issuer, "https://idp.example.com/realm/", "the issuer is kept as it is written");
    assert!(checked(|document| document["issuer"] = json!("https://idp.example.com/realm//")).is_err());
}

#[test]
fn an_endpoint_without_tls_is_refused() {
    for name in ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "revocation_endpoint"] {
        let problem = checked(|document| document[name] = json!("http://idp.example.com/x")).unwrap_err();
        assert!(problem.starts_with(name), "{problem}");
    }
}

#[test]
fn a_missing_endpoint_is_named() {
    for name in ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"] {
        let problem = checked(|document| drop(document.as_object_mut().unwrap().remove(name))).unwrap_err();
        assert!(problem.contains(name), "{problem}");
    }
}

#[test]
fn client_authentication_follows_the_provider() {
    let with = |methods: &[&str]| {
        checked(|document| document["token_endpoint_auth_methods_supported"] = json!(methods)).map(|m| m.auth_type)
    };
    assert!(matches!(with(&["client_secret_post", "client_secret_basic"]), Ok(AuthType::BasicAuth)));
    assert!(matches!(with(&["client_secret_post"]), Ok(AuthType::RequestBody)));
    assert!(with(&["private_key_jwt"]).is_err());
}

#[test]
fn pkce_is_left_out_only_where_the_provider_lists_other_methods() {
    let with = |methods: Value| {
        checked(|document| document["code_challenge_methods_supported"] = methods).unwrap().takes_challenge
    };
    assert!(with(json!(["plain", "S256"])));
    assert!(with(Value::Null));
    assert!(!with(json!(["plain"])));
}

#[test]
fn algorithms_are_those_that_both_accept() {
    let with = |names: &[&str]| {
        checked(|document| document["id_token_signing_alg_values_supported"] = json!(names)).map(|m| m.algorithms)
    };
    assert_eq!(with(&["HS256", "RS256", "none", "ES256"]).unwrap(), [Algorithm::RS256, Algorithm::ES256]);
    assert!(with(&["HS256", "none"]).is_err());
}

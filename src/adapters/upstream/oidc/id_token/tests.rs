use super::*;
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn token(header: &Value) -> Secret {
    Secret::new(format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(header.to_string())))
}

fn header_fault(header: &Value) -> Option<IdTokenFault> {
    read(&token(header), &[Algorithm::RS256]).err()
}

fn claims() -> Claims {
    let claims = json!({
        "iss": "https://idp", "aud": "us", "sub": "7", "nonce": "n",
        "exp": 1_800_000_300, "iat": 1_800_000_000,
    });
    claims.as_object().unwrap().clone()
}

fn claims_fault(change: impl FnOnce(&mut Claims)) -> Option<IdTokenFault> {
    let mut claims = claims();
    change(&mut claims);
    let text = token(&json!({"alg": "RS256"}));
    let token = read(&text, &[Algorithm::RS256]).unwrap();
    let expected = Expected {
        issuer: "https://idp",
        issuer_alias: Some("idp"),
        client_id: "us",
        nonce: &Secret::new("n"),
        access_token: &Secret::new("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"),
        now: NOW,
    };
    check(&token, &claims, &expected).err()
}

fn claim_fault(name: &str, value: Value) -> Option<IdTokenFault> {
    claims_fault(|claims| drop(claims.insert(name.to_owned(), value)))
}

#[test]
fn a_plain_header_is_accepted() {
    assert_eq!(header_fault(&json!({"alg": "RS256"})), None);
    assert_eq!(header_fault(&json!({"alg": "RS256", "typ": "JWT", "kid": "1"})), None);
    assert_eq!(header_fault(&json!({"alg": "RS256", "typ": "jwt", "jwk": {"kty": "oct"}})), None);
}

#[test]
fn a_header_that_asks_for_something_else_is_refused() {
    for alg in ["none", "None", "HS256", "PS256", "ES256", "rs256", ""] {
        assert_eq!(header_fault(&json!({ "alg": alg })), Some(TokenFault::Algorithm.into()), "{alg}");
    }
    assert_eq!(header_fault(&json!({})), Some(TokenFault::Algorithm.into()));
    assert_eq!(header_fault(&json!({"alg": "RS256", "crit": ["exp"]})), Some(TokenFault::CriticalHeader.into()));
    assert_eq!(header_fault(&json!({"alg": "RS256", "crit": []})), Some(TokenFault::CriticalHeader.into()));
    for typ in [json!("at+jwt"), json!("logout+jwt"), json!("JOSE"), json!(1)] {
        assert_eq!(header_fault(&json!({"alg": "RS256", "typ": typ})), Some(TokenFault::WrongType.into()), "{typ}");
    }
    assert_eq!(header_fault(&json!({"alg": "RS256", "kid": 1})), Some(TokenFault::Malformed.into()));
}

#[test]
fn what_is_not_a_signed_jwt_is_refused() {
    for text in ["", "a.b", "a.b.c", "....", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln.x.y", "\u{e9}.e30.x"] {
        let text = Secret::new(text);
        assert_eq!(read(&text, &[Algorithm::RS256]).err(), Some(TokenFault::Malformed.into()));
    }
}

#[test]
fn good_claims_are_accepted() {
    assert_eq!(claims_fault(|_| ()), None);
    assert_eq!(claim_fault("aud", json!(["us"])), None);
    assert_eq!(claim_fault("azp", json!("us")), None);
    assert_eq!(claim_fault("exp", json!(1_800_000_300.5)), None);
    assert_eq!(claim_fault("extra", json!({"a": 1})), None);
}

#[test]
fn required_claims_must_be_there() {
    for name in ["iss", "aud", "sub", "nonce", "exp", "iat"] {
        assert_eq!(claims_fault(|claims| drop(claims.remove(name))), Some(TokenFault::BadClaim(name).into()));
        assert_eq!(claim_fault(name, json!({"a": 1})), Some(TokenFault::BadClaim(name).into()));
    }
}

#[test]
fn the_issuer_is_compared_exactly() {
    for issuer in ["https://idp/", "https://IDP", "https://idp.evil", ""] {
        assert_eq!(claim_fault("iss", json!(issuer)), Some(TokenFault::WrongIssuer.into()), "{issuer}");
    }
}

#[test]
fn the_other_name_of_the_issuer_is_one_too() {
    assert_eq!(claim_fault("iss", json!("idp")), None);
    assert_eq!(claim_fault("iss", json!("idp/")), Some(TokenFault::WrongIssuer.into()));
}

#[test]
fn the_audience_must_hold_us() {
    assert_eq!(claim_fault("aud", json!("them")), Some(IdTokenFault::WrongAudience));
    assert_eq!(claim_fault("aud", json!([])), Some(IdTokenFault::WrongAudience));
    assert_eq!(claim_fault("aud", json!(["us", 1])), Some(TokenFault::BadClaim("aud").into()));
}

#[test]
fn the_authorized_party_must_be_us() {
    assert_eq!(claim_fault("azp", json!("them")), Some(IdTokenFault::WrongAuthorizedParty));
    assert_eq!(claim_fault("aud", json!(["us", "them"])), Some(TokenFault::BadClaim("azp").into()));
    let both = |azp: &str| {
        claims_fault(|claims| {
            claims.insert("aud".to_owned(), json!(["us", "them"]));
            claims.insert("azp".to_owned(), json!(azp));
        })
    };
    assert_eq!(both("us"), None);
    assert_eq!(both("them"), Some(IdTokenFault::WrongAuthorizedParty));
}

#[test]
fn times_are_checked_with_a_minute_of_grace() {
    let now = NOW.as_secs();
    assert_eq!(claim_fault("exp", json!(now - 59)), None);
    assert_eq!(claim_fault("exp", json!(now - 60)), Some(TokenFault::Expired.into()));
    assert_eq!(claim_fault("exp", json!(0)), Some(TokenFault::Expired.into()));
    assert_eq!(claim_fault("exp", json!(-1)), Some(TokenFault::BadClaim("exp").into()));
    assert_eq!(claim_fault("exp", json!("1800000300")), Some(TokenFault::BadClaim("exp").into()));
    assert_eq!(claim_fault("exp", json!(1e300)), Some(TokenFault::BadClaim("exp").into()));
    for name in ["iat", "nbf"] {
        assert_eq!(claim_fault(name, json!(now + 60)), None);
        assert_eq!(claim_fault(name, json!(now + 61)), Some(TokenFault::NotYetValid.into()));
    }
}

#[test]
fn the_nonce_must_be_ours() {
    assert_eq!(claim_fault("nonce", json!("N")), Some(IdTokenFault::WrongNonce));
    assert_eq!(claim_fault("nonce", json!("")), Some(IdTokenFault::WrongNonce));
}

#[test]
fn the_subject_must_be_usable() {
    for subject in ["", "a\nb", &"x".repeat(256)] {
        assert_eq!(claim_fault("sub", json!(subject)), Some(TokenFault::BadClaim("sub").into()), "{subject}");
    }
}

#[test]
fn the_access_token_must_be_the_one_that_was_meant() {
    // From OpenID Connect Core, appendix A.3.
    assert_eq!(claim_fault("at_hash", json!("77QmUPtjPfzWtF2AnpK9RQ")), None);
    assert_eq!(claim_fault("at_hash", json!("77QmUPtjPfzWtF2AnpK9RR")), Some(IdTokenFault::WrongAccessTokenHash));
    assert_eq!(claim_fault("at_hash", json!(1)), Some(TokenFault::BadClaim("at_hash").into()));
}

use super::*;
use serde_json::json;

const NOW: i64 = 1_900_000_000;

fn read(header: &Value, claims: &Value) -> ClientAssertion {
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    ClientAssertion::read(Secret::new(format!("{}.{}.c2ln", encode(header), encode(claims)))).unwrap()
}

fn claims() -> Value {
    json!({"iss": "app", "sub": "app", "aud": "https://own.example", "exp": NOW + 60, "iat": NOW, "jti": "1"})
}

/// What comes of the usual claims with `name` set, or without it where it is null.
fn checked(name: &str, value: &Value) -> Result<UsedAssertion, AssertionFault> {
    let mut claims = claims();
    claims[name] = value.clone();
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let audiences = ["https://own.example".to_owned(), "https://own.example/token".to_owned()];
    read(&json!({"alg": "RS256"}), &claims).check_claims(&audiences, Timestamp::from_secs(NOW))
}

#[test]
fn what_is_right_is_remembered_until_it_is_over() {
    let used = checked("extra", &json!([1])).unwrap();
    assert_eq!((used.client_id, used.id_hash), (ClientId::new("app"), TokenHash::of("1")));
    assert_eq!(used.expires_at, Timestamp::from_secs(NOW + 60) + LEEWAY);
}

#[test]
fn an_assertion_is_for_this_server_alone() {
    let own = "https://own.example";
    for (aud, is_right) in [
        (json!(own), true),
        (json!([own]), true),
        (json!([own, "https://own.example/token"]), true),
        (json!("https://own.example/token"), true),
        (json!("https://other.example"), false),
        (json!([own, "https://other.example"]), false),
        (json!("https://OWN.example"), false),
        (json!(["https://own.example/", own]), false),
        (json!([]), false),
    ] {
        let expected = if is_right { None } else { Some(AssertionFault::WrongAudience(own.to_owned())) };
        assert_eq!(checked("aud", &aud).err(), expected, "{aud}");
    }
    for aud in [Value::Null, json!(1), json!({"https://own.example": true})] {
        assert_eq!(checked("aud", &aud), Err(AssertionFault::BadClaim("aud")), "{aud}");
    }
}

#[test]
fn an_assertion_lives_shortly_and_now() {
    use AssertionFault as F;
    for (name, value, fault) in [
        ("exp", json!(NOW - 29), None),
        ("exp", json!(NOW - 30), Some(F::Expired)),
        ("exp", json!(0), Some(F::Expired)),
        ("exp", json!(NOW + 600), None),
        ("exp", json!(NOW + 601), Some(F::LivesTooLong)),
        ("exp", json!(1e300), Some(F::BadClaim("exp"))),
        ("exp", json!(-1), Some(F::BadClaim("exp"))),
        ("exp", json!("1900000060"), Some(F::BadClaim("exp"))),
        ("exp", Value::Null, Some(F::BadClaim("exp"))),
        ("exp", json!(1_900_000_060.5), None),
        ("iat", json!(NOW + 30), None),
        ("iat", json!(NOW + 31), Some(F::NotYetValid)),
        ("iat", json!("now"), Some(F::BadClaim("iat"))),
        ("iat", Value::Null, None),
        ("nbf", json!(NOW + 30), None),
        ("nbf", json!(NOW + 31), Some(F::NotYetValid)),
    ] {
        assert_eq!(checked(name, &value).err(), fault, "{name}: {value}");
    }
}

#[test]
fn an_assertion_has_a_name_of_its_own() {
    for jti in [Value::Null, json!(""), json!(7), json!("x".repeat(ID_BYTES_MAX + 1))] {
        assert_eq!(checked("jti", &jti), Err(AssertionFault::BadClaim("jti")), "{jti}");
    }
    assert!(checked("jti", &json!("x".repeat(ID_BYTES_MAX))).is_ok());
}

#[test]
fn issuer_and_subject_are_the_client() {
    for (iss, sub, fault) in [
        (json!("app"), json!("app"), None),
        (json!("other"), json!("app"), Some(AssertionFault::WrongSubject)),
        (json!("app"), json!("other"), Some(AssertionFault::WrongSubject)),
        (json!("other"), json!("other"), Some(AssertionFault::WrongSubject)),
        (json!(["app"]), json!("app"), Some(AssertionFault::BadClaim("iss"))),
    ] {
        let assertion = read(&json!({"alg": "RS256"}), &json!({"iss": iss, "sub": sub}));
        assert_eq!(assertion.check_subject(&ClientId::new("app")).err(), fault, "{iss} {sub}");
    }
}

#[test]
fn a_header_is_understood_or_refused() {
    use AssertionFault as F;
    for (header, fault) in [
        (json!({"alg": "RS256"}), None),
        (json!({"alg": "EdDSA", "typ": "JWT", "kid": "k", "jku": "https://evil.example"}), None),
        (json!({"alg": "ES256", "typ": "client-authentication+jwt"}), None),
        (json!({"alg": "ES256", "typ": "application/client-authentication+JWT"}), None),
        (json!({"alg": "ES256", "typ": "at+jwt"}), Some(F::WrongType)),
        (json!({"alg": "ES256", "typ": 1}), Some(F::WrongType)),
        (json!({"alg": "none"}), Some(F::Algorithm)),
        (json!({"alg": "HS256"}), Some(F::Algorithm)),
        (json!({"alg": ["RS256"]}), Some(F::Algorithm)),
        (json!({}), Some(F::Algorithm)),
        (json!({"alg": "RS256", "crit": ["b64"], "b64": false}), Some(F::CriticalHeader)),
        (json!({"alg": "RS256", "kid": 1}), Some(F::Malformed)),
    ] {
        assert_eq!(read(&header, &claims()).check_header().err(), fault, "{header}");
    }
}

#[test]
fn what_is_no_jwt_is_not_read() {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let (header, body) = (part(&json!({"alg": "RS256"})), part(&claims()));
    let long = part(&json!({"sub": "app", "x": "x".repeat(BYTES_MAX)}));
    for text in [
        String::new(),
        header.clone(),
        format!("{header}.{body}"),
        format!("{header}.{body}.a.b"),
        format!("{header}.!.a"),
        format!("{header}.{}.a", part(&json!(["app"]))),
        format!("{header}=.{body}.a"),
        format!("{header}.{long}.a"),
    ] {
        assert_eq!(ClientAssertion::read(Secret::new(text.clone())).err(), Some(AssertionFault::Malformed), "{text}");
    }
    let nobody = format!("{header}.{}.a", part(&json!({"iss": "app"})));
    assert_eq!(ClientAssertion::read(Secret::new(nobody)).err(), Some(AssertionFault::BadClaim("sub")));
}

#[test]
fn nothing_of_an_assertion_is_printed() {
    assert_eq!(format!("{:?}", read(&json!({"alg": "RS256"}), &claims())), "ClientAssertion { .. }");
    let sent = read(&json!({"alg": "RS256"}), &claims());
    assert_eq!(sent.signed_parts().1, "c2ln");
}

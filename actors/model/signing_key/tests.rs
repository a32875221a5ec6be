use super::*;

fn encoded(length: usize) -> String {
    URL_SAFE_NO_PAD.encode(vec![0xff; length])
}

fn rsa(bytes: usize) -> Value {
    json!({"kty": "RSA", "kid": "r", "n": encoded(bytes), "e": "AQAB"})
}

fn ec(curve: &str, length: usize) -> Value {
    json!({"kty": "EC", "crv": curve, "kid": curve, "x": encoded(length), "y": encoded(length)})
}

fn ed25519() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": encoded(32)})
}

fn set(keys: &[Value]) -> Result<KeySet, KeyFault> {
    KeySet::read(&json!({ "keys": keys }))
}

/// `key` with `name` set.
fn with(mut key: Value, name: &str, value: Value) -> Value {
    key[name] = value;
    key
}

fn ids(set: &KeySet, id: Option<&str>, algorithm: SigningAlgorithm) -> Vec<String> {
    set.candidates(id, algorithm).map(|key| key.id.clone().unwrap_or_default()).collect()
}

#[test]
fn a_key_serves_only_algorithms_of_its_kind() {
    use SigningAlgorithm as A;
    let set = set(&[rsa(256), ec("P-256", 32), ec("P-384", 48), ed25519()]).unwrap();
    for (algorithm, expected) in [
        (A::Rs256, "r"),
        (A::Rs384, "r"),
        (A::Rs512, "r"),
        (A::Ps256, "r"),
        (A::Ps384, "r"),
        (A::Ps512, "r"),
        (A::Es256, "P-256"),
        (A::Es384, "P-384"),
        (A::EdDsa, "ed"),
    ] {
        assert_eq!(ids(&set, None, algorithm), [expected], "{algorithm:?}");
        assert_eq!(ids(&set, Some(expected), algorithm), [expected]);
        assert_eq!(ids(&set, Some("other"), algorithm), [""; 0]);
    }
}

#[test]
fn a_key_is_used_only_as_its_owner_meant_it() {
    let bound = set(&[with(rsa(256), "alg", json!("PS256"))]).unwrap();
    assert_eq!(ids(&bound, None, SigningAlgorithm::Ps256), ["r"]);
    assert_eq!(ids(&bound, None, SigningAlgorithm::Rs256), [""; 0]);
    for (name, value) in [("use", json!("enc")), ("key_ops", json!(["encrypt"])), ("alg", json!("RSA-OAEP"))] {
        assert_eq!(set(&[with(rsa(256), name, value)]), Err(KeyFault::NothingUsable), "{name}");
    }
    for (name, value) in [("use", json!("sig")), ("key_ops", json!(["verify"])), ("alg", json!("RS256"))] {
        assert!(set(&[with(rsa(256), name, value)]).is_ok(), "{name}");
    }
}

#[test]
fn private_halves_and_symmetric_keys_are_refused() {
    for name in PRIVATE_MEMBERS {
        let keys = [ed25519(), with(rsa(256), name, json!("AQAB"))];
        assert_eq!(set(&keys), Err(KeyFault::Private), "{name}");
        assert!(KeySet::is_private(&json!({ "keys": keys })));
    }
    assert_eq!(set(&[json!({"kty": "oct", "k": encoded(32)})]), Err(KeyFault::Private));
    assert!(!KeySet::is_private(&json!({"keys": [ed25519()]})));
}

#[test]
fn keys_that_are_weak_or_malformed_are_refused() {
    let mut short = vec![0xff; 256];
    short[0] = 0x7f;
    let short = with(rsa(256), "n", json!(URL_SAFE_NO_PAD.encode(&short)));
    let mut even = vec![0xff; 256];
    even[255] = 0xfe;
    let even = with(rsa(256), "n", json!(URL_SAFE_NO_PAD.encode(&even)));
    for (key, fault) in [
        (rsa(128), KeyFault::RsaSize),
        (short, KeyFault::RsaSize),
        (rsa(1_025), KeyFault::RsaSize),
        (even, KeyFault::Malformed("n")),
        (with(rsa(256), "e", json!("AQ")), KeyFault::Malformed("e")),
        (with(rsa(256), "e", json!("Ag")), KeyFault::Malformed("e")),
        (with(rsa(256), "e", json!("AQAAAAE")), KeyFault::Malformed("e")),
        (with(rsa(256), "e", json!("")), KeyFault::Malformed("e")),
        (with(rsa(256), "n", json!("A+/=")), KeyFault::Malformed("n")),
        (with(rsa(256), "n", Value::Null), KeyFault::Malformed("n")),
        (with(rsa(256), "kid", json!(7)), KeyFault::Malformed("kid")),
        (with(rsa(256), "kid", json!("x".repeat(257))), KeyFault::Malformed("kid")),
        (with(rsa(256), "alg", json!("ES256")), KeyFault::Malformed("alg")),
        (ec("P-256", 31), KeyFault::Malformed("x")),
        (ec("P-256", 48), KeyFault::Malformed("x")),
        (with(ec("P-384", 48), "y", json!(encoded(47))), KeyFault::Malformed("y")),
        (json!({"kty": "EC", "x": encoded(32), "y": encoded(32)}), KeyFault::Malformed("crv")),
        (json!({"n": encoded(256), "e": "AQAB"}), KeyFault::Malformed("kty")),
        (json!("key"), KeyFault::Malformed("kty")),
    ] {
        assert_eq!(set(&[ed25519(), key.clone()]), Err(fault), "{key}");
    }
}

#[test]
fn zeros_in_front_of_an_rsa_number_do_no_harm() {
    let mut padded = vec![0];
    padded.extend(vec![0xff; 256]);
    let padded = with(rsa(256), "n", json!(URL_SAFE_NO_PAD.encode(padded)));
    assert_eq!(set(&[padded]), set(&[rsa(256)]));
}

#[test]
fn a_set_has_a_bounded_number_of_usable_keys() {
    assert_eq!(set(&vec![ed25519(); KEYS_MAX + 1]), Err(KeyFault::TooMany));
    let many = set(&vec![ed25519(); KEYS_MAX]).unwrap();
    assert_eq!(ids(&many, None, SigningAlgorithm::EdDsa).len(), CANDIDATES_MAX, "few are tried on one signature");
    for value in [json!({}), json!([]), json!({"keys": {}}), Value::Null] {
        assert_eq!(KeySet::read(&value), Err(KeyFault::NotASet), "{value}");
    }
    assert_eq!(set(&[]), Err(KeyFault::NothingUsable));
    assert_eq!(set(&[ec("secp256k1", 32), json!({"kty": "AKP", "pub": "AQAB"})]), Err(KeyFault::NothingUsable));
}

#[test]
fn of_a_published_set_the_keys_that_can_be_used_are() {
    let keys = [rsa(128), json!({"kty": "AKP"}), with(ed25519(), "d", json!("AQAB")), ec("P-256", 32)];
    let set = KeySet::read_published(&json!({ "keys": keys })).unwrap();
    assert_eq!(ids(&set, None, SigningAlgorithm::Es256), ["P-256"]);
    assert_eq!(ids(&set, None, SigningAlgorithm::EdDsa), [""; 0], "a key that everybody knows is no key");
    assert!(KeySet::read_published(&json!({"keys": []})).is_ok());
    assert_eq!(KeySet::read_published(&json!("x")), Err(KeyFault::NotASet));
}

#[test]
fn a_set_survives_being_written() {
    let keys = [with(rsa(256), "alg", json!("RS256")), ec("P-256", 32), ec("P-384", 48), ed25519()];
    let set = set(&keys).unwrap();
    let text = serde_json::to_string(&set).unwrap();
    assert_eq!(serde_json::from_str::<KeySet>(&text).unwrap(), set);
    assert!(serde_json::from_str::<KeySet>(&text.replace("\"x\"", "\"d\"")).is_err());
}

#[test]
fn no_name_stands_for_a_symmetric_algorithm_or_for_none() {
    for name in ["none", "None", "", "HS256", "HS384", "HS512", "rs256", "ES512", "ES256K"] {
        assert_eq!(SigningAlgorithm::parse(name), None, "{name}");
    }
    for algorithm in SigningAlgorithm::ALL {
        assert_eq!(SigningAlgorithm::parse(algorithm.as_str()), Some(algorithm));
    }
    assert_eq!(SigningAlgorithm::parse("Ed25519"), Some(SigningAlgorithm::EdDsa));
}

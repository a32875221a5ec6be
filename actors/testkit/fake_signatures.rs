//! Signatures that anybody could make, for tests of what follows from right and wrong ones.

use crate::model::client_assertion::ClientAssertion;
use crate::model::secret::{Secret, TokenHash};
use crate::model::signing_key::{KeySet, PublicKey, SigningAlgorithm};
use crate::ports::signature_verifier::SignatureVerifier;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A signature is the hash of the message, the algorithm and the public key.
#[derive(Clone, Copy, Debug, Default)]
pub struct FakeSignatures;

impl SignatureVerifier for FakeSignatures {
    fn is_signed(&self, message: &str, signature: &str, algorithm: SigningAlgorithm, key: &PublicKey) -> bool {
        signature == sign(message, algorithm, key)
    }
}

fn sign(message: &str, algorithm: SigningAlgorithm, key: &PublicKey) -> String {
    TokenHash::of(&format!("{message} {algorithm:?} {key:?}")).to_hex()
}

/// A set with one key for Ed25519, which differs from `seed` to `seed`.
#[must_use]
pub fn key_set(kid: &str, seed: u8) -> KeySet {
    let x = URL_SAFE_NO_PAD.encode([seed; 32]);
    KeySet::read(&json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x}]})).unwrap()
}

/// An assertion with these claims, signed with the first key of `keys`.
#[must_use]
pub fn assertion(keys: &KeySet, kid: Option<&str>, claims: &Value) -> ClientAssertion {
    let header = match kid {
        Some(kid) => json!({"alg": "EdDSA", "kid": kid}),
        None => json!({"alg": "EdDSA"}),
    };
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&header), part(claims));
    let key = keys.candidates(None, SigningAlgorithm::EdDsa).next().unwrap();
    let signature = sign(&message, SigningAlgorithm::EdDsa, &key.public);
    ClientAssertion::read(Secret::new(format!("{message}.{signature}"))).unwrap()
}

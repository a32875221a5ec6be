//! Signatures, checked by the library that also checks those of identity providers.
//!
//! Only its arithmetic is used: which algorithm and which key count, and what a token must say,
//! is decided in the middle.

use jsonwebtoken::{Algorithm, DecodingKey};
use mxcp_actors::model::signing_key::{PublicKey, SigningAlgorithm};
use mxcp_actors::ports::signature_verifier::SignatureVerifier;

/// Checks signatures with `jsonwebtoken`.
#[derive(Clone, Copy, Debug, Default)]
pub struct JwtSignatures;

impl SignatureVerifier for JwtSignatures {
    fn is_signed(&self, message: &str, signature: &str, algorithm: SigningAlgorithm, key: &PublicKey) -> bool {
        // The library prepares a key anew for each signature anyway; what is done here is to
        // decode two numbers.
        decoding_key(key).is_ok_and(|key| {
            jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, named(algorithm)).unwrap_or(false)
        })
    }
}

fn decoding_key(key: &PublicKey) -> Result<DecodingKey, jsonwebtoken::errors::Error> {
    match key {
        PublicKey::Rsa { n, e } => DecodingKey::from_rsa_components(n, e),
        PublicKey::P256 { x, y } | PublicKey::P384 { x, y } => DecodingKey::from_ec_components(x, y),
        PublicKey::Ed25519 { x } => DecodingKey::from_ed_components(x),
    }
}

const fn named(algorithm: SigningAlgorithm) -> Algorithm {
    match algorithm {
        SigningAlgorithm::Rs256 => Algorithm::RS256,
        SigningAlgorithm::Rs384 => Algorithm::RS384,
        SigningAlgorithm::Rs512 => Algorithm::RS512,
        SigningAlgorithm::Ps256 => Algorithm::PS256,
        SigningAlgorithm::Ps384 => Algorithm::PS384,
        SigningAlgorithm::Ps512 => Algorithm::PS512,
        SigningAlgorithm::Es256 => Algorithm::ES256,
        SigningAlgorithm::Es384 => Algorithm::ES384,
        SigningAlgorithm::EdDsa => Algorithm::EdDSA,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mxcp_actors::model::signing_key::KeySet;
    use serde_json::json;

    /// The example of RFC 8037 appendix A.4.
    const MESSAGE: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    const SIGNATURE: &str = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

    fn key() -> PublicKey {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let set = KeySet::read(&json!({"keys": [jwk]})).unwrap();
        set.candidates(None, SigningAlgorithm::EdDsa).next().unwrap().public.clone()
    }

    #[test]
    fn the_signature_of_the_rfc_is_right_and_any_other_is_wrong() {
        let is_signed =
            |message: &str, signature: &str, algorithm| JwtSignatures.is_signed(message, signature, algorithm, &key());
        assert!(is_signed(MESSAGE, SIGNATURE, SigningAlgorithm::EdDsa));
        assert!(!is_signed(&MESSAGE.replace("RXh", "RXg"), SIGNATURE, SigningAlgorithm::EdDsa));
        for signature in ["", "!", "AAAA", &SIGNATURE.replace("hgy", "hgx")] {
            assert!(!is_signed(MESSAGE, signature, SigningAlgorithm::EdDsa), "{signature}");
        }
        for algorithm in SigningAlgorithm::ALL.into_iter().filter(|algorithm| *algorithm != SigningAlgorithm::EdDsa) {
            assert!(!is_signed(MESSAGE, SIGNATURE, algorithm), "{algorithm:?}");
        }
    }

    #[test]
    fn a_point_that_is_not_on_the_curve_signs_nothing() {
        let ones = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
        let key = PublicKey::P256 { x: ones.to_owned(), y: ones.to_owned() };
        assert!(!JwtSignatures.is_signed(MESSAGE, SIGNATURE, SigningAlgorithm::Es256, &key));
    }
}

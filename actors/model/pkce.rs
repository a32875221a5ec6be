//! Proof Key for Code Exchange (RFC 7636), method S256 only.

use super::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// An S256 code challenge: 43 characters of unpadded base64url.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CodeChallenge(String);

impl CodeChallenge {
    /// Reads a challenge; `None` unless it is the base64url form of 32 bytes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == 32).then(|| Self(text.to_owned()))
    }

    /// The challenge that belongs to `verifier`.
    #[must_use]
    pub fn of(verifier: &Secret) -> Self {
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose().as_bytes())))
    }

    /// Whether `verifier` is well formed (43 to 128 unreserved characters, section 4.1) and
    /// hashes to this challenge.
    #[must_use]
    pub fn accepts(&self, verifier: &Secret) -> bool {
        let text = verifier.expose();
        let is_well_formed = (43..=128).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        is_well_formed && bool::from(Self::of(verifier).0.as_bytes().ct_eq(self.0.as_bytes()))
    }

    /// The challenge as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_rfc_7636_appendix_b_is_accepted() {
        let challenge = CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
        assert!(challenge.accepts(&Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")));
        assert!(!challenge.accepts(&Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl")));
    }

    #[test]
    fn a_verifier_of_the_wrong_shape_is_refused_even_if_it_hashes_right() {
        for verifier in ["", "short", &"a".repeat(129), &format!("{} ", "a".repeat(43))] {
            let verifier = Secret::new(verifier);
            assert!(!CodeChallenge::of(&verifier).accepts(&verifier));
        }
    }

    proptest! {
        #[test]
        fn a_challenge_accepts_its_verifier_and_no_other(verifier in "[A-Za-z0-9._~-]{43,128}", other in "[A-Za-z0-9._~-]{43,128}") {
            let challenge = CodeChallenge::of(&Secret::new(verifier.clone()));
            prop_assert!(challenge.accepts(&Secret::new(verifier.clone())));
            prop_assert_eq!(challenge.accepts(&Secret::new(other.clone())), verifier == other);
        }
    }
}

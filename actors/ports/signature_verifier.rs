//! Checks signatures: the arithmetic alone, without any rule about who signed what.

use crate::model::signing_key::{PublicKey, SigningAlgorithm};

/// Checks signatures. Takes some ten microseconds and never waits.
pub trait SignatureVerifier: Send + Sync + std::fmt::Debug {
    /// Whether `signature`, in base64url, is that of `message` by `algorithm` with the private
    /// half of `key`. A key that is not of that algorithm's kind made none.
    fn is_signed(&self, message: &str, signature: &str, algorithm: SigningAlgorithm, key: &PublicKey) -> bool;
}

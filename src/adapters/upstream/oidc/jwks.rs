//! A provider's signing keys (RFC 7517).

use super::signed_token::{Claims, SignedToken, TokenFault};
use crate::adapters::cached_document::CachedDocument;
use crate::adapters::http_client::HttpClient;
use crate::adapters::upstream::api::{JsonRequest, get_json};
use crate::adapters::upstream::error::unusable;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily};
use mxcp_actors::ports::upstream_idp::UpstreamError;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use url::Url;

/// How many keys of a provider are looked at. Real sets have two to ten.
const KEYS_MAX: usize = 64;

/// How many keys are tried on one signature: whoever makes up tokens must not make much work.
const CANDIDATES_MAX: usize = 16;

/// The keys that a provider publishes.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<Jwk>,
}

/// Where a provider publishes its keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeySource<'a> {
    /// Carries the requests.
    pub(super) http: &'a HttpClient,
    /// The provider's name, for errors.
    pub(super) provider: &'a str,
    /// Where they are.
    pub(super) url: &'a Url,
}

impl KeySource<'_> {
    async fn fetch(&self) -> Result<KeySet, UpstreamError> {
        let Self { http, provider, url } = *self;
        let request = JsonRequest { provider, what: "its keys", url: url.as_str(), bearer: None, headers: &[] };
        let document = get_json(http, &request).await?;
        KeySet::read(&document).ok_or_else(|| unusable(provider, "its keys: the document has no list of keys"))
    }
}

/// The keys of one provider, fetched when they are first needed and kept.
#[derive(Debug)]
pub(super) struct PublishedKeys(CachedDocument<KeySet, UpstreamError>);

impl PublishedKeys {
    /// No keys yet; `cache` says how long they are kept.
    pub(super) const fn new(cache: CachedDocument<KeySet, UpstreamError>) -> Self {
        Self(cache)
    }

    /// Fetches the keys, unless they are there and fresh.
    ///
    /// # Errors
    /// When there have never been any and they cannot be fetched.
    pub(super) async fn get(&self, source: KeySource<'_>) -> Result<Arc<KeySet>, UpstreamError> {
        self.0.get(source.fetch()).await
    }

    /// Checks the signature of a token. One that no held key made may be that of a new key, so the
    /// keys are fetched again, if that was not done just now.
    ///
    /// # Errors
    /// When there are no keys to check it with. What is wrong with the token is the inner result.
    pub(super) async fn verify(
        &self,
        source: KeySource<'_>,
        token: &SignedToken<'_>,
    ) -> Result<Result<Claims, TokenFault>, UpstreamError> {
        let keys = self.get(source).await?;
        match token.verify(&keys) {
            Ok(claims) => Ok(Ok(claims)),
            Err(fault) => {
                let newer = self.0.renew(&keys, source.fetch()).await;
                Ok(newer.map_or(Err(fault), |newer| token.verify(&newer)))
            }
        }
    }
}

impl KeySet {
    /// Reads the document. Keys of a kind that we do not know are passed over (RFC 7517
    /// section 5), so that one new kind does not lock everybody out.
    fn read(document: &Value) -> Option<Self> {
        let list = document.get("keys")?.as_array()?;
        Some(Self { keys: list.iter().filter_map(|key| Jwk::deserialize(key).ok()).take(KEYS_MAX).collect() })
    }

    /// The keys that may have made a signature: those of that identifier, or where the token
    /// names none the first of all of them, as far as they fit the algorithm.
    pub(super) fn candidates(&self, id: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &Jwk> {
        self.keys
            .iter()
            .filter(move |key| id.is_none() || key.common.key_id.as_deref() == id)
            .filter(move |key| fits(key, algorithm))
            .take(CANDIDATES_MAX)
    }
}

/// Whether `key` is meant for signatures of `algorithm`. Family, curve and the key's own `alg`
/// must agree, so that a key is never used in a way that its owner did not intend.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let common = &key.common;
    let is_for_signing = common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|allowed| allowed.contains(&KeyOperations::Verify));
    let is_for_algorithm = common.key_algorithm.is_none_or(|named| named == KeyAlgorithm::from(algorithm));
    is_for_signing && is_for_algorithm && is_of_family(&key.algorithm, algorithm)
}

fn is_of_family(parameters: &AlgorithmParameters, algorithm: Algorithm) -> bool {
    match parameters {
        AlgorithmParameters::RSA(_) => algorithm.family() == AlgorithmFamily::Rsa,
        AlgorithmParameters::EllipticCurve(key) => match algorithm {
            Algorithm::ES256 => key.curve == EllipticCurve::P256,
            Algorithm::ES384 => key.curve == EllipticCurve::P384,
            _ => false,
        },
        AlgorithmParameters::OctetKeyPair(key) => algorithm == Algorithm::EdDSA && key.curve == EllipticCurve::Ed25519,
        // A symmetric key in a public document is known to everybody.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(keys: &Value) -> KeySet {
        KeySet::read(&json!({ "keys": keys })).unwrap()
    }

    fn rsa(id: &str) -> Value {
        json!({"kty": "RSA", "kid": id, "n": "AQAB", "e": "AQAB"})
    }

    fn ids(set: &KeySet, id: Option<&str>, algorithm: Algorithm) -> Vec<String> {
        set.candidates(id, algorithm).map(|key| key.common.key_id.clone().unwrap_or_default()).collect()
    }

    #[test]
    fn a_key_is_found_by_its_identifier() {
        let set = set(&json!([rsa("a"), rsa("b")]));
        assert_eq!(ids(&set, Some("b"), Algorithm::RS256), ["b"]);
        assert_eq!(ids(&set, Some("c"), Algorithm::RS256), [""; 0]);
        assert_eq!(ids(&set, None, Algorithm::RS256), ["a", "b"]);
    }

    #[test]
    fn a_key_serves_no_algorithm_of_another_kind() {
        let set = set(&json!([
            rsa("rsa"),
            {"kty": "EC", "crv": "P-256", "kid": "p256", "x": "AQAB", "y": "AQAB"},
            {"kty": "EC", "crv": "P-384", "kid": "p384", "x": "AQAB", "y": "AQAB"},
            {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": "AQAB"},
            {"kty": "oct", "kid": "oct", "k": "AQAB"},
        ]));
        assert_eq!(ids(&set, None, Algorithm::PS512), ["rsa"]);
        assert_eq!(ids(&set, None, Algorithm::ES256), ["p256"]);
        assert_eq!(ids(&set, None, Algorithm::ES384), ["p384"]);
        assert_eq!(ids(&set, None, Algorithm::EdDSA), ["ed"]);
        assert_eq!(ids(&set, None, Algorithm::HS256), [""; 0]);
    }

    #[test]
    fn a_key_for_another_purpose_is_not_used() {
        let with = |field: &str, value: Value| {
            let mut key = rsa("a");
            key[field] = value;
            ids(&set(&json!([key])), None, Algorithm::RS256).len()
        };
        assert_eq!(with("use", json!("enc")), 0);
        assert_eq!(with("use", json!("sig")), 1);
        assert_eq!(with("key_ops", json!(["encrypt"])), 0);
        assert_eq!(with("key_ops", json!(["verify"])), 1);
        assert_eq!(with("alg", json!("PS256")), 0);
        assert_eq!(with("alg", json!("RS256")), 1);
        assert_eq!(with("alg", json!("something new")), 0);
    }

    #[test]
    fn keys_of_unknown_kinds_are_passed_over() {
        let set = set(&json!([
            {"kty": "AKP", "kid": "pq", "pub": "AQAB"},
            {"kty": "EC", "crv": "secp256k1", "kid": "k1", "x": "AQAB", "y": "AQAB"},
            "nonsense",
            rsa("a"),
        ]));
        assert_eq!(ids(&set, None, Algorithm::RS256), ["a"]);
        assert_eq!(ids(&set, Some("k1"), Algorithm::ES256), [""; 0]);
    }

    #[test]
    fn a_document_without_keys_is_refused() {
        assert!(KeySet::read(&json!({})).is_none());
        assert!(KeySet::read(&json!({"keys": {}})).is_none());
        assert!(KeySet::read(&json!([])).is_none());
    }
}

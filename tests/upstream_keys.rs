//! Keys of a provider, and tokens signed with them: made without the library that reads them.
#![expect(clippy::indexing_slicing, reason = "a helper of tests fails the test that calls it")]

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
    RsaKeyPair, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// A key pair of a provider.
pub(crate) enum TestKey {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

pub(crate) static RSA: LazyLock<TestKey> =
    LazyLock::new(|| TestKey::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()));
pub(crate) static OTHER_RSA: LazyLock<TestKey> =
    LazyLock::new(|| TestKey::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()));
pub(crate) static P256: LazyLock<TestKey> =
    LazyLock::new(|| TestKey::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()));
pub(crate) static P384: LazyLock<TestKey> =
    LazyLock::new(|| TestKey::P384(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap()));
pub(crate) static ED25519: LazyLock<TestKey> = LazyLock::new(|| TestKey::Ed25519(Ed25519KeyPair::generate().unwrap()));

impl TestKey {
    /// The public half as a JSON Web Key.
    pub(crate) fn jwk(&self, id: &str) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let ec = |curve: &str, pair: &EcdsaKeyPair| {
            let (x, y) = pair.public_key().as_ref()[1..].split_at((pair.public_key().as_ref().len() - 1) / 2);
            json!({"kty": "EC", "crv": curve, "kid": id, "use": "sig", "x": encode(x), "y": encode(y)})
        };
        match self {
            Self::Rsa(pair) => {
                let parts = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({"kty": "RSA", "kid": id, "use": "sig", "n": encode(&parts.n), "e": encode(&parts.e)})
            }
            Self::P256(pair) => ec("P-256", pair),
            Self::P384(pair) => ec("P-384", pair),
            Self::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": encode(pair.public_key().as_ref())})
            }
        }
    }

    /// The public key as bytes, as somebody would take it who wants us to mistake it for a
    /// symmetric key.
    pub(crate) fn public_bytes(&self) -> Vec<u8> {
        match self {
            Self::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Self::P256(pair) | Self::P384(pair) => pair.public_key().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(rsa_encoding(algorithm), &random, message, &mut signature).unwrap();
                signature
            }
            Self::P256(pair) | Self::P384(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

fn rsa_encoding(algorithm: &str) -> &'static dyn RsaEncoding {
    match algorithm {
        "RS384" => &RSA_PKCS1_SHA384,
        "RS512" => &RSA_PKCS1_SHA512,
        "PS256" => &RSA_PSS_SHA256,
        "PS384" => &RSA_PSS_SHA384,
        "PS512" => &RSA_PSS_SHA512,
        _ => &RSA_PKCS1_SHA256,
    }
}

/// A token whose signature `key` made, as the header's `alg` says.
pub(crate) fn signed(key: &TestKey, header: &Value, claims: &Value) -> String {
    let message = unsigned(header, claims);
    let signature = key.sign(header["alg"].as_str().unwrap_or_default(), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A token with a symmetric signature.
pub(crate) fn signed_symmetrically(secret: &[u8], header: &Value, claims: &Value) -> String {
    let message = unsigned(header, claims);
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A token without its signature.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    format!("{}.{}", encode(header), encode(claims))
}

//! Public keys that signatures are checked with, as JSON Web Keys (RFC 7517, RFC 7518 section 6).
//!
//! A key is judged when it is read, so that whoever registers one that could never do its work
//! learns it then: only asymmetric keys of sufficient strength, and never their private half.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::ops::RangeInclusive;

/// How many keys a set may hold. Clients that rotate their keys have two or three.
const KEYS_MAX: usize = 16;
/// How many keys are tried on one signature: whoever makes up signatures must not make much work.
const CANDIDATES_MAX: usize = 4;
/// The longest `kid`.
const KEY_ID_BYTES_MAX: usize = 256;
/// How strong an RSA key must be (RFC 7518 section 3.3), and how much work it may make.
const RSA_BITS: RangeInclusive<usize> = 2_048..=8_192;
/// The longest RSA exponent: almost always it is 65537, and a long one is slow on purpose.
const RSA_EXPONENT_BYTES_MAX: usize = 4;
/// Members that only a private or a symmetric key has (RFC 7518 sections 6.2.2, 6.3.2 and 6.4).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// How a signature is made (RFC 7518 section 3.1, RFC 8037 section 3.1).
///
/// There is no symmetric algorithm and no `none` among them, so neither can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SigningAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// ECDSA with P-384 and SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

impl SigningAlgorithm {
    /// Every algorithm, as published in the metadata.
    pub const ALL: [Self; 9] = [
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
    ];

    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of that name; `None` when it is not accepted.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        // The newer name of the same signatures (RFC 9864 section 2.2).
        if name == "Ed25519" {
            return Some(Self::EdDsa);
        }
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

/// The numbers of a public key, each in base64url as its JSON Web Key has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// RSA.
    Rsa {
        /// The modulus.
        n: String,
        /// The exponent.
        e: String,
    },
    /// A point on P-256.
    P256 {
        /// One coordinate.
        x: String,
        /// The other.
        y: String,
    },
    /// A point on P-384.
    P384 {
        /// One coordinate.
        x: String,
        /// The other.
        y: String,
    },
    /// Ed25519.
    Ed25519 {
        /// The key.
        x: String,
    },
}

impl PublicKey {
    /// Whether signatures of `algorithm` are made with keys of this kind.
    const fn fits(&self, algorithm: SigningAlgorithm) -> bool {
        use SigningAlgorithm as A;
        match self {
            Self::Rsa { .. } => {
                matches!(algorithm, A::Rs256 | A::Rs384 | A::Rs512 | A::Ps256 | A::Ps384 | A::Ps512)
            }
            Self::P256 { .. } => matches!(algorithm, A::Es256),
            Self::P384 { .. } => matches!(algorithm, A::Es384),
            Self::Ed25519 { .. } => matches!(algorithm, A::EdDsa),
        }
    }
}

/// Why a key or a set of keys cannot be used; for the developer of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// It is not a set of keys.
    #[error("jwks must be an object with a list of keys")]
    NotASet,
    /// It holds more keys than are looked at.
    #[error("jwks may hold at most {KEYS_MAX} keys")]
    TooMany,
    /// None of its keys can check a signature.
    #[error("jwks holds no key that signatures can be checked with: RSA, EC P-256 or P-384, or Ed25519")]
    NothingUsable,
    /// It holds what nobody but the client may know.
    #[error("jwks holds a private or symmetric key; keep it to yourself, replace it and send the public key only")]
    Private,
    /// A key is not written as RFC 7517 and 7518 say.
    #[error("jwks holds a malformed key: {0} is missing or wrong")]
    Malformed(&'static str),
    /// An RSA key is too weak, or so large that it would only cost time.
    #[error("jwks holds an RSA key with fewer than {} or more than {} bits", RSA_BITS.start(), RSA_BITS.end())]
    RsaSize,
}

/// A public key and what its owner says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// `kid`: how signatures name it.
    pub id: Option<String>,
    /// `alg`: the one algorithm that it is meant for.
    pub algorithm: Option<SigningAlgorithm>,
    /// The key itself.
    pub public: PublicKey,
}

impl SigningKey {
    /// Reads a JSON Web Key; `None` when it is of a kind or for a purpose that is not ours
    /// (RFC 7517 section 5).
    fn read(value: &Value) -> Result<Option<Self>, KeyFault> {
        let Value::Object(members) = value else { return Err(KeyFault::Malformed("kty")) };
        if holds_private_member(members) {
            return Err(KeyFault::Private);
        }
        if !is_for_signing(members) {
            return Ok(None);
        }
        let algorithm = match text(members, "alg")? {
            None => None,
            // Meant for something that we do not do.
            Some(name) if SigningAlgorithm::parse(name).is_none() => return Ok(None),
            Some(name) => SigningAlgorithm::parse(name),
        };
        let id = text(members, "kid")?.map(str::to_owned);
        if id.as_ref().is_some_and(|id| id.len() > KEY_ID_BYTES_MAX) {
            return Err(KeyFault::Malformed("kid"));
        }
        let Some(public) = read_public(members)? else { return Ok(None) };
        if algorithm.is_some_and(|algorithm| !public.fits(algorithm)) {
            return Err(KeyFault::Malformed("alg"));
        }
        Ok(Some(Self { id, algorithm, public }))
    }

    /// Whether the key may have made a signature of `algorithm`: kind, curve and the key's own
    /// `alg` must agree, so that it is never used in a way that its owner did not intend.
    #[must_use]
    pub fn fits(&self, algorithm: SigningAlgorithm) -> bool {
        self.algorithm.is_none_or(|named| named == algorithm) && self.public.fits(algorithm)
    }

    /// The key as a JSON Web Key.
    fn to_json(&self) -> Value {
        let mut members = match &self.public {
            PublicKey::Rsa { n, e } => json!({"kty": "RSA", "n": n, "e": e}),
            PublicKey::P256 { x, y } => json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}),
            PublicKey::P384 { x, y } => json!({"kty": "EC", "crv": "P-384", "x": x, "y": y}),
            PublicKey::Ed25519 { x } => json!({"kty": "OKP", "crv": "Ed25519", "x": x}),
        };
        if let Some(members) = members.as_object_mut() {
            members.insert("use".to_owned(), json!("sig"));
            members.extend(self.id.iter().map(|id| ("kid".to_owned(), json!(id))));
            members.extend(self.algorithm.iter().map(|algorithm| ("alg".to_owned(), json!(algorithm.as_str()))));
        }
        members
    }
}

/// A set of public keys (RFC 7517 section 5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct KeySet {
    keys: Vec<SigningKey>,
}

impl KeySet {
    /// Reads a set that its owner is about to register, and can still correct.
    ///
    /// # Errors
    /// When a key is malformed, too weak or private, or when none is left.
    pub fn read(value: &Value) -> Result<Self, KeyFault> {
        let mut keys = Vec::new();
        for key in list(value)? {
            keys.extend(SigningKey::read(key)?);
        }
        if keys.is_empty() {
            return Err(KeyFault::NothingUsable);
        }
        Ok(Self { keys })
    }

    /// Reads a set that is published somewhere. A key that cannot be used is passed over, so
    /// that a new one of another kind does not take the others with it.
    ///
    /// # Errors
    /// When it is no set of keys, or has too many.
    pub fn read_published(value: &Value) -> Result<Self, KeyFault> {
        Ok(Self { keys: list(value)?.iter().filter_map(|key| SigningKey::read(key).ok().flatten()).collect() })
    }

    /// Whether `value` holds, in whatever form, what nobody but its owner may know.
    #[must_use]
    pub fn is_private(value: &Value) -> bool {
        list(value).is_ok_and(|keys| keys.iter().filter_map(Value::as_object).any(holds_private_member))
    }

    /// The keys that may have made a signature: those of that `kid`, or where it names none the
    /// first few of all, as far as they fit the algorithm.
    pub fn candidates(&self, id: Option<&str>, algorithm: SigningAlgorithm) -> impl Iterator<Item = &SigningKey> {
        self.keys
            .iter()
            .filter(move |key| id.is_none() || key.id.as_deref() == id)
            .filter(move |key| key.fits(algorithm))
            .take(CANDIDATES_MAX)
    }
}

impl From<KeySet> for Value {
    fn from(set: KeySet) -> Self {
        json!({"keys": set.keys.iter().map(SigningKey::to_json).collect::<Vec<_>>()})
    }
}

impl TryFrom<Value> for KeySet {
    type Error = KeyFault;

    fn try_from(value: Value) -> Result<Self, KeyFault> {
        Self::read(&value)
    }
}

fn list(value: &Value) -> Result<&Vec<Value>, KeyFault> {
    let keys = value.get("keys").and_then(Value::as_array).ok_or(KeyFault::NotASet)?;
    if keys.len() > KEYS_MAX { Err(KeyFault::TooMany) } else { Ok(keys) }
}

fn holds_private_member(members: &Map<String, Value>) -> bool {
    PRIVATE_MEMBERS.iter().any(|name| members.contains_key(*name))
}

/// Whether neither `use` nor `key_ops` speaks against it (RFC 7517 sections 4.2 and 4.3).
fn is_for_signing(members: &Map<String, Value>) -> bool {
    let is_allowed = |operations: &Value| operations.as_array().is_some_and(|all| all.contains(&json!("verify")));
    members.get("use").is_none_or(|purpose| purpose == "sig") && members.get("key_ops").is_none_or(is_allowed)
}

fn text<'a>(members: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, KeyFault> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(KeyFault::Malformed(name)),
    }
}

fn read_public(members: &Map<String, Value>) -> Result<Option<PublicKey>, KeyFault> {
    match (text(members, "kty")?, text(members, "crv")?) {
        (None, _) => Err(KeyFault::Malformed("kty")),
        (Some("RSA"), _) => read_rsa(members).map(Some),
        (Some("EC"), Some("P-256")) => {
            Ok(Some(PublicKey::P256 { x: coordinate(members, "x", 32)?, y: coordinate(members, "y", 32)? }))
        }
        (Some("EC"), Some("P-384")) => {
            Ok(Some(PublicKey::P384 { x: coordinate(members, "x", 48)?, y: coordinate(members, "y", 48)? }))
        }
        (Some("OKP"), Some("Ed25519")) => Ok(Some(PublicKey::Ed25519 { x: coordinate(members, "x", 32)? })),
        (Some("EC" | "OKP"), None) => Err(KeyFault::Malformed("crv")),
        (Some(_), _) => Ok(None),
    }
}

fn read_rsa(members: &Map<String, Value>) -> Result<PublicKey, KeyFault> {
    let (n, e) = (number(members, "n")?, number(members, "e")?);
    let leading_zeros = n.first().map_or(0, |first| first.leading_zeros() as usize);
    if !RSA_BITS.contains(&(n.len() * 8 - leading_zeros)) {
        return Err(KeyFault::RsaSize);
    }
    let is_odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
    if !is_odd(&n) {
        return Err(KeyFault::Malformed("n"));
    }
    if !is_odd(&e) || e == [1] || e.len() > RSA_EXPONENT_BYTES_MAX {
        return Err(KeyFault::Malformed("e"));
    }
    Ok(PublicKey::Rsa { n: URL_SAFE_NO_PAD.encode(n), e: URL_SAFE_NO_PAD.encode(e) })
}

/// A number without zeros in front, which some libraries write although they should not (RFC
/// 7518 section 6.3.1.1).
fn number(members: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, KeyFault> {
    let bytes = decode(members, name)?;
    Ok(bytes.into_iter().skip_while(|byte| *byte == 0).collect())
}

/// A number of exactly that many bytes (RFC 7518 section 6.2.1.2).
fn coordinate(members: &Map<String, Value>, name: &'static str, length: usize) -> Result<String, KeyFault> {
    let bytes = decode(members, name)?;
    if bytes.len() == length { Ok(URL_SAFE_NO_PAD.encode(bytes)) } else { Err(KeyFault::Malformed(name)) }
}

fn decode(members: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, KeyFault> {
    let text = text(members, name)?.ok_or(KeyFault::Malformed(name))?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyFault::Malformed(name))
}

#[cfg(test)]
mod tests;

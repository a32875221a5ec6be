//! What every JWT of a provider must be, whatever it is for (RFC 7515, RFC 7519, RFC 8725).
//!
//! The library checks the signature; the claims are checked here, because the time must come
//! from our clock.

use super::jwks::KeySet;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use mxcp_actors::model::secret::Secret;
use mxcp_actors::model::timestamp::Timestamp;
use serde_json::{Map, Value};
use std::str::FromStr;
use std::time::Duration;

/// Algorithms that a token may be signed with: asymmetric ones only.
///
/// `none` is no signature, and with `HS256` a public key or our own client secret would do as
/// the key. ES512 is missing because the library does not have it; no large provider uses it.
pub(super) const ALGORITHMS: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// How far the provider's clock may be from ours.
pub(super) const SKEW: Duration = Duration::from_mins(1);

/// The longest `sub` (OpenID Connect Core section 2).
const SUBJECT_BYTES_MAX: usize = 255;

/// The claims of a token.
pub(super) type Claims = Map<String, Value>;

/// What is wrong with a token; follows the words that say which token it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenFault {
    /// It is not a signed JWT.
    #[error("is not a signed JWT")]
    Malformed,
    /// Its algorithm is not acceptable.
    #[error("is signed with an algorithm that is not accepted")]
    Algorithm,
    /// Its header demands something that we do not know (RFC 7515 section 4.1.11).
    #[error("has a critical header that is not understood")]
    CriticalHeader,
    /// It is a token of another kind.
    #[error("says that it is a token of another kind")]
    WrongType,
    /// No published key may have signed it.
    #[error("is signed with a key that the provider does not publish")]
    UnknownKey,
    /// The signature is not that of the key.
    #[error("has a wrong signature")]
    BadSignature,
    /// A claim is missing or has the wrong type.
    #[error("has no claim `{0}`, or one of the wrong type")]
    BadClaim(&'static str),
    /// Somebody else issued it.
    #[error("was issued by somebody else")]
    WrongIssuer,
    /// It is over.
    #[error("has expired; is the clock of this machine right?")]
    Expired,
    /// Its time has not come.
    #[error("is not valid yet; is the clock of this machine right?")]
    NotYetValid,
}

/// The header of a token, checked, and the token with it.
#[derive(Debug)]
pub(super) struct SignedToken<'a> {
    text: &'a Secret,
    algorithm: Algorithm,
    key_id: Option<String>,
    kind: Option<String>,
}

impl<'a> SignedToken<'a> {
    /// Reads the header. Keys that the header itself brings (`jwk`, `jku`, `x5u`, `x5c`) are
    /// never looked at: the provider's published keys alone count.
    ///
    /// # Errors
    /// When the header is malformed, or names an algorithm or an extension that is not accepted.
    pub(super) fn read(text: &'a Secret, accepted: &[Algorithm]) -> Result<Self, TokenFault> {
        let mut parts = text.expose().split('.');
        let (Some(header), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(TokenFault::Malformed);
        };
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| TokenFault::Malformed)?;
        let header: Map<String, Value> = serde_json::from_slice(&header).map_err(|_| TokenFault::Malformed)?;
        if header.contains_key("crit") {
            return Err(TokenFault::CriticalHeader);
        }
        let algorithm = header
            .get("alg")
            .and_then(Value::as_str)
            .and_then(|name| Algorithm::from_str(name).ok())
            .filter(|algorithm| accepted.contains(algorithm))
            .ok_or(TokenFault::Algorithm)?;
        let kind = kind_of(header.get("typ"))?;
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(TokenFault::Malformed),
        };
        Ok(Self { text, algorithm, key_id, kind })
    }

    /// How it was signed.
    pub(super) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What kind of token its header says it is, in lower case and without `application/`;
    /// `None` when the header does not say.
    pub(super) fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// When no key fits, or none made the signature.
    pub(super) fn verify(&self, keys: &KeySet) -> Result<Claims, TokenFault> {
        let mut fault = TokenFault::UnknownKey;
        for key in keys.candidates(self.key_id.as_deref(), self.algorithm) {
            match DecodingKey::from_jwk(key).ok().and_then(|key| self.claims_if_signed_with(&key)) {
                Some(claims) => return Ok(claims),
                None => fault = TokenFault::BadSignature,
            }
        }
        Err(fault)
    }

    fn claims_if_signed_with(&self, key: &DecodingKey) -> Option<Claims> {
        let mut signature_only = Validation::new(self.algorithm);
        signature_only.required_spec_claims.clear();
        signature_only.validate_exp = false;
        signature_only.validate_aud = false;
        jsonwebtoken::decode(self.text.expose(), key, &signature_only).ok().map(|token| token.claims)
    }
}

/// The part before the slash may be left out (RFC 7515 section 4.1.9).
fn kind_of(claimed: Option<&Value>) -> Result<Option<String>, TokenFault> {
    match claimed {
        None => Ok(None),
        Some(Value::String(name)) => {
            let name = name.to_ascii_lowercase();
            Ok(Some(name.strip_prefix("application/").map(str::to_owned).unwrap_or(name)))
        }
        Some(_) => Err(TokenFault::WrongType),
    }
}

/// Checks who issued it, letter by letter.
pub(super) fn check_issuer(claims: &Claims, issuer: &str) -> Result<(), TokenFault> {
    if text(claims, "iss")? == issuer { Ok(()) } else { Err(TokenFault::WrongIssuer) }
}

/// Everybody that the token is meant for (RFC 7519 section 4.1.3).
pub(super) fn audiences(claims: &Claims) -> Result<Vec<&str>, TokenFault> {
    match claims.get("aud") {
        Some(Value::String(one)) => Ok(vec![one.as_str()]),
        Some(Value::Array(several)) => {
            several.iter().map(Value::as_str).collect::<Option<_>>().ok_or(TokenFault::BadClaim("aud"))
        }
        _ => Err(TokenFault::BadClaim("aud")),
    }
}

/// Checks that the token is not over, and when that will be, the skew of clocks included.
pub(super) fn check_end(claims: &Claims, now: Timestamp) -> Result<Timestamp, TokenFault> {
    let end = time(claims, "exp")? + SKEW;
    if end <= now { Err(TokenFault::Expired) } else { Ok(end) }
}

/// Checks that the time of `name` has come, if the claim is there.
pub(super) fn check_begin(claims: &Claims, name: &'static str, now: Timestamp) -> Result<(), TokenFault> {
    if claims.contains_key(name) && time(claims, name)? > now + SKEW {
        return Err(TokenFault::NotYetValid);
    }
    Ok(())
}

/// Whom the token is about.
pub(super) fn check_subject(claims: &Claims) -> Result<&str, TokenFault> {
    let subject = text(claims, "sub")?;
    if subject.is_empty() || subject.len() > SUBJECT_BYTES_MAX || subject.chars().any(char::is_control) {
        return Err(TokenFault::BadClaim("sub"));
    }
    Ok(subject)
}

/// A claim that must be a text.
pub(super) fn text<'a>(claims: &'a Claims, name: &'static str) -> Result<&'a str, TokenFault> {
    claims.get(name).and_then(Value::as_str).ok_or(TokenFault::BadClaim(name))
}

/// A time in seconds since the epoch, perhaps with a fraction (RFC 7519 section 2).
fn time(claims: &Claims, name: &'static str) -> Result<Timestamp, TokenFault> {
    let fault = TokenFault::BadClaim(name);
    let seconds = claims.get(name).and_then(Value::as_f64).ok_or_else(|| fault.clone())?;
    let since_epoch = Duration::try_from_secs_f64(seconds).map_err(|_| fault)?;
    Ok(Timestamp::from_secs(0) + since_epoch)
}

//! Validation of the `id_token` (OpenID Connect Core section 3.1.3.7, RFC 8725).
//!
//! The library checks the signature; the claims are checked here, because the time must come
//! from our clock and the rules about `azp`, `nonce` and `at_hash` are OpenID Connect's own.

use super::jwks::KeySet;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use mxcp_actors::model::secret::Secret;
use mxcp_actors::model::timestamp::Timestamp;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256, Sha384, Sha512};
use std::str::FromStr;
use std::time::Duration;

/// How far the provider's clock may be from ours.
const SKEW: Duration = Duration::from_mins(1);

/// The longest `sub` (section 2).
const SUBJECT_BYTES_MAX: usize = 255;

/// The claims of a token.
pub(super) type Claims = Map<String, Value>;

/// What is wrong with an `id_token`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum IdTokenFault {
    /// There is none.
    #[error("there is no id_token; is `openid` among the scopes?")]
    Missing,
    /// It is not a signed JWT.
    #[error("the id_token is not a signed JWT")]
    Malformed,
    /// Its algorithm is not acceptable.
    #[error("the id_token is signed with an algorithm that is not accepted")]
    Algorithm,
    /// Its header demands something that we do not know (RFC 7515 section 4.1.11).
    #[error("the id_token has a critical header that is not understood")]
    CriticalHeader,
    /// It is a token of another kind.
    #[error("the id_token says that it is a token of another kind")]
    WrongType,
    /// No published key may have signed it.
    #[error("the id_token is signed with a key that the provider does not publish")]
    UnknownKey,
    /// The signature is not that of the key.
    #[error("the signature of the id_token is wrong")]
    BadSignature,
    /// A claim is missing or has the wrong type.
    #[error("the claim `{0}` of the id_token is missing or has the wrong type")]
    BadClaim(&'static str),
    /// Somebody else issued it.
    #[error("the id_token was issued by somebody else")]
    WrongIssuer,
    /// It is meant for somebody else.
    #[error("the id_token is meant for another client")]
    WrongAudience,
    /// It was issued to somebody else.
    #[error("the id_token was issued to another client")]
    WrongAuthorizedParty,
    /// It is over.
    #[error("the id_token has expired; is the clock of this machine right?")]
    Expired,
    /// Its time has not come.
    #[error("the id_token is not valid yet; is the clock of this machine right?")]
    NotYetValid,
    /// It belongs to another login.
    #[error("the id_token belongs to another login (its nonce is not ours)")]
    WrongNonce,
    /// It belongs to another access token.
    #[error("the id_token belongs to another access token (at_hash)")]
    WrongAccessTokenHash,
}

/// What a token must agree with.
#[derive(Debug)]
pub(super) struct Expected<'a> {
    /// The provider.
    pub(super) issuer: &'a str,
    /// Us.
    pub(super) client_id: &'a str,
    /// The nonce that we sent.
    pub(super) nonce: &'a Secret,
    /// The access token that came with it.
    pub(super) access_token: &'a Secret,
    /// The time.
    pub(super) now: Timestamp,
}

/// The header of a token, checked, and the token with it.
#[derive(Debug)]
pub(super) struct UnverifiedToken<'a> {
    text: &'a Secret,
    algorithm: Algorithm,
    key_id: Option<String>,
}

impl<'a> UnverifiedToken<'a> {
    /// Reads the header. Keys that the header itself brings (`jwk`, `jku`, `x5u`, `x5c`) are
    /// never looked at: the provider's published keys alone count.
    ///
    /// # Errors
    /// When the header is malformed, or names an algorithm, a type or an extension that is not accepted.
    pub(super) fn read(text: &'a Secret, accepted: &[Algorithm]) -> Result<Self, IdTokenFault> {
        let mut parts = text.expose().split('.');
        let (Some(header), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(IdTokenFault::Malformed);
        };
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| IdTokenFault::Malformed)?;
        let header: Map<String, Value> = serde_json::from_slice(&header).map_err(|_| IdTokenFault::Malformed)?;
        if header.contains_key("crit") {
            return Err(IdTokenFault::CriticalHeader);
        }
        let algorithm = header
            .get("alg")
            .and_then(Value::as_str)
            .and_then(|name| Algorithm::from_str(name).ok())
            .filter(|algorithm| accepted.contains(algorithm))
            .ok_or(IdTokenFault::Algorithm)?;
        check_type(header.get("typ"))?;
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(IdTokenFault::Malformed),
        };
        Ok(Self { text, algorithm, key_id })
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// When no key fits, or none made the signature.
    pub(super) fn verify(&self, keys: &KeySet) -> Result<Claims, IdTokenFault> {
        let mut fault = IdTokenFault::UnknownKey;
        for key in keys.candidates(self.key_id.as_deref(), self.algorithm) {
            match DecodingKey::from_jwk(key).ok().and_then(|key| self.claims_if_signed_with(&key)) {
                Some(claims) => return Ok(claims),
                None => fault = IdTokenFault::BadSignature,
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

    /// Checks every claim.
    ///
    /// # Errors
    /// The first claim that is not as expected.
    pub(super) fn check(&self, claims: &Claims, expected: &Expected<'_>) -> Result<(), IdTokenFault> {
        if text(claims, "iss")? != expected.issuer {
            return Err(IdTokenFault::WrongIssuer);
        }
        check_audience(claims, expected.client_id)?;
        check_times(claims, expected.now)?;
        check_subject(claims)?;
        if !expected.nonce.matches(text(claims, "nonce")?) {
            return Err(IdTokenFault::WrongNonce);
        }
        self.check_access_token(claims, expected.access_token)
    }

    /// Checks `at_hash` where there is one: the left half of the access token's hash (section 3.1.3.6).
    fn check_access_token(&self, claims: &Claims, access_token: &Secret) -> Result<(), IdTokenFault> {
        if !claims.contains_key("at_hash") {
            return Ok(());
        }
        let claimed = text(claims, "at_hash")?;
        let bytes = access_token.expose().as_bytes();
        let digest = match self.algorithm {
            Algorithm::RS256 | Algorithm::PS256 | Algorithm::ES256 => Sha256::digest(bytes).to_vec(),
            Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => Sha384::digest(bytes).to_vec(),
            _ => Sha512::digest(bytes).to_vec(),
        };
        let half = digest.get(..digest.len() / 2).unwrap_or_default();
        if Secret::new(URL_SAFE_NO_PAD.encode(half)).matches(claimed) {
            Ok(())
        } else {
            Err(IdTokenFault::WrongAccessTokenHash)
        }
    }
}

/// An `id_token` has no type or that of a plain JWT; a token that says it is an access token or a
/// logout token is not let pass for one (RFC 8725 section 3.11).
fn check_type(claimed: Option<&Value>) -> Result<(), IdTokenFault> {
    match claimed {
        None => Ok(()),
        Some(Value::String(name)) if name.eq_ignore_ascii_case("jwt") => Ok(()),
        Some(_) => Err(IdTokenFault::WrongType),
    }
}

fn check_audience(claims: &Claims, client_id: &str) -> Result<(), IdTokenFault> {
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(several)) => {
            several.iter().map(Value::as_str).collect::<Option<_>>().ok_or(IdTokenFault::BadClaim("aud"))?
        }
        _ => return Err(IdTokenFault::BadClaim("aud")),
    };
    if !audiences.contains(&client_id) {
        return Err(IdTokenFault::WrongAudience);
    }
    if (audiences.len() > 1 || claims.contains_key("azp")) && text(claims, "azp")? != client_id {
        return Err(IdTokenFault::WrongAuthorizedParty);
    }
    Ok(())
}

fn check_times(claims: &Claims, now: Timestamp) -> Result<(), IdTokenFault> {
    if time(claims, "exp")? + SKEW <= now {
        return Err(IdTokenFault::Expired);
    }
    if time(claims, "iat")? > now + SKEW {
        return Err(IdTokenFault::NotYetValid);
    }
    if claims.contains_key("nbf") && time(claims, "nbf")? > now + SKEW {
        return Err(IdTokenFault::NotYetValid);
    }
    Ok(())
}

fn check_subject(claims: &Claims) -> Result<(), IdTokenFault> {
    let subject = text(claims, "sub")?;
    if subject.is_empty() || subject.len() > SUBJECT_BYTES_MAX || subject.chars().any(char::is_control) {
        return Err(IdTokenFault::BadClaim("sub"));
    }
    Ok(())
}

fn text<'a>(claims: &'a Claims, name: &'static str) -> Result<&'a str, IdTokenFault> {
    claims.get(name).and_then(Value::as_str).ok_or(IdTokenFault::BadClaim(name))
}

/// A time in seconds since the epoch, perhaps with a fraction (RFC 7519 section 2).
fn time(claims: &Claims, name: &'static str) -> Result<Timestamp, IdTokenFault> {
    let fault = IdTokenFault::BadClaim(name);
    let seconds = claims.get(name).and_then(Value::as_f64).ok_or_else(|| fault.clone())?;
    let since_epoch = Duration::try_from_secs_f64(seconds).map_err(|_| fault)?;
    Ok(Timestamp::from_secs(0) + since_epoch)
}

#[cfg(test)]
mod tests;

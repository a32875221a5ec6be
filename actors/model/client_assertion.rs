//! What a client signs to prove who it is: `private_key_jwt` (RFC 7523 section 3, RFC 7521
//! section 4.2, OpenID Connect Core section 9).
//!
//! Reading says nothing about who wrote it: that is known once the signature was checked with
//! the client's own key, and even then the claims must be checked, and that it is its first use.

use super::ids::ClientId;
use super::secret::{Secret, TokenHash};
use super::signing_key::SigningAlgorithm;
use super::timestamp::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use std::fmt;
use std::time::Duration;

/// The longest assertion. The largest signature takes 1,366 bytes of it.
const BYTES_MAX: usize = 8 * 1_024;
/// The longest `jti`.
const ID_BYTES_MAX: usize = 256;
/// How far a client's clock may be from ours.
const LEEWAY: Duration = Duration::from_secs(30);
/// How far ahead `exp` may be. An assertion is for one request, and its `jti` must be remembered
/// until it is over.
const LIFE_MAX: Duration = Duration::from_mins(10);
/// The types that a header may name: none, that of any JWT, and the one that the update of RFC
/// 7523 registers. An access token or an `id_token` of the same key must not pass for an
/// assertion (RFC 8725 section 3.11).
const TYPES: [&str; 2] = ["jwt", "client-authentication+jwt"];

/// What is wrong with an assertion; for the developer of the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionFault {
    /// It is not a signed JWT.
    #[error("client_assertion is not a signed JWT of at most {BYTES_MAX} bytes")]
    Malformed,
    /// Its algorithm is not accepted.
    #[error("alg of client_assertion must be one of: {}", SigningAlgorithm::ALL.map(SigningAlgorithm::as_str).join(", "))]
    Algorithm,
    /// Its header demands something that we do not know (RFC 7515 section 4.1.11).
    #[error("client_assertion has a critical header that is not understood")]
    CriticalHeader,
    /// It is a token of another kind.
    #[error("typ of client_assertion must be JWT or client-authentication+jwt")]
    WrongType,
    /// The client proves itself in another way.
    #[error("this client is not registered with the token_endpoint_auth_method private_key_jwt")]
    NotRegistered,
    /// The client proves itself so, and did not.
    #[error("this client is registered with private_key_jwt and must send client_assertion")]
    Missing,
    /// The client's keys could not be fetched.
    #[error("the keys at jwks_uri of this client cannot be used: {detail}")]
    NoKeys {
        /// Why.
        detail: String,
        /// Whether it may go better in a moment.
        is_passing: bool,
    },
    /// None of the client's keys may have made the signature.
    #[error("the client has no key that fits kid and alg of client_assertion; does its jwks hold the public key?")]
    UnknownKey,
    /// The signature is not that of the key.
    #[error("the signature of client_assertion was not made with the key of the client")]
    BadSignature,
    /// A claim is missing or has the wrong type.
    #[error("the claim {0} of client_assertion is missing or has the wrong type")]
    BadClaim(&'static str),
    /// It is about somebody else.
    #[error("iss and sub of client_assertion must both be the client_id")]
    WrongSubject,
    /// It is meant for another server.
    #[error("aud of client_assertion must be this server: {0}")]
    WrongAudience(String),
    /// It is over.
    #[error("client_assertion has expired; is the clock of the client right?")]
    Expired,
    /// It lasts too long.
    #[error("exp of client_assertion is more than {} s ahead; make a new one for each request", LIFE_MAX.as_secs())]
    LivesTooLong,
    /// Its time has not come.
    #[error("client_assertion is not valid yet; is the clock of the client right?")]
    NotYetValid,
    /// It was used before.
    #[error("client_assertion was used before; make a new one with another jti for each request")]
    Replayed,
    /// The client has used so many that are not over that no more can be remembered.
    #[error("too many assertions of this client are not over yet; let them expire sooner")]
    TooMany,
}

impl AssertionFault {
    /// Whether it may go better in a moment, so that the client must not conclude that it is
    /// unknown: clients that are told so throw away what they have.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::TooMany | Self::NoKeys { is_passing: true, .. })
    }
}

/// An assertion as it was read, of which nothing is known to be true.
#[derive(Clone)]
pub struct ClientAssertion {
    text: Secret,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

/// Neither the signature nor the claims are for a log.
impl fmt::Debug for ClientAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAssertion").finish_non_exhaustive()
    }
}

/// An assertion whose signature and claims are right, as it is remembered so that nobody uses it
/// again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedAssertion {
    /// The client that made it.
    pub client_id: ClientId,
    /// The hash of its `jti`.
    pub id_hash: TokenHash,
    /// When it is over and need not be remembered any more.
    pub expires_at: Timestamp,
}

impl ClientAssertion {
    /// Reads header and claims.
    ///
    /// # Errors
    /// [`AssertionFault::Malformed`] when it is no JWT or far too long, and
    /// [`AssertionFault::BadClaim`] when it does not say whom it is about.
    pub fn read(text: Secret) -> Result<Self, AssertionFault> {
        if text.expose().len() > BYTES_MAX {
            return Err(AssertionFault::Malformed);
        }
        let mut parts = text.expose().split('.');
        let (Some(header), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(AssertionFault::Malformed);
        };
        let (header, claims) = (object(header)?, object(claims)?);
        let assertion = Self { text, header, claims };
        assertion.text_claim("sub")?;
        Ok(assertion)
    }

    /// The client that it says it is about.
    #[must_use]
    pub fn subject(&self) -> ClientId {
        ClientId::new(self.text_claim("sub").unwrap_or_default())
    }

    /// What was signed, and the signature in base64url.
    #[must_use]
    pub fn signed_parts(&self) -> (&str, &str) {
        self.text.expose().rsplit_once('.').unwrap_or_default()
    }

    /// How it says it was signed, and the `kid` of the key.
    ///
    /// Keys that the header itself brings (`jwk`, `jku`, `x5u`, `x5c`) are never looked at: those
    /// that the client registered alone count.
    ///
    /// # Errors
    /// When it names an algorithm, a type or an extension that is not accepted.
    pub fn check_header(&self) -> Result<(SigningAlgorithm, Option<&str>), AssertionFault> {
        if self.header.contains_key("crit") {
            return Err(AssertionFault::CriticalHeader);
        }
        let algorithm = self.header.get("alg").and_then(Value::as_str).and_then(SigningAlgorithm::parse);
        let algorithm = algorithm.ok_or(AssertionFault::Algorithm)?;
        check_type(self.header.get("typ"))?;
        match self.header.get("kid") {
            None => Ok((algorithm, None)),
            Some(Value::String(id)) => Ok((algorithm, Some(id))),
            Some(_) => Err(AssertionFault::Malformed),
        }
    }

    /// Checks whom it is about: issuer and subject are the client (RFC 7523 section 3, points 1
    /// and 2).
    ///
    /// # Errors
    /// When it is somebody else.
    pub fn check_subject(&self, client_id: &ClientId) -> Result<(), AssertionFault> {
        let is_client = |claim: &str| claim == client_id.as_str();
        if is_client(self.text_claim("iss")?) && is_client(self.text_claim("sub")?) {
            Ok(())
        } else {
            Err(AssertionFault::WrongSubject)
        }
    }

    /// Checks every other claim, and tells what to remember. `audiences` are the names of this
    /// server, the one to use first.
    ///
    /// # Errors
    /// The first claim that is not as it must be.
    pub fn check_claims(&self, audiences: &[String], now: Timestamp) -> Result<UsedAssertion, AssertionFault> {
        self.check_audience(audiences)?;
        let expires_at = self.check_times(now)?;
        let id = self.text_claim("jti")?;
        if id.is_empty() || id.len() > ID_BYTES_MAX {
            return Err(AssertionFault::BadClaim("jti"));
        }
        Ok(UsedAssertion { client_id: self.subject(), id_hash: TokenHash::of(id), expires_at })
    }

    /// It is for this server alone: one that is also for another could have been passed on by
    /// it (RFC 7523 section 3, point 3, and the update, which demands the issuer and nothing else).
    fn check_audience(&self, audiences: &[String]) -> Result<(), AssertionFault> {
        let is_ours = |name: &Value| name.as_str().is_some_and(|name| audiences.iter().any(|own| own == name));
        let are_ours = match self.claims.get("aud") {
            Some(Value::Array(names)) => !names.is_empty() && names.iter().all(is_ours),
            Some(name @ Value::String(_)) => is_ours(name),
            _ => return Err(AssertionFault::BadClaim("aud")),
        };
        if are_ours {
            return Ok(());
        }
        Err(AssertionFault::WrongAudience(audiences.first().cloned().unwrap_or_default()))
    }

    /// When it is over, leeway included.
    fn check_times(&self, now: Timestamp) -> Result<Timestamp, AssertionFault> {
        let expires_at = self.time_claim("exp")?.ok_or(AssertionFault::BadClaim("exp"))?;
        if expires_at + LEEWAY <= now {
            return Err(AssertionFault::Expired);
        }
        if expires_at > now + LIFE_MAX {
            return Err(AssertionFault::LivesTooLong);
        }
        for name in ["iat", "nbf"] {
            if self.time_claim(name)?.is_some_and(|begin| begin > now + LEEWAY) {
                return Err(AssertionFault::NotYetValid);
            }
        }
        Ok(expires_at + LEEWAY)
    }

    fn text_claim(&self, name: &'static str) -> Result<&str, AssertionFault> {
        self.claims.get(name).and_then(Value::as_str).ok_or(AssertionFault::BadClaim(name))
    }

    /// A time in seconds since the epoch, perhaps with a fraction (RFC 7519 section 2).
    fn time_claim(&self, name: &'static str) -> Result<Option<Timestamp>, AssertionFault> {
        let Some(value) = self.claims.get(name) else { return Ok(None) };
        let seconds = value.as_f64().ok_or(AssertionFault::BadClaim(name))?;
        let since_epoch = Duration::try_from_secs_f64(seconds).map_err(|_| AssertionFault::BadClaim(name))?;
        Ok(Some(Timestamp::from_secs(0) + since_epoch))
    }
}

fn object(part: &str) -> Result<Map<String, Value>, AssertionFault> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| AssertionFault::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| AssertionFault::Malformed)
}

/// The part before the slash may be left out (RFC 7515 section 4.1.9).
fn check_type(claimed: Option<&Value>) -> Result<(), AssertionFault> {
    match claimed {
        None => Ok(()),
        Some(Value::String(name)) => {
            let name = name.to_ascii_lowercase();
            let name = name.strip_prefix("application/").unwrap_or(&name);
            if TYPES.contains(&name) { Ok(()) } else { Err(AssertionFault::WrongType) }
        }
        Some(_) => Err(AssertionFault::WrongType),
    }
}

#[cfg(test)]
mod tests;

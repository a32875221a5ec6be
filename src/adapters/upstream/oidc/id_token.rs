//! Validation of the `id_token` (OpenID Connect Core section 3.1.3.7): what it must be beyond any
//! other token of the provider.

use super::signed_token::{
    Claims, SignedToken, TokenFault, audiences, check_begin, check_end, check_issuer, check_subject, text,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::model::timestamp::Timestamp;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// What is wrong with an `id_token`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum IdTokenFault {
    /// There is none.
    #[error("there is no id_token; is `openid` among the scopes?")]
    Missing,
    /// It is not what every token must be.
    #[error("the id_token {0}")]
    Token(#[from] TokenFault),
    /// It is meant for somebody else.
    #[error("the id_token is meant for another client")]
    WrongAudience,
    /// It was issued to somebody else.
    #[error("the id_token was issued to another client")]
    WrongAuthorizedParty,
    /// It is about somebody else.
    #[error("the id_token is about somebody else than before")]
    WrongSubject,
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
    /// Its other name, if it has one.
    pub(super) issuer_alias: Option<&'a str>,
    /// Us.
    pub(super) client_id: &'a str,
    /// The nonce that we sent.
    pub(super) nonce: &'a Secret,
    /// The access token that came with it.
    pub(super) access_token: &'a Secret,
    /// The time.
    pub(super) now: Timestamp,
}

/// Reads the header of an `id_token`, which has no type or that of a plain JWT; a token that says
/// it is an access token or a logout token is not let pass for one (RFC 8725 section 3.11).
///
/// # Errors
/// When the header is malformed, or names an algorithm, a type or an extension that is not accepted.
pub(super) fn read<'a>(text: &'a Secret, accepted: &[Algorithm]) -> Result<SignedToken<'a>, IdTokenFault> {
    let token = SignedToken::read(text, accepted)?;
    if token.kind().is_none_or(|kind| kind == "jwt") { Ok(token) } else { Err(TokenFault::WrongType.into()) }
}

/// Checks every claim.
///
/// # Errors
/// The first claim that is not as expected.
pub(super) fn check(token: &SignedToken<'_>, claims: &Claims, expected: &Expected<'_>) -> Result<(), IdTokenFault> {
    check_party(claims, (expected.issuer, expected.issuer_alias), expected.client_id)?;
    check_end(claims, expected.now)?;
    if !claims.contains_key("iat") {
        return Err(TokenFault::BadClaim("iat").into());
    }
    check_begin(claims, "iat", expected.now)?;
    check_begin(claims, "nbf", expected.now)?;
    check_subject(claims)?;
    if !expected.nonce.matches(text(claims, "nonce")?) {
        return Err(IdTokenFault::WrongNonce);
    }
    check_access_token(token.algorithm(), claims, expected.access_token)
}

/// Checks who issued it, under either of its names, and that it is for us.
///
/// # Errors
/// When it was issued by somebody else, or for somebody else.
pub(super) fn check_party(
    claims: &Claims,
    (issuer, alias): (&str, Option<&str>),
    client_id: &str,
) -> Result<(), IdTokenFault> {
    if alias.is_none_or(|alias| text(claims, "iss") != Ok(alias)) {
        check_issuer(claims, issuer)?;
    }
    check_audience(claims, client_id)
}

/// Checks `at_hash` where there is one: the left half of the access token's hash (section 3.1.3.6).
fn check_access_token(algorithm: Algorithm, claims: &Claims, access_token: &Secret) -> Result<(), IdTokenFault> {
    if !claims.contains_key("at_hash") {
        return Ok(());
    }
    let claimed = text(claims, "at_hash")?;
    let bytes = access_token.expose().as_bytes();
    let digest = match algorithm {
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

fn check_audience(claims: &Claims, client_id: &str) -> Result<(), IdTokenFault> {
    let audiences = audiences(claims)?;
    if !audiences.contains(&client_id) {
        return Err(IdTokenFault::WrongAudience);
    }
    if (audiences.len() > 1 || claims.contains_key("azp")) && text(claims, "azp")? != client_id {
        return Err(IdTokenFault::WrongAuthorizedParty);
    }
    Ok(())
}

#[cfg(test)]
mod tests;

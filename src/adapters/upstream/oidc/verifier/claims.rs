//! What an access token must say (RFC 9068 section 4), or an issuer about it (RFC 7662 section 2.2).
//!
//! RFC 9068 demands the type `at+jwt`, by which an access token is told from an `id_token`. Most
//! large issuers write `JWT` or nothing, so a token without that type is taken as well, unless it
//! carries what only a token of another kind does (RFC 8725 section 3.12). The audience is checked
//! in every case, and an `id_token` is meant for a client and not for this server.

use super::super::profile;
use super::super::signed_token::{
    Claims, SignedToken, TokenFault, audiences, check_begin, check_end, check_issuer, check_subject,
};
use mxcp_actors::model::ids::ClientId;
use mxcp_actors::model::principal::Principal;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::timestamp::Timestamp;
use serde_json::Value;
use std::sync::Arc;

/// Claims that stand in an `id_token` or in the notice of a logout, and in no access token.
const CLAIMS_OF_OTHERS: [&str; 4] = ["at_hash", "c_hash", "s_hash", "events"];
/// Claims of which an access token has one as a rule, and an `id_token` none.
const CLAIMS_OF_ACCESS: [&str; 3] = ["scope", "scp", "client_id"];
/// Claims with which some issuers say what a token is for, and what they say of an access token.
const USES: [&str; 3] = ["typ", "token_use", "token_type"];
const USES_OF_ACCESS: [&str; 5] = ["bearer", "access", "access_token", "at+jwt", "jwt"];

/// What is wrong with an access token; for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AccessTokenFault {
    /// It is not what every token must be.
    #[error("the access token {0}")]
    Token(#[from] TokenFault),
    /// It is longer than any real one.
    #[error("the access token is longer than any that is looked at")]
    TooLong,
    /// It is meant for somebody else.
    #[error("the access token is not meant for this server: its aud must contain {0}")]
    WrongAudience(String),
    /// The issuer does not say whom it is meant for.
    #[error(
        "the issuer does not say whom the access token is meant for: its introspection answer must have an aud that \
         contains {0}, or verification must be jwt"
    )]
    NoAudience(String),
    /// It is a token for another purpose.
    #[error("the token is not an access token but one for another purpose, such as an id_token or a refresh token")]
    OtherKind,
    /// Whoever shows it would have to prove more.
    #[error("the access token is bound to a key of its client (cnf), of which this server cannot check the proof")]
    Bound,
    /// The issuer says that it is not valid.
    #[error("the issuer says that the access token is not active")]
    Inactive,
}

/// What a token must agree with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    /// Who issues tokens.
    pub(super) issuer: &'a str,
    /// The names of this server, the one to use first.
    pub(super) audiences: &'a [String],
    /// The time.
    pub(super) now: Timestamp,
}

impl Expected<'_> {
    fn audience(&self) -> String {
        self.audiences.first().cloned().unwrap_or_default()
    }

    fn is_meant(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.audiences.iter().any(|own| own == name))
    }
}

/// Checks every claim of a signed token, and tells from when on it is not accepted any more.
///
/// # Errors
/// The first claim that is not as expected.
pub(super) fn check_token(
    token: &SignedToken<'_>,
    claims: &Claims,
    expected: Expected<'_>,
) -> Result<Timestamp, AccessTokenFault> {
    check_kind(token.kind(), claims)?;
    check_issuer(claims, expected.issuer)?;
    if !expected.is_meant(&audiences(claims)?) {
        return Err(AccessTokenFault::WrongAudience(expected.audience()));
    }
    let end = check_end(claims, expected.now)?;
    check_rest(claims, expected.now)?;
    Ok(end)
}

fn check_kind(kind: Option<&str>, claims: &Claims) -> Result<(), AccessTokenFault> {
    match kind {
        None | Some("jwt") if is_of_another_kind(claims) => Err(AccessTokenFault::OtherKind),
        None | Some("jwt" | "at+jwt") => Ok(()),
        Some(_) => Err(TokenFault::WrongType.into()),
    }
}

/// Checks what an issuer says about a token that it calls active; the end is there if it names
/// one. It may leave most of it out, and what it says must be right.
///
/// # Errors
/// The first member that is not as expected.
pub(super) fn check_answer(claims: &Claims, expected: Expected<'_>) -> Result<Option<Timestamp>, AccessTokenFault> {
    if is_of_another_kind(claims) {
        return Err(AccessTokenFault::OtherKind);
    }
    if claims.contains_key("iss") {
        check_issuer(claims, expected.issuer)?;
    }
    if claims.get("aud").is_none_or(Value::is_null) {
        return Err(AccessTokenFault::NoAudience(expected.audience()));
    }
    if !expected.is_meant(&audiences(claims)?) {
        return Err(AccessTokenFault::WrongAudience(expected.audience()));
    }
    let end = claims.contains_key("exp").then(|| check_end(claims, expected.now)).transpose()?;
    check_rest(claims, expected.now)?;
    Ok(end)
}

fn check_rest(claims: &Claims, now: Timestamp) -> Result<(), AccessTokenFault> {
    check_begin(claims, "nbf", now)?;
    check_begin(claims, "iat", now)?;
    check_subject(claims)?;
    // Taken for a plain bearer token it would be worth more to a thief than its issuer meant
    // (RFC 7800 section 3.1, RFC 9449 section 7, RFC 8705 section 3).
    if claims.contains_key("cnf") { Err(AccessTokenFault::Bound) } else { Ok(()) }
}

fn is_of_another_kind(claims: &Claims) -> bool {
    let has = |name: &&str| claims.contains_key(*name);
    let is_for_another_use = |name: &&str| claims.get(*name).is_some_and(|claimed| !names_access(claimed));
    CLAIMS_OF_OTHERS.iter().any(has)
        || (has(&"nonce") && !CLAIMS_OF_ACCESS.iter().any(has))
        || USES.iter().any(is_for_another_use)
}

fn names_access(claimed: &Value) -> bool {
    claimed.as_str().is_some_and(|claimed| USES_OF_ACCESS.iter().any(|access| access.eq_ignore_ascii_case(claimed)))
}

/// Who calls with a token of these claims. What they do not say the caller has not: above all, a
/// token without scopes allows nothing that needs one.
///
/// # Errors
/// When they say it in a way that is not understood.
pub(super) fn principal(provider: &str, claims: Claims) -> Result<Principal, TokenFault> {
    let subject = check_subject(&claims)?.to_owned();
    let client = ["client_id", "azp"].iter().find_map(|name| claims.get(*name)?.as_str());
    let client_id = client.map(ClientId::new);
    let scopes = scopes(&claims)?;
    let user = profile::user(provider, &subject, profile::merge(claims, None));
    Ok(Principal { user: Some(Arc::new(user)), client_id, scopes, ..Principal::anonymous() })
}

/// `scope` is a text with spaces between (RFC 9068 section 2.2.3); some issuers write a list, or
/// call it `scp`.
fn scopes(claims: &Claims) -> Result<ScopeSet, TokenFault> {
    match claims.get("scope").map(|value| ("scope", value)).or_else(|| claims.get("scp").map(|value| ("scp", value))) {
        None | Some((_, Value::Null)) => Ok(ScopeSet::default()),
        Some((name, Value::String(text))) => ScopeSet::parse(text).ok_or(TokenFault::BadClaim(name)),
        Some((name, Value::Array(list))) => {
            let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
            texts.and_then(|texts| ScopeSet::parse(&texts.join(" "))).ok_or(TokenFault::BadClaim(name))
        }
        Some((name, _)) => Err(TokenFault::BadClaim(name)),
    }
}

#[cfg(test)]
mod tests;

//! Claims of an access token that is a JWT, for providers that put there what they say nowhere
//! else.
//!
//! The token came from the provider's own token endpoint, in an answer to us. Its signature is
//! checked all the same, and its audience is not: it is for the provider's APIs.

use super::signed_token::{Claims, SignedToken, TokenFault, check_end, check_issuer, text};
use jsonwebtoken::Algorithm;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::model::timestamp::Timestamp;

/// What the header may call such a token: nothing, a plain JWT as Keycloak does, or what it is
/// (RFC 9068 section 2.1).
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// What a token must agree with.
#[derive(Debug)]
pub(super) struct Expected<'a> {
    /// The provider.
    pub(super) issuer: &'a str,
    /// The person whom the `id_token` names.
    pub(super) subject: &'a str,
    /// Us.
    pub(super) client_id: &'a str,
    /// The time.
    pub(super) now: Timestamp,
}

/// Reads the header of an access token.
///
/// # Errors
/// When the header is malformed, or names an algorithm, a type or an extension that is not accepted.
pub(super) fn read<'a>(text: &'a Secret, accepted: &[Algorithm]) -> Result<SignedToken<'a>, TokenFault> {
    let token = SignedToken::read(text, accepted)?;
    if token.kind().is_none_or(|kind| TYPES.contains(&kind)) { Ok(token) } else { Err(TokenFault::WrongType) }
}

/// Checks that the claims of a token with a good signature are about this login.
///
/// The subject may be missing: not every realm of Keycloak puts it into access tokens.
///
/// # Errors
/// The first claim that is not as expected.
pub(super) fn check(claims: &Claims, expected: &Expected<'_>) -> Result<(), TokenFault> {
    check_issuer(claims, expected.issuer)?;
    if claims.contains_key("sub") && text(claims, "sub")? != expected.subject {
        return Err(TokenFault::BadClaim("sub"));
    }
    if claims.contains_key("azp") && text(claims, "azp")? != expected.client_id {
        return Err(TokenFault::BadClaim("azp"));
    }
    check_end(claims, expected.now).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn fault(name: &str, value: Value) -> Option<TokenFault> {
        let mut claims = json!({"iss": "https://idp", "sub": "7", "azp": "mxcp", "aud": "account", "exp": 1_000});
        claims[name] = value;
        let expected =
            Expected { issuer: "https://idp", subject: "7", client_id: "mxcp", now: Timestamp::from_secs(1_000) };
        check(claims.as_object().unwrap(), &expected).err()
    }

    #[test]
    fn a_token_of_this_login_is_good_whoever_it_is_for() {
        assert_eq!(fault("aud", json!(["other", "api"])), None);
        assert_eq!(fault("aud", Value::Null), None);
    }

    #[test]
    fn a_token_of_somebody_else_is_not() {
        assert_eq!(fault("iss", json!("https://idp/")), Some(TokenFault::WrongIssuer));
        assert_eq!(fault("sub", json!("8")), Some(TokenFault::BadClaim("sub")));
        assert_eq!(fault("azp", json!("other")), Some(TokenFault::BadClaim("azp")));
        assert_eq!(fault("exp", json!(940)), Some(TokenFault::Expired));
        assert_eq!(fault("exp", json!("soon")), Some(TokenFault::BadClaim("exp")));
    }
}

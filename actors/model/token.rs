//! Our tokens as they are kept, and the provider's tokens that stand behind them.

use super::ids::{SessionId, UserId};
use super::principal::Principal;
use super::resource::Resource;
use super::scope::ScopeSet;
use super::secret::{Secret, TokenHash};
use super::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// An access token as it is kept: its hash and what it allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessTokenRecord {
    /// Hash of the token.
    pub hash: TokenHash,
    /// The session that it belongs to.
    pub session_id: SessionId,
    /// What it allows; never more than the session.
    pub scopes: ScopeSet,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// A refresh token as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshTokenRecord {
    /// Hash of the token.
    pub hash: TokenHash,
    /// The session, which is the token's family.
    pub session_id: SessionId,
    /// When it stops working unless it is used.
    pub expires_at: Timestamp,
    /// Set once it was used.
    pub rotation: Option<Rotation>,
}

/// How a used refresh token was replaced.
///
/// The successors can be worked out again from the used token and `salt` together, and from
/// neither alone: so that a client which retries after a lost answer gets the same pair, while
/// the store holds no token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// When it was used.
    pub rotated_at: Timestamp,
    /// Half of what the successors were derived from, in base64url.
    pub salt: String,
    /// Scopes of the access token that was given with it.
    pub scopes: ScopeSet,
    /// When that access token expires.
    pub access_expires_at: Timestamp,
    /// Whether an unclaimed session was bound to a client by it.
    #[serde(default)]
    pub is_claim: bool,
}

/// A pair of tokens on its way to the client.
#[derive(Clone, Debug)]
pub struct IssuedTokens {
    /// The access token.
    pub access_token: Secret,
    /// How long it works from now.
    pub expires_in: Duration,
    /// The refresh token, when the client may use one.
    pub refresh_token: Option<Secret>,
    /// What the access token allows.
    pub scopes: ScopeSet,
    /// The session that both belong to.
    pub session_id: SessionId,
    /// Whose session that is.
    pub user_id: UserId,
}

/// What a valid access token stands for: read on every call, so it is shared, not copied.
#[derive(Clone, Debug)]
pub struct AccessGrant {
    /// Who calls.
    pub principal: Arc<Principal>,
    /// The audience that the token was issued for.
    pub resource: Resource,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// A provider's tokens. They never leave the server, except into the caller's own SQL.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UpstreamTokens {
    /// The access token.
    pub access_token: Secret,
    /// The refresh token, when the provider gives one.
    pub refresh_token: Option<Secret>,
    /// When the access token expires; `None` when the provider does not say.
    pub expires_at: Option<Timestamp>,
    /// The scopes that the provider granted.
    pub scope: ScopeSet,
}

impl UpstreamTokens {
    /// Whether the access token is used up, or will be within `skew`.
    #[must_use]
    pub fn is_due(&self, now: Timestamp, skew: Duration) -> bool {
        self.expires_at.is_some_and(|at| now + skew >= at)
    }
}

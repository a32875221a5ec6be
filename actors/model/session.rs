//! A person's stay: who signed in, through what, and until when.

use super::client::{Client, ClientOrigin};
use super::ids::{ClientId, SessionId};
use super::principal::User;
use super::resource::Resource;
use super::scope::ScopeSet;
use super::secret::TokenHash;
use super::timestamp::Timestamp;
use super::token::UpstreamTokens;
use serde::{Deserialize, Serialize};

/// What a session was opened for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum SessionKind {
    /// A client that holds tokens.
    Client {
        /// The client.
        client_id: ClientId,
    },
    /// A person's browser on the server's own pages, named by the hash of its cookie.
    Browser {
        /// Hash of the cookie.
        cookie_hash: TokenHash,
    },
    /// A client that is not known by name: the session was taken over from the Python product,
    /// which did not note whom it gave tokens to. It belongs to the client that refreshes first,
    /// of those that [`Session::may_be_claimed_by`] lets.
    Unclaimed,
}

/// A session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Its identifier.
    pub id: SessionId,
    /// What it was opened for.
    pub kind: SessionKind,
    /// Who signed in.
    pub user: User,
    /// What was granted.
    pub scopes: ScopeSet,
    /// The audience of its tokens.
    pub resource: Resource,
    /// The provider's tokens; `None` for local users.
    pub upstream: Option<UpstreamTokens>,
    /// When the person signed in.
    pub created_at: Timestamp,
    /// When it ends unless it is used before.
    pub idle_expires_at: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
}

impl Session {
    /// Whether the session is over.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at || now >= self.idle_expires_at
    }

    /// The client that holds its tokens.
    #[must_use]
    pub fn client_id(&self) -> Option<&ClientId> {
        match &self.kind {
            SessionKind::Client { client_id } => Some(client_id),
            SessionKind::Browser { .. } | SessionKind::Unclaimed => None,
        }
    }

    /// Whether `client`, which has proved itself and holds the refresh token, may be the one that
    /// an unclaimed session was opened for: it was there before the session, and could have been
    /// granted what the session allows. Whoever registers today can claim nothing.
    #[must_use]
    pub fn may_be_claimed_by(&self, client: &Client) -> bool {
        let was_there = match client.origin {
            ClientOrigin::Configured => true,
            ClientOrigin::Registered => client.issued_at <= self.created_at,
            // The Python product knew none of these.
            ClientOrigin::Document => false,
        };
        self.kind == SessionKind::Unclaimed && was_there && client.scope.contains_all(&self.scopes)
    }

    /// Binds an unclaimed session to a client, for good.
    pub fn claim(&mut self, client_id: ClientId) {
        if self.kind == SessionKind::Unclaimed {
            self.kind = SessionKind::Client { client_id };
        }
    }
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The person signed out.
    SignedOut,
    /// The client revoked its tokens.
    Revoked,
    /// Its time was over.
    Expired,
    /// An authorization code was redeemed twice.
    CodeReplayed,
    /// A refresh token that had been replaced was used again.
    RefreshTokenReplayed,
    /// The provider says that its grant is gone.
    UpstreamGrantEnded,
    /// The person is not among the users of the configuration any more.
    UserRemoved,
}

impl EndReason {
    /// Whether the provider's tokens are to be revoked at the provider as well: when somebody
    /// ended the session, not when its time was over or the provider was first.
    #[must_use]
    pub const fn revokes_upstream(self) -> bool {
        match self {
            Self::SignedOut | Self::Revoked | Self::CodeReplayed | Self::RefreshTokenReplayed | Self::UserRemoved => {
                true
            }
            Self::Expired | Self::UpstreamGrantEnded => false,
        }
    }

    /// The word that the audit log uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::CodeReplayed => "code_replayed",
            Self::RefreshTokenReplayed => "refresh_token_replayed",
            Self::UpstreamGrantEnded => "upstream_grant_ended",
            Self::UserRemoved => "user_removed",
        }
    }
}

//! What sessions are told and asked.

use crate::mailbox::Unavailable;
use crate::model::client::Client;
use crate::model::ids::{ClientId, SessionId, UserId};
use crate::model::principal::User;
use crate::model::resource::Resource;
use crate::model::scope::ScopeSet;
use crate::model::secret::Secret;
use crate::model::session::{EndReason, Session};
use crate::model::timestamp::Timestamp;
use crate::model::token::{IssuedTokens, UpstreamTokens};
use crate::ports::StoreError;
use actix::Message;
use std::ops::Range;

/// Why sessions could not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The session is over.
    #[error("the session has ended")]
    Ended,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Sessions did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why a refresh token gives no new tokens (RFC 6749 section 6).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefreshError {
    /// Unknown, expired, revoked, or of another client: the caller is not told which.
    #[error("the refresh token is not valid")]
    Invalid,
    /// It had been replaced: somebody has a copy, so the session was ended.
    #[error("the refresh token was used before; the session has been ended")]
    Replayed,
    /// More was asked for than was granted.
    #[error("the scope is wider than what was granted")]
    ScopeTooWide,
    /// The person is not entitled to any of it any more. The token stays as it is, in case that they
    /// will be again.
    #[error("the person is not entitled to any of this scope any more")]
    NothingLeft,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Sessions did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Who opens a session, for what.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The client that will hold tokens; `None` for a person's browser.
    pub client_id: Option<ClientId>,
    /// Who signed in.
    pub user: User,
    /// What was granted.
    pub scopes: ScopeSet,
    /// The audience.
    pub resource: Resource,
    /// The provider's tokens.
    pub upstream: Option<UpstreamTokens>,
}

/// A session that was opened.
#[derive(Clone, Debug)]
pub struct OpenedSession {
    /// Its identifier.
    pub id: SessionId,
    /// The browser's cookie, for a browser session.
    pub cookie: Option<Secret>,
}

/// Opens a session. Sent by `authorization`.
#[derive(Debug, Message)]
#[rtype(result = "Result<OpenedSession, SessionError>")]
pub(crate) struct OpenSession {
    pub(crate) session: NewSession,
}

/// Issues the first tokens of a session. Sent by `authorization`, once per redeemed code.
#[derive(Debug, Message)]
#[rtype(result = "Result<IssuedTokens, SessionError>")]
pub(crate) struct IssueTokens {
    pub(crate) session_id: SessionId,
    pub(crate) with_refresh: bool,
}

/// Replaces a refresh token. Sent by `authorization`. The same token again within the grace
/// period gives the same answer; later it ends the session.
#[derive(Debug, Message)]
#[rtype(result = "Result<IssuedTokens, RefreshError>")]
pub(crate) struct RefreshTokens {
    pub(crate) token: Secret,
    /// Who holds it and has proved to be that client.
    pub(crate) client: Client,
    pub(crate) scopes: Option<ScopeSet>,
}

/// Ends what a token stands for (RFC 7009): a refresh token its whole session, an access token
/// itself. Sent by `authorization`. `None` when there is no such token of that client.
#[derive(Debug, Message)]
#[rtype(result = "Result<Option<Session>, SessionError>")]
pub(crate) struct RevokeToken {
    pub(crate) token: Secret,
    pub(crate) client_id: ClientId,
}

/// Ends a session and all its tokens. Sent by coordinators. Idempotent: a second time is `None`.
#[derive(Debug, Message)]
#[rtype(result = "Result<Option<Session>, SessionError>")]
pub(crate) struct EndSession {
    pub(crate) session_id: SessionId,
    pub(crate) reason: EndReason,
}

/// Ends all sessions of a person; tells how many. Sent by `authorization`.
#[derive(Debug, Message)]
#[rtype(result = "Result<usize, SessionError>")]
pub(crate) struct EndUserSessions {
    pub(crate) user_id: UserId,
    pub(crate) reason: EndReason,
}

/// Looks up a live session.
#[derive(Debug, Message)]
#[rtype(result = "Result<Option<Session>, SessionError>")]
pub(crate) struct FindSession {
    pub(crate) session_id: SessionId,
}

/// Looks up the live session of a browser's cookie.
#[derive(Debug, Message)]
#[rtype(result = "Result<Option<Session>, SessionError>")]
pub(crate) struct FindBrowserSession {
    pub(crate) cookie: Secret,
}

/// Whether a person has a live session that holds a provider's tokens. Sent by `token_refresh`.
#[derive(Debug, Message)]
#[rtype(result = "Result<bool, SessionError>")]
pub(crate) struct HasProviderSession {
    pub(crate) user_id: UserId,
}

/// Sessions whose provider token expires soon. Sent by `token_refresh`.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<SessionId>, SessionError>")]
pub(crate) struct ListRefreshDue {
    pub(crate) due: Range<Timestamp>,
    pub(crate) limit: usize,
}

/// Keeps new provider tokens; false when the session has ended. Sent by `token_refresh`.
#[derive(Debug, Message)]
#[rtype(result = "Result<bool, SessionError>")]
pub(crate) struct StoreUpstreamTokens {
    pub(crate) session_id: SessionId,
    pub(crate) tokens: UpstreamTokens,
}

/// Sweeps what is over.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct TickExpiry;

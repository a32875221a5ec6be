//! Where sessions and the hashes of our tokens are kept.

use super::StoreResult;
use crate::model::ids::{ClientId, SessionId, UserId};
use crate::model::secret::TokenHash;
use crate::model::session::Session;
use crate::model::timestamp::Timestamp;
use crate::model::token::{AccessTokenRecord, RefreshTokenRecord, Rotation, UpstreamTokens};
use std::ops::Range;
use std::sync::Arc;

/// A change of tokens that happens whole or not at all.
#[derive(Clone, Debug)]
pub struct TokenChange {
    /// The refresh token that is used up by it, and how; it must not have been used before.
    pub rotated: Option<(TokenHash, Rotation)>,
    /// The new access token.
    pub access: AccessTokenRecord,
    /// The new refresh token.
    pub refresh: Option<RefreshTokenRecord>,
    /// The session's new idle limit.
    pub idle_expires_at: Timestamp,
    /// The client that an unclaimed session belongs to from now on.
    pub claimed_by: Option<ClientId>,
}

/// What is loaded at start.
#[derive(Clone, Debug)]
pub enum Loaded {
    /// A session that is not over.
    Session(Box<Session>),
    /// An access token that is not over, also of a session that is.
    AccessToken(AccessTokenRecord),
}

/// What is done with each that is loaded.
pub type SessionVisitor = Arc<dyn Fn(Loaded) + Send + Sync>;

/// Keeps sessions and tokens.
pub trait SessionStore: Send + Sync + std::fmt::Debug {
    /// Shows every session that is not over, and when all were shown, every access token that is not
    /// over; otherwise in no order, and on several threads at a time: there may be very many, and
    /// the daemon waits for it at its start.
    fn load_sessions(&self, now: Timestamp, visit: SessionVisitor) -> StoreResult<'_, ()>;

    /// Adds a session.
    fn insert_session(&self, session: Session) -> StoreResult<'_, ()>;

    /// The session of that identifier.
    fn find_session(&self, id: SessionId) -> StoreResult<'_, Option<Session>>;

    /// The sessions of a person.
    fn list_user_sessions(&self, user: UserId) -> StoreResult<'_, Vec<Session>>;

    /// The browser session of that cookie.
    fn find_browser_session(&self, cookie: TokenHash) -> StoreResult<'_, Option<Session>>;

    /// Removes a session with all its tokens; the first to do so gets it back.
    fn remove_session(&self, id: SessionId) -> StoreResult<'_, Option<Session>>;

    /// Applies `change`; false when the session is gone or the token had been rotated already,
    /// and then nothing is changed.
    fn change_tokens(&self, session: SessionId, change: TokenChange) -> StoreResult<'_, bool>;

    /// The refresh token of that hash, used or not.
    fn find_refresh_token(&self, hash: TokenHash) -> StoreResult<'_, Option<RefreshTokenRecord>>;

    /// The session of an access token, valid or not.
    fn find_access_token(&self, hash: TokenHash) -> StoreResult<'_, Option<AccessTokenRecord>>;

    /// Removes one access token; true when it was there.
    fn remove_access_token(&self, hash: TokenHash) -> StoreResult<'_, bool>;

    /// Replaces the provider's tokens of a session; false when the session is gone.
    fn put_upstream_tokens(&self, id: SessionId, tokens: UpstreamTokens) -> StoreResult<'_, bool>;

    /// Sessions whose provider token can be refreshed and expires within `due`, at most `limit`,
    /// those that expire first first.
    fn list_refresh_due(&self, due: Range<Timestamp>, limit: usize) -> StoreResult<'_, Vec<SessionId>>;

    /// Removes up to `limit` expired access tokens and expired refresh tokens (used
    /// ones stay until then, so that a replay is recognised), and returns up to `limit` sessions that are over (not removed yet).
    fn sweep_sessions(&self, now: Timestamp, limit: usize) -> StoreResult<'_, SweptTokens>;
}

/// What a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweptTokens {
    /// Access tokens that were removed.
    pub access_tokens: Vec<TokenHash>,
    /// Sessions that are over and wait to be ended.
    pub expired_sessions: Vec<SessionId>,
}

//! The rules of sessions and tokens.

use super::messages::NewSession;
use crate::model::client::Client;
use crate::model::ids::{ClientId, SessionId};
use crate::model::scope::ScopeSet;
use crate::model::secret::{Secret, TokenHash};
use crate::model::session::{Session, SessionKind};
use crate::model::timestamp::Timestamp;
use crate::model::token::{RefreshTokenRecord, Rotation};
use crate::settings::Lifetimes;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::time::Duration;

/// What access tokens begin with, so that secret scanners know them.
pub(super) const ACCESS_PREFIX: &str = "mxcp_at_";
/// What refresh tokens begin with.
pub(super) const REFRESH_PREFIX: &str = "mxcp_rt_";
/// What browser cookies begin with.
pub(super) const COOKIE_PREFIX: &str = "mxcp_bs_";
/// How long a person stays signed in on the server's own pages.
const BROWSER_SESSION: Duration = Duration::from_secs(12 * 60 * 60);
/// How much longer than its code a session without tokens is kept.
const REDEMPTION_SLACK: Duration = Duration::from_secs(60);

/// A new session. A client's lives only as long as its code until tokens are issued.
pub(super) fn open_session(
    new: NewSession,
    id: SessionId,
    cookie: Option<TokenHash>,
    now: Timestamp,
    lifetimes: &Lifetimes,
) -> Session {
    let (kind, idle, max) = match (cookie, new.client_id) {
        (Some(cookie_hash), _) => (SessionKind::Browser { cookie_hash }, BROWSER_SESSION, BROWSER_SESSION),
        (None, Some(client_id)) => (
            SessionKind::Client { client_id },
            lifetimes.authorization_code + REDEMPTION_SLACK,
            lifetimes.refresh_token_max,
        ),
        // A session that is neither would belong to nobody; it is over at once.
        (None, None) => (SessionKind::Client { client_id: ClientId::new("") }, Duration::ZERO, Duration::ZERO),
    };
    Session {
        id,
        kind,
        user: new.user,
        scopes: new.scopes,
        resource: new.resource,
        upstream: new.upstream,
        created_at: now,
        idle_expires_at: now + idle,
        expires_at: now + max,
    }
}

/// When tokens that are issued now stop working.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expiries {
    pub(super) access: Timestamp,
    pub(super) idle: Timestamp,
}

/// Tokens never outlive their session, whose end may be nearer than an access token lives;
/// without a refresh token the session ends with the access token.
pub(super) fn expiries(session: &Session, now: Timestamp, with_refresh: bool, lifetimes: &Lifetimes) -> Expiries {
    let idle = if with_refresh { lifetimes.refresh_token_idle } else { lifetimes.access_token };
    let idle = (now + idle).min(session.expires_at);
    Expiries { access: (now + lifetimes.access_token).min(idle), idle }
}

/// What to do with a refresh token that was presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RefreshJudgement {
    /// Replace it.
    Rotate {
        /// What the new access token allows.
        scopes: ScopeSet,
        /// Whether the session belongs to the client only from now on.
        is_claim: bool,
    },
    /// It was replaced a moment ago: give the same answer again.
    Repeat(Rotation),
    /// It was replaced too long ago.
    Replayed,
    /// It is not valid for this client, or not any more.
    Invalid,
    /// More was asked for than was granted.
    ScopeTooWide,
}

/// Who refreshes, and what for.
#[derive(Clone, Copy, Debug)]
pub(super) struct RefreshedBy<'a> {
    /// The client, which has proved itself.
    pub(super) client: &'a Client,
    /// The scopes that it asks for, if it does.
    pub(super) asked: Option<&'a ScopeSet>,
    /// The session's scopes with everything that follows from them: a refresh may narrow to any.
    pub(super) held: &'a ScopeSet,
}

/// Judges a presented refresh token (RFC 9700 section 4.14).
pub(super) fn judge_refresh(
    record: &RefreshTokenRecord,
    session: &Session,
    RefreshedBy { client, asked, held }: RefreshedBy<'_>,
    now: Timestamp,
    grace: Duration,
) -> RefreshJudgement {
    let is_claim = session.may_be_claimed_by(client);
    let is_its_own = session.client_id() == Some(&client.id);
    if session.is_expired(now) {
        return RefreshJudgement::Invalid;
    }
    if !is_its_own && !is_claim {
        // Two clients hold the token that bound the session to one of them. One has stolen it,
        // and nobody can tell which.
        let was_claimed_with_it = record.rotation.as_ref().is_some_and(|rotation| rotation.is_claim);
        return if was_claimed_with_it { RefreshJudgement::Replayed } else { RefreshJudgement::Invalid };
    }
    if let Some(rotation) = &record.rotation {
        // With no grace at all the same instant is too late as well.
        let is_in_grace = !grace.is_zero() && now.since(rotation.rotated_at) <= grace;
        return if is_in_grace { RefreshJudgement::Repeat(rotation.clone()) } else { RefreshJudgement::Replayed };
    }
    if now >= record.expires_at {
        return RefreshJudgement::Invalid;
    }
    match asked {
        Some(scopes) if !held.contains_all(scopes) => RefreshJudgement::ScopeTooWide,
        Some(scopes) if !scopes.is_empty() => RefreshJudgement::Rotate { scopes: scopes.clone(), is_claim },
        _ => RefreshJudgement::Rotate { scopes: session.scopes.clone(), is_claim },
    }
}

/// The token that follows `used`: it needs both the used token, which only its holder has, and
/// the salt, which only the store has.
pub(super) fn successor(used: &Secret, salt: &str, prefix: &str) -> Secret {
    // An HMAC takes a key of any length, so this cannot fail; an empty token is never issued.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(used.expose().as_bytes()) else {
        return Secret::default();
    };
    mac.update(prefix.as_bytes());
    mac.update(salt.as_bytes());
    Secret::new(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())))
}

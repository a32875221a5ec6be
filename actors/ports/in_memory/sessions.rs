//! Sessions and tokens.

use super::locked;
use crate::model::ids::{SessionId, UserId};
use crate::model::secret::TokenHash;
use crate::model::session::{Session, SessionKind};
use crate::model::timestamp::Timestamp;
use crate::model::token::{AccessTokenRecord, RefreshTokenRecord, UpstreamTokens};
use crate::ports::StoreResult;
use crate::ports::session_store::{Loaded, SessionStore, SessionVisitor, SweptTokens, TokenChange};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Mutex;

#[derive(Debug, Default)]
struct Rows {
    sessions: HashMap<SessionId, Session>,
    browsers: HashMap<TokenHash, SessionId>,
    access: HashMap<TokenHash, AccessTokenRecord>,
    refresh: HashMap<TokenHash, RefreshTokenRecord>,
}

/// Keeps sessions in memory.
#[derive(Debug, Default)]
pub struct MemorySessions {
    rows: Mutex<Rows>,
}

impl SessionStore for MemorySessions {
    fn load_sessions(&self, now: Timestamp, visit: SessionVisitor) -> StoreResult<'_, ()> {
        locked(&self.rows, |rows| {
            let live = rows.sessions.values().filter(|session| !session.is_expired(now));
            live.for_each(|session| visit(Loaded::Session(Box::new(session.clone()))));
            let live = rows.access.values().filter(|token| now < token.expires_at);
            live.for_each(|token| visit(Loaded::AccessToken(token.clone())));
        })
    }

    fn insert_session(&self, session: Session) -> StoreResult<'_, ()> {
        locked(&self.rows, |rows| {
            if let SessionKind::Browser { cookie_hash } = &session.kind {
                rows.browsers.insert(*cookie_hash, session.id.clone());
            }
            rows.sessions.insert(session.id.clone(), session);
        })
    }

    fn find_session(&self, id: SessionId) -> StoreResult<'_, Option<Session>> {
        locked(&self.rows, |rows| rows.sessions.get(&id).cloned())
    }

    fn list_user_sessions(&self, user: UserId) -> StoreResult<'_, Vec<Session>> {
        locked(&self.rows, |rows| rows.sessions.values().filter(|session| session.user.id == user).cloned().collect())
    }

    fn find_browser_session(&self, cookie: TokenHash) -> StoreResult<'_, Option<Session>> {
        locked(&self.rows, |rows| rows.browsers.get(&cookie).and_then(|id| rows.sessions.get(id)).cloned())
    }

    fn remove_session(&self, id: SessionId) -> StoreResult<'_, Option<Session>> {
        locked(&self.rows, |rows| {
            let session = rows.sessions.remove(&id)?;
            if let SessionKind::Browser { cookie_hash } = &session.kind {
                rows.browsers.remove(cookie_hash);
            }
            rows.access.retain(|_, token| token.session_id != id);
            rows.refresh.retain(|_, token| token.session_id != id);
            Some(session)
        })
    }

    fn change_tokens(&self, session: SessionId, change: TokenChange) -> StoreResult<'_, bool> {
        locked(&self.rows, |rows| rows.change_tokens(&session, change).is_some())
    }

    fn find_refresh_token(&self, hash: TokenHash) -> StoreResult<'_, Option<RefreshTokenRecord>> {
        locked(&self.rows, |rows| rows.refresh.get(&hash).cloned())
    }

    fn find_access_token(&self, hash: TokenHash) -> StoreResult<'_, Option<AccessTokenRecord>> {
        locked(&self.rows, |rows| rows.access.get(&hash).cloned())
    }

    fn remove_access_token(&self, hash: TokenHash) -> StoreResult<'_, bool> {
        locked(&self.rows, |rows| rows.access.remove(&hash).is_some())
    }

    fn put_upstream_tokens(&self, id: SessionId, tokens: UpstreamTokens) -> StoreResult<'_, bool> {
        locked(&self.rows, |rows| rows.sessions.get_mut(&id).map(|session| session.upstream = Some(tokens)).is_some())
    }

    fn list_refresh_due(&self, due: Range<Timestamp>, limit: usize) -> StoreResult<'_, Vec<SessionId>> {
        locked(&self.rows, |rows| {
            let expiry = |tokens: &UpstreamTokens| tokens.refresh_token.as_ref().and(tokens.expires_at);
            let mut found: Vec<(Timestamp, &SessionId)> = rows
                .sessions
                .values()
                .filter_map(|session| Some((session.upstream.as_ref().and_then(expiry)?, &session.id)))
                .filter(|(expires_at, _)| due.contains(expires_at))
                .collect();
            found.sort_unstable();
            found.into_iter().take(limit).map(|(_, id)| id.clone()).collect()
        })
    }

    fn sweep_sessions(&self, now: Timestamp, limit: usize) -> StoreResult<'_, SweptTokens> {
        locked(&self.rows, |rows| {
            let expired = rows.access.values().filter(|token| now >= token.expires_at);
            let access_tokens: Vec<TokenHash> = expired.map(|token| token.hash).take(limit).collect();
            access_tokens.iter().for_each(|hash| {
                rows.access.remove(hash);
            });
            let over = rows.sessions.values().filter(|session| session.is_expired(now));
            let expired_sessions = over.map(|session| session.id.clone()).take(limit).collect();
            let mut left = limit;
            rows.refresh.retain(|_, token| {
                let is_swept = left > 0 && now >= token.expires_at;
                left -= usize::from(is_swept);
                !is_swept
            });
            SweptTokens { access_tokens, expired_sessions }
        })
    }
}

impl Rows {
    /// `None` when nothing was changed.
    fn change_tokens(&mut self, id: &SessionId, change: TokenChange) -> Option<()> {
        let session = self.sessions.get_mut(id)?;
        if let Some((used, rotation)) = change.rotated {
            let used = self.refresh.get_mut(&used).filter(|token| token.rotation.is_none())?;
            used.rotation = Some(rotation);
        }
        session.idle_expires_at = change.idle_expires_at;
        if let Some(client) = change.claimed_by {
            session.claim(client);
        }
        self.access.insert(change.access.hash, change.access);
        if let Some(refresh) = change.refresh {
            self.refresh.insert(refresh.hash, refresh);
        }
        Some(())
    }
}

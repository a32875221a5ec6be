//! The table of sessions.

use crate::model::ids::{ClientId, UserId};
use crate::model::principal::Principal;
use crate::model::timestamp::Timestamp;
use dashmap::DashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Whom a session answers to: a person through a client, however often they sign in again.
/// Nobody, when authentication is off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpOwner {
    user: Option<UserId>,
    client: Option<ClientId>,
}

impl From<&Principal> for McpOwner {
    fn from(principal: &Principal) -> Self {
        Self { user: principal.user.as_ref().map(|user| user.id.clone()), client: principal.client_id.clone() }
    }
}

impl McpOwner {
    fn is(&self, principal: &Principal) -> bool {
        self.user.as_ref() == principal.user.as_ref().map(|user| &user.id) && self.client == principal.client_id
    }
}

/// A session.
#[derive(Debug)]
pub struct McpSession {
    id: Box<str>,
    owner: McpOwner,
    revision: &'static str,
    last_used: AtomicI64,
}

impl McpSession {
    /// What the client names it by.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The revision of MCP that was agreed on.
    #[must_use]
    pub fn revision(&self) -> &'static str {
        self.revision
    }

    fn touch(&self, now: Timestamp) {
        self.last_used.fetch_max(now.as_micros(), Ordering::Relaxed);
    }

    fn last_used(&self) -> Timestamp {
        Timestamp::from_micros(self.last_used.load(Ordering::Relaxed))
    }
}

/// All sessions. Workers look up; the actor alone adds and removes.
#[derive(Debug, Default)]
pub(super) struct SessionTable {
    sessions: DashMap<Box<str>, Arc<McpSession>>,
}

impl SessionTable {
    /// Adds a session.
    pub(super) fn open(&self, id: &str, owner: McpOwner, revision: &'static str, now: Timestamp) -> Arc<McpSession> {
        let session =
            Arc::new(McpSession { id: id.into(), owner, revision, last_used: AtomicI64::new(now.as_micros()) });
        self.sessions.insert(session.id.clone(), Arc::clone(&session));
        session
    }

    /// The session of that name, if it is `principal`'s. To anybody else it does not exist.
    pub(super) fn find(&self, id: &str, principal: &Principal, now: Timestamp) -> Option<Arc<McpSession>> {
        let session = self.sessions.get(id).filter(|session| session.owner.is(principal))?;
        session.touch(now);
        Some(Arc::clone(&session))
    }

    /// Removes a session of `owner`; false when there is none.
    pub(super) fn close(&self, id: &str, owner: &McpOwner) -> bool {
        self.sessions.remove_if(id, |_, session| session.owner == *owner).is_some()
    }

    /// Removes what has been idle for `idle_max`.
    pub(super) fn end_idle(&self, now: Timestamp, idle_max: Duration) {
        self.sessions.retain(|_, session| now.since(session.last_used()) < idle_max);
    }

    /// Removes the session that has been idle longest while there are `sessions_max`, so that
    /// clients which never end theirs cannot keep others out.
    pub(super) fn make_room(&self, sessions_max: usize) {
        while self.sessions.len() >= sessions_max {
            let idlest = self.sessions.iter().min_by_key(|entry| entry.last_used()).map(|entry| entry.key().clone());
            match idlest {
                Some(id) => self.sessions.remove(&id),
                None => return,
            };
        }
    }
}

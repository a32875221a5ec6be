//! The live access tokens, as every worker reads them.
//!
//! The owner writes, workers read; a lookup takes a lock of one shard for some nanoseconds and
//! never waits for a store. What is ended is gone from here before anyone is told that it is.

use crate::model::ids::{ClientId, SessionId};
use crate::model::principal::{Principal, User};
use crate::model::resource::Resource;
use crate::model::secret::TokenHash;
use crate::model::session::Session;
use crate::model::timestamp::Timestamp;
use crate::model::token::{AccessGrant, AccessTokenRecord};
use crate::scope_rules::ScopeRules;
use dashmap::DashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use tokio::sync::watch;

#[derive(Debug)]
struct LiveSession {
    principal: Arc<Principal>,
    resource: Resource,
    tokens: Vec<TokenHash>,
}

/// Takes a hash of a token as it is: it is as random as another hash of it would be, and nobody
/// can choose the hashes of the tokens that are issued.
#[derive(Debug, Default)]
struct HashedAlready(u64);

impl Hasher for HashedAlready {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.first_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes));
    }

    // The length of the bytes, which is always the same.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Live sessions and their access tokens.
#[derive(Debug, Default)]
pub(crate) struct AccessTokenView {
    grants: DashMap<TokenHash, Arc<AccessGrant>, BuildHasherDefault<HashedAlready>>,
    sessions: DashMap<SessionId, LiveSession>,
    removals: watch::Sender<()>,
    scope_rules: Arc<ScopeRules>,
}

impl AccessTokenView {
    /// An empty view, whose tokens allow what the rules let their people have.
    pub(super) fn new(scope_rules: Arc<ScopeRules>) -> Self {
        Self { scope_rules, ..Self::default() }
    }

    /// What the token of that hash stands for; it may have expired.
    pub(super) fn get(&self, hash: &TokenHash) -> Option<Arc<AccessGrant>> {
        self.grants.get(hash).map(|grant| Arc::clone(&grant))
    }

    /// Whether a session has a token that works at `now`.
    pub(super) fn is_in_use(&self, id: &SessionId, now: Timestamp) -> bool {
        // Copied, so that no lock is held while another is taken.
        let tokens = self.sessions.get(id).map(|session| session.tokens.clone()).unwrap_or_default();
        tokens.iter().any(|hash| self.grants.get(hash).is_some_and(|grant| now < grant.expires_at))
    }

    /// Tells when tokens were made invalid. One bell for all tokens: those who listen look their
    /// own one up, which costs less than a bell for each token.
    pub(super) fn removals(&self) -> watch::Receiver<()> {
        self.removals.subscribe()
    }

    /// Makes a session known as that of `user`, still without tokens.
    pub(super) fn add_session(&self, session: &Session, user: Arc<User>) {
        let reach = self.scope_rules.reach(&user, session.client_id());
        let principal = Principal {
            user: Some(user),
            client_id: session.client_id().cloned(),
            session_id: Some(session.id.clone()),
            scopes: self.scope_rules.rights(&session.scopes, &reach),
            reach,
        };
        let live =
            LiveSession { principal: Arc::new(principal), resource: session.resource.clone(), tokens: Vec::new() };
        self.sessions.insert(session.id.clone(), live);
    }

    /// Makes known whose tokens a session has; those that were given before keep saying nothing.
    pub(super) fn claim_session(&self, id: &SessionId, client: ClientId) {
        if let Some(mut session) = self.sessions.get_mut(id) {
            let reach = session.principal.reach.clone().and(&self.scope_rules.client_limit(&client));
            session.principal =
                Arc::new(Principal { client_id: Some(client), reach, ..Principal::clone(&session.principal) });
        }
    }

    /// Makes a token valid, unless its session has ended meanwhile. The session's entry stays
    /// locked until the token is in, so that ending the session cannot slip in between.
    ///
    /// A token of which nothing is left, because its person is not entitled to any of it any more,
    /// stays out: its client is told that it is not valid, refreshes, and hears why.
    pub(super) fn add_token(&self, token: &AccessTokenRecord) {
        let Some(mut session) = self.sessions.get_mut(&token.session_id) else { return };
        let rights = self.scope_rules.rights(&token.scopes, &session.principal.reach);
        if rights.is_empty() && !token.scopes.is_empty() {
            return;
        }
        let principal = if session.principal.scopes == rights {
            Arc::clone(&session.principal)
        } else {
            Arc::new(Principal { scopes: rights, ..Principal::clone(&session.principal) })
        };
        let grant = AccessGrant { principal, resource: session.resource.clone(), expires_at: token.expires_at };
        self.grants.insert(token.hash, Arc::new(grant));
        session.tokens.push(token.hash);
    }

    /// Makes one token invalid.
    pub(super) fn remove_token(&self, hash: &TokenHash) {
        let Some((_, grant)) = self.grants.remove(hash) else { return };
        if let Some(id) = &grant.principal.session_id
            && let Some(mut session) = self.sessions.get_mut(id)
        {
            session.tokens.retain(|held| held != hash);
        }
        self.removals.send_replace(());
    }

    /// Makes every token of a session invalid, now and for good.
    pub(super) fn remove_session(&self, id: &SessionId) {
        if let Some((_, session)) = self.sessions.remove(id) {
            session.tokens.iter().for_each(|hash| {
                self.grants.remove(hash);
            });
            self.removals.send_replace(());
        }
    }
}

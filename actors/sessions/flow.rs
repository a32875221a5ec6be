//! What sessions do with their store and their view, step by step.

use super::SessionPorts;
use super::ended_grants::EndedGrant;
use super::messages::{NewSession, OpenedSession, RefreshError, RefreshTokens, SessionError};
use super::people::Standing;
use super::scope_refusals::ScopeRefusals;
use super::state::{
    ACCESS_PREFIX, COOKIE_PREFIX, Expiries, REFRESH_PREFIX, RefreshJudgement, RefreshedBy, expiries, judge_refresh,
    open_session, successor,
};
use super::view::AccessTokenView;
use crate::model::audit_event::{AuditCaller, AuditEvent, OperationStatus};
use crate::model::ids::{ClientId, SessionId, UserId};
use crate::model::scope::ScopeSet;
use crate::model::secret::Secret;
use crate::model::session::{EndReason, Session, SessionKind};
use crate::model::timestamp::Timestamp;
use crate::model::token::{AccessTokenRecord, IssuedTokens, RefreshTokenRecord, Rotation, UpstreamTokens};
use crate::ports::StoreError;
use crate::ports::session_store::{Loaded, SessionVisitor, TokenChange};
use crate::settings::Lifetimes;
use dashmap::DashMap;
use serde_json::json;
use std::ops::Range;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The most rows that one step of a sweep touches, so that it never takes long.
const SWEEP_STEP: usize = 1_000;

/// The most sessions that are looked at to find those whose provider token must be refreshed.
const REFRESH_DUE_MAX: usize = 10_000;

/// Keeps sessions: the store is the truth, the view follows it.
#[derive(Debug)]
pub(super) struct SessionKeeper {
    pub(super) ports: SessionPorts,
    pub(super) view: Arc<AccessTokenView>,
    pub(super) scope_refusals: Arc<ScopeRefusals>,
    pub(super) lifetimes: Lifetimes,
}

/// New tokens, as they are sent and as they are kept.
struct Minted {
    tokens: IssuedTokens,
    access: AccessTokenRecord,
    refresh: Option<RefreshTokenRecord>,
    idle_expires_at: Timestamp,
}

impl SessionKeeper {
    /// Makes known what the store holds: the sessions of people who may still be signed in, with
    /// what is known of them now.
    pub(super) async fn load_sessions(&self) -> Result<(), StoreError> {
        let (gone, mut all_gone) = mpsc::unbounded_channel();
        let (view, people) = (Arc::clone(&self.view), self.ports.people.clone());
        let elsewhere = Arc::new(DashMap::<String, usize>::new());
        let suspended = Arc::clone(&elsewhere);
        let visit: SessionVisitor = Arc::new(move |loaded| match loaded {
            Loaded::Session(session) => match people.standing(&session.user) {
                Standing::Known(user) => view.add_session(&session, user),
                Standing::Elsewhere => *suspended.entry(session.user.provider.clone()).or_default() += 1,
                // The receiver lives until all were shown.
                Standing::Gone => drop(gone.send(session.id)),
            },
            // Nothing happens to those of sessions that are not known.
            Loaded::AccessToken(token) => view.add_token(&token),
        });
        self.ports.store.load_sessions(self.ports.clock.now(), visit).await?;
        for entry in elsewhere.iter() {
            let (provider, count) = entry.pair();
            tracing::warn!(provider, count, "sessions of a provider that is not configured are kept and of no use");
        }
        while let Ok(id) = all_gone.try_recv() {
            if let Some(session) = self.ports.store.remove_session(id).await? {
                self.record_end(&session, EndReason::UserRemoved).await;
                self.give_up_grant(&session, EndReason::UserRemoved);
            }
        }
        Ok(())
    }

    pub(super) async fn open_session(&self, new: NewSession) -> Result<OpenedSession, SessionError> {
        let cookie = new.client_id.is_none().then(|| self.ports.entropy.token(COOKIE_PREFIX));
        let id = SessionId::new(self.ports.entropy.identifier());
        let hash = cookie.as_ref().map(Secret::hash);
        let session = open_session(new, id.clone(), hash, self.ports.clock.now(), &self.lifetimes);
        // The view goes first: once it is stored somebody may end it, which must find it there.
        self.view.add_session(&session, self.ports.people.described(&session.user));
        if let Err(error) = self.ports.store.insert_session(session).await {
            self.view.remove_session(&id);
            return Err(error.into());
        }
        Ok(OpenedSession { id, cookie })
    }

    pub(super) async fn issue_tokens(&self, id: SessionId, with_refresh: bool) -> Result<IssuedTokens, SessionError> {
        let session = self.find_session(id).await?.ok_or(SessionError::Ended)?;
        let access = self.ports.entropy.token(ACCESS_PREFIX);
        let refresh = with_refresh.then(|| self.ports.entropy.token(REFRESH_PREFIX));
        let scopes = self.still_granted(&session, session.client_id(), &session.scopes);
        let minted = self.mint(&session, scopes, access, refresh);
        if self.apply(&session.id, minted.change(None)).await? { Ok(minted.tokens) } else { Err(SessionError::Ended) }
    }

    pub(super) async fn refresh_tokens(&self, asked: RefreshTokens) -> Result<IssuedTokens, RefreshError> {
        // A second round happens when somebody else rotated the token between the look and the
        // change; then the second look sees that it was rotated.
        for _ in 0..2 {
            let Some(record) = self.ports.store.find_refresh_token(asked.token.hash()).await? else {
                return Err(RefreshError::Invalid);
            };
            let found = self.ports.store.find_session(record.session_id.clone()).await?;
            let Some(session) = found.and_then(|session| self.current(session)) else {
                return Err(RefreshError::Invalid);
            };
            let now = self.ports.clock.now();
            let held = &self.ports.people.scope_rules.closure(&session.scopes);
            let by = RefreshedBy { client: &asked.client, asked: asked.scopes.as_ref(), held };
            match judge_refresh(&record, &session, by, now, self.lifetimes.refresh_grace) {
                RefreshJudgement::Invalid => return Err(RefreshError::Invalid),
                RefreshJudgement::ScopeTooWide => return Err(RefreshError::ScopeTooWide),
                RefreshJudgement::Replayed => return self.end_replayed(&session).await,
                RefreshJudgement::Repeat(rotation) => return self.repeat(&asked.token, &session, rotation).await,
                RefreshJudgement::Rotate { scopes: wanted, is_claim } => {
                    let scopes = self.still_granted(&session, Some(&asked.client.id), &wanted);
                    if scopes.is_empty() && !wanted.is_empty() {
                        return Err(RefreshError::NothingLeft);
                    }
                    let claim = is_claim.then(|| asked.client.id.clone());
                    if let Some(tokens) = self.rotate(&asked.token, &session, scopes, claim).await? {
                        return Ok(tokens);
                    }
                }
            }
        }
        Err(RefreshError::Invalid)
    }

    /// What is left of `scopes` by the rules of now: who has lost a right is not given it again.
    fn still_granted(&self, session: &Session, client: Option<&ClientId>, scopes: &ScopeSet) -> ScopeSet {
        let rules = &self.ports.people.scope_rules;
        rules.grant(scopes, &rules.reach(&session.user, client))
    }

    /// `None` when the token was rotated by somebody else meanwhile.
    async fn rotate(
        &self,
        used: &Secret,
        session: &Session,
        scopes: ScopeSet,
        claimed_by: Option<ClientId>,
    ) -> Result<Option<IssuedTokens>, RefreshError> {
        let salt = self.ports.entropy.token("");
        let access = successor(used, salt.expose(), ACCESS_PREFIX);
        let refresh = successor(used, salt.expose(), REFRESH_PREFIX);
        let minted = self.mint(session, scopes, access, Some(refresh));
        let rotation = Rotation {
            rotated_at: self.ports.clock.now(),
            salt: salt.expose().to_owned(),
            scopes: minted.tokens.scopes.clone(),
            access_expires_at: minted.access.expires_at,
            is_claim: claimed_by.is_some(),
        };
        let change = TokenChange { claimed_by, ..minted.change(Some((used.hash(), rotation))) };
        let is_applied = self.apply(&session.id, change).await?;
        Ok(is_applied.then_some(minted.tokens))
    }

    /// The answer that the used token was given before, unless its successor is in use already.
    async fn repeat(&self, used: &Secret, session: &Session, rotation: Rotation) -> Result<IssuedTokens, RefreshError> {
        let refresh = successor(used, &rotation.salt, REFRESH_PREFIX);
        match self.ports.store.find_refresh_token(refresh.hash()).await? {
            None => Err(RefreshError::Invalid),
            Some(next) if next.rotation.is_some() => self.end_replayed(session).await,
            Some(_) => Ok(IssuedTokens {
                access_token: successor(used, &rotation.salt, ACCESS_PREFIX),
                expires_in: rotation.access_expires_at.since(self.ports.clock.now()),
                refresh_token: Some(refresh),
                scopes: rotation.scopes,
                session_id: session.id.clone(),
                user_id: session.user.id.clone(),
            }),
        }
    }

    async fn end_replayed(&self, session: &Session) -> Result<IssuedTokens, RefreshError> {
        match self.end_session(session.id.clone(), EndReason::RefreshTokenReplayed).await {
            Ok(_) => Err(RefreshError::Replayed),
            Err(SessionError::Store(error)) => Err(RefreshError::Store(error)),
            Err(SessionError::Unavailable(error)) => Err(RefreshError::Unavailable(error)),
            Err(SessionError::Ended) => Err(RefreshError::Invalid),
        }
    }

    fn mint(&self, session: &Session, scopes: ScopeSet, access: Secret, refresh: Option<Secret>) -> Minted {
        let now = self.ports.clock.now();
        let Expiries { access: access_expires_at, idle } = expiries(session, now, refresh.is_some(), &self.lifetimes);
        Minted {
            access: AccessTokenRecord {
                hash: access.hash(),
                session_id: session.id.clone(),
                scopes: scopes.clone(),
                expires_at: access_expires_at,
            },
            refresh: refresh.as_ref().map(|token| RefreshTokenRecord {
                hash: token.hash(),
                session_id: session.id.clone(),
                expires_at: idle,
                rotation: None,
            }),
            tokens: IssuedTokens {
                access_token: access,
                expires_in: access_expires_at.since(now),
                refresh_token: refresh,
                scopes,
                session_id: session.id.clone(),
                user_id: session.user.id.clone(),
            },
            idle_expires_at: idle,
        }
    }

    /// Commits a change and then lets the workers see its access token.
    async fn apply(&self, id: &SessionId, change: TokenChange) -> Result<bool, StoreError> {
        let (access, claimed_by) = (change.access.clone(), change.claimed_by.clone());
        let is_applied = self.ports.store.change_tokens(id.clone(), change).await?;
        if is_applied {
            if let Some(client) = claimed_by {
                self.view.claim_session(id, client);
            }
            self.view.add_token(&access);
        }
        Ok(is_applied)
    }

    pub(super) async fn revoke_token(&self, token: Secret, client: ClientId) -> Result<Option<Session>, SessionError> {
        let hash = token.hash();
        let store = &self.ports.store;
        if let Some(refresh) = store.find_refresh_token(hash).await? {
            return match self.of_client(refresh.session_id, &client).await? {
                Some(session) => self.end_session(session.id, EndReason::Revoked).await,
                None => Ok(None),
            };
        }
        let Some(access) = store.find_access_token(hash).await? else { return Ok(None) };
        let Some(session) = self.of_client(access.session_id, &client).await? else { return Ok(None) };
        self.view.remove_token(&hash);
        store.remove_access_token(hash).await?;
        Ok(Some(session))
    }

    async fn of_client(&self, id: SessionId, client: &ClientId) -> Result<Option<Session>, SessionError> {
        let session = self.ports.store.find_session(id).await?;
        // Of an unclaimed session nobody knows whose it is; who holds its token may end it.
        let is_of_client = |kind: &SessionKind| match kind {
            SessionKind::Client { client_id } => client_id == client,
            SessionKind::Unclaimed => true,
            SessionKind::Browser { .. } => false,
        };
        Ok(session.filter(|session| is_of_client(&session.kind)))
    }

    pub(super) async fn end_session(&self, id: SessionId, reason: EndReason) -> Result<Option<Session>, SessionError> {
        let ended = self.remove_session(id, reason).await?;
        if let Some(session) = &ended {
            self.give_up_grant(session, reason);
        }
        Ok(ended)
    }

    /// Ends a session, but for what it has at the provider.
    async fn remove_session(&self, id: SessionId, reason: EndReason) -> Result<Option<Session>, SessionError> {
        // The view goes first: should the store fail, the tokens are dead all the same.
        self.view.remove_session(&id);
        let ended = self.ports.store.remove_session(id).await?;
        if let Some(session) = &ended {
            self.record_end(session, reason).await;
        }
        Ok(ended)
    }

    /// Has the provider's tokens of an ended session revoked, some time soon.
    fn give_up_grant(&self, session: &Session, reason: EndReason) {
        if let Some(grant) = EndedGrant::of(session, reason) {
            self.ports.ended_grants.push(grant);
        }
    }

    async fn record_end(&self, session: &Session, reason: EndReason) {
        let caller = AuditCaller::of_session(session);
        let event = AuditEvent::auth("auth.session_ended", OperationStatus::Success, caller)
            .with_details(json!({"reason": reason.as_str()}));
        if let Err(error) = self.ports.audit_log.record(event).await {
            // The session is over whether or not the log could take it.
            tracing::error!(%error, session_id = %session.id, "the end of a session was not recorded");
        }
    }

    pub(super) async fn end_user_sessions(&self, user: UserId, reason: EndReason) -> Result<usize, SessionError> {
        let mut sessions = self.ports.store.list_user_sessions(user).await?;
        // Should the store fail halfway, all tokens are dead all the same, and the person's own
        // visit, which comes last, is still there to try again from.
        sessions.sort_by_key(|session| matches!(session.kind, SessionKind::Browser { .. }));
        sessions.iter().for_each(|session| self.view.remove_session(&session.id));
        let mut ended = Vec::new();
        let outcome = self.remove_sessions(sessions, reason, &mut ended).await;
        // Not before all are gone: a provider's token that may stand for more than its own
        // session is not revoked while the person has others.
        ended.iter().for_each(|session| self.give_up_grant(session, reason));
        outcome.map(|()| ended.len())
    }

    async fn remove_sessions(
        &self,
        sessions: Vec<Session>,
        reason: EndReason,
        ended: &mut Vec<Session>,
    ) -> Result<(), SessionError> {
        for session in sessions {
            ended.extend(self.remove_session(session.id, reason).await?);
        }
        Ok(())
    }

    pub(super) async fn has_provider_session(&self, user: UserId) -> Result<bool, SessionError> {
        let now = self.ports.clock.now();
        let sessions = self.ports.store.list_user_sessions(user).await?;
        Ok(sessions.iter().any(|session| session.upstream.is_some() && !session.is_expired(now)))
    }

    pub(super) async fn find_session(&self, id: SessionId) -> Result<Option<Session>, SessionError> {
        let now = self.ports.clock.now();
        let found = self.ports.store.find_session(id).await?;
        Ok(found.filter(|session| !session.is_expired(now)).and_then(|session| self.current(session)))
    }

    pub(super) async fn find_browser_session(&self, cookie: Secret) -> Result<Option<Session>, SessionError> {
        let now = self.ports.clock.now();
        let found = self.ports.store.find_browser_session(cookie.hash()).await?;
        Ok(found.filter(|session| !session.is_expired(now)).and_then(|session| self.current(session)))
    }

    /// The session with what is known of the person now, if they may still be signed in.
    fn current(&self, session: Session) -> Option<Session> {
        match self.ports.people.standing(&session.user) {
            Standing::Known(user) => Some(Session { user: Arc::unwrap_or_clone(user), ..session }),
            Standing::Elsewhere | Standing::Gone => None,
        }
    }

    pub(super) async fn list_refresh_due(
        &self,
        due: Range<Timestamp>,
        limit: usize,
    ) -> Result<Vec<SessionId>, SessionError> {
        let now = self.ports.clock.now();
        let due = self.ports.store.list_refresh_due(due, REFRESH_DUE_MAX).await?;
        Ok(due.into_iter().filter(|id| self.view.is_in_use(id, now)).take(limit).collect())
    }

    pub(super) async fn store_upstream_tokens(
        &self,
        id: SessionId,
        tokens: UpstreamTokens,
    ) -> Result<bool, SessionError> {
        Ok(self.ports.store.put_upstream_tokens(id, tokens).await?)
    }

    /// Drops what is over, in bounded steps, so that others get their turn in between.
    pub(super) async fn sweep(&self) {
        self.scope_refusals.flush(&self.ports.audit_log, Some(self.ports.clock.now())).await;
        loop {
            match self.sweep_step().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(%error, "expired sessions could not be swept");
                    return;
                }
            }
        }
    }

    /// Whether there may be more.
    async fn sweep_step(&self) -> Result<bool, SessionError> {
        let swept = self.ports.store.sweep_sessions(self.ports.clock.now(), SWEEP_STEP).await?;
        let is_full = swept.access_tokens.len().max(swept.expired_sessions.len()) >= SWEEP_STEP;
        swept.access_tokens.iter().for_each(|hash| self.view.remove_token(hash));
        let mut outcome = Ok(is_full);
        for id in swept.expired_sessions {
            // One that cannot be ended must not keep the others alive.
            if let Err(error) = self.end_session(id, EndReason::Expired).await {
                outcome = Err(error);
            }
        }
        outcome
    }
}

impl Minted {
    fn change(&self, rotated: Option<(crate::model::secret::TokenHash, Rotation)>) -> TokenChange {
        TokenChange {
            rotated,
            access: self.access.clone(),
            refresh: self.refresh.clone(),
            idle_expires_at: self.idle_expires_at,
            claimed_by: None,
        }
    }
}

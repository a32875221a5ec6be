//! What the rest of the house sees of sessions.

use super::flow::SessionKeeper;
use super::messages::{
    EndSession, EndUserSessions, FindBrowserSession, FindSession, HasProviderSession, IssueTokens, ListRefreshDue,
    NewSession, OpenSession, OpenedSession, RefreshError, RefreshTokens, RevokeToken, SessionError,
    StoreUpstreamTokens,
};
use super::scope_refusals::{ScopeRefusal, ScopeRefusals};
use super::view::AccessTokenView;
use super::{People, SessionPorts, Sessions};
use crate::audit_log::{AuditLogHandle, Flood};
use crate::mailbox::{ASK_DEADLINE, EndGuard, ask};
use crate::model::audit_event::{AuditCaller, AuditEvent, OperationStatus};
use crate::model::client::Client;
use crate::model::ids::{ClientId, SessionId, UserId};
use crate::model::principal::User;
use crate::model::scope::ScopeSet;
use crate::model::scope_hierarchy::Reach;
use crate::model::secret::{Secret, TokenHash};
use crate::model::session::{EndReason, Session};
use crate::model::timestamp::Timestamp;
use crate::model::token::{AccessGrant, IssuedTokens, UpstreamTokens};
use crate::ports::StoreError;
use crate::ports::clock::Clock;
use crate::scope_rules::ScopeRules;
use crate::settings::Lifetimes;
use actix::{Actor, Addr, ArbiterHandle, Context};
use serde_json::json;
use std::ops::Range;
use std::sync::Arc;
use tokio::time::timeout;

const NAME: &str = "sessions";

/// An access token that does not work: unknown, ended or expired. The caller is not told which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the access token is not valid or has expired")]
pub struct InvalidToken;

/// Opens, verifies and ends sessions.
#[derive(Clone, Debug)]
pub struct SessionsHandle {
    address: Addr<Sessions>,
    view: Arc<AccessTokenView>,
    people: Arc<People>,
    scope_refusals: Arc<ScopeRefusals>,
    audit_log: AuditLogHandle,
    clock: Arc<dyn Clock>,
}

impl SessionsHandle {
    /// Loads what the store holds, then starts the actor.
    pub(crate) async fn start(
        arbiter: &ArbiterHandle,
        ports: SessionPorts,
        lifetimes: Lifetimes,
        guard: EndGuard,
    ) -> Result<Self, StoreError> {
        let view = Arc::new(AccessTokenView::new(Arc::clone(&ports.people.scope_rules)));
        let (clock, audit_log) = (Arc::clone(&ports.clock), ports.audit_log.clone());
        let (people, scope_refusals) = (Arc::new(ports.people.clone()), Arc::new(ScopeRefusals::default()));
        let refusals = Arc::clone(&scope_refusals);
        let keeper = Arc::new(SessionKeeper { ports, view: Arc::clone(&view), scope_refusals: refusals, lifetimes });
        keeper.load_sessions().await?;
        let start = move |_: &mut Context<Sessions>| Sessions::new(keeper, guard);
        let address = Sessions::start_in_arbiter(arbiter, start);
        Ok(Self { address, view, people, scope_refusals, audit_log, clock })
    }

    /// The rules of who may have which scopes. They do not change while the daemon runs.
    #[must_use]
    pub fn scope_rules(&self) -> &ScopeRules {
        &self.people.scope_rules
    }

    /// How far a login through `client` goes of somebody whom a provider describes as `user`. Asks
    /// no mailbox.
    #[must_use]
    pub fn login_reach(&self, user: &User, client: &ClientId) -> Reach {
        self.people.scope_rules.reach(&self.people.described(user), Some(client))
    }

    /// Records that a caller's scopes were not enough: the first time at once, and what the same
    /// caller tries again within a minute as one number, so that a flood costs next to nothing.
    pub async fn record_scope_refusal(&self, refusal: ScopeRefusal) {
        if let Some(event) = self.scope_refusals.note(refusal, self.clock.now())
            && let Err(error) = self.audit_log.record(event).await
        {
            // The call is refused whether or not the log could take it.
            tracing::error!(%error, "a call with too few scopes was not recorded");
        }
    }

    /// Records that a request was refused for the token that it showed: the first one at once, and
    /// then how many there were in a minute. `flood` is the place of that reason alone.
    /// Who was refused is asked for only then, as the id of the request and the address.
    pub fn record_token_refusal(
        &self,
        flood: &Arc<Flood>,
        reason: &str,
        who: impl FnOnce() -> (Option<String>, Option<String>),
    ) {
        self.audit_log.record_flood(flood, || {
            let (trace_id, peer) = who();
            let caller = AuditCaller { caller_type: "http".to_owned(), trace_id, ..AuditCaller::default() };
            let event = AuditEvent::auth("auth.access_refused", OperationStatus::Error, caller);
            event.with_details(json!({"peer": peer})).with_error(reason)
        });
    }

    /// Records what was only counted so far, before the end.
    pub(crate) async fn flush_scope_refusals(&self) {
        self.scope_refusals.flush(&self.audit_log, None).await;
    }

    /// What an access token stands for. Reads the published view: no mailbox, no waiting.
    ///
    /// # Errors
    /// When the token does not work (any more).
    pub fn verify_access_token(&self, token: &str) -> Result<Arc<AccessGrant>, InvalidToken> {
        self.verify_token_hash(&TokenHash::of(token))
    }

    /// The same for a token of which only the hash is known.
    ///
    /// # Errors
    /// When the token does not work (any more).
    pub fn verify_token_hash(&self, hash: &TokenHash) -> Result<Arc<AccessGrant>, InvalidToken> {
        let grant = self.view.get(hash).ok_or(InvalidToken)?;
        if self.clock.now() >= grant.expires_at { Err(InvalidToken) } else { Ok(grant) }
    }

    /// Waits until an access token does not work any more, for what stays open in its name:
    /// revoked, expired or its session ended. Asks no mailbox.
    pub async fn wait_for_token_end(&self, hash: &TokenHash) {
        // Listening begins before the first look, so that no end falls in between.
        let mut removals = self.view.removals();
        while let Ok(grant) = self.verify_token_hash(hash) {
            let left = grant.expires_at.since(self.clock.now());
            // Whichever comes first, the next look judges.
            let _woken = timeout(left, removals.changed()).await;
        }
    }

    /// Opens a session.
    ///
    /// # Errors
    /// When it could not be stored.
    pub async fn open_session(&self, session: NewSession) -> Result<OpenedSession, SessionError> {
        ask(NAME, &self.address, OpenSession { session }, ASK_DEADLINE).await
    }

    /// Issues the first tokens of a session.
    ///
    /// # Errors
    /// [`SessionError::Ended`] when the session is over.
    pub async fn issue_tokens(&self, session_id: SessionId, with_refresh: bool) -> Result<IssuedTokens, SessionError> {
        ask(NAME, &self.address, IssueTokens { session_id, with_refresh }, ASK_DEADLINE).await
    }

    /// Replaces a refresh token by a new pair for `client`, which has proved itself.
    ///
    /// # Errors
    /// When the token may not be used so.
    pub async fn refresh_tokens(
        &self,
        token: Secret,
        client: Client,
        scopes: Option<ScopeSet>,
    ) -> Result<IssuedTokens, RefreshError> {
        ask(NAME, &self.address, RefreshTokens { token, client, scopes }, ASK_DEADLINE).await
    }

    /// Ends what a token of `client_id` stands for; `None` when there is no such token.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn revoke_token(&self, token: Secret, client_id: ClientId) -> Result<Option<Session>, SessionError> {
        ask(NAME, &self.address, RevokeToken { token, client_id }, ASK_DEADLINE).await
    }

    /// Ends a session and all its tokens; `None` when it had ended before.
    ///
    /// # Errors
    /// When the store failed; the tokens do not work any more all the same.
    pub async fn end_session(&self, session_id: SessionId, reason: EndReason) -> Result<Option<Session>, SessionError> {
        ask(NAME, &self.address, EndSession { session_id, reason }, ASK_DEADLINE).await
    }

    /// Ends all sessions of a person; tells how many.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn end_user_sessions(&self, user_id: UserId, reason: EndReason) -> Result<usize, SessionError> {
        ask(NAME, &self.address, EndUserSessions { user_id, reason }, ASK_DEADLINE).await
    }

    /// The session, if it is live.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn find_session(&self, session_id: SessionId) -> Result<Option<Session>, SessionError> {
        ask(NAME, &self.address, FindSession { session_id }, ASK_DEADLINE).await
    }

    /// The live session of a browser's cookie.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn find_browser_session(&self, cookie: Secret) -> Result<Option<Session>, SessionError> {
        ask(NAME, &self.address, FindBrowserSession { cookie }, ASK_DEADLINE).await
    }

    /// Whether the person has a live session that holds a provider's tokens.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn has_provider_session(&self, user_id: UserId) -> Result<bool, SessionError> {
        ask(NAME, &self.address, HasProviderSession { user_id }, ASK_DEADLINE).await
    }

    /// Sessions in use whose provider token expires within `due` and can be refreshed. In use is
    /// one that has a live access token: who comes back later is refreshed then.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn list_refresh_due(&self, due: Range<Timestamp>, limit: usize) -> Result<Vec<SessionId>, SessionError> {
        ask(NAME, &self.address, ListRefreshDue { due, limit }, ASK_DEADLINE).await
    }

    /// Keeps new provider tokens; false when the session has ended.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn store_upstream_tokens(
        &self,
        session_id: SessionId,
        tokens: UpstreamTokens,
    ) -> Result<bool, SessionError> {
        ask(NAME, &self.address, StoreUpstreamTokens { session_id, tokens }, ASK_DEADLINE).await
    }
}

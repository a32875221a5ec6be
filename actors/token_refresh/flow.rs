//! One refresh, step by step.

use super::messages::TokenRefreshError;
use super::state::{BackOff, Outcome};
use crate::audit_log::AuditLogHandle;
use crate::model::audit_event::{AuditCaller, AuditEvent, OperationStatus};
use crate::model::ids::SessionId;
use crate::model::secret::Secret;
use crate::model::session::{EndReason, Session};
use crate::model::timestamp::Timestamp;
use crate::model::token::UpstreamTokens;
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::upstream_idp::{UpstreamError, UpstreamIdp};
use crate::sessions::{EndedGrant, EndedGrants, SessionError, SessionsHandle};
use dashmap::DashMap;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// A token this close to its end is refreshed before it is used.
pub(super) const SKEW: Duration = Duration::from_secs(30);
/// The timer refreshes tokens that end within this time.
pub(super) const AHEAD: Duration = Duration::from_secs(90);

/// The timer forgets about tokens that ended so long ago: whoever needs one again has it refreshed
/// then, and providers that are away for longer are not asked in vain.
const BEHIND: Duration = Duration::from_secs(15 * 60);

/// A session's token is replaced once in this time, however often APIs refuse it.
const REPLACE_PAUSE: Duration = Duration::from_secs(60);

/// How long after its end a back-off is still counted on when the next failure comes.
const FORGET_BACK_OFF: Duration = Duration::from_secs(10 * 60);

/// What a refresh needs.
#[derive(Debug)]
pub(crate) struct Refresher {
    pub(crate) sessions: SessionsHandle,
    pub(crate) audit_log: AuditLogHandle,
    /// Where people log in; none when they log in with local passwords, and there is nothing to
    /// refresh.
    pub(crate) providers: Vec<Arc<dyn UpstreamIdp>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) memory: Memory,
    /// Takes tokens that came too late for their session.
    pub(crate) ended_grants: EndedGrants,
}

/// What kind of token is wanted.
#[derive(Debug)]
pub(super) enum Wish {
    /// One that works for so long at least.
    Lasting(Duration),
    /// Another than this one, which was refused.
    Another(Secret),
}

impl Wish {
    fn is_met_by(&self, tokens: &UpstreamTokens, now: Timestamp) -> bool {
        match self {
            Self::Lasting(margin) => !tokens.is_due(now, *margin),
            Self::Another(refused) => !tokens.access_token.matches(refused.expose()),
        }
    }
}

/// What is remembered of sessions for a while.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// How long a provider that failed is given a rest.
    pub(super) back_offs: DashMap<SessionId, BackOff>,
    /// Tokens that the store could not take: the provider has forgotten those before them.
    unsaved: DashMap<SessionId, EndedGrant>,
    /// When tokens were last replaced because an API had refused them.
    replaced: DashMap<SessionId, Timestamp>,
}

impl Refresher {
    /// The session's provider token, refreshed if it is not as wished.
    pub(super) async fn fresh_token(&self, id: &SessionId, wish: &Wish) -> Outcome {
        let session = self.sessions.find_session(id.clone()).await.map_err(unavailable)?;
        let Some(session) = session else {
            // Who ended it did not know of tokens that were not stored.
            if let Some((_, grant)) = self.memory.unsaved.remove(id) {
                self.ended_grants.push(grant);
            }
            return Err(TokenRefreshError::SessionEnded);
        };
        let Some(kept) = &session.upstream else { return Ok(None) };
        let tokens = self.settle(&session).await?.unwrap_or_else(|| kept.clone());
        if wish.is_met_by(&tokens, self.clock.now()) {
            return Ok(Some(tokens.access_token));
        }
        if matches!(wish, Wish::Another(_)) && !self.may_replace(id) {
            // An API that refuses whatever it is shown must not wear out the provider.
            return Ok(Some(tokens.access_token));
        }
        let (Some(idp), Some(refresh_token)) = (self.provider(&session.user.provider), &tokens.refresh_token) else {
            // Without a refresh token the provider's answer to the caller's SQL decides.
            return Ok(Some(tokens.access_token));
        };
        let refreshed = match self.rest(id) {
            Some(retry_after) => Err(TokenRefreshError::ProviderUnavailable { retry_after }),
            None => self.refresh(idp, &session, refresh_token.clone()).await,
        };
        match refreshed {
            // The provider is away, but the token still works for a while.
            Err(TokenRefreshError::ProviderUnavailable { .. })
                if matches!(wish, Wish::Lasting(_)) && !tokens.is_due(self.clock.now(), Duration::ZERO) =>
            {
                Ok(Some(tokens.access_token))
            }
            outcome => outcome.map(Some),
        }
    }

    /// Whether a token that was refused may be replaced, and notes that it is.
    fn may_replace(&self, id: &SessionId) -> bool {
        let now = self.clock.now();
        if self.memory.replaced.get(id).is_some_and(|replaced_at| now.since(*replaced_at) < REPLACE_PAUSE) {
            return false;
        }
        self.memory.replaced.insert(id.clone(), now);
        true
    }

    /// How long the provider is still given a rest for a session.
    fn rest(&self, id: &SessionId) -> Option<Duration> {
        let (now, retry_at) = (self.clock.now(), self.memory.back_offs.get(id)?.retry_at);
        (now < retry_at).then(|| retry_at.since(now))
    }

    /// The provider of that name. Tokens of one at which people signed in before are not shown to
    /// another.
    pub(super) fn provider(&self, name: &str) -> Option<&dyn UpstreamIdp> {
        self.providers.iter().map(AsRef::as_ref).find(|idp| idp.name() == name)
    }

    async fn refresh(
        &self,
        idp: &dyn UpstreamIdp,
        session: &Session,
        old: Secret,
    ) -> Result<Secret, TokenRefreshError> {
        match idp.refresh(old.clone(), session.user.subject.clone()).await {
            Ok(tokens) => self.keep(session, old, tokens).await,
            Err(UpstreamError::InvalidGrant { .. }) => {
                self.record(session, OperationStatus::Error, Some("the provider ended the grant")).await;
                let ended = self.sessions.end_session(session.id.clone(), EndReason::UpstreamGrantEnded).await;
                ended.map_err(unavailable)?;
                Err(TokenRefreshError::SessionEnded)
            }
            Err(error) => {
                let retry_after = self.back_off(&session.id);
                tracing::warn!(%error, session_id = %session.id, "a provider token could not be refreshed");
                self.record(session, OperationStatus::Error, Some(&error.to_string())).await;
                Err(TokenRefreshError::ProviderUnavailable { retry_after })
            }
        }
    }

    /// Stores the new tokens before anyone uses them: providers that rotate have already
    /// forgotten the old refresh token.
    async fn keep(&self, session: &Session, old: Secret, new: UpstreamTokens) -> Result<Secret, TokenRefreshError> {
        let refresh_token = new.refresh_token.or(Some(old));
        let tokens = UpstreamTokens { refresh_token, ..new };
        self.memory.back_offs.remove(&session.id);
        self.record(session, OperationStatus::Success, None).await;
        self.save(session, tokens).await
    }

    /// What the store cannot take now waits here for the next time that it is asked for.
    async fn save(&self, session: &Session, tokens: UpstreamTokens) -> Result<Secret, TokenRefreshError> {
        match self.sessions.store_upstream_tokens(session.id.clone(), tokens.clone()).await {
            Ok(true) => {
                self.memory.unsaved.remove(&session.id);
                Ok(tokens.access_token)
            }
            Ok(false) => {
                // The session ended meanwhile, and who ended it did not know of these.
                self.memory.unsaved.remove(&session.id);
                self.ended_grants.push(EndedGrant::with(session, tokens));
                Err(TokenRefreshError::SessionEnded)
            }
            Err(error) => {
                self.memory.unsaved.insert(session.id.clone(), EndedGrant::with(session, tokens));
                Err(unavailable(error))
            }
        }
    }

    /// Stores what could not be stored before; `None` when there is nothing of the kind.
    async fn settle(&self, session: &Session) -> Result<Option<UpstreamTokens>, TokenRefreshError> {
        let Some(tokens) = self.memory.unsaved.get(&session.id).map(|grant| grant.tokens.clone()) else {
            return Ok(None);
        };
        self.save(session, tokens.clone()).await.map(|_| Some(tokens))
    }

    fn back_off(&self, id: &SessionId) -> Duration {
        let (previous, now) = (self.memory.back_offs.get(id).map(|back_off| *back_off), self.clock.now());
        let next = BackOff::after(previous, now, self.random());
        self.memory.back_offs.insert(id.clone(), next);
        next.retry_at.since(now)
    }

    /// Chance for a back-off.
    pub(super) fn random(&self) -> u8 {
        let mut random = [0_u8; 1];
        self.entropy.fill(&mut random);
        let [random] = random;
        random
    }

    async fn record(&self, session: &Session, status: OperationStatus, error: Option<&str>) {
        let caller = AuditCaller::of_session(session);
        let mut event = AuditEvent::auth("auth.upstream_refreshed", status, caller)
            .with_details(json!({"provider": session.user.provider, "step": "refresh"}));
        event.error = error.map(str::to_owned);
        if let Err(error) = self.audit_log.record(event).await {
            tracing::error!(%error, "a refresh at the provider was not recorded");
        }
    }

    /// Sessions whose token ends soon and that are not backing off.
    pub(super) async fn list_due(&self, limit: usize) -> Vec<SessionId> {
        let now = self.clock.now();
        self.memory.back_offs.retain(|_, back_off| back_off.retry_at + FORGET_BACK_OFF > now);
        self.memory.replaced.retain(|_, replaced_at| now.since(*replaced_at) < REPLACE_PAUSE);
        if self.providers.is_empty() {
            return Vec::new();
        }
        let due = now - BEHIND..now + AHEAD;
        let mut ids: Vec<SessionId> = self.memory.unsaved.iter().map(|entry| entry.key().clone()).take(limit).collect();
        // More are asked for than wanted, or sessions that are backing off would crowd out the rest.
        match self.sessions.list_refresh_due(due, limit + self.memory.back_offs.len()).await {
            Ok(due) => {
                let is_ready = |id: &SessionId| self.memory.back_offs.get(id).is_none_or(|wait| wait.retry_at <= now);
                ids.extend(due.into_iter().filter(is_ready).take(limit));
                ids
            }
            Err(error) => {
                tracing::warn!(%error, "sessions due for a refresh could not be listed");
                ids
            }
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn unavailable(error: SessionError) -> TokenRefreshError {
    match error {
        SessionError::Ended => TokenRefreshError::SessionEnded,
        SessionError::Store(_) => TokenRefreshError::StoreUnavailable,
        SessionError::Unavailable(error) => TokenRefreshError::Unavailable(error),
    }
}

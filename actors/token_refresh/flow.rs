//! One refresh, step by step.

use super::messages::TokenRefreshError;
use super::state::{BackOff, Outcome};
use crate::audit_log::AuditLogHandle;
use crate::model::audit_event::{AuditCaller, AuditEvent, OperationStatus};
use crate::model::ids::SessionId;
use crate::model::secret::Secret;
use crate::model::session::{EndReason, Session};
use crate::model::token::UpstreamTokens;
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::upstream_idp::{UpstreamError, UpstreamIdp};
use crate::sessions::{EndedGrant, EndedGrants, SessionError, SessionsHandle};
use dashmap::DashMap;
use std::sync::Arc;
use std::time::Duration;

/// A token this close to its end is refreshed before it is used.
pub(super) const SKEW: Duration = Duration::from_secs(30);
/// The timer refreshes tokens that end within this time.
pub(super) const AHEAD: Duration = Duration::from_secs(90);

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
    pub(crate) back_offs: DashMap<SessionId, BackOff>,
    /// Takes tokens that came too late for their session.
    pub(crate) ended_grants: EndedGrants,
}

impl Refresher {
    /// The session's provider token, refreshed if it ends within `margin`.
    pub(super) async fn fresh_token(&self, id: &SessionId, margin: Duration) -> Outcome {
        let session = self.sessions.find_session(id.clone()).await.map_err(unavailable)?;
        let session = session.ok_or(TokenRefreshError::SessionEnded)?;
        let Some(tokens) = &session.upstream else { return Ok(None) };
        let now = self.clock.now();
        if !tokens.is_due(now, margin) {
            return Ok(Some(tokens.access_token.clone()));
        }
        let (Some(idp), Some(refresh_token)) = (self.provider(&session.user.provider), &tokens.refresh_token) else {
            // Without a refresh token the provider's answer to the caller's SQL decides.
            return Ok(Some(tokens.access_token.clone()));
        };
        let is_backing_off = self.back_offs.get(id).is_some_and(|back_off| now < back_off.retry_at);
        let refreshed = if is_backing_off {
            Err(TokenRefreshError::ProviderUnavailable)
        } else {
            self.refresh(idp, &session, refresh_token.clone()).await
        };
        match refreshed {
            // The provider is away, but the token still works for a while.
            Err(TokenRefreshError::ProviderUnavailable) if !tokens.is_due(self.clock.now(), Duration::ZERO) => {
                Ok(Some(tokens.access_token.clone()))
            }
            outcome => outcome.map(Some),
        }
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
        match idp.refresh(old.clone()).await {
            Ok(tokens) => self.keep(session, old, tokens).await,
            Err(UpstreamError::InvalidGrant { .. }) => {
                self.record(session, OperationStatus::Error, Some("the provider ended the grant")).await;
                let ended = self.sessions.end_session(session.id.clone(), EndReason::UpstreamGrantEnded).await;
                ended.map_err(unavailable)?;
                Err(TokenRefreshError::SessionEnded)
            }
            Err(error) => {
                self.back_off(&session.id);
                tracing::warn!(%error, session_id = %session.id, "a provider token could not be refreshed");
                self.record(session, OperationStatus::Error, Some(&error.to_string())).await;
                Err(TokenRefreshError::ProviderUnavailable)
            }
        }
    }

    /// Stores the new tokens before anyone uses them: providers that rotate have already
    /// forgotten the old refresh token.
    async fn keep(&self, session: &Session, old: Secret, new: UpstreamTokens) -> Result<Secret, TokenRefreshError> {
        let refresh_token = new.refresh_token.or(Some(old));
        let access_token = new.access_token.clone();
        let tokens = UpstreamTokens { refresh_token, ..new };
        let stored = self.sessions.store_upstream_tokens(session.id.clone(), tokens.clone()).await;
        if !stored.map_err(unavailable)? {
            // The session ended meanwhile, and who ended it did not know of these.
            self.ended_grants.push(EndedGrant::with(session, tokens));
            return Err(TokenRefreshError::SessionEnded);
        }
        self.back_offs.remove(&session.id);
        self.record(session, OperationStatus::Success, None).await;
        Ok(access_token)
    }

    fn back_off(&self, id: &SessionId) {
        let previous = self.back_offs.get(id).map(|back_off| *back_off);
        self.back_offs.insert(id.clone(), BackOff::after(previous, self.clock.now(), self.random()));
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
        let mut event = AuditEvent::auth("auth.upstream_refreshed", status, caller);
        event.error = error.map(str::to_owned);
        if let Err(error) = self.audit_log.record(event).await {
            tracing::error!(%error, "a refresh at the provider was not recorded");
        }
    }

    /// Sessions whose token ends soon and that are not backing off.
    pub(super) async fn list_due(&self, limit: usize) -> Vec<SessionId> {
        let now = self.clock.now();
        self.back_offs.retain(|_, back_off| back_off.retry_at + FORGET_BACK_OFF > now);
        if self.providers.is_empty() {
            return Vec::new();
        }
        // More are asked for than wanted, or sessions that are backing off would crowd out the rest.
        match self.sessions.list_refresh_due(now + AHEAD, limit + self.back_offs.len()).await {
            Ok(due) => {
                let is_ready = |id: &SessionId| self.back_offs.get(id).is_none_or(|wait| wait.retry_at <= now);
                due.into_iter().filter(is_ready).take(limit).collect()
            }
            Err(error) => {
                tracing::warn!(%error, "sessions due for a refresh could not be listed");
                Vec::new()
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

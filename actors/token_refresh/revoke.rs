//! Revoking at the provider what it gave for sessions that were ended on purpose.

use super::flow::Refresher;
use super::state::BackOff;
use crate::model::audit_event::{AuditEvent, OperationStatus};
use crate::ports::upstream_idp::{RevocationReach, RevocationResult, UpstreamError, UpstreamIdp};
use crate::sessions::{EndedGrant, EndedGrantsQueue, SessionError};
use futures_util::stream::{self, StreamExt as _};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// The most that are revoked at once.
const REVOCATIONS_MAX: usize = 4;
/// How often a provider that is not there is asked, in all: for somewhat more than a minute.
const ATTEMPTS_MAX: u32 = 6;
/// How long one attempt may take, however many requests it is made of.
const ATTEMPT_DEADLINE: Duration = Duration::from_secs(20);

/// Why the provider was not asked, or what it said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The tokens do not work any more.
    Revoked,
    /// The provider has no way to revoke them.
    NotOffered,
    /// The person has other sessions which this might end as well.
    HeldBack,
}

/// Why the tokens could not be revoked.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Provider(#[from] UpstreamError),
    #[error("the identity provider did not answer within {} s", ATTEMPT_DEADLINE.as_secs())]
    TimedOut,
    #[error(transparent)]
    Sessions(#[from] SessionError),
}

impl Fault {
    /// Whether trying again may help.
    fn is_passing(&self) -> bool {
        match self {
            Self::Provider(error) => error.is_passing(),
            Self::TimedOut | Self::Sessions(_) => true,
        }
    }
}

/// Revokes whatever comes, some at a time, as long as the actor lives.
pub(super) async fn revoke_all(refresher: Arc<Refresher>, ended: EndedGrantsQueue) {
    let grants = stream::unfold(ended, |mut ended| async {
        let grant = ended.next().await?;
        Some((grant, ended))
    });
    let refresher = refresher.as_ref();
    let revoke = |grant| async move {
        refresher.revoke(&grant).await;
        refresher.ended_grants.settle(1);
    };
    grants.for_each_concurrent(REVOCATIONS_MAX, revoke).await;
}

impl Refresher {
    /// Revokes one grant and records how that went. Nobody waits for it.
    async fn revoke(&self, grant: &EndedGrant) {
        let Some(idp) = self.provider(&grant.provider) else { return };
        let session_id = &grant.caller.session_id;
        match self.try_to_revoke(idp, grant).await {
            Ok(Outcome::Revoked) => self.record_revocation(grant, None).await,
            Ok(outcome) => tracing::debug!(?outcome, ?session_id, "the provider's tokens were not revoked"),
            Err(fault) => {
                tracing::warn!(error = %fault, ?session_id, "the provider's tokens could not be revoked");
                self.record_revocation(grant, Some(&fault)).await;
            }
        }
    }

    async fn try_to_revoke(&self, idp: &dyn UpstreamIdp, grant: &EndedGrant) -> Result<Outcome, Fault> {
        let mut back_off = None;
        for _ in 1..ATTEMPTS_MAX {
            match self.attempt(idp, grant).await {
                Err(fault) if fault.is_passing() => {
                    let now = self.clock.now();
                    let next = BackOff::after(back_off, now, self.random());
                    tokio::time::sleep(next.retry_at.since(now)).await;
                    back_off = Some(next);
                }
                settled => return settled,
            }
        }
        self.attempt(idp, grant).await
    }

    async fn attempt(&self, idp: &dyn UpstreamIdp, grant: &EndedGrant) -> Result<Outcome, Fault> {
        // Looked at before each attempt: the person may have signed in again meanwhile.
        if idp.revocation_reach() == RevocationReach::Grant
            && self.sessions.has_provider_session(grant.user_id.clone()).await?
        {
            return Ok(Outcome::HeldBack);
        }
        match tokio::time::timeout(ATTEMPT_DEADLINE, idp.revoke(grant.tokens.clone())).await {
            Ok(Ok(RevocationResult::Revoked)) => Ok(Outcome::Revoked),
            Ok(Ok(RevocationResult::NotOffered)) => Ok(Outcome::NotOffered),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Fault::TimedOut),
        }
    }

    async fn record_revocation(&self, grant: &EndedGrant, fault: Option<&Fault>) {
        let status = if fault.is_none() { OperationStatus::Success } else { OperationStatus::Error };
        let mut event = AuditEvent::auth("auth.upstream_revoked", status, grant.caller.clone())
            .with_details(json!({"provider": grant.provider}));
        event.error = fault.map(ToString::to_string);
        if let Err(error) = self.audit_log.record(event).await {
            tracing::error!(%error, "a revocation at the provider was not recorded");
        }
    }
}

//! What providers gave for sessions that were ended on purpose, on its way to being revoked.
//!
//! Sessions must not wait for a provider, and cannot ask an actor above them; so they leave the
//! tokens here and go on. Kept in memory only: a token that waits here is in no store any more.

use crate::model::audit_event::AuditCaller;
use crate::model::ids::UserId;
use crate::model::session::{EndReason, Session};
use crate::model::token::UpstreamTokens;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

/// The most that wait; when one more comes the oldest is given up.
pub(crate) const WAITING_MAX: usize = 256;

/// A provider's tokens that nobody here uses any more.
#[derive(Clone, Debug)]
pub(crate) struct EndedGrant {
    /// The session, for the audit log.
    pub(crate) caller: AuditCaller,
    /// Whose it was.
    pub(crate) user_id: UserId,
    /// The provider that gave the tokens: they are nobody else's business.
    pub(crate) provider: String,
    /// The tokens.
    pub(crate) tokens: UpstreamTokens,
}

impl EndedGrant {
    /// What is to be revoked because `session` ended so; `None` when there is nothing.
    pub(super) fn of(session: &Session, reason: EndReason) -> Option<Self> {
        let tokens = session.upstream.clone().filter(|_| reason.revokes_upstream())?;
        Some(Self::with(session, tokens))
    }

    /// Tokens of `session` that were not kept in it.
    pub(crate) fn with(session: &Session, tokens: UpstreamTokens) -> Self {
        Self {
            caller: AuditCaller::of_session(session),
            user_id: session.user.id.clone(),
            provider: session.user.provider.clone(),
            tokens,
        }
    }
}

/// Takes what is to be revoked. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct EndedGrants {
    sender: broadcast::Sender<EndedGrant>,
    open: watch::Sender<usize>,
}

/// Gives out what is to be revoked. There is one.
#[derive(Debug)]
pub(crate) struct EndedGrantsQueue {
    receiver: broadcast::Receiver<EndedGrant>,
    open: watch::Sender<usize>,
}

impl EndedGrants {
    /// Both ends, with nothing between them.
    pub(crate) fn channel() -> (Self, EndedGrantsQueue) {
        let (sender, receiver) = broadcast::channel(WAITING_MAX);
        let open = watch::Sender::new(0);
        (Self { sender, open: open.clone() }, EndedGrantsQueue { receiver, open })
    }

    /// Leaves a grant to be revoked. Never waits.
    pub(crate) fn push(&self, grant: EndedGrant) {
        self.open.send_modify(|open| *open += 1);
        if self.sender.send(grant).is_err() {
            // Nobody revokes any more: the process is about to end.
            self.settle(1);
        }
    }

    /// Says that `count` of them are done with.
    pub(crate) fn settle(&self, count: usize) {
        self.open.send_modify(|open| *open = open.saturating_sub(count));
    }

    /// Waits until none is open, however each of them went.
    pub(crate) async fn wait_until_settled(&self) {
        let mut open = self.open.subscribe();
        // The sender is at hand, so the wait cannot fail.
        let _is_settled = open.wait_for(|open| *open == 0).await;
    }
}

impl EndedGrantsQueue {
    /// The oldest that waits, or the next that comes; `None` when none can come any more.
    pub(crate) async fn next(&mut self) -> Option<EndedGrant> {
        loop {
            match self.receiver.recv().await {
                Ok(grant) => return Some(grant),
                Err(RecvError::Closed) => return None,
                Err(RecvError::Lagged(given_up)) => {
                    tracing::warn!(given_up, "too many sessions end at once; some are not revoked at the provider");
                    let given_up = usize::try_from(given_up).unwrap_or(usize::MAX);
                    self.open.send_modify(|open| *open = open.saturating_sub(given_up));
                }
            }
        }
    }
}

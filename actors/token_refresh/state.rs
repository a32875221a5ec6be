//! Refreshes under way: one flight per session, late callers join it. And when to try again.

use super::messages::TokenRefreshError;
use crate::model::ids::SessionId;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::oneshot;

/// What a flight brings.
pub(super) type Outcome = Result<Option<Secret>, TokenRefreshError>;

/// Whether a caller must start the flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// It is the first: it must.
    First,
    /// A flight is under way.
    Later,
}

/// The flights under way, and who waits for them.
#[derive(Debug, Default)]
pub(super) struct Flights {
    waiting: HashMap<SessionId, Vec<oneshot::Sender<Outcome>>>,
}

impl Flights {
    pub(super) fn join(&mut self, id: &SessionId) -> (Joined, oneshot::Receiver<Outcome>) {
        let (waiter, landed) = oneshot::channel();
        let waiters = self.waiting.entry(id.clone()).or_default();
        let joined = if waiters.is_empty() { Joined::First } else { Joined::Later };
        waiters.push(waiter);
        (joined, landed)
    }

    pub(super) fn land(&mut self, id: &SessionId, outcome: &Outcome) {
        for waiter in self.waiting.remove(id).unwrap_or_default() {
            // A caller that gave up is not there to be told.
            let _gave_up = waiter.send(outcome.clone());
        }
    }
}

const BACK_OFF_MIN: Duration = Duration::from_secs(2);
const BACK_OFF_MAX: Duration = Duration::from_secs(5 * 60);

/// When a provider that failed may be asked again for a session: twice as long after each
/// failure, and up to half as long again by chance, so that sessions do not come all at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BackOff {
    failures: u32,
    pub(super) retry_at: Timestamp,
}

impl BackOff {
    pub(super) fn after(previous: Option<Self>, now: Timestamp, random: u8) -> Self {
        let failures = previous.map_or(0, |previous| previous.failures).saturating_add(1);
        let pause = BACK_OFF_MIN.saturating_mul(1 << (failures - 1).min(16)).min(BACK_OFF_MAX);
        let jitter = pause.mul_f64(f64::from(random) / 512.0);
        Self { failures, retry_at: now + pause + jitter }
    }
}

//! A clock that follows tokio's time, so that a paused runtime moves it.

use crate::model::timestamp::Timestamp;
use crate::ports::clock::Clock;
use tokio::time::Instant;

/// Starts at 2026-01-01T00:00:00Z, wherever tokio's clock stands.
#[derive(Debug)]
pub struct TokioClock {
    started: Instant,
}

impl Default for TokioClock {
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_767_225_600) + self.started.elapsed()
    }
}

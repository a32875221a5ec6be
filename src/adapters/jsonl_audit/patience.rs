//! How long somebody waits for a search, and whether they still do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Asked by a search now and then; it ends when nobody waits for it any more, or has waited too long.
#[derive(Clone, Debug, Default)]
pub(super) struct Patience {
    until: Option<Instant>,
    is_gone: Arc<AtomicBool>,
}

/// Whoever waits; once this is dropped nobody does.
#[derive(Debug)]
pub(super) struct Waiting(Arc<AtomicBool>);

impl Patience {
    /// Patience for `time`, as long as somebody waits.
    pub(super) fn for_time(time: Duration) -> (Self, Waiting) {
        let is_gone = Arc::new(AtomicBool::new(false));
        (Self { until: Some(Instant::now() + time), is_gone: Arc::clone(&is_gone) }, Waiting(is_gone))
    }

    /// Whether the search should end.
    pub(super) fn is_over(&self) -> bool {
        self.is_gone.load(Ordering::Relaxed) || self.until.is_some_and(|until| Instant::now() >= until)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

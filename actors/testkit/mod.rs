//! Parts for tests: clocks that tests move, randomness that repeats, fake neighbours that record
//! what they are asked, stores that fail on demand, and one suite per store port.
#![expect(clippy::unwrap_used, reason = "a test kit fails loudly")]
#![expect(clippy::missing_panics_doc, reason = "what a test kit finds wrong it says by panicking")]
#![expect(
    clippy::disallowed_types,
    reason = "fakes are shared by actors and tests, and a lock is held for some operations on a map only"
)]

pub mod conformance;
pub mod fake_client_metadata;
pub mod fake_idp;
pub mod fake_key_source;
pub mod fake_passwords;
pub mod fake_signatures;
pub mod fake_sql;
pub mod memory_audit;
#[cfg(test)]
pub(crate) mod rig;
pub mod samples;
pub mod seeded_entropy;
pub mod tokio_clock;
pub mod unsteady;

use crate::model::timestamp::Timestamp;
use crate::ports::StoreError;
use crate::ports::session_store::{SessionStore, SessionVisitor, StoredSession};
use std::sync::Arc;

/// Every session that `store` shows, all at once.
///
/// # Errors
/// Those of the store.
pub async fn load_sessions(store: &dyn SessionStore, now: Timestamp) -> Result<Vec<StoredSession>, StoreError> {
    let (shown, seen) = tokio::sync::mpsc::unbounded_channel();
    // The receiver lives until all were shown.
    let visit: SessionVisitor = Arc::new(move |stored| drop(shown.send(stored)));
    store.load_sessions(now, visit).await?;
    let mut seen = seen;
    let mut sessions = Vec::new();
    while let Ok(stored) = seen.try_recv() {
        sessions.push(stored);
    }
    Ok(sessions)
}

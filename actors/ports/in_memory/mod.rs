//! Stores that keep everything in memory and lose it when the process ends.
//!
//! What the daemon uses without `auth.persistence`, and what tests use. Each operation holds
//! one short lock and never waits, so each is atomic.
#![expect(
    clippy::disallowed_types,
    reason = "a store is shared by several actors, and its lock is held for some map operations only"
)]

mod assertions;
mod clients;
mod grants;
mod sessions;

pub use assertions::MemoryAssertions;
pub use clients::MemoryClients;
pub use grants::MemoryGrants;
pub use sessions::MemorySessions;

use super::{StoreError, StoreResult};
use std::sync::{Mutex, PoisonError};

/// Runs `work` under the lock at once and returns its answer as a ready future.
fn locked<'a, T, R: Send + 'a>(rows: &Mutex<T>, work: impl FnOnce(&mut T) -> R) -> StoreResult<'a, R> {
    // A panic inside leaves the maps whole: every operation changes them in its last steps.
    let answer = work(&mut rows.lock().unwrap_or_else(PoisonError::into_inner));
    Box::pin(std::future::ready(Ok::<R, StoreError>(answer)))
}

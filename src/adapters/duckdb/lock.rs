//! The lock of this adapter.

use std::sync::{MutexGuard, PoisonError};

/// A mutex that ignores poisoning.
///
/// DuckDB calls and runs us on threads of its own, where no actor can be asked. What is guarded
/// is replaced whole, so that a panic cannot leave it half changed.
#[expect(clippy::disallowed_types, reason = "shared with DuckDB's threads and with blocking workers")]
#[derive(Debug, Default)]
pub(super) struct Lock<T>(std::sync::Mutex<T>);

impl<T> Lock<T> {
    pub(super) const fn new(value: T) -> Self {
        #[expect(clippy::disallowed_types, reason = "as above")]
        Self(std::sync::Mutex::new(value))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

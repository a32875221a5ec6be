//! Where the assertions that clients have used are remembered, so that each works once.

use super::StoreResult;
use crate::model::client_assertion::UsedAssertion;
use crate::model::timestamp::Timestamp;

/// What came of an attempt to use an assertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssertionUse {
    /// This attempt was the first: the assertion is now remembered.
    First,
    /// It had been used before, and is not over.
    Repeated,
    /// There is no room to remember it, so it must not be used.
    Full,
}

/// Remembers assertions until they are over.
pub trait AssertionStore: Send + Sync + std::fmt::Debug {
    /// Remembers `used` unless an assertion of that client and hash that is not over at `now` is
    /// remembered already: of all concurrent attempts, one is the first.
    ///
    /// A client has at most `client_max` that are not over, so that none can fill the store; a
    /// store may have less room.
    fn use_assertion(&self, used: UsedAssertion, now: Timestamp, client_max: usize) -> StoreResult<'_, AssertionUse>;

    /// Forgets up to `limit` assertions that are over; tells how many.
    fn sweep_assertions(&self, now: Timestamp, limit: usize) -> StoreResult<'_, usize>;
}

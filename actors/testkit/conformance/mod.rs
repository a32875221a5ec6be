//! What every implementation of a store port must do, one suite per port.
//!
//! Each suite takes an empty store, runs its cases one after the other and panics where the
//! store breaks its promise. Stores in memory and adapters run the same suites.

mod assertion_store;
mod audit_store;
mod client_store;
mod grant_store;
mod session_store;

pub use assertion_store::check_assertion_store;
pub use audit_store::check_audit_store;
pub use client_store::check_client_store;
pub use grant_store::check_grant_store;
pub use session_store::check_session_store;

use crate::model::timestamp::Timestamp;

/// How many try at once where only one may win.
const CONTENDERS: usize = 20;

/// A point in time, in seconds.
const fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::in_memory::{MemoryAssertions, MemoryClients, MemoryGrants, MemorySessions};
    use crate::testkit::memory_audit::MemoryAudit;
    use crate::testkit::unsteady::Unsteady;

    #[actix::test]
    async fn the_stores_in_memory_keep_their_promises() {
        check_session_store(&MemorySessions::default()).await;
        check_grant_store(&MemoryGrants::default()).await;
        check_client_store(&MemoryClients::default()).await;
        check_assertion_store(&MemoryAssertions::default()).await;
        check_audit_store(&MemoryAudit::default()).await;
    }

    #[actix::test]
    async fn a_store_that_takes_its_time_keeps_them_too() {
        check_session_store(&Unsteady::<MemorySessions>::default()).await;
        check_grant_store(&Unsteady::<MemoryGrants>::default()).await;
        check_client_store(&Unsteady::<MemoryClients>::default()).await;
        check_assertion_store(&Unsteady::<MemoryAssertions>::default()).await;
    }
}

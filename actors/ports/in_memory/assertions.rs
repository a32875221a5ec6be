//! Assertions that clients have used.

use super::locked;
use crate::model::client_assertion::UsedAssertion;
use crate::model::ids::ClientId;
use crate::model::secret::TokenHash;
use crate::model::timestamp::Timestamp;
use crate::ports::StoreResult;
use crate::ports::assertion_store::{AssertionStore, AssertionUse};
use std::collections::HashMap;
use std::sync::Mutex;

/// How many assertions fit in altogether: about 100 MB of memory.
const ROWS_MAX: usize = 1_000_000;

#[derive(Debug, Default)]
struct Rows {
    /// When each of a client's assertions is over.
    clients: HashMap<ClientId, HashMap<TokenHash, Timestamp>>,
    count: usize,
}

impl Rows {
    fn use_assertion(&mut self, used: UsedAssertion, now: Timestamp, client_max: usize) -> AssertionUse {
        let of_client = self.clients.entry(used.client_id).or_default();
        if of_client.get(&used.id_hash).is_some_and(|expires_at| now < *expires_at) {
            return AssertionUse::Repeated;
        }
        if of_client.len() >= client_max {
            let before = of_client.len();
            of_client.retain(|_, expires_at| now < *expires_at);
            self.count -= before - of_client.len();
        }
        if of_client.len() >= client_max || self.count >= ROWS_MAX {
            return AssertionUse::Full;
        }
        // One that is over and not yet forgotten makes place for its namesake.
        self.count += usize::from(of_client.insert(used.id_hash, used.expires_at).is_none());
        AssertionUse::First
    }

    fn sweep(&mut self, now: Timestamp, limit: usize) -> usize {
        let mut left = limit;
        self.clients.retain(|_, of_client| {
            of_client.retain(|_, expires_at| {
                let is_swept = left > 0 && now >= *expires_at;
                left -= usize::from(is_swept);
                !is_swept
            });
            !of_client.is_empty()
        });
        let swept = limit - left;
        self.count -= swept;
        swept
    }
}

/// Remembers used assertions in memory.
#[derive(Debug, Default)]
pub struct MemoryAssertions {
    rows: Mutex<Rows>,
}

impl AssertionStore for MemoryAssertions {
    fn use_assertion(&self, used: UsedAssertion, now: Timestamp, client_max: usize) -> StoreResult<'_, AssertionUse> {
        locked(&self.rows, |rows| rows.use_assertion(used, now, client_max))
    }

    fn sweep_assertions(&self, now: Timestamp, limit: usize) -> StoreResult<'_, usize> {
        locked(&self.rows, |rows| rows.sweep(now, limit))
    }
}

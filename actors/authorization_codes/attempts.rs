//! Counting attempts at passwords, so that nobody can try them all.

use super::messages::TooManyAttempts;
use crate::model::timestamp::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

/// Attempts are counted over this time.
const WINDOW: Duration = Duration::from_secs(5 * 60);
/// For one name from one address.
const PAIR_MAX: u32 = 5;
/// For one name from anywhere: higher, so that a stranger cannot lock somebody out easily.
const NAME_MAX: u32 = 30;
/// From one address for any name.
const PEER_MAX: u32 = 60;
/// Counters that are kept; beyond it the whole page refuses for the rest of the window.
const COUNTERS_MAX: usize = 100_000;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Pair(String, String),
    Name(String),
    Peer(String),
}

#[derive(Clone, Copy, Debug)]
struct Counter {
    since: Timestamp,
    count: u32,
}

/// Attempts in the current windows.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    counters: HashMap<Key, Counter>,
}

impl Attempts {
    /// Counts one attempt, or refuses it without counting.
    pub(super) fn count(&mut self, name: &str, peer: &str, now: Timestamp) -> Result<(), TooManyAttempts> {
        if self.counters.len() >= COUNTERS_MAX {
            self.sweep(now);
            if self.counters.len() >= COUNTERS_MAX {
                return Err(TooManyAttempts::Wait(WINDOW));
            }
        }
        let limits = [
            (Key::Pair(name.to_owned(), peer.to_owned()), PAIR_MAX),
            (Key::Name(name.to_owned()), NAME_MAX),
            (Key::Peer(peer.to_owned()), PEER_MAX),
        ];
        for (key, max) in &limits {
            if let Some(counter) = self.counters.get(key).filter(|counter| counter.is_current(now))
                && counter.count >= *max
            {
                return Err(TooManyAttempts::Wait(WINDOW.saturating_sub(now.since(counter.since))));
            }
        }
        for (key, _) in limits {
            let counter = self.counters.entry(key).or_insert(Counter { since: now, count: 0 });
            if !counter.is_current(now) {
                *counter = Counter { since: now, count: 0 };
            }
            counter.count += 1;
        }
        Ok(())
    }

    /// Forgets what was counted for a name from an address. The address keeps its own count.
    pub(super) fn forget(&mut self, name: &str, peer: &str) {
        self.counters.remove(&Key::Pair(name.to_owned(), peer.to_owned()));
        self.counters.remove(&Key::Name(name.to_owned()));
    }

    /// Drops counters whose window is over.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        self.counters.retain(|_, counter| counter.is_current(now));
    }
}

impl Counter {
    fn is_current(&self, now: Timestamp) -> bool {
        now.since(self.since) < WINDOW
    }
}

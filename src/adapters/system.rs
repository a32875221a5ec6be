//! The clock and the randomness of the machine.

use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::ports::clock::Clock;
use mxcp_actors::ports::entropy::Entropy;
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else gets the time from")]
    fn now(&self) -> Timestamp {
        // A machine whose clock stands before 1970 has no valid token of ours: the epoch is as
        // good as any time then.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(0) + since_epoch
    }
}

/// Draws from the operating system's random source.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// Fills `bytes`, or ends the process.
    ///
    /// Without randomness every token could be guessed, and no caller could do anything about
    /// it. A panic would end one actor only and leave the rest running, so the whole process
    /// stops at once; the service manager starts it again.
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            tracing::error!(%error, "the operating system gives no random bytes; aborting");
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_tells_a_time_after_this_was_written() {
        let written = Timestamp::parse_rfc3339("2026-11-23T00:00:00Z").unwrap();
        assert!(SystemClock.now() > written);
    }

    #[test]
    fn the_clock_counts_microseconds() {
        let earlier = SystemClock.now();
        std::hint::black_box((0..100_000).fold(0_u64, |sum, number| sum ^ std::hint::black_box(number)));
        assert!(SystemClock.now() >= earlier);
    }

    #[test]
    fn random_tokens_differ() {
        let tokens: std::collections::HashSet<_> =
            (0..100).map(|_| SystemEntropy.token("t_").expose().to_owned()).collect();
        assert_eq!(tokens.len(), 100);
    }

    #[test]
    fn random_bytes_take_all_values() {
        let mut bytes = [0_u8; 4096];
        SystemEntropy.fill(&mut bytes);
        let distinct: std::collections::HashSet<u8> = bytes.iter().copied().collect();
        assert!(distinct.len() > 250, "4096 random bytes have more than {} values", distinct.len());
    }
}

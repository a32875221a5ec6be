//! What was found out about tokens a moment ago, by the hash of the token.

use dashmap::DashMap;
use mxcp_actors::model::secret::TokenHash;
use std::time::Duration;
use tokio::time::Instant;

/// Which part of the memory is freed when it is full. All at once, so that the search for the
/// oldest is not repeated for every token.
const FREED_PART: usize = 10;

/// Findings, each of which counts for a while. The oldest make room.
#[derive(Debug)]
pub(super) struct Memory<T> {
    held: DashMap<TokenHash, Held<T>>,
    age_max: Duration,
    entries_max: usize,
}

#[derive(Debug)]
struct Held<T> {
    finding: T,
    noted_at: Instant,
}

impl<T: Clone> Memory<T> {
    /// An empty memory for so many findings that count for so long.
    pub(super) fn new(age_max: Duration, entries_max: usize) -> Self {
        Self { held: DashMap::new(), age_max, entries_max }
    }

    /// What is remembered of the token, unless it is too old.
    pub(super) fn recall(&self, token: &TokenHash) -> Option<T> {
        let held = self.held.get(token)?;
        (held.noted_at.elapsed() < self.age_max).then(|| held.finding.clone())
    }

    /// What was noted of the token at `since` or later.
    pub(super) fn recall_since(&self, token: &TokenHash, since: Instant) -> Option<T> {
        let held = self.held.get(token)?;
        (held.noted_at >= since).then(|| held.finding.clone())
    }

    /// Remembers what was found out.
    pub(super) fn note(&self, token: TokenHash, finding: T) {
        if self.held.len() >= self.entries_max {
            self.make_room();
        }
        self.held.insert(token, Held { finding, noted_at: Instant::now() });
    }

    fn make_room(&self) {
        self.held.retain(|_, held| held.noted_at.elapsed() < self.age_max);
        if self.held.len() < self.entries_max {
            return;
        }
        let mut times: Vec<Instant> = self.held.iter().map(|held| held.noted_at).collect();
        let freed = times.len() / FREED_PART;
        if freed < times.len() {
            let (_, last_freed, _) = times.select_nth_unstable(freed);
            self.held.retain(|_, held| held.noted_at > *last_freed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    fn token(number: usize) -> TokenHash {
        TokenHash::of(&number.to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn a_finding_counts_for_a_while() {
        let memory = Memory::new(Duration::from_secs(5), 10);
        memory.note(token(1), "good");
        advance(Duration::from_millis(4_999)).await;
        assert_eq!(memory.recall(&token(1)), Some("good"));
        assert_eq!(memory.recall(&token(2)), None);
        advance(Duration::from_millis(1)).await;
        assert_eq!(memory.recall(&token(1)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_make_room_and_there_are_never_too_many() {
        let memory = Memory::new(Duration::from_secs(3_600), 100);
        for number in 0..250 {
            advance(Duration::from_secs(1)).await;
            memory.note(token(number), number);
            assert!(memory.held.len() <= 100);
            assert_eq!(memory.recall(&token(number)), Some(number));
        }
        assert_eq!(memory.recall(&token(0)), None);
        assert!((200..250).all(|number| memory.recall(&token(number)) == Some(number)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_old_makes_room_first() {
        let memory = Memory::new(Duration::from_secs(5), 4);
        (0..3).for_each(|number| memory.note(token(number), number));
        advance(Duration::from_secs(4)).await;
        memory.note(token(3), 3);
        advance(Duration::from_secs(1)).await;
        memory.note(token(4), 4);
        assert_eq!(memory.held.len(), 2);
        assert_eq!(memory.recall(&token(3)), Some(3));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_found_out_since_is_told_from_what_was_known_before() {
        let memory = Memory::new(Duration::ZERO, 4);
        memory.note(token(1), ());
        advance(Duration::from_secs(1)).await;
        let since = Instant::now();
        assert_eq!(memory.recall_since(&token(1), since), None);
        memory.note(token(1), ());
        assert_eq!(memory.recall_since(&token(1), since), Some(()));
    }
}

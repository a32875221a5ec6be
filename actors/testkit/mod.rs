//! Parts for tests: clocks that tests move, randomness that repeats, stores that fail on demand.
#![expect(clippy::unwrap_used, reason = "a test kit fails loudly")]

pub mod memory_audit;
pub mod seeded_entropy;
pub mod tokio_clock;

//! Tests of the whole daemon.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail loudly too, not only the tests themselves")]

mod tidy;

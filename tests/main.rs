//! Tests of the whole daemon.

mod tidy;

//! What the ports are on this machine: the database, the stores, the identity providers, the clock.

pub mod duckdb;

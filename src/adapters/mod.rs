//! The outside world: implementations of the ports that the middle declares.
//!
//! Owns the database, the files, every connection to an identity provider, and what the machine
//! gives. Must not decide who may do what, and must not know HTTP handlers.

mod cached_document;
pub mod client_keys;
pub mod client_metadata;
pub mod duckdb;
pub mod http_client;
pub mod http_fetch;
pub mod jsonl_audit;
pub mod local_users;
pub mod null_audit;
pub mod outgoing_guard;
pub mod persistence;
pub mod signatures;
pub mod start_pages;
pub mod system;
pub mod upstream;

//! The middle of mxcp: state, decisions, and the mailboxes between them.
//!
//! | actor | owns | rank | asks | tells | timers |
//! | --- | --- | --- | --- | --- | --- |
//! | [`authorization`] | turns of codes | 3 | `client_registry`, `authorization_codes`, `sessions`, the provider | `audit_log` | none |
//! | [`tool_calls`] (per worker) | a share of the catalogue of endpoints | 3 | `policy`, `token_refresh`, the SQL engine | `audit_log` | none |
//! | [`token_refresh`] | refreshes and revocations under way | 2 | `sessions`, the provider | `audit_log` | refresh |
//! | [`authorization_codes`] | logins, codes, consents | 1 | none | none | expiry |
//! | [`sessions`] | sessions and tokens | 1 | none | `audit_log` | expiry |
//! | [`client_registry`] | clients, used assertions | 1 | sources of documents and keys | `audit_log` | expiry |
//! | [`policy`] (per worker) | a share of the rules | 1 | none | none | none |
//! | [`mcp_sessions`] | sessions of clients with a handshake | 0 | none | none | expiry |
//! | [`audit_log`] | the order of records | 0 | none | none | sync |
//!
//! An actor asks only actors of a lower rank, so that no two can wait for each other.

pub mod audit_log;
pub mod authorization;
pub mod authorization_codes;
pub mod client_registry;
pub mod expression;
pub mod handles;
mod mailbox;
pub mod mcp_sessions;
pub mod model;
pub mod policy;
pub mod ports;
pub mod scope_rules;
pub mod sessions;
pub mod settings;
pub mod supervisor;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
pub mod token_refresh;
pub mod tool_calls;
pub mod user_mapping;

pub use mailbox::Unavailable;

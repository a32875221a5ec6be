//! The middle of mxcp: state, decisions, and the mailboxes between them.

pub mod audit_log;
mod mailbox;
pub mod model;
pub mod policy;
pub mod ports;
pub mod sessions;
pub mod settings;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
pub mod token_refresh;
pub mod tool_calls;

pub use mailbox::Unavailable;

//! The middle of mxcp: state, decisions, and the mailboxes between them.

pub mod model;
pub mod ports;

//! What the MCP sessions are told and asked.

use super::state::{McpOwner, McpSession};
use crate::mailbox::Unavailable;
use actix::Message;
use std::sync::Arc;

/// Why nothing came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum McpSessionsError {
    /// The actor did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Opens a session. Sent by the MCP endpoint on `initialize`. Not idempotent: each one opens
/// another.
#[derive(Debug, Message)]
#[rtype(result = "Result<Arc<McpSession>, McpSessionsError>")]
pub(super) struct OpenSession {
    pub(super) owner: McpOwner,
    pub(super) revision: &'static str,
}

/// Ends a session; answered with whether the owner had such a one. Sent by the MCP endpoint on
/// DELETE. Idempotent.
#[derive(Debug, Message)]
#[rtype(result = "Result<bool, McpSessionsError>")]
pub(super) struct CloseSession {
    pub(super) id: Box<str>,
    pub(super) owner: McpOwner,
}

/// Ends sessions that have been idle for too long.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct TickExpiry;

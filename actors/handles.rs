//! One handle per actor: all that the edge receives.

use crate::audit_log::AuditLogHandle;
use crate::authorization::AuthorizationHandle;
use crate::authorization_codes::AuthorizationCodesHandle;
use crate::client_registry::ClientRegistryHandle;
use crate::mcp_sessions::McpSessionsHandle;
use crate::policy::PolicyHandle;
use crate::sessions::SessionsHandle;
use crate::token_refresh::TokenRefreshHandle;
use crate::tool_calls::ToolCallsHandle;

/// The actors that there is one of.
#[derive(Clone, Debug)]
pub struct Handles {
    /// Rank 0.
    pub audit_log: AuditLogHandle,
    /// Rank 0.
    pub mcp_sessions: McpSessionsHandle,
    /// Rank 1.
    pub client_registry: ClientRegistryHandle,
    /// Rank 1.
    pub authorization_codes: AuthorizationCodesHandle,
    /// Rank 1.
    pub sessions: SessionsHandle,
    /// Rank 2.
    pub token_refresh: TokenRefreshHandle,
    /// Rank 3.
    pub authorization: AuthorizationHandle,
}

/// The actors that every HTTP worker has its own of.
#[derive(Clone, Debug)]
pub struct WorkerHandles {
    /// Rank 1.
    pub policy: PolicyHandle,
    /// Rank 3.
    pub tool_calls: ToolCallsHandle,
}

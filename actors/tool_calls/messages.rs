//! What tool calls are asked.

use super::catalog::CatalogEntry;
use crate::audit_log::AuditError;
use crate::mailbox::Unavailable;
use crate::model::endpoint::EndpointKind;
use crate::model::principal::Principal;
use crate::model::secret::Secret;
use crate::ports::sql_engine::SqlError;
use crate::token_refresh::TokenRefreshError;
use actix::Message;
use serde_json::{Map, Value};
use std::sync::Arc;
use tokio::sync::oneshot;

/// A call of a tool, a read of a resource or a use of a prompt, from the MCP endpoint or from `mxcp run`.
#[derive(Clone, Debug)]
pub struct CallTool {
    /// Who calls.
    pub principal: Arc<Principal>,
    /// What is called.
    pub kind: EndpointKind,
    /// Its name. A resource may be named by a URI as well, then without arguments.
    pub name: String,
    /// The arguments as they came.
    pub arguments: Map<String, Value>,
    /// How the call came in: `http` or `cli`.
    pub caller_type: &'static str,
    /// The id of the request.
    pub trace_id: Option<String>,
    /// The caller's token at the provider, when it does not come from their session.
    pub external_token: Option<Secret>,
}

/// Makes a call. Sent by the handle. Not idempotent: the SQL runs each time.
#[derive(Debug, Message)]
#[rtype(result = "Result<ToolResult, CallToolError>")]
pub(crate) struct RunCall {
    pub(crate) call: CallTool,
    /// Closes when nobody waits for the result any more: an actor's future would otherwise run
    /// on after the one who asked has gone.
    pub(crate) caller_gone: oneshot::Receiver<()>,
}

/// What an endpoint gave, after policies.
#[derive(Clone, Debug)]
pub struct ToolResult {
    /// The result in the shape that the endpoint declares: a list, an object or a scalar; of a prompt
    /// its messages. Shared with the audit log, which may still be about to write it.
    pub value: Arc<Value>,
    /// The endpoint.
    pub entry: Arc<CatalogEntry>,
}

/// Why a call gave no result. The text is for the caller.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CallToolError {
    /// There is no such tool.
    #[error("Endpoint '{0}' not found in tools")]
    UnknownTool(String),
    /// There is no such resource.
    #[error("Endpoint '{0}' not found in resources")]
    UnknownResource(String),
    /// There is no such prompt.
    #[error("Endpoint '{0}' not found in prompts")]
    UnknownPrompt(String),
    /// An argument is missing, unknown or not valid.
    #[error("{0}")]
    InvalidArguments(String),
    /// A rule refused the call.
    #[error("Policy enforcement failed: {0}")]
    Denied(String),
    /// A rule withheld the response.
    #[error("Output policy enforcement failed: {0}")]
    Withheld(String),
    /// The query failed.
    #[error("Failed to execute SQL: {0}")]
    Sql(SqlError),
    /// The query gave something else than the tool declares.
    #[error("{0}")]
    WrongResult(String),
    /// The messages of a prompt could not be made.
    #[error("Failed to render the prompt: {0}")]
    Prompt(String),
    /// The provider's token that the query needs is not to be had.
    #[error(transparent)]
    ExternalToken(TokenRefreshError),
    /// Nobody waits for the result any more; the query was interrupted.
    #[error("the call was cancelled")]
    Cancelled,
    /// The call could not be recorded, so its result is not given out.
    #[error("the call could not be recorded in the audit log")]
    NotRecorded(#[from] AuditError),
    /// A part of the server did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl CallToolError {
    /// There is no endpoint of that kind and name.
    pub(super) fn unknown(kind: EndpointKind, name: String) -> Self {
        match kind {
            EndpointKind::Tool => Self::UnknownTool(name),
            EndpointKind::Resource => Self::UnknownResource(name),
            EndpointKind::Prompt => Self::UnknownPrompt(name),
        }
    }
}

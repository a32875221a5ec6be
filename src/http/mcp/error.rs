//! What can be wrong with a message, and the only place that chooses a JSON-RPC code or an HTTP
//! status for it.
//!
//! A tool that fails is not a fault of the protocol: that is a result with `isError`, so that
//! the model reads why (MCP 2025-11-25, tools, error handling).
#![deny(clippy::wildcard_enum_match_arm)]

use super::revision::{Era, SUPPORTED};
use super::slots::TooManyStreams;
use actix_web::http::StatusCode;
use mxcp_actors::mcp_sessions::McpSessionsError;
use mxcp_actors::token_refresh::{TokenRefreshError, whole_seconds};
use mxcp_actors::tool_calls::CallToolError;
use rmcp::model::{ErrorCode, ErrorData};
use serde_json::json;

/// Why a message gets an error instead of a result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("the body is not JSON")]
    NotJson,
    #[error("{0}")]
    NotAMessage(&'static str),
    #[error("the body is larger than {0} bytes")]
    BodyTooLarge(usize),
    #[error("the body could not be read")]
    BodyIncomplete,
    #[error("the header Content-Type must be application/json")]
    UnsupportedMediaType,
    #[error("the header Accept must allow application/json or text/event-stream")]
    NotAcceptable,
    #[error("the stream needs the header Accept: text/event-stream")]
    StreamNotAccepted,
    #[error("header mismatch: {0}")]
    HeaderMismatch(String),
    #[error("unsupported protocol version: {0}")]
    UnsupportedVersion(String),
    #[error("{0}")]
    MalformedParams(String),
    #[error("{0}")]
    InvalidParams(String),
    #[error("unknown method: {0}")]
    UnknownMethod(String),
    #[error("Unknown tool: {0}")]
    UnknownTool(String),
    #[error("Unknown resource: {0}")]
    UnknownResource(String),
    #[error("Unknown prompt: {0}")]
    UnknownPrompt(String),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Failed(String),
    #[error("the header Mcp-Session-Id is missing; send initialize first")]
    MissingSession,
    #[error("there is no such session; send initialize again")]
    UnknownSession,
    #[error(transparent)]
    TooManyStreams(#[from] TooManyStreams),
    #[error("the request was cancelled")]
    Cancelled,
    #[error("{message}")]
    ProviderUnavailable { message: String, retry_after_secs: u64 },
    #[error("{0}")]
    Unavailable(String),
}

impl Fault {
    /// The status and the JSON-RPC error of this fault.
    ///
    /// The modern era answers an unknown method with 404; before it, errors of the protocol
    /// travelled with 200. What fails inside stays 200 in both, because clients in the wild take
    /// any other status for a broken transport and leave their caller waiting. An identity provider
    /// that is away is none of that: it is 503 with the time to wait, which proxies and clients that
    /// try again know how to read. A GET has no message that could carry an error, so there the
    /// status says it.
    pub(super) fn render(&self, era: Era) -> (StatusCode, ErrorData) {
        let (status, code) = match self {
            Self::NotJson => (StatusCode::BAD_REQUEST, ErrorCode::PARSE_ERROR),
            Self::NotAMessage(_) | Self::BodyIncomplete | Self::MissingSession => {
                (StatusCode::BAD_REQUEST, ErrorCode::INVALID_REQUEST)
            }
            Self::BodyTooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::INVALID_REQUEST),
            Self::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorCode::INVALID_REQUEST),
            Self::NotAcceptable | Self::StreamNotAccepted => (StatusCode::NOT_ACCEPTABLE, ErrorCode::INVALID_REQUEST),
            Self::HeaderMismatch(_) => (StatusCode::BAD_REQUEST, ErrorCode::HEADER_MISMATCH),
            Self::UnsupportedVersion(_) => (StatusCode::BAD_REQUEST, ErrorCode::UNSUPPORTED_PROTOCOL_VERSION),
            Self::MalformedParams(_) => (StatusCode::BAD_REQUEST, ErrorCode::INVALID_PARAMS),
            Self::InvalidParams(_) | Self::UnknownTool(_) | Self::UnknownPrompt(_) => {
                (StatusCode::OK, ErrorCode::INVALID_PARAMS)
            }
            // The modern era has no code of its own for it (MCP 2026-07-28, resources, error handling).
            Self::UnknownResource(_) => {
                let code = if era == Era::Modern { ErrorCode::INVALID_PARAMS } else { ErrorCode::RESOURCE_NOT_FOUND };
                (StatusCode::OK, code)
            }
            Self::Refused(_) => (StatusCode::OK, ErrorCode::INVALID_REQUEST),
            Self::UnknownMethod(_) => {
                let status = if era == Era::Modern { StatusCode::NOT_FOUND } else { StatusCode::OK };
                (status, ErrorCode::METHOD_NOT_FOUND)
            }
            Self::UnknownSession => (StatusCode::NOT_FOUND, ErrorCode::INVALID_REQUEST),
            Self::TooManyStreams(_) => {
                let status = if era == Era::Modern { StatusCode::OK } else { StatusCode::TOO_MANY_REQUESTS };
                (status, ErrorCode::INTERNAL_ERROR)
            }
            Self::ProviderUnavailable { .. } => (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::INTERNAL_ERROR),
            Self::Failed(_) | Self::Cancelled | Self::Unavailable(_) => (StatusCode::OK, ErrorCode::INTERNAL_ERROR),
        };
        let data = match self {
            Self::UnsupportedVersion(requested) => Some(json!({"supported": SUPPORTED, "requested": requested})),
            Self::UnknownResource(uri) => Some(json!({"uri": uri})),
            // Also where it is, inside of a stream, too late for a header.
            Self::ProviderUnavailable { retry_after_secs, .. } => Some(json!({"retryAfter": retry_after_secs})),
            Self::NotJson
            | Self::NotAMessage(_)
            | Self::BodyTooLarge(_)
            | Self::BodyIncomplete
            | Self::UnsupportedMediaType
            | Self::NotAcceptable
            | Self::StreamNotAccepted
            | Self::HeaderMismatch(_)
            | Self::MalformedParams(_)
            | Self::InvalidParams(_)
            | Self::UnknownMethod(_)
            | Self::UnknownTool(_)
            | Self::UnknownPrompt(_)
            | Self::Refused(_)
            | Self::Failed(_)
            | Self::MissingSession
            | Self::UnknownSession
            | Self::TooManyStreams(_)
            | Self::Cancelled
            | Self::Unavailable(_) => None,
        };
        (status, ErrorData::new(code, self.to_string(), data))
    }

    /// When to try again, where that is known.
    pub(super) fn retry_after_secs(&self) -> Option<u64> {
        if let Self::ProviderUnavailable { retry_after_secs, .. } = self { Some(*retry_after_secs) } else { None }
    }
}

/// How a call that brought no value is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// As an error of the protocol.
    Protocol(Fault),
    /// As a result that says so, for the model to read.
    Result(String),
}

impl From<CallToolError> for Failure {
    fn from(error: CallToolError) -> Self {
        match error {
            CallToolError::UnknownTool(name) => Self::Protocol(Fault::UnknownTool(name)),
            CallToolError::UnknownResource(uri) => Self::Protocol(Fault::UnknownResource(uri)),
            CallToolError::UnknownPrompt(name) => Self::Protocol(Fault::UnknownPrompt(name)),
            CallToolError::Cancelled => Self::Protocol(Fault::Cancelled),
            CallToolError::Unavailable(_) | CallToolError::NotRecorded(_) => {
                Self::Protocol(Fault::Unavailable(format!("{error}; try again")))
            }
            CallToolError::ExternalToken(TokenRefreshError::ProviderUnavailable { retry_after }) => {
                let retry_after_secs = whole_seconds(retry_after);
                Self::Protocol(Fault::ProviderUnavailable { message: error.to_string(), retry_after_secs })
            }
            CallToolError::InvalidArguments(_)
            | CallToolError::Denied(_)
            | CallToolError::Withheld(_)
            | CallToolError::Sql(_)
            | CallToolError::WrongResult(_)
            | CallToolError::Prompt(_)
            | CallToolError::ExternalToken(_) => Self::Result(error.to_string()),
        }
    }
}

impl Fault {
    /// Why a resource or a prompt brought nothing: their results cannot say that they failed.
    pub(super) fn of_read(error: &CallToolError) -> Self {
        let text = error.to_string();
        match Failure::from(error.clone()) {
            Failure::Protocol(fault) => fault,
            Failure::Result(_) => match error {
                CallToolError::InvalidArguments(_) => Self::InvalidParams(text),
                CallToolError::Denied(_) | CallToolError::Withheld(_) => Self::Refused(text),
                CallToolError::UnknownTool(_)
                | CallToolError::UnknownResource(_)
                | CallToolError::UnknownPrompt(_)
                | CallToolError::Sql(_)
                | CallToolError::WrongResult(_)
                | CallToolError::Prompt(_)
                | CallToolError::ExternalToken(_)
                | CallToolError::Cancelled
                | CallToolError::NotRecorded(_)
                | CallToolError::Unavailable(_) => Self::Failed(text),
            },
        }
    }
}

impl From<McpSessionsError> for Fault {
    fn from(error: McpSessionsError) -> Self {
        match error {
            McpSessionsError::Unavailable(_) => Self::Unavailable(format!("{error}; try again")),
        }
    }
}

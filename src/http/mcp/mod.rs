//! The MCP endpoint: one URL for the revision without handshake (2026-07-28) and for those
//! before it.
//!
//! The SDK (`rmcp`) gives the vocabulary: what results, tools and error codes look like. The
//! transport is our own, because the SDK's reads and writes every message several times over and
//! runs each request as a task with channels, which costs as much as the query itself, and
//! because where it departs from the specification (statuses of unknown methods and missing
//! sessions, sessions that any token may use) the layer in front of it would have to read every
//! message first. This server never asks anything of a client, so a request is one future and
//! its answer is one document.
//!
//! Order of a request: may this page call, may this token call, what does the message say, in
//! which revision, and only then what it asks for.

mod accept;
mod answer;
mod body;
mod dispatch;
mod documents;
mod endpoint;
mod envelope;
mod error;
mod headers;
mod listings;
mod open_stream;
mod raw_json;
mod reads;
mod revision;
mod slots;
mod stream;
mod subscription;
mod tools;

use super::auth::ResourceGuard;
use super::cors;
use super::host_guard::Names;
use actix_web::web::{self, Data, ServiceConfig};
use documents::Documents;
use mxcp_actors::mcp_sessions::McpSessionsHandle;
use mxcp_actors::tool_calls::{ToolCallsHandle, ToolCatalog};
use slots::StreamSlots;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

pub use slots::StreamLimits;

/// The largest message taken unless configured otherwise.
pub const BODY_MAX_DEFAULT: usize = 4 * 1024 * 1024;

/// How long a client waits for a sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct McpTimes {
    /// A call that takes longer is answered as a stream, so that proxies see that it lives.
    pub stream_after: Duration,
    /// How often a quiet stream says that it lives.
    pub keep_alive: Duration,
}

impl Default for McpTimes {
    fn default() -> Self {
        Self { stream_after: Duration::from_secs(5), keep_alive: Duration::from_secs(15) }
    }
}

/// What all workers share.
#[derive(Debug)]
pub struct McpShared {
    guard: Arc<ResourceGuard>,
    names: Arc<Names>,
    /// `None` when the endpoint is stateless for all revisions.
    sessions: Option<McpSessionsHandle>,
    documents: Documents,
    body_max: usize,
    times: McpTimes,
    slots: Arc<StreamSlots>,
    is_stopping: watch::Receiver<bool>,
}

/// How the endpoint is set up.
#[derive(Debug)]
pub struct McpOptions {
    /// Lets callers in.
    pub guard: Arc<ResourceGuard>,
    /// What the server is called.
    pub names: Arc<Names>,
    /// Sessions for the revisions that have them; `None` serves those without sessions too
    /// (`transport.http.stateless`).
    pub sessions: Option<McpSessionsHandle>,
    /// What the model is told about this server as a whole.
    pub instructions: Option<String>,
    /// The largest message taken, in bytes.
    pub body_max: usize,
    /// Turns true when the server is to stop, so that open streams end.
    pub is_stopping: watch::Receiver<bool>,
}

impl McpShared {
    /// Prepares everything that is the same for all calls; the tools are rendered here, once.
    ///
    /// # Errors
    /// When a tool's schema cannot be written as JSON.
    pub fn new(catalog: &ToolCatalog, options: McpOptions) -> Result<Self, serde_json::Error> {
        let McpOptions { guard, names, sessions, instructions, body_max, is_stopping } = options;
        let documents = Documents::new(catalog, instructions)?;
        let slots = StreamSlots::new(StreamLimits::default());
        Ok(Self { guard, names, sessions, documents, body_max, times: McpTimes::default(), slots, is_stopping })
    }

    /// Replaces the times that are right for clients on the internet.
    #[must_use]
    pub fn with_times(self, times: McpTimes) -> Self {
        Self { times, ..self }
    }

    /// Replaces the number of streams that is right for most systems.
    #[must_use]
    pub fn with_stream_limits(self, limits: StreamLimits) -> Self {
        Self { slots: StreamSlots::new(limits), ..self }
    }
}

/// The endpoint of one HTTP worker.
#[derive(Clone, Debug)]
pub struct McpState {
    shared: Arc<McpShared>,
    tools: ToolCallsHandle,
}

impl McpState {
    /// Joins what is shared with the worker's own tool calls.
    #[must_use]
    pub fn new(shared: Arc<McpShared>, tools: ToolCallsHandle) -> Self {
        Self { shared, tools }
    }
}

/// Adds the endpoint, `/mcp` with or without a slash behind it: two resources, because one with
/// two paths would be found by a regular expression.
pub fn configure(config: &mut ServiceConfig, state: &McpState) {
    for path in ["/mcp", "/mcp/"] {
        let resource = web::resource(path)
            .app_data(Data::new(state.clone()))
            .wrap(cors::for_known_pages(Arc::clone(&state.shared.names)))
            .to(endpoint::serve);
        config.service(resource);
    }
}

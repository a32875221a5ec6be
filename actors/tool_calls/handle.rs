//! What the rest of the house sees of tool calls.

use super::ToolCalls;
use super::catalog::ToolCatalog;
use super::flow::ToolCaller;
use super::messages::{CallTool, CallToolError, RunCall, ToolResult};
use crate::mailbox::{EndGuard, ask};
use actix::{Actor, Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

const NAME: &str = "tool_calls";
/// What a call may take beyond its query: a refresh at the provider and the record of it.
const CALL_SLACK: Duration = Duration::from_secs(40);

/// Calls tools.
#[derive(Clone, Debug)]
pub struct ToolCallsHandle {
    address: Addr<ToolCalls>,
    catalog: Arc<ToolCatalog>,
    deadline: Duration,
}

impl ToolCallsHandle {
    /// Starts the actor on the current arbiter.
    pub(crate) fn start(caller: ToolCaller, guard: EndGuard) -> Self {
        let (catalog, deadline) = (Arc::clone(&caller.catalog), caller.query_deadline + CALL_SLACK);
        Self { address: ToolCalls::new(caller, guard).start(), catalog, deadline }
    }

    /// The endpoints that can be called.
    #[must_use]
    pub fn catalog(&self) -> &Arc<ToolCatalog> {
        &self.catalog
    }

    /// Calls a tool and waits for its result. Dropping the future interrupts its query.
    ///
    /// # Errors
    /// Whatever keeps the result from the caller.
    pub async fn call_tool(&self, call: CallTool) -> Result<ToolResult, CallToolError> {
        // Held until the answer is here: dropping it tells the actor that nobody waits.
        let (_still_waiting, caller_gone) = oneshot::channel();
        ask(NAME, &self.address, RunCall { call, caller_gone }, self.deadline).await
    }
}

//! Tool calls: takes a call of a tool, a resource or a prompt from its arguments to its audited result.
//!
//! Owns no state but a share of the catalogue of endpoints, which is read-only; so it runs once
//! per HTTP worker. Rank 3: asks `policy`, `token_refresh` and the SQL engine, tells
//! `audit_log`. No timers. If it dies, its worker's calls fail and the process ends.

mod arguments;
mod catalog;
mod field_names;
mod flow;
mod handle;
mod messages;
mod prompts;
mod redaction;
mod resources;
mod results;
mod sensitive_texts;
mod shown_tokens;
#[cfg(test)]
mod tests;

pub use catalog::{CatalogEntry, CatalogError, ToolCatalog};
pub use handle::ToolCallsHandle;
pub use messages::{CallTool, CallToolError, ToolResult};

use crate::mailbox::EndGuard;
use actix::{Actor, Context, Handler, ResponseFuture};
pub(crate) use flow::ToolCaller;
use messages::RunCall;
use std::sync::Arc;

/// The actor.
#[derive(Debug)]
pub(crate) struct ToolCalls {
    caller: Arc<ToolCaller>,
    _guard: EndGuard,
}

impl ToolCalls {
    pub(crate) fn new(caller: ToolCaller, guard: EndGuard) -> Self {
        Self { caller: Arc::new(caller), _guard: guard }
    }
}

impl Actor for ToolCalls {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(1_024);
    }
}

impl Handler<RunCall> for ToolCalls {
    type Result = ResponseFuture<Result<ToolResult, CallToolError>>;

    fn handle(&mut self, message: RunCall, _: &mut Self::Context) -> Self::Result {
        let caller = Arc::clone(&self.caller);
        Box::pin(async move { caller.call_tool(message.call, message.caller_gone).await })
    }
}

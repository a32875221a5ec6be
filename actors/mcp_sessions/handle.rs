//! What the rest of the house sees of MCP sessions.

use super::in_flight::{CallInFlight, CallTable};
use super::messages::{CloseSession, McpSessionsError, OpenSession};
use super::state::{McpOwner, McpSession, SessionTable};
use super::{McpSessionLimits, McpSessions, McpSessionsPorts};
use crate::mailbox::{ASK_DEADLINE, EndGuard, ask};
use crate::model::principal::Principal;
use crate::ports::clock::Clock;
use actix::{Actor, Addr, ArbiterHandle, Context};
use std::sync::Arc;

const NAME: &str = "mcp_sessions";

/// Opens, finds and ends MCP sessions.
#[derive(Clone, Debug)]
pub struct McpSessionsHandle {
    address: Addr<McpSessions>,
    table: Arc<SessionTable>,
    calls: Arc<CallTable>,
    clock: Arc<dyn Clock>,
}

impl McpSessionsHandle {
    pub(crate) fn start(
        arbiter: &ArbiterHandle,
        ports: McpSessionsPorts,
        limits: McpSessionLimits,
        guard: EndGuard,
    ) -> Self {
        let (table, clock) = (Arc::new(SessionTable::default()), Arc::clone(&ports.clock));
        let owned = Arc::clone(&table);
        let start = move |_: &mut Context<McpSessions>| McpSessions { ports, limits, table: owned, _guard: guard };
        Self { address: McpSessions::start_in_arbiter(arbiter, start), table, calls: Arc::default(), clock }
    }

    /// Opens a session for `principal` in the revision that was agreed on.
    ///
    /// # Errors
    /// When the actor does not answer.
    pub async fn open(
        &self,
        principal: &Principal,
        revision: &'static str,
    ) -> Result<Arc<McpSession>, McpSessionsError> {
        ask(NAME, &self.address, OpenSession { owner: McpOwner::from(principal), revision }, ASK_DEADLINE).await
    }

    /// The session of that name, if it was opened for `principal`; counts as a use. Reads the
    /// shared table and asks nobody.
    #[must_use]
    pub fn find(&self, id: &str, principal: &Principal) -> Option<Arc<McpSession>> {
        self.table.find(id, principal, self.clock.now())
    }

    /// Ends a session of `principal`; false when there is none.
    ///
    /// # Errors
    /// When the actor does not answer.
    pub async fn close(&self, id: &str, principal: &Principal) -> Result<bool, McpSessionsError> {
        ask(NAME, &self.address, CloseSession { id: id.into(), owner: McpOwner::from(principal) }, ASK_DEADLINE).await
    }

    /// Makes a call known, so that [`Self::cancel_call`] finds it. `request` is the request's
    /// identifier as JSON.
    #[must_use]
    pub fn begin_call(&self, session: &McpSession, request: &str) -> CallInFlight {
        self.calls.begin(session.id(), request)
    }

    /// Cancels a call of that session; false when it is not (any more) under way.
    #[must_use]
    pub fn cancel_call(&self, session: &McpSession, request: &str) -> bool {
        self.calls.cancel(session.id(), request)
    }
}

//! The sessions of MCP clients that still open one with `initialize` (2025-11-25 and before).
//!
//! Owns who opened which session, in which revision, and when it was used last. Such a session
//! grants nothing: every request brings its own token, and the session only answers to whom it
//! was opened for. Rank 0: asks no other actor, tells none. Timers: `TickExpiry` ends what has
//! been idle. If it dies, clients can open no session and the process ends. Sessions do not
//! outlive the process: a client that names an old one is told to open another.
//!
//! Every HTTP worker reads the same table without asking; only the actor adds and removes.

mod handle;
mod in_flight;
mod messages;
mod state;
#[cfg(test)]
mod tests;

pub use handle::McpSessionsHandle;
pub use in_flight::CallInFlight;
pub use messages::McpSessionsError;
pub use state::{McpOwner, McpSession};

use crate::mailbox::EndGuard;
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use actix::{Actor, AsyncContext, Context, Handler};
use messages::{CloseSession, OpenSession, TickExpiry};
use state::SessionTable;
use std::sync::Arc;
use std::time::Duration;

/// How often idle sessions are looked for.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(60);

/// How many sessions there may be, and how long one may be idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct McpSessionLimits {
    /// After this long without a request a session is over.
    pub idle_max: Duration,
    /// When one more is opened, the one that has been idle longest is ended.
    pub sessions_max: usize,
}

impl Default for McpSessionLimits {
    fn default() -> Self {
        Self { idle_max: Duration::from_secs(60 * 60), sessions_max: 10_000 }
    }
}

/// What the actor needs.
#[derive(Clone, Debug)]
pub(crate) struct McpSessionsPorts {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

/// The actor.
#[derive(Debug)]
pub(crate) struct McpSessions {
    ports: McpSessionsPorts,
    limits: McpSessionLimits,
    table: Arc<SessionTable>,
    _guard: EndGuard,
}

impl Actor for McpSessions {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(EXPIRY_INTERVAL, |_, ctx| ctx.notify(TickExpiry));
    }
}

impl Handler<OpenSession> for McpSessions {
    type Result = Result<Arc<McpSession>, McpSessionsError>;

    fn handle(&mut self, message: OpenSession, _: &mut Self::Context) -> Self::Result {
        self.table.make_room(self.limits.sessions_max);
        // 256 bits in visible ASCII: nobody guesses one (MCP 2025-11-25, session management).
        let id = self.ports.entropy.token("");
        Ok(self.table.open(id.expose(), message.owner, message.revision, self.ports.clock.now()))
    }
}

impl Handler<CloseSession> for McpSessions {
    type Result = Result<bool, McpSessionsError>;

    fn handle(&mut self, message: CloseSession, _: &mut Self::Context) -> Self::Result {
        Ok(self.table.close(&message.id, &message.owner))
    }
}

impl Handler<TickExpiry> for McpSessions {
    type Result = ();

    fn handle(&mut self, _: TickExpiry, _: &mut Self::Context) {
        self.table.end_idle(self.ports.clock.now(), self.limits.idle_max);
    }
}

//! The client registry: which OAuth clients there are, and how they prove it.
//!
//! Owns clients: those of the configuration in memory, those that registered in its store, and what
//! the documents say of those whose identifier is the URL of one; and which of their assertions
//! were used. Rank 1: asks the sources of such documents and of published keys, tells `audit_log`.
//! Timers: `TickExpiry` drops registrations that nobody ever logged in through, and assertions
//! that are over. If it dies, nobody can log in or refresh and the process ends.

mod assertions;
mod documents;
mod flow;
mod handle;
mod messages;
mod rates;
mod shelf;
mod state;
#[cfg(test)]
mod tests;

pub use handle::ClientRegistryHandle;
pub use messages::{AuthenticationError, DocumentError, RegisteredClient, RegistrationError, RegistryError};
pub use state::register;

use crate::mailbox::{EndGuard, answered_by};
use crate::model::client::Client;
use actix::{Actor, AsyncContext, Context};
pub(crate) use assertions::AssertionChecker;
pub(crate) use flow::{Registrar, RegistryPorts};
use messages::{AuthenticateClient, MarkClientUsed, RegisterClient, ResolveClient, TickExpiry};
use std::sync::Arc;
use std::time::Duration;

const EXPIRY_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// The actor: a door in front of [`Registrar`].
#[derive(Debug)]
pub(crate) struct ClientRegistry {
    registrar: Arc<Registrar>,
    _guard: EndGuard,
}

impl ClientRegistry {
    pub(crate) fn new(registrar: Registrar, guard: EndGuard) -> Self {
        Self { registrar: Arc::new(registrar), _guard: guard }
    }
}

impl Actor for ClientRegistry {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(1_024);
        ctx.run_interval(EXPIRY_INTERVAL, |_, ctx| ctx.notify(TickExpiry));
    }
}

answered_by! {
    ClientRegistry, registrar;
    RegisterClient => Result<RegisteredClient, RegistrationError>, |registrar, message| registrar.register_client(message);
    ResolveClient => Result<Option<Client>, RegistryError>, |registrar, message| registrar.resolve_client(message.client_id, message.client_use);
    AuthenticateClient => Result<Client, AuthenticationError>, |registrar, message| registrar.authenticate_client(message.credentials);
    MarkClientUsed => Result<(), RegistryError>, |registrar, message| registrar.mark_client_used(message.client_id);
    TickExpiry => (), |registrar, _message| registrar.sweep();
}

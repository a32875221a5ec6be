//! The client registry: which OAuth clients there are, and how they prove it.
//!
//! Owns clients: those of the configuration in memory, those that registered in its store.
//! Rank 1: tells `audit_log`. Timers: `TickExpiry` drops registrations that nobody ever logged
//! in through. If it dies, nobody can log in or refresh and the process ends.

mod flow;
mod handle;
mod messages;
mod state;
#[cfg(test)]
mod tests;

pub use handle::ClientRegistryHandle;
pub use messages::{AuthenticationError, RegisteredClient, RegistrationError, RegistryError};

use crate::mailbox::EndGuard;
use crate::model::client::Client;
use actix::{Actor, AsyncContext, Context, Handler, ResponseFuture};
pub(crate) use flow::Registrar;
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

impl Handler<RegisterClient> for ClientRegistry {
    type Result = ResponseFuture<Result<RegisteredClient, RegistrationError>>;

    fn handle(&mut self, message: RegisterClient, _: &mut Self::Context) -> Self::Result {
        let registrar = Arc::clone(&self.registrar);
        Box::pin(async move { registrar.register_client(message.metadata, message.trace_id).await })
    }
}

impl Handler<ResolveClient> for ClientRegistry {
    type Result = ResponseFuture<Result<Option<Client>, RegistryError>>;

    fn handle(&mut self, message: ResolveClient, _: &mut Self::Context) -> Self::Result {
        let registrar = Arc::clone(&self.registrar);
        Box::pin(async move { Ok(registrar.find_client(&message.client_id).await?) })
    }
}

impl Handler<AuthenticateClient> for ClientRegistry {
    type Result = ResponseFuture<Result<Client, AuthenticationError>>;

    fn handle(&mut self, message: AuthenticateClient, _: &mut Self::Context) -> Self::Result {
        let registrar = Arc::clone(&self.registrar);
        Box::pin(async move { registrar.authenticate_client(message.credentials).await })
    }
}

impl Handler<MarkClientUsed> for ClientRegistry {
    type Result = ResponseFuture<Result<(), RegistryError>>;

    fn handle(&mut self, message: MarkClientUsed, _: &mut Self::Context) -> Self::Result {
        let registrar = Arc::clone(&self.registrar);
        Box::pin(async move { Ok(registrar.mark_client_used(message.client_id).await?) })
    }
}

impl Handler<TickExpiry> for ClientRegistry {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: TickExpiry, _: &mut Self::Context) -> Self::Result {
        let registrar = Arc::clone(&self.registrar);
        Box::pin(async move { registrar.sweep().await })
    }
}

//! What the rest of the house sees of the client registry.

use super::ClientRegistry;
use super::flow::Registrar;
use super::messages::{
    AuthenticateClient, AuthenticationError, ClientUse, MarkClientUsed, RegisterClient, RegisteredClient,
    RegistrationError, RegistryError, ResolveClient,
};
use crate::mailbox::{ASK_DEADLINE, EndGuard, ask};
use crate::model::client::{Client, ClientCredentials, ClientMetadata};
use crate::model::ids::ClientId;
use actix::{Actor, Addr, ArbiterHandle, Context};

const NAME: &str = "client_registry";

/// Registers clients and knows them again.
#[derive(Clone, Debug)]
pub struct ClientRegistryHandle {
    address: Addr<ClientRegistry>,
}

impl ClientRegistryHandle {
    pub(crate) fn start(arbiter: &ArbiterHandle, registrar: Registrar, guard: EndGuard) -> Self {
        let start = move |_: &mut Context<ClientRegistry>| ClientRegistry::new(registrar, guard);
        Self { address: ClientRegistry::start_in_arbiter(arbiter, start) }
    }

    /// Registers a client for somebody at the address `peer`.
    ///
    /// # Errors
    /// When it may not be registered so.
    pub async fn register_client(
        &self,
        metadata: ClientMetadata,
        peer: String,
        trace_id: Option<String>,
    ) -> Result<RegisteredClient, RegistrationError> {
        ask(NAME, &self.address, RegisterClient { metadata, peer, trace_id }, ASK_DEADLINE).await
    }

    /// The client of that identifier, for a new request. When the identifier is a URL, the client's
    /// metadata document is fetched unless it is known well enough.
    ///
    /// # Errors
    /// When the store failed, or the client's metadata document is missing or wrong.
    pub async fn resolve_client(&self, client_id: ClientId) -> Result<Option<Client>, RegistryError> {
        let client_use = ClientUse::NewRequest;
        ask(NAME, &self.address, ResolveClient { client_id, client_use }, ASK_DEADLINE).await
    }

    /// The client of that identifier, for a login that has begun: an older document will do while
    /// its host is away.
    ///
    /// # Errors
    /// As for [`Self::resolve_client`].
    pub async fn recall_client(&self, client_id: ClientId) -> Result<Option<Client>, RegistryError> {
        let client_use = ClientUse::Grant;
        ask(NAME, &self.address, ResolveClient { client_id, client_use }, ASK_DEADLINE).await
    }

    /// The client, if what was shown proves it.
    ///
    /// # Errors
    /// [`AuthenticationError::Failed`] when it does not.
    pub async fn authenticate_client(&self, credentials: ClientCredentials) -> Result<Client, AuthenticationError> {
        ask(NAME, &self.address, AuthenticateClient { credentials }, ASK_DEADLINE).await
    }

    /// Notes that somebody logged in through the client.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn mark_client_used(&self, client_id: ClientId) -> Result<(), RegistryError> {
        ask(NAME, &self.address, MarkClientUsed { client_id }, ASK_DEADLINE).await
    }
}

//! What the registry does with its store, step by step.

use super::assertions::AssertionChecker;
use super::documents::{DocumentParts, Documents};
use super::messages::{
    AuthenticationError, ClientUse, RegisterClient, RegisteredClient, RegistrationError, RegistryError,
};
use super::rates::RegistrationRates;
use super::state::{proves, register};
use crate::audit_log::AuditLogHandle;
use crate::model::audit_event::{AuditCaller, AuditEvent, OperationStatus};
use crate::model::client::{AuthMethod, Client, ClientCredentials, ClientMetadata, ClientProof};
use crate::model::client_assertion::AssertionFault;
use crate::model::client_id_url::ClientIdUrl;
use crate::model::ids::ClientId;
use crate::model::scope::ScopeSet;
use crate::ports::client_metadata::ClientMetadataSource;
use crate::ports::client_store::ClientStore;
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::settings::Settings;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// A registration that nobody logged in through is dropped after this time.
const UNUSED_CLIENT_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// The most clients that one sweep drops.
const SWEEP_STEP: usize = 1_000;

/// What the registry works with.
#[derive(Debug)]
pub(crate) struct RegistryPorts {
    pub(crate) store: Arc<dyn ClientStore>,
    /// `None` when clients must be registered.
    pub(crate) metadata_source: Option<Arc<dyn ClientMetadataSource>>,
    pub(crate) assertions: AssertionChecker,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) audit_log: AuditLogHandle,
}

/// Keeps clients.
#[derive(Debug)]
pub(crate) struct Registrar {
    store: Arc<dyn ClientStore>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    audit_log: AuditLogHandle,
    assertions: AssertionChecker,
    /// `None` when clients must be registered.
    documents: Option<Documents>,
    configured: HashMap<ClientId, Client>,
    catalogue: ScopeSet,
    default_scope: ScopeSet,
    is_open: bool,
    clients_max: u64,
    /// Held from counting to adding, or two who register at once would both fit in the last place.
    rates: Mutex<RegistrationRates>,
}

impl Registrar {
    pub(crate) fn new(ports: RegistryPorts, settings: &Settings) -> Self {
        let RegistryPorts { store, metadata_source, assertions, clock, entropy, audit_log } = ports;
        let clients = settings.configured_clients.iter();
        let default_scope = settings.default_scopes();
        let catalogue = settings.scope_catalogue();
        let documents = metadata_source.zip(settings.client_documents.clone()).map(|(source, settings)| {
            let (clock, audit_log) = (Arc::clone(&clock), audit_log.clone());
            let scopes = (catalogue.clone(), default_scope.clone());
            Documents::new(DocumentParts { source, clock, audit_log, settings, scopes })
        });
        Self {
            documents,
            store,
            clock,
            entropy,
            audit_log,
            assertions,
            configured: clients.map(|client| (client.id.clone(), client.clone())).collect(),
            catalogue,
            default_scope,
            is_open: settings.is_registration_open,
            clients_max: settings.registered_clients_max,
            rates: Mutex::default(),
        }
    }

    pub(super) async fn register_client(&self, asked: RegisterClient) -> Result<RegisteredClient, RegistrationError> {
        let RegisterClient { metadata, peer, trace_id } = asked;
        let outcome = self.try_register(metadata, &peer, trace_id.clone()).await;
        if let Err(error) = &outcome {
            self.record_refusal(error, &peer, trace_id);
        }
        outcome
    }

    async fn try_register(
        &self,
        metadata: ClientMetadata,
        peer: &str,
        trace_id: Option<String>,
    ) -> Result<RegisteredClient, RegistrationError> {
        if !self.is_open {
            return Err(RegistrationError::Closed);
        }
        let (id, secret) = (ClientId::new(self.entropy.uuid()), self.entropy.token("mxcp_cs_"));
        let scopes = (&self.catalogue, &self.default_scope);
        let registered = register(metadata, id, secret, scopes, self.clock.now())?;
        self.add(registered.client.clone(), peer).await?;
        self.record_registration(&registered.client, trace_id).await?;
        Ok(registered)
    }

    /// Records that a client was not registered; of many, the number. A failure of our own says
    /// nothing about the client.
    fn record_refusal(&self, error: &RegistrationError, peer: &str, trace_id: Option<String>) {
        let name = match error {
            RegistrationError::TooFast(_) => "auth.rate_limited",
            RegistrationError::Closed | RegistrationError::InvalidMetadata(_) | RegistrationError::Full => {
                "auth.registration_refused"
            }
            RegistrationError::NotRecorded(_) | RegistrationError::Store(_) | RegistrationError::Unavailable(_) => {
                return;
            }
        };
        // How long to wait differs from one to the next.
        let text = match error {
            RegistrationError::TooFast(_) => "too many clients register at once".to_owned(),
            error => error.to_string(),
        };
        let caller = AuditCaller { caller_type: "http".to_owned(), trace_id, ..AuditCaller::default() };
        let event = AuditEvent::auth(name, OperationStatus::Error, caller).with_error(text);
        self.audit_log.record_repeated(event.with_details(json!({"peer": peer})));
    }

    /// Adds a client if there is room for it.
    async fn add(&self, client: Client, peer: &str) -> Result<(), RegistrationError> {
        let mut rates = self.rates.lock().await;
        rates.count(peer, self.clock.now()).map_err(|wait| {
            tracing::warn!(peer, "a client was refused: too many register at once");
            RegistrationError::TooFast(wait)
        })?;
        if self.store.count_clients().await? >= self.clients_max {
            tracing::warn!(clients_max = self.clients_max, "a client was refused: too many are registered");
            return Err(RegistrationError::Full);
        }
        Ok(self.store.insert_client(client).await?)
    }

    async fn record_registration(&self, client: &Client, trace_id: Option<String>) -> Result<(), RegistrationError> {
        let caller = AuditCaller {
            caller_type: "http".to_owned(),
            client_id: Some(client.id.clone()),
            trace_id,
            ..AuditCaller::default()
        };
        let details = json!({"client_name": client.name, "redirect_uris": client.redirect_uris, "scope": client.scope.to_string()});
        let event = AuditEvent::auth("auth.client_registered", OperationStatus::Success, caller).with_details(details);
        self.audit_log.record(event).await?;
        Ok(())
    }

    /// The documents, when `id` is the URL of one.
    fn documents_of(&self, id: &ClientId) -> Option<&Documents> {
        self.documents.as_ref().filter(|_| ClientIdUrl::is_meant_by(id))
    }

    pub(super) async fn authenticate_client(
        &self,
        credentials: ClientCredentials,
    ) -> Result<Client, AuthenticationError> {
        let client = self.resolve_client(credentials.client_id.clone(), ClientUse::Grant).await?;
        let client = client.ok_or(AuthenticationError::Failed)?;
        match &credentials.proof {
            ClientProof::Assertion(assertion) => self.assertions.check(&client, assertion).await?,
            proof if proves(&client, proof) => {}
            _ if client.auth_method == AuthMethod::PrivateKeyJwt => return Err(AssertionFault::Missing.into()),
            _ => return Err(AuthenticationError::Failed),
        }
        Ok(client)
    }

    pub(super) async fn resolve_client(
        &self,
        id: ClientId,
        client_use: ClientUse,
    ) -> Result<Option<Client>, RegistryError> {
        if let Some(client) = self.configured.get(&id) {
            return Ok(Some(client.clone()));
        }
        match self.documents_of(&id) {
            Some(documents) => Ok(Some(documents.find(&id, client_use).await?)),
            None => Ok(self.store.find_client(id).await?),
        }
    }

    pub(super) async fn mark_client_used(&self, id: ClientId) -> Result<(), RegistryError> {
        if self.configured.contains_key(&id) || self.documents_of(&id).is_some() {
            return Ok(());
        }
        Ok(self.store.mark_client_used(id).await?)
    }

    pub(super) async fn sweep(&self) {
        self.assertions.sweep().await;
        let now = self.clock.now();
        self.rates.lock().await.sweep(now);
        let before = crate::model::timestamp::Timestamp::from_micros(
            now.as_micros().saturating_sub(i64::try_from(UNUSED_CLIENT_MAX.as_micros()).unwrap_or(i64::MAX)),
        );
        let swept = match self.store.remove_unused_clients(before, SWEEP_STEP).await {
            Ok(swept) => swept,
            Err(error) => {
                tracing::warn!(%error, "unused clients could not be dropped");
                return;
            }
        };
        for client_id in swept {
            let caller =
                AuditCaller { caller_type: "http".to_owned(), client_id: Some(client_id), ..AuditCaller::default() };
            let event = AuditEvent::auth("auth.client_expired", OperationStatus::Success, caller);
            if let Err(error) = self.audit_log.record(event).await {
                tracing::error!(%error, "the end of a client was not recorded");
            }
        }
    }
}

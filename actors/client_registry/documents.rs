//! Clients that are described by a document: fetches, reads and keeps the documents.

use super::messages::{ClientUse, DocumentError};
use super::shelf::{FetchBudget, Shelf};
use super::state::from_document;
use crate::audit_log::AuditLogHandle;
use crate::model::audit_event::{AuditCaller, AuditEvent, OperationStatus};
use crate::model::client::Client;
use crate::model::client_document;
use crate::model::client_id_url::ClientIdUrl;
use crate::model::ids::ClientId;
use crate::model::scope::ScopeSet;
use crate::ports::client_metadata::ClientMetadataSource;
use crate::ports::clock::Clock;
use crate::settings::ClientDocumentSettings;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// What reading documents takes.
#[derive(Clone, Debug)]
pub(super) struct DocumentParts {
    pub(super) source: Arc<dyn ClientMetadataSource>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) audit_log: AuditLogHandle,
    pub(super) settings: ClientDocumentSettings,
    /// Every scope that there is, and what a client gets that asks for none of them.
    pub(super) scopes: (ScopeSet, ScopeSet),
}

/// A fetch under way, which everybody waits for who wants that document.
type Flight = Shared<BoxFuture<'static, Result<Client, DocumentError>>>;

/// What changes. The lock is held for looks and changes only, never while anyone waits.
#[derive(Debug)]
struct Desk {
    shelf: Shelf,
    budget: FetchBudget,
    flights: HashMap<ClientIdUrl, Flight>,
}

/// What there is of a document.
enum Found {
    /// All that is needed.
    Client(Box<Client>),
    /// A fetch to wait for: the one that is under way, or a new one.
    Flight(Flight),
    /// Nothing, and it may not be asked for.
    Busy,
}

impl Desk {
    fn find(&mut self, documents: &Documents, url: &ClientIdUrl, client_use: ClientUse) -> Found {
        let now = documents.parts.clock.now();
        let held = self.shelf.fresh(url, now).or_else(|| match client_use {
            ClientUse::Grant => self.shelf.resting(url, now),
            ClientUse::NewRequest => None,
        });
        if let Some(client) = held {
            return Found::Client(Box::new(client));
        }
        if let Some(flight) = self.flights.get(url) {
            return Found::Flight(flight.clone());
        }
        if !self.budget.take(url.host(), self.shelf.has(url), now) {
            return Found::Busy;
        }
        let flight = documents.clone().fetch(url.clone()).boxed().shared();
        self.flights.insert(url.clone(), flight.clone());
        Found::Flight(flight)
    }
}

/// Clients by the URL of their document.
#[derive(Clone, Debug)]
pub(super) struct Documents {
    parts: DocumentParts,
    desk: Arc<Mutex<Desk>>,
}

impl Documents {
    pub(super) fn new(parts: DocumentParts) -> Self {
        let budget = FetchBudget::new(parts.clock.now());
        let desk = Desk { shelf: Shelf::default(), budget, flights: HashMap::new() };
        Self { parts, desk: Arc::new(Mutex::new(desk)) }
    }

    /// The client that the document at `id` describes.
    pub(super) async fn find(&self, id: &ClientId, client_use: ClientUse) -> Result<Client, DocumentError> {
        let found = self.look_up(id, client_use).await;
        if let Err(error) = &found {
            tracing::warn!(client_id = id.as_str(), %error, "a client's metadata document was refused");
        }
        found
    }

    async fn look_up(&self, id: &ClientId, client_use: ClientUse) -> Result<Client, DocumentError> {
        let settings = &self.parts.settings;
        let url = ClientIdUrl::parse(id.as_str(), settings.allows_loopback)?;
        if !settings.accepts_host(&url.host()) {
            return Err(DocumentError::HostNotAccepted);
        }
        let found = self.desk.lock().await.find(self, &url, client_use);
        let outcome = match found {
            Found::Client(client) => Ok(*client),
            Found::Flight(flight) => flight.await,
            Found::Busy => Err(DocumentError::Busy),
        };
        match outcome {
            Err(error) if error.is_passing() && client_use == ClientUse::Grant => {
                self.desk.lock().await.shelf.fallback(&url, self.parts.clock.now()).ok_or(error)
            }
            outcome => outcome,
        }
    }

    /// Fetches a document and puts it where it belongs; a failure is not kept.
    async fn fetch(self, url: ClientIdUrl) -> Result<Client, DocumentError> {
        let outcome = self.read(&url).await;
        let outcome = self.record(&url, outcome).await;
        let now = self.parts.clock.now();
        let mut desk = self.desk.lock().await;
        desk.flights.remove(&url);
        match outcome {
            Ok((client, fresh_for)) => {
                desk.shelf.keep(url, client.clone(), fresh_for, now);
                Ok(client)
            }
            Err(error) => {
                if error.is_passing() {
                    desk.shelf.rest(&url, now);
                } else {
                    desk.shelf.forget(&url);
                }
                Err(error)
            }
        }
    }

    async fn read(&self, url: &ClientIdUrl) -> Result<(Client, Option<Duration>), DocumentError> {
        let fetched = self.parts.source.fetch(url.clone()).await?;
        let metadata = client_document::read(&fetched.body, url)?;
        let (catalogue, default_scope) = &self.parts.scopes;
        let client = from_document(metadata, url, (catalogue, default_scope), self.parts.clock.now());
        Ok((client, fetched.fresh_for))
    }

    /// Records a client that is new or has changed, and every failure.
    async fn record(
        &self,
        url: &ClientIdUrl,
        outcome: Result<(Client, Option<Duration>), DocumentError>,
    ) -> Result<(Client, Option<Duration>), DocumentError> {
        let caller = AuditCaller {
            caller_type: "http".to_owned(),
            client_id: Some(url.to_client_id()),
            ..AuditCaller::default()
        };
        let event = |status| AuditEvent::auth("auth.client_document_read", status, caller);
        match outcome {
            Ok((client, fresh_for)) => {
                if self.desk.lock().await.shelf.is_news(url, &client) {
                    let details = json!({"client_name": client.name, "redirect_uris": client.redirect_uris, "scope": client.scope.to_string()});
                    self.parts.audit_log.record(event(OperationStatus::Success).with_details(details)).await?;
                }
                Ok((client, fresh_for))
            }
            Err(error) => {
                self.parts.audit_log.record(event(OperationStatus::Error).with_error(error.to_string())).await?;
                Err(error)
            }
        }
    }
}

//! What the client registry is told and asked.

use crate::audit_log::AuditError;
use crate::mailbox::Unavailable;
use crate::model::client::{Client, ClientCredentials, ClientMetadata};
use crate::model::ids::ClientId;
use crate::model::secret::Secret;
use crate::ports::StoreError;
use actix::Message;
use std::time::Duration;

/// Why the registry could not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registry did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why a client was not registered (RFC 7591 section 3.2.2).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// Registration is switched off.
    #[error("this server does not let clients register themselves")]
    Closed,
    /// Too many clients register just now; the next may after that time.
    #[error("too many clients register at the moment; try again in {} s", .0.as_secs())]
    TooFast(Duration),
    /// There are too many clients.
    #[error("too many clients are registered; try again later")]
    Full,
    /// The metadata contradicts itself.
    #[error("{0}")]
    InvalidMetadata(String),
    /// The audit log failed.
    #[error(transparent)]
    NotRecorded(#[from] AuditError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registry did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why a client is not who it says it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticationError {
    /// Unknown client, wrong secret or wrong method: the caller is not told which.
    #[error("client authentication failed")]
    Failed,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registry did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A new client, with the only sight of its secret that there ever is.
#[derive(Clone, Debug)]
pub struct RegisteredClient {
    /// The client as it was registered, defaults filled in.
    pub client: Client,
    /// Its secret, unless it is public.
    pub secret: Option<Secret>,
}

/// Registers a client (RFC 7591). Sent by the registration endpoint. Each time a new one.
#[derive(Debug, Message)]
#[rtype(result = "Result<RegisteredClient, RegistrationError>")]
pub(crate) struct RegisterClient {
    pub(crate) metadata: ClientMetadata,
    /// The address of who registers it.
    pub(crate) peer: String,
    pub(crate) trace_id: Option<String>,
}

/// Looks a client up. Sent by `authorization`.
#[derive(Debug, Message)]
#[rtype(result = "Result<Option<Client>, RegistryError>")]
pub(crate) struct ResolveClient {
    pub(crate) client_id: ClientId,
}

/// Checks what a client shows (RFC 6749 section 2.3). Sent by `authorization`.
#[derive(Debug, Message)]
#[rtype(result = "Result<Client, AuthenticationError>")]
pub(crate) struct AuthenticateClient {
    pub(crate) credentials: ClientCredentials,
}

/// Notes that somebody logged in through a client, so that it is kept. Sent by
/// `authorization`. Idempotent.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), RegistryError>")]
pub(crate) struct MarkClientUsed {
    pub(crate) client_id: ClientId,
}

/// Drops registrations that were never used.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct TickExpiry;

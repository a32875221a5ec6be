//! What the client registry is told and asked.

use crate::audit_log::AuditError;
use crate::mailbox::Unavailable;
use crate::model::client::{Client, ClientCredentials, ClientMetadata};
use crate::model::client_assertion::AssertionFault;
use crate::model::client_document::ClientDocumentError;
use crate::model::client_id_url::ClientIdUrlError;
use crate::model::ids::ClientId;
use crate::model::secret::Secret;
use crate::ports::StoreError;
use crate::ports::client_metadata::ClientFetchError;
use actix::Message;
use std::time::Duration;

/// Why there is no client of an identifier that is the URL of a metadata document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// The URL cannot be a client's identifier.
    #[error("the client_id {0}")]
    Url(#[from] ClientIdUrlError),
    /// The configuration does not let clients of that host in.
    #[error("this server does not accept clients whose metadata document is at that host")]
    HostNotAccepted,
    /// There is no document.
    #[error("the client's metadata document could not be fetched: {0}")]
    Fetch(#[from] ClientFetchError),
    /// The document cannot be used.
    #[error("the client's metadata document cannot be used: {0}")]
    Content(#[from] ClientDocumentError),
    /// Too many documents were asked for.
    #[error("too many metadata documents of clients were asked for; try again in a minute")]
    Busy,
    /// The audit log failed.
    #[error(transparent)]
    NotRecorded(#[from] AuditError),
}

impl DocumentError {
    /// Whether it may go better in a moment, so that nobody should conclude anything.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Fetch(error) => error.is_passing(),
            Self::Busy | Self::NotRecorded(_) => true,
            Self::Url(_) | Self::HostNotAccepted | Self::Content(_) => false,
        }
    }
}

/// What a client is looked up for, which decides how new its metadata document must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientUse {
    /// Something new is asked for: an old document will not do.
    NewRequest,
    /// A login or grant that exists goes on, also while the document's host is away.
    Grant,
}

/// Why the registry could not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The client's metadata document is missing or wrong.
    #[error(transparent)]
    Document(#[from] DocumentError),
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
    /// The client's own signature does not prove it. This is told, because only the holder of
    /// the key can make use of it.
    #[error(transparent)]
    Assertion(#[from] AssertionFault),
    /// The client's metadata document is missing or wrong.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registry did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<RegistryError> for AuthenticationError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Document(error) => Self::Document(error),
            RegistryError::Store(error) => Self::Store(error),
            RegistryError::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

/// A new client, with the only sight of its secret that there ever is.
#[derive(Clone, Debug)]
pub struct RegisteredClient {
    /// The client as it was registered, defaults filled in.
    pub client: Client,
    /// Its secret, if it has one.
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
    pub(crate) client_use: ClientUse,
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

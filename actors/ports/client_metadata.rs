//! Where the metadata documents of clients come from.

use super::PortFuture;
use crate::model::client_id_url::ClientIdUrl;
use std::time::Duration;

/// A document as it came, which is whatever its host sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedDocument {
    /// The whole body.
    pub body: Vec<u8>,
    /// How long its host says that it may be kept; zero when it must not be, `None` when its host
    /// says nothing.
    pub fresh_for: Option<Duration>,
}

/// Why there is no document, in words that are fit for a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientFetchError {
    /// The host leads to an address that this server must not ask for others: of its own machine
    /// or network.
    #[error("its host is not on the public internet")]
    ForbiddenAddress,
    /// There was no answer, for that reason.
    #[error("{0}")]
    NoAnswer(&'static str),
    /// The answer was another one than 200.
    #[error("its host answered with status {0}")]
    Status(u16),
    /// The answer sends the caller elsewhere, and a document is where its URL says or nowhere.
    #[error("its host answered with a redirect, which is not followed")]
    Redirect,
    /// The answer says that it is something else.
    #[error("its content type is not JSON")]
    NotJson,
    /// The answer is too large.
    #[error("it is larger than {0} bytes")]
    TooLarge(usize),
}

impl ClientFetchError {
    /// Whether it may go better in a moment; otherwise the host has given its answer.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::NoAnswer(_) => true,
            Self::Status(status) => matches!(*status, 408 | 425 | 429 | 500..),
            Self::ForbiddenAddress | Self::Redirect | Self::NotJson | Self::TooLarge(_) => false,
        }
    }
}

/// Fetches metadata documents, within limits of time and size, and only from where a stranger may
/// send this server.
pub trait ClientMetadataSource: Send + Sync + std::fmt::Debug {
    /// Fetches the document at `url`, now.
    fn fetch(&self, url: ClientIdUrl) -> PortFuture<'_, Result<FetchedDocument, ClientFetchError>>;
}

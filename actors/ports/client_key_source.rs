//! The keys that clients publish themselves (`jwks_uri`, RFC 7591 section 2).

use super::PortFuture;
use crate::model::signing_key::KeySet;
use std::sync::Arc;

/// Why there are no keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct KeySourceError {
    /// What happened, for the developer of the client.
    pub detail: String,
    /// Whether it may go better in a moment, so that nobody should conclude anything.
    pub is_passing: bool,
}

/// Fetches published keys and keeps them for a while.
pub trait ClientKeySource: Send + Sync + std::fmt::Debug {
    /// The keys at `uri`: those that are kept while they are fresh, else fetched ones, else the
    /// old ones while nobody answers. Callers at the same time share one fetch.
    fn keys(&self, uri: &str) -> PortFuture<'_, Result<Arc<KeySet>, KeySourceError>>;

    /// Keys that are newer than `seen`, among which one was missing. `None` when they were
    /// fetched for that reason just now: whoever makes up key identifiers must not make us flood
    /// the client's server.
    fn newer_keys(&self, uri: &str, seen: Arc<KeySet>) -> PortFuture<'_, Option<Arc<KeySet>>>;
}

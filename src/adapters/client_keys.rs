//! The keys that clients publish themselves.

use mxcp_actors::model::signing_key::KeySet;
use mxcp_actors::ports::PortFuture;
use mxcp_actors::ports::client_key_source::{ClientKeySource, KeySourceError};
use std::sync::Arc;

/// Fetches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPublishedKeys;

impl ClientKeySource for NoPublishedKeys {
    fn keys(&self, _: &str) -> PortFuture<'_, Result<Arc<KeySet>, KeySourceError>> {
        let detail = "this version does not fetch keys; register them as jwks".to_owned();
        Box::pin(std::future::ready(Err(KeySourceError { detail })))
    }

    fn newer_keys(&self, _: &str, _: Arc<KeySet>) -> PortFuture<'_, Option<Arc<KeySet>>> {
        Box::pin(std::future::ready(None))
    }
}

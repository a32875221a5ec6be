//! What the middle needs from the outside, as traits. `src/adapters` implements them.
//!
//! Stores are shaped for a database that commits in groups: each method is one atomic
//! operation, and its future is ready when the change is durable. Once-only steps are
//! single operations here (take, redeem, rotate), never a read followed by a write, so that
//! several daemons may share a store.

pub mod assertion_store;
pub mod audit_store;
pub mod client_key_source;
pub mod client_metadata;
pub mod client_store;
pub mod clock;
pub mod entropy;
pub mod grant_store;
pub mod in_memory;
pub mod password_directory;
pub mod session_store;
pub mod signature_verifier;
pub mod sql_engine;
pub mod token_verifier;
pub mod upstream_idp;

use std::future::Future;
use std::pin::Pin;

/// A future that a port returns.
pub type PortFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a store could not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store failed: {detail}")]
pub struct StoreError {
    /// What happened, for the operator; no secrets.
    pub detail: String,
}

/// What a store's method answers.
pub type StoreResult<'a, T> = PortFuture<'a, Result<T, StoreError>>;

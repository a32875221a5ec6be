//! OAuth's endpoints: each parses its request, asks once, and renders the answer.
//!
//! What is right and wrong is decided by the actors; here is only how it looks on the wire.
//! Statuses and error bodies are chosen in `error.rs` alone.

pub(super) mod authorize;
pub(super) mod callback;
pub(super) mod consent;
pub(super) mod credentials;
pub(super) mod error;
pub(super) mod form;
pub(super) mod login;
pub(super) mod metadata;
pub(super) mod register;
pub(super) mod revoke;
pub(super) mod step;
pub(super) mod token;

pub use metadata::{MetadataDocuments, MetadataOptions};

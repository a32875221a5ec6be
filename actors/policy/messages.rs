//! What policy is asked.

use crate::mailbox::Unavailable;
use crate::model::policy::Verdict;
use crate::model::principal::Principal;
use actix::Message;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Why there is no verdict. Callers refuse then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Policy did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Judges a call before it is made. Sent by `tool_calls`. Changes nothing.
#[derive(Debug, Message)]
#[rtype(result = "Result<Verdict, PolicyError>")]
pub(crate) struct DecideInput {
    /// The endpoint's name.
    pub(crate) endpoint: Arc<str>,
    pub(crate) principal: Arc<Principal>,
    /// Converted, with defaults filled in.
    pub(crate) arguments: Arc<Map<String, Value>>,
}

/// Judges a response before it is sent. Sent by `tool_calls`. Changes nothing.
#[derive(Debug, Message)]
#[rtype(result = "Result<JudgedResponse, PolicyError>")]
pub(crate) struct DecideOutput {
    /// The endpoint's name.
    pub(crate) endpoint: Arc<str>,
    pub(crate) principal: Arc<Principal>,
    pub(crate) response: Value,
}

/// A response after the rules: filtered and masked, or null when it is withheld.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedResponse {
    /// What the rules said.
    pub verdict: Verdict,
    /// What may be sent.
    pub response: Value,
}

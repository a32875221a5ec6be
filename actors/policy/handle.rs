//! What the rest of the house sees of policy.

use super::messages::{DecideInput, DecideOutput, JudgedResponse, PolicyError};
use super::{Policy, PolicyBook};
use crate::mailbox::{ASK_DEADLINE, EndGuard, ask};
use crate::model::policy::Verdict;
use crate::model::principal::Principal;
use actix::{Actor, Addr};
use serde_json::{Map, Value};
use std::sync::Arc;

const NAME: &str = "policy";

/// Asks for judgement.
#[derive(Clone, Debug)]
pub struct PolicyHandle {
    address: Addr<Policy>,
    book: Arc<PolicyBook>,
}

impl PolicyHandle {
    /// Starts the actor on the current arbiter.
    pub(crate) fn start(book: Arc<PolicyBook>, guard: EndGuard) -> Self {
        Self { address: Policy::new(Arc::clone(&book), guard).start(), book }
    }

    /// Whether a call of `endpoint` has to be judged before it is made. Most endpoints have no rules,
    /// and their calls need not wait for a verdict.
    #[must_use]
    pub fn judges_input(&self, endpoint: &str) -> bool {
        self.book.judges_input(endpoint)
    }

    /// Whether a response of `endpoint` has to be judged before it is sent.
    #[must_use]
    pub fn judges_output(&self, endpoint: &str) -> bool {
        self.book.judges_output(endpoint)
    }

    /// Judges a call of `endpoint` before it is made.
    ///
    /// # Errors
    /// When there is no verdict; the call must then be refused.
    pub async fn decide_input(
        &self,
        endpoint: Arc<str>,
        principal: Arc<Principal>,
        arguments: Arc<Map<String, Value>>,
    ) -> Result<Verdict, PolicyError> {
        ask(NAME, &self.address, DecideInput { endpoint, principal, arguments }, ASK_DEADLINE).await
    }

    /// Judges a response of `endpoint` and takes out what must not be sent.
    ///
    /// # Errors
    /// When there is no verdict; the response must then be withheld.
    pub async fn decide_output(
        &self,
        endpoint: Arc<str>,
        principal: Arc<Principal>,
        response: Value,
    ) -> Result<JudgedResponse, PolicyError> {
        ask(NAME, &self.address, DecideOutput { endpoint, principal, response }, ASK_DEADLINE).await
    }
}

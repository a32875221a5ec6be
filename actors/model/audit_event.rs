//! What the audit log holds, and how it is searched.

use super::ids::{ClientId, SessionId};
use super::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationType {
    /// A call of a tool.
    Tool,
    /// A read of a resource.
    Resource,
    /// A use of a prompt.
    Prompt,
    /// Something about logging in, tokens, clients or sessions.
    Auth,
}

/// Whether it worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationStatus {
    /// It did.
    Success,
    /// It did not.
    Error,
}

/// What the policies said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyDecision {
    /// Every rule let it pass.
    Allow,
    /// A rule refused it.
    Deny,
    /// A rule changed the response.
    Warn,
}

/// Who called, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCaller {
    /// `http`, `stdio` or `cli`.
    pub caller_type: String,
    /// Provider and subject of the person, when known.
    pub user_id: Option<String>,
    /// The client, when known.
    pub client_id: Option<ClientId>,
    /// The session, when there is one.
    pub session_id: Option<SessionId>,
    /// The id of the request, which error answers and the server's own log carry too.
    pub trace_id: Option<String>,
}

/// Something that happened, before the log gives it its number and time.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEvent {
    /// What kind of thing.
    pub operation_type: OperationType,
    /// The endpoint's name, or the name of the authentication event such as `auth.login_succeeded`.
    pub operation_name: String,
    /// Whether it worked.
    pub status: OperationStatus,
    /// Who called.
    pub caller: AuditCaller,
    /// How long it took.
    pub duration: Duration,
    /// The arguments, or the details of an authentication event, redacted.
    pub input: Option<Value>,
    /// The result after policies, redacted.
    pub output: Option<Value>,
    /// What went wrong.
    pub error: Option<String>,
    /// The rules that were looked at.
    pub policies_evaluated: Vec<String>,
    /// What they said; `None` when there was none.
    pub policy_decision: Option<PolicyDecision>,
    /// Why.
    pub policy_reason: Option<String>,
}

impl AuditEvent {
    /// An authentication event that took no time worth noting.
    #[must_use]
    pub fn auth(name: &str, status: OperationStatus, caller: AuditCaller) -> Self {
        Self {
            operation_type: OperationType::Auth,
            operation_name: name.to_owned(),
            status,
            caller,
            duration: Duration::ZERO,
            input: None,
            output: None,
            error: None,
            policies_evaluated: Vec::new(),
            policy_decision: None,
            policy_reason: None,
        }
    }

    /// The same with details.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.input = Some(details);
        self
    }

    /// The same with what went wrong.
    #[must_use]
    pub fn with_error(mut self, error: impl Into<String>) -> Self {
        self.error = Some(error.into());
        self
    }
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Always `mxcp.endpoints`.
    pub schema_name: String,
    /// Always 2; fields are only ever added to it.
    pub schema_version: u32,
    /// A UUID.
    pub record_id: String,
    /// Counts up by one from record to record, also across restarts.
    pub sequence: u64,
    /// When it was accepted, RFC 3339 in UTC.
    pub timestamp: String,
    /// What kind of thing.
    pub operation_type: OperationType,
    /// The endpoint or the authentication event.
    pub operation_name: String,
    /// Whether it worked.
    pub operation_status: OperationStatus,
    /// Milliseconds that it took.
    pub duration_ms: u64,
    /// `http`, `stdio` or `cli`.
    pub caller_type: String,
    /// The person.
    pub user_id: Option<String>,
    /// The client.
    pub client_id: Option<ClientId>,
    /// The session.
    pub session_id: Option<SessionId>,
    /// The request.
    pub trace_id: Option<String>,
    /// Arguments or details.
    pub input_data: Option<Value>,
    /// The result.
    pub output_data: Option<Value>,
    /// What went wrong.
    pub error: Option<String>,
    /// Rules that were looked at.
    pub policies_evaluated: Vec<String>,
    /// What they said.
    pub policy_decision: Option<PolicyDecision>,
    /// Why.
    pub policy_reason: Option<String>,
    /// Fields of the incumbent's readers that group by them.
    pub business_context: Value,
}

impl AuditRecord {
    /// The record of `event`, accepted at `at` under the number `sequence`.
    #[must_use]
    pub fn of(event: AuditEvent, sequence: u64, at: Timestamp, record_id: String) -> Self {
        let business_context = serde_json::json!({
            "operation_type": event.operation_type,
            "operation_name": event.operation_name,
            "operation_status": event.status,
        });
        Self {
            schema_name: "mxcp.endpoints".to_owned(),
            schema_version: 2,
            record_id,
            sequence,
            timestamp: at.to_rfc3339(),
            operation_type: event.operation_type,
            operation_name: event.operation_name,
            operation_status: event.status,
            duration_ms: u64::try_from(event.duration.as_millis()).unwrap_or(u64::MAX),
            caller_type: event.caller.caller_type,
            user_id: event.caller.user_id,
            client_id: event.caller.client_id,
            session_id: event.caller.session_id,
            trace_id: event.caller.trace_id,
            input_data: event.input,
            output_data: event.output,
            error: event.error,
            policies_evaluated: event.policies_evaluated,
            policy_decision: event.policy_decision,
            policy_reason: event.policy_reason,
            business_context,
        }
    }
}

/// Which records to show. An empty filter shows all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditFilter {
    /// Any of these names of tools, resources or prompts.
    pub names: Vec<String>,
    /// This kind.
    pub operation_type: Option<OperationType>,
    /// This decision.
    pub policy: Option<PolicyDecision>,
    /// This status.
    pub status: Option<OperationStatus>,
    /// Not before.
    pub since: Option<Timestamp>,
}

impl AuditFilter {
    /// Whether `record` is to be shown.
    #[must_use]
    pub fn accepts(&self, record: &AuditRecord) -> bool {
        let is_named = self.names.is_empty() || self.names.contains(&record.operation_name);
        let is_recent =
            self.since.is_none_or(|since| Timestamp::parse_rfc3339(&record.timestamp).is_some_and(|at| at >= since));
        is_named
            && is_recent
            && self.operation_type.is_none_or(|kind| kind == record.operation_type)
            && self.policy.is_none_or(|decision| record.policy_decision == Some(decision))
            && self.status.is_none_or(|status| status == record.operation_status)
    }
}

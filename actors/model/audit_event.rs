//! What the audit log holds.

use super::ids::{ClientId, SessionId};
use super::session::Session;
use super::timestamp::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::sync::Arc;
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
    /// Something about logging in, tokens, clients or sessions, or about the log itself.
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

/// What happens to calls that cannot be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// They are refused.
    Deny,
    /// They go on; how many were not recorded is, once that can be.
    Allow,
}

/// Who called, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCaller {
    /// `http`, `stdio` or `cli`; `server` when the server acts by itself.
    pub caller_type: String,
    /// Provider and subject of the person, when known.
    pub user_id: Option<String>,
    /// The client, when known.
    pub client_id: Option<ClientId>,
    /// The session, when there is one.
    pub session_id: Option<SessionId>,
    /// The id of the request, which error answers and the server's own log carry too; or that of
    /// something longer of which the request is a step, such as a login.
    pub trace_id: Option<String>,
    /// The id of the request, when `trace_id` is another one.
    pub request_id: Option<String>,
}

impl AuditCaller {
    /// The server itself.
    #[must_use]
    pub fn of_server() -> Self {
        Self { caller_type: "server".to_owned(), ..Self::default() }
    }

    /// The one that a session stands for, when the server acts by itself.
    #[must_use]
    pub fn of_session(session: &Session) -> Self {
        Self {
            caller_type: "http".to_owned(),
            user_id: Some(session.user.id.to_string()),
            client_id: session.client_id().cloned(),
            session_id: Some(session.id.clone()),
            trace_id: None,
            request_id: None,
        }
    }

    /// The same in a step of what has the id `longer`, if that is known.
    #[must_use]
    pub fn within(mut self, longer: Option<String>) -> Self {
        if longer.is_some() && longer != self.trace_id {
            self.request_id = std::mem::replace(&mut self.trace_id, longer);
        }
        self
    }
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
    /// The result after policies, redacted. Shared with the answer unless something was covered.
    pub output: Option<Arc<Value>>,
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

/// Where `business_context` names a request that has another trace.
const REQUEST_ID: &str = "request_id";

/// One line of the log.
///
/// Lines of older writers, which knew fewer fields and wrote null for what they had not, are
/// read too: whatever has a sensible empty value may be missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Always `mxcp.endpoints`.
    pub schema_name: String,
    /// Always 2; fields are only ever added to it.
    pub schema_version: u32,
    /// A UUID.
    pub record_id: String,
    /// Counts up by one from record to record, also across restarts; zero where an older
    /// writer gave no number.
    #[serde(default)]
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
    #[serde(default, deserialize_with = "null_as_default")]
    pub duration_ms: u64,
    /// `http`, `stdio` or `cli`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub caller_type: String,
    /// The person.
    pub user_id: Option<String>,
    /// The client.
    pub client_id: Option<ClientId>,
    /// The session.
    pub session_id: Option<SessionId>,
    /// The request, or what is longer and has it as a step: then `business_context` names the request.
    pub trace_id: Option<String>,
    /// Arguments or details.
    pub input_data: Option<Value>,
    /// The result.
    pub output_data: Option<Arc<Value>>,
    /// What went wrong.
    pub error: Option<String>,
    /// Rules that were looked at.
    #[serde(default, deserialize_with = "null_as_default")]
    pub policies_evaluated: Vec<String>,
    /// What they said.
    pub policy_decision: Option<PolicyDecision>,
    /// Why.
    pub policy_reason: Option<String>,
    /// Fields of the incumbent's readers that group by them.
    #[serde(default)]
    pub business_context: Value,
    /// Always empty; the incumbent's readers expect it.
    #[serde(default, deserialize_with = "null_as_default")]
    pub execution_events: Vec<Value>,
    /// Always null; the incumbent's readers expect it.
    #[serde(default)]
    pub signature: Option<String>,
    /// The hash of the record before, in a record that was read; whoever writes a record adds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev_hash: Option<String>,
    /// The record's own hash, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_hash: Option<String>,
}

impl AuditRecord {
    /// The request, when `trace_id` is that of something longer.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.business_context.get(REQUEST_ID)?.as_str()
    }

    /// The record of `event`, accepted at `at` under the number `sequence`.
    #[must_use]
    pub fn of(event: AuditEvent, sequence: u64, at: Timestamp, record_id: String) -> Self {
        let mut business_context = serde_json::json!({
            "operation_type": event.operation_type,
            "operation_name": event.operation_name,
            "operation_status": event.status,
        });
        if let (Some(fields), Some(decision)) = (business_context.as_object_mut(), event.policy_decision) {
            fields.insert("policy_decision".to_owned(), serde_json::json!(decision));
        }
        if let (Some(fields), Some(request_id)) = (business_context.as_object_mut(), event.caller.request_id) {
            fields.insert(REQUEST_ID.to_owned(), request_id.into());
        }
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
            execution_events: Vec::new(),
            signature: None,
            prev_hash: None,
            record_hash: None,
        }
    }
}

/// Reads null as the empty value.
fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_incumbent_is_read() {
        let line = r#"{"schema_name": "mxcp.endpoints", "schema_version": 2,
            "record_id": "7c9c0a6e-0f0b-4c41-9d4f-7f3a5f9d2a11", "timestamp": "2025-11-02T09:31:07.123456Z",
            "operation_type": "resource", "operation_name": "item://{id}", "operation_status": "error",
            "duration_ms": 3, "caller_type": "http", "user_id": null, "session_id": null, "trace_id": null,
            "input_data": {"id": 1}, "output_data": null, "error": "Policy enforcement failed: no",
            "policies_evaluated": [], "policy_decision": null, "policy_reason": null,
            "business_context": {"operation_type": "resource"}, "execution_events": [], "prev_hash": null,
            "record_hash": null, "signature": null}"#;
        let record: AuditRecord = serde_json::from_str(line).unwrap();
        assert_eq!((record.sequence, record.operation_type), (0, OperationType::Resource));
        assert!(Timestamp::parse_rfc3339(&record.timestamp).is_some());
    }

    #[test]
    fn what_an_older_writer_left_out_or_null_is_empty() {
        let line = r#"{"schema_name": "mxcp.endpoints", "schema_version": 2, "record_id": "r",
            "timestamp": "2025-11-02T09:31:07Z", "operation_type": "tool", "operation_name": "t",
            "operation_status": "success", "duration_ms": null, "policies_evaluated": null}"#;
        let record: AuditRecord = serde_json::from_str(line).unwrap();
        assert_eq!((record.duration_ms, record.policies_evaluated.len(), record.client_id), (0, 0, None));
    }

    #[test]
    fn the_business_context_tells_the_decision_only_when_there_was_one() {
        let mut event = AuditEvent::auth("auth.x", OperationStatus::Error, AuditCaller::default());
        let record = AuditRecord::of(event.clone(), 1, Timestamp::from_secs(0), String::new());
        assert_eq!(record.business_context.get("policy_decision"), None);
        event.policy_decision = Some(PolicyDecision::Deny);
        let record = AuditRecord::of(event, 1, Timestamp::from_secs(0), String::new());
        assert_eq!(record.business_context["policy_decision"], "deny");
    }
}

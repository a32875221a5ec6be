//! Records as text and as JSON.

use super::table::{self, Screen};
use crate::cli::output::ascii_line;
use mxcp_actors::model::audit_event::{AuditRecord, OperationStatus, OperationType, PolicyDecision};
use mxcp_actors::model::timestamp::Timestamp;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// How records are set out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// A line for each, for other programs.
    Plain,
    /// A table, for people.
    Table(Screen),
    /// A document for each.
    JsonLines,
}

/// How much of each record is shown, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) layout: Layout,
    /// `--full`.
    pub(super) is_full: bool,
    /// `--debug`.
    pub(super) is_detailed: bool,
}

impl Look {
    /// A list that has an end.
    pub(super) fn list(&self, records: &[AuditRecord]) -> String {
        let head = if records.is_empty() { None } else { self.list_head() };
        let lines = records.iter().flat_map(|record| self.lines(record));
        let lines: Vec<String> = head.into_iter().chain(lines).chain(self.list_end(records.len())).collect();
        lines.join("\n")
    }

    /// What stands above a list that has an end and is not empty.
    pub(super) fn list_head(&self) -> Option<String> {
        match self.layout {
            Layout::JsonLines => None,
            Layout::Plain => Some(rule()),
            Layout::Table(screen) => Some(screen.head()),
        }
    }

    /// What stands below a list of `count` records.
    pub(super) fn list_end(&self, count: usize) -> Vec<String> {
        let total = format!("Total records: {count}");
        match self.layout {
            Layout::JsonLines => Vec::new(),
            _ if count == 0 => vec!["No audit records found matching the criteria.".to_owned()],
            Layout::Plain => vec![rule(), total],
            Layout::Table(_) => vec![total],
        }
    }

    /// What a list tells of `record` as JSON.
    pub(super) fn record_as_json(&self, record: &AuditRecord) -> Value {
        record_as_json(record, self.is_full)
    }

    /// What stands above a list without an end.
    pub(super) fn head(&self) -> Option<String> {
        match self.layout {
            Layout::Table(screen) => Some(screen.head()),
            Layout::Plain | Layout::JsonLines => None,
        }
    }

    /// The lines of one record.
    pub(super) fn lines(&self, record: &AuditRecord) -> Vec<String> {
        let first = match self.layout {
            Layout::JsonLines => return vec![ascii_line(&record_as_json(record, self.is_full))],
            Layout::Plain => plain(record),
            Layout::Table(screen) => table::row(screen, record),
        };
        let mut lines = vec![first];
        if self.is_full {
            lines.extend(everything(record));
        } else if self.is_detailed {
            lines.extend(details(record));
        }
        lines
    }
}

fn rule() -> String {
    "=".repeat(80)
}

pub(super) fn as_json(records: &[AuditRecord], is_full: bool) -> Value {
    let records: Vec<_> = records.iter().map(|record| record_as_json(record, is_full)).collect();
    json!({"count": records.len(), "records": records})
}

/// What a list of records tells of one. Unless all is asked for, arguments and results stay in
/// the log: a list is often passed on.
fn record_as_json(record: &AuditRecord, is_full: bool) -> Value {
    if is_full {
        return json!(record);
    }
    json!({
        "record_id": record.record_id,
        "timestamp": record.timestamp,
        "caller_type": record.caller_type,
        "operation_type": record.operation_type,
        "operation_name": record.operation_name,
        "duration_ms": record.duration_ms,
        "user_id": record.user_id,
        "session_id": record.session_id,
        "trace_id": record.trace_id,
        "operation_status": record.operation_status,
        "error": record.error,
        "business_context": record.business_context,
        "policy_decision": record.policy_decision,
    })
}

fn plain(record: &AuditRecord) -> String {
    format!(
        "{} {} [{}] {} ({}ms) - {}",
        if record.operation_status == OperationStatus::Success { "✅" } else { "❌" },
        date_and_time(&record.timestamp),
        kind_name(record.operation_type),
        printable(&record.operation_name),
        record.duration_ms,
        printable(record.user_id.as_deref().unwrap_or("unknown")),
    )
}

fn details(record: &AuditRecord) -> impl Iterator<Item = String> {
    let error = record.error.as_deref().map(|error| line("Error", error));
    error.into_iter().chain([line("Context", &record.business_context.to_string())])
}

/// Everything that a person may want to know, but the result, which may be long.
fn everything(record: &AuditRecord) -> Vec<String> {
    let decision = record.policy_decision.map(|decision| match &record.policy_reason {
        Some(reason) => format!("{}: {reason}", decision_name(decision)),
        None => decision_name(decision).to_owned(),
    });
    let provider = record.user_id.as_deref().and_then(|user| user.split_once(':')).map(|(provider, _)| provider);
    let policies = (!record.policies_evaluated.is_empty()).then(|| record.policies_evaluated.join(", "));
    let number = (record.sequence > 0).then(|| record.sequence.to_string());
    let facts = [
        ("Error", record.error.clone()),
        ("Policy", decision),
        ("Policies", policies),
        ("Provider", provider.map(str::to_owned)),
        ("Client", record.client_id.as_ref().map(|id| id.as_str().to_owned())),
        ("Session", record.session_id.as_ref().map(|id| id.as_str().to_owned())),
        ("Trace", record.trace_id.clone()),
        ("Request", record.request_id().map(str::to_owned)),
        ("Caller", Some(record.caller_type.clone()).filter(|caller| !caller.is_empty())),
        ("Details", record.input_data.as_ref().map(Value::to_string)),
        ("Record", number),
    ];
    facts.into_iter().filter_map(|(name, text)| Some(line(name, &text?))).collect()
}

fn line(name: &str, text: &str) -> String {
    format!("  {name}: {}", printable(text))
}

const fn decision_name(decision: PolicyDecision) -> &'static str {
    match decision {
        PolicyDecision::Allow => "allow",
        PolicyDecision::Deny => "deny",
        PolicyDecision::Warn => "warn",
    }
}

pub(super) const fn kind_name(kind: OperationType) -> &'static str {
    match kind {
        OperationType::Tool => "tool",
        OperationType::Resource => "resource",
        OperationType::Prompt => "prompt",
        OperationType::Auth => "auth",
    }
}

/// `timestamp` in UTC to the second; as it stands when it is not a time.
pub(super) fn date_and_time(timestamp: &str) -> String {
    let utc = Timestamp::parse_rfc3339(timestamp).map(Timestamp::to_rfc3339);
    let parts = utc.as_deref().and_then(|utc| Some((utc.get(..10)?, utc.get(11..19)?)));
    parts.map_or_else(|| printable(timestamp), |(date, time)| format!("{date} {time}"))
}

/// `text` with everything escaped that could steer the terminal, forge a line, turn the direction
/// of writing or stay unseen: names in the log were chosen by callers.
pub(in crate::cli) fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_unseen(character) {
            // Writing to a string does not fail.
            let _infallible = write!(safe, "{}", character.escape_unicode());
        } else {
            safe.push(character);
        }
    }
    safe
}

/// Whether `character` leaves no mark of its own, but may change what others look like.
const fn is_unseen(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

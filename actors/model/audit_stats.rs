//! What the audit log holds, in numbers.

use super::audit_filter::AuditView;
use super::timestamp::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// How many records there are, as programs of the incumbent know it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AuditStats {
    /// All of them.
    pub total_records: u64,
    /// By what was called or happened.
    pub by_type: BTreeMap<String, u64>,
    /// By whether it worked.
    pub by_status: BTreeMap<String, u64>,
    /// By what the policies said; records without a decision are not counted here.
    pub by_policy: BTreeMap<String, u64>,
    /// The time of the oldest.
    pub earliest_timestamp: Option<String>,
    /// The time of the youngest.
    pub latest_timestamp: Option<String>,
    #[serde(skip)]
    span: Option<(Timestamp, Timestamp)>,
}

impl AuditStats {
    /// Counts one more.
    pub fn add(&mut self, view: &AuditView<'_>) {
        self.total_records += 1;
        count(&mut self.by_type, &serde_json::json!(view.operation_type));
        count(&mut self.by_status, &serde_json::json!(view.operation_status));
        count(&mut self.by_policy, &serde_json::json!(view.policy_decision));
        let Some(at) = Timestamp::parse_rfc3339(view.timestamp) else { return };
        let (earliest, latest) = self.span.unwrap_or((at, at));
        if self.earliest_timestamp.is_none() || at < earliest {
            self.earliest_timestamp = Some(at.to_rfc3339());
        }
        if self.latest_timestamp.is_none() || at > latest {
            self.latest_timestamp = Some(at.to_rfc3339());
        }
        self.span = Some((earliest.min(at), latest.max(at)));
    }
}

/// Counts `word`, unless it is null.
fn count(counts: &mut BTreeMap<String, u64>, word: &Value) {
    let Some(word) = word.as_str() else { return };
    match counts.get_mut(word) {
        Some(count) => *count += 1,
        None => drop(counts.insert(word.to_owned(), 1)),
    }
}

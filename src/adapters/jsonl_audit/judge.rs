//! Which lines of the log a filter accepts.

use super::sieve::Sieve;
use mxcp_actors::model::audit_event::{AuditRecord, OperationStatus, OperationType, PolicyDecision};
use mxcp_actors::model::audit_filter::{AuditFilter, AuditView};
use mxcp_actors::model::timestamp::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::time::Duration;

/// How far a clock may have been set back before a search by time misses records.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60 * 60);

/// What a line is to a search.
#[derive(Debug)]
pub(super) enum Verdict {
    /// A record that is wanted.
    Wanted(Box<AuditRecord>),
    /// One that is not.
    Other,
    /// One that is so old that none before it can be wanted.
    TooOld,
    /// No record.
    Unreadable,
}

/// Judges lines by one filter.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    filter: &'a AuditFilter,
    sieve: Sieve,
    is_all_wanted: bool,
}

/// What a filter looks at, read without the rest of the line.
#[derive(Deserialize)]
struct LineView<'a> {
    #[serde(default)]
    sequence: u64,
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    operation_type: OperationType,
    #[serde(borrow)]
    operation_name: Cow<'a, str>,
    operation_status: OperationStatus,
    policy_decision: Option<PolicyDecision>,
    user_id: Option<Cow<'a, str>>,
    client_id: Option<Cow<'a, str>>,
    session_id: Option<Cow<'a, str>>,
    trace_id: Option<Cow<'a, str>>,
}

/// What names the request of a line that is a step of something longer.
#[derive(Deserialize)]
struct Context {
    business_context: Value,
}

impl<'a> Judge<'a> {
    pub(super) fn new(filter: &'a AuditFilter) -> Self {
        Self { filter, sieve: Sieve::of(filter), is_all_wanted: *filter == AuditFilter::default() }
    }

    /// What `line` is, without a look at its age unless it may be wanted.
    pub(super) fn judge(&self, line: &[u8]) -> Verdict {
        if self.is_all_wanted {
            return wanted(line);
        }
        if self.sieve.lets_pass(line) { self.judge_closely(line) } else { Verdict::Other }
    }

    /// What `line` is. Costs more than [`Self::judge`] for most lines.
    pub(super) fn judge_closely(&self, line: &[u8]) -> Verdict {
        let Ok(line_view) = serde_json::from_slice::<LineView<'_>>(line) else { return Verdict::Unreadable };
        // Only who looks for a request has to have it read.
        let context = if self.filter.traces.is_empty() { None } else { serde_json::from_slice::<Context>(line).ok() };
        let request_id = context.as_ref().and_then(|context| context.business_context.get("request_id")?.as_str());
        let view = AuditView { request_id, ..line_view.view() };
        if self.filter.accepts_view(&view) {
            return wanted(line);
        }
        if self.is_too_old(&view) { Verdict::TooOld } else { Verdict::Other }
    }

    /// Whether the record is so old that no record before it can be in the filter's time or among
    /// its numbers.
    fn is_too_old(&self, view: &AuditView<'_>) -> bool {
        if self.filter.after.is_some_and(|after| view.sequence > 0 && view.sequence <= after) {
            return true;
        }
        self.is_before_time(view.timestamp)
    }

    /// Whether the filter asks for records from some time on.
    pub(super) const fn has_begin(&self) -> bool {
        self.filter.since.is_some()
    }

    /// Whether a record of that time is so old that none before it can be in the filter's time.
    pub(super) fn is_before_time(&self, timestamp: &str) -> bool {
        let Some(since) = self.filter.since else { return false };
        Timestamp::parse_rfc3339(timestamp).is_some_and(|at| at + CLOCK_TOLERANCE < since)
    }
}

impl LineView<'_> {
    fn view(&self) -> AuditView<'_> {
        AuditView {
            sequence: self.sequence,
            timestamp: &self.timestamp,
            operation_type: self.operation_type,
            operation_name: &self.operation_name,
            operation_status: self.operation_status,
            policy_decision: self.policy_decision,
            user_id: self.user_id.as_deref(),
            client_id: self.client_id.as_deref(),
            session_id: self.session_id.as_deref(),
            trace_id: self.trace_id.as_deref(),
            request_id: None,
        }
    }
}

fn wanted(line: &[u8]) -> Verdict {
    serde_json::from_slice(line).map_or(Verdict::Unreadable, Verdict::Wanted)
}

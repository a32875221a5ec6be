//! What the log tells of itself.

use super::chain::RecordHash;
use super::opening::Mended;
use mxcp_actors::model::audit_event::{AuditCaller, AuditEvent, OperationStatus};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::Path;

/// The event that tells of removed segments.
pub(super) const SEGMENTS_REMOVED: &str = "audit.segments_removed";

/// The event that tells that the head was lost.
pub(super) const HEAD_MISSING: &str = "audit.head_missing";

/// A segment that was removed because it was older than the log has to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedSegment {
    /// Its name.
    pub file: String,
    /// How many records it held.
    pub records: u64,
    /// The number of the last one; zero when it had none.
    pub last_sequence: u64,
    /// The hash of its last chained line, which the first line of what is left is tied to.
    pub last_hash: Option<RecordHash>,
}

/// A torn end was mended.
pub(super) fn repaired(path: &Path, mended: Mended) -> AuditEvent {
    let what = match mended {
        Mended::Completed => json!({"file": name_of(path), "repair": "line_break_added"}),
        Mended::CutOff(bytes) => json!({"file": name_of(path), "repair": "unfinished_line_removed", "bytes": bytes}),
    };
    event("audit.repaired", OperationStatus::Success, what)
}

/// Records that were there are not any more.
pub(super) fn missing(first: u64, last: u64) -> AuditEvent {
    let what = json!({"reason": "records_missing", "first_missing": first, "last_missing": last});
    event("audit.gap", OperationStatus::Error, what)
        .with_error("records that had been written are missing at the end of the log")
}

/// The head was lost, so that nobody knows whether the log went on before the number `trusted_from`.
pub(super) fn head_missing(trusted_from: u64) -> AuditEvent {
    let what =
        json!({"reason": "head_missing", "last_found": trusted_from.saturating_sub(1), "trusted_from": trusted_from});
    event(HEAD_MISSING, OperationStatus::Error, what)
        .with_error("the head of the log was missing at the start: what was removed from the end before cannot be told")
}

/// Old segments were removed.
pub(super) fn removed(segments: &[RemovedSegment]) -> AuditEvent {
    event(SEGMENTS_REMOVED, OperationStatus::Success, json!({"segments": segments}))
}

/// The name of the file at `path`, for the log.
pub(super) fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn event(name: &str, status: OperationStatus, details: Value) -> AuditEvent {
    AuditEvent::auth(name, status, AuditCaller::of_server()).with_details(details)
}

//! `profiles.<profile>.audit` of the site file: how the audit log is kept.

use super::reader::Field;
use super::site::PathBase;
use mxcp_actors::model::audit_event::OnFailure;
use std::path::PathBuf;
use std::time::Duration;

/// The size at which a file is closed when the site file does not say.
const MAX_FILE_SIZE: u64 = 50 * 1024 * 1024;
/// How many days a record is kept when the site file does not say.
const RETENTION_DAYS: u64 = 90;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    /// Whether calls are recorded; on by default when people must sign in.
    pub is_enabled: bool,
    /// The stem of its files: `logs.jsonl` stands for `logs-<start time>.jsonl`.
    pub path: PathBuf,
    /// How they are kept.
    pub keeping: AuditKeeping,
    /// The roles whose people may read it in the browser.
    pub viewers: Vec<String>,
    /// Where the server answers local programs that read it; `None` when it does not.
    pub socket: Option<PathBuf>,
}

/// How the files of the audit log are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditKeeping {
    /// A new file is begun when the current one has this many bytes.
    pub max_file_size: u64,
    /// When else a new file is begun.
    pub rotation: AuditRotation,
    /// Whether closed files are compressed.
    pub is_compressed: bool,
    /// How old a record becomes at least before its file is removed.
    pub retention: Duration,
    /// What a record survives before its call is answered.
    pub durability: AuditDurability,
    /// What happens to calls that cannot be recorded.
    pub on_failure: OnFailure,
}

/// When a new file is begun, beside the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditRotation {
    /// With every day in UTC.
    Daily,
    /// Never.
    Size,
}

/// What a record survives before its call is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditDurability {
    /// A killed process, and within a second a power loss.
    Batched,
    /// A power loss.
    Strict,
}

/// `profiles.<profile>.audit`, as far as it is written.
#[derive(Default)]
pub(super) struct SiteAudit {
    pub(super) is_enabled: Option<bool>,
    pub(super) path: Option<PathBuf>,
    pub(super) keeping: AuditKeeping,
    pub(super) viewers: Vec<String>,
}

impl Default for AuditKeeping {
    fn default() -> Self {
        Self {
            max_file_size: MAX_FILE_SIZE,
            rotation: AuditRotation::Daily,
            is_compressed: true,
            retention: DAY * u32::try_from(RETENTION_DAYS).unwrap_or(u32::MAX),
            durability: AuditDurability::Batched,
            on_failure: OnFailure::Deny,
        }
    }
}

/// Reads the table `audit` of a profile.
pub(super) fn read_audit(field: &Field<'_>, base: PathBase<'_>) -> Option<SiteAudit> {
    field.table(|table| {
        let default = AuditKeeping::default();
        let max_file_size = table.get("max_file_size").and_then(|field| field.whole_number(4096..=u64::MAX));
        let rotations = [("daily", AuditRotation::Daily), ("size", AuditRotation::Size)];
        let durabilities = [("batched", AuditDurability::Batched), ("strict", AuditDurability::Strict)];
        let on_failures = [("deny", OnFailure::Deny), ("allow", OnFailure::Allow)];
        Some(SiteAudit {
            is_enabled: table.get_or_null("enabled").and_then(|field| field.boolean()),
            path: base.read(table.get("path")),
            viewers: table.get("viewers").and_then(|field| field.texts()).unwrap_or_default(),
            keeping: AuditKeeping {
                max_file_size: max_file_size.unwrap_or(default.max_file_size),
                rotation: table.get("rotate").and_then(|field| field.choice(&rotations)).unwrap_or(default.rotation),
                is_compressed: table.get("compress").and_then(|field| field.boolean()).unwrap_or(default.is_compressed),
                retention: table.get("retention_days").and_then(|field| days(&field)).unwrap_or(default.retention),
                durability: table
                    .get("durability")
                    .and_then(|field| field.choice(&durabilities))
                    .unwrap_or(default.durability),
                on_failure: table
                    .get("on_failure")
                    .and_then(|field| field.choice(&on_failures))
                    .unwrap_or(default.on_failure),
            },
        })
    })
}

fn days(field: &Field<'_>) -> Option<Duration> {
    let days = field.whole_number(1..=36_500)?;
    Some(DAY * u32::try_from(days).ok()?)
}

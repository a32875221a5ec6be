//! The audit log as append-only files with one JSON object in each line.
//!
//! The configured path is a stem: `audit/logs.jsonl` stands for the segments
//! `audit/logs-20261123T100712.jsonl` and so on. Each start of the daemon begins a segment with
//! its first record, and another one when a segment is full or a day is over; segments that are
//! closed are compressed. The path itself is still read when an older version left a single file
//! there. Beside them stand `logs.head` (how far the log goes), `logs.lock` (who writes it) and
//! `logs.removed-*.json` (what was removed for its age and no record tells of yet).
//!
//! Owns the names, the order, the bytes and the chain of these files. Must not interpret records
//! beyond their number and time, and [`JsonlAuditReader`] must not create or change anything.

mod backward;
mod chain;
mod compress;
mod content;
mod damaged;
mod faults;
mod forward;
mod head;
mod judge;
mod notices;
mod opening;
mod patience;
mod reader;
mod retention;
mod search;
mod segments;
mod sieve;
mod store;
#[cfg(test)]
mod tests;
mod unchained;
mod verification;
mod whole_file;
mod writer;

pub use chain::{Link, RecordHash};
pub use faults::{Fault, FaultKind, Verification};
pub use notices::RemovedSegment;
pub use reader::{JsonlAuditReader, LogState};
pub use retention::{Retention, find_expired, remove_expired};
pub use store::{AuditFileSettings, JsonlAuditStore};
pub use verification::verify;

use std::io;
use std::path::{Path, PathBuf};

/// Why the files of the audit log could not be used.
#[derive(Debug, thiserror::Error)]
pub enum AuditFileError {
    /// The configured path does not name a file.
    #[error("the audit path {} does not name a file", .0.display())]
    NotAFile(PathBuf),
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Refused {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A search was not worth waiting for any longer; what it has found is not all.
    #[error("the search of the audit log took too long; narrow it by time")]
    TookTooLong,
    /// Files were removed again and again while the log was checked.
    #[error("files of the audit log were removed while it was checked; try again")]
    Restless,
    /// Another process writes the log.
    #[error("the audit log {} is written by another process", .0.display())]
    InUse(PathBuf),
    /// A record could not be written as JSON.
    #[error("cannot write an audit record as JSON: {0}")]
    NotJson(#[from] serde_json::Error),
}

impl AuditFileError {
    /// For `map_err`: the operating system refused to do `action` with `path`.
    fn refused(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Refused { action, path, source }
    }
}

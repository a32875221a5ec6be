//! The audit log as append-only files with one JSON object in each line.
//!
//! The configured path is a stem: `audit/logs.jsonl` stands for the segments
//! `audit/logs-20261123T100712.jsonl` and so on. Each start of the daemon begins a segment with
//! its first record, and another one when a segment is full; a segment is never opened for
//! writing again, so whatever a crash left in one cannot reach the next. The path itself is
//! still read when an older version left a single file there.
//!
//! Owns the names, the order and the bytes of these files. Must not interpret records beyond
//! their number and time, and [`JsonlAuditReader`] must not create or change anything.

mod backward;
mod content;
mod forward;
mod judge;
mod reader;
mod search;
mod segments;
mod sieve;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::{JsonlAuditReader, LogState};
pub use store::JsonlAuditStore;

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

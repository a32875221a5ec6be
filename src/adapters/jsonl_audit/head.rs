//! The note of how far the log goes, by which a removed end is found.
//!
//! It stands beside the log from before the first record on, so that there is no moment at which
//! a log without it is in order. Where it is missing all the same, no new one is written before a
//! record tells so: that would hide what somebody may have removed.

use super::chain::{Link, RecordHash};
use super::whole_file::write_whole;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::Path;

/// The last record that is known to be on the disk. Records after it are no fault: it is written
/// about once a second, after the log itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    /// The number of the record.
    sequence: u64,
    /// The hash of its line; null while nothing is known but that the chain begins after it.
    record_hash: Option<RecordHash>,
}

/// What of the head there is when the log is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadState {
    /// It is there.
    Kept,
    /// There is none, and no chained record yet: it comes before the first one.
    ToBegin,
    /// It is missing beside chained records, or cannot be read, and no record tells of it yet.
    Lost,
}

impl Head {
    /// The head of a log that ends with `link`.
    pub(super) const fn of(link: Link) -> Self {
        Self { sequence: link.sequence, record_hash: Some(link.record_hash) }
    }

    /// The head of a log whose chain will begin after the record of that number.
    pub(super) const fn before_chain(sequence: u64) -> Self {
        Self { sequence, record_hash: None }
    }

    /// What the next line is tied to at least; `None` when no record is known.
    pub(super) fn link(&self) -> Option<Link> {
        Some(Link { sequence: self.sequence, record_hash: self.record_hash? })
    }

    /// The head that stands at `path`; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read; with the kind `InvalidData` when it was not written here.
    pub(super) fn read(path: &Path) -> io::Result<Option<Self>> {
        match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            bytes => {
                let head = serde_json::from_slice(&bytes?);
                head.map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
            }
        }
    }

    /// Puts it at `path`, as a whole or not at all.
    ///
    /// # Errors
    /// When the operating system refuses; then the one before is still there.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        write_whole(path, &serde_json::to_vec(self)?)
    }
}

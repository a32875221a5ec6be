//! The note of how far the log goes, by which a removed end is found.

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
    /// The hash of its line.
    record_hash: RecordHash,
}

impl Head {
    /// The head of a log that ends with `link`.
    pub(super) const fn of(link: Link) -> Self {
        Self { sequence: link.sequence, record_hash: link.record_hash }
    }

    /// What the next line is tied to at least.
    pub(super) const fn link(&self) -> Link {
        Link { sequence: self.sequence, record_hash: self.record_hash }
    }

    /// The head that stands at `path`; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read, or was not written here.
    pub(super) fn read(path: &Path) -> io::Result<Option<Self>> {
        match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            bytes => Ok(Some(serde_json::from_slice(&bytes?)?)),
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

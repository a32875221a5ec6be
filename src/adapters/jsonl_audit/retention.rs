//! Removing segments that are older than the log has to be.
//!
//! A note of what is removed is on the disk before the first file goes, so that nobody takes it
//! for tampering. The daemon turns notes into records; a command that removes files while the
//! daemon runs, or while it does not, leaves its note to it.

use super::AuditFileError;
use super::chain::ChainedLine;
use super::content::{SegmentContent, compressed};
use super::notices::{RemovedSegment, name_of};
use super::segments::Segments;
use super::whole_file::{sync_folder, write_whole};
use mxcp_actors::model::timestamp::Timestamp;
use serde::Deserialize;
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

/// How much of a segment is read at once.
const BLOCK: usize = 256 * 1024;

/// What is left to be removed, and what has been.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// The segments, oldest first.
    pub segments: Vec<RemovedSegment>,
}

impl Retention {
    /// How many records they hold.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.segments.iter().map(|segment| segment.records).sum()
    }
}

/// Tells which segments of the log at `path` hold only records from before `cutoff`.
///
/// # Errors
/// When the files cannot be read.
pub fn find_expired(path: &Path, cutoff: Timestamp) -> Result<Retention, AuditFileError> {
    let expired = expired(&Segments::new(path)?, cutoff)?;
    Ok(Retention { segments: expired.into_iter().map(|(_, segment)| segment).collect() })
}

/// Removes them.
///
/// # Errors
/// When the files cannot be read or removed.
pub fn remove_expired(path: &Path, cutoff: Timestamp, now: Timestamp) -> Result<Retention, AuditFileError> {
    let segments = Segments::new(path)?;
    let _turn = segments.lock_upkeep()?;
    remove(&segments, cutoff, now)
}

/// The same for a log whose files are known, whose upkeep is locked.
pub(super) fn remove(segments: &Segments, cutoff: Timestamp, now: Timestamp) -> Result<Retention, AuditFileError> {
    let (paths, removed): (Vec<_>, Vec<_>) = expired(segments, cutoff)?.into_iter().unzip();
    if removed.is_empty() {
        return Ok(Retention::default());
    }
    let note = segments.new_note_path(now);
    let content = serde_json::to_vec(&removed)?;
    write_whole(&note, &content).map_err(AuditFileError::refused("write", &note))?;
    sync_folder(segments.folder()).map_err(AuditFileError::refused("sync", segments.folder()))?;
    // A crash may have left both forms of a file; the one that stayed would be out of its place.
    for path in paths.iter().flat_map(|path| [compressed(path), path.clone()]) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            outcome => outcome.map_err(AuditFileError::refused("remove", &path))?,
        }
    }
    Ok(Retention { segments: removed })
}

/// The notes of what was removed that no record tells of yet. One that this server did not write
/// is passed over: it must not keep back the others.
pub(super) fn notes(segments: &Segments) -> Result<Vec<(PathBuf, Vec<RemovedSegment>)>, AuditFileError> {
    let mut notes = Vec::new();
    for path in segments.note_paths()? {
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            read => {
                let bytes = read.map_err(AuditFileError::refused("read", &path))?;
                match serde_json::from_slice(&bytes) {
                    Ok(removed) => notes.push((path, removed)),
                    Err(error) => tracing::warn!(
                        file = %path.display(), %error,
                        "a note of removed files of the audit log cannot be read; what it told of is missing"
                    ),
                }
            }
        }
    }
    Ok(notes)
}

/// Those of the oldest segments that hold only records from before `cutoff`. The newest one
/// stays whatever its age: the next record is tied to it.
fn expired(segments: &Segments, cutoff: Timestamp) -> Result<Vec<(PathBuf, RemovedSegment)>, AuditFileError> {
    let mut oldest_first = segments.newest_first()?;
    oldest_first.reverse();
    oldest_first.pop();
    let mut expired = Vec::new();
    for path in oldest_first {
        // A segment begins with its first record.
        if segments.begun_at(&path).is_some_and(|begun| begun >= cutoff) {
            break;
        }
        let summary = summary(&path).map_err(AuditFileError::refused("read", &path))?;
        let Some((segment, newest)) = summary else { continue };
        if newest.is_some_and(|newest| newest >= cutoff) {
            break;
        }
        expired.push((path, segment));
    }
    Ok(expired)
}

/// What is in a segment, and the time of its newest record; `None` when it is gone.
fn summary(path: &Path) -> io::Result<Option<(RemovedSegment, Option<Timestamp>)>> {
    #[derive(Deserialize)]
    struct Stamped<'a> {
        #[serde(default)]
        sequence: u64,
        #[serde(borrow)]
        timestamp: std::borrow::Cow<'a, str>,
    }
    let Some(content) = SegmentContent::open(path)? else { return Ok(None) };
    let mut reader = BufReader::with_capacity(BLOCK, content);
    let mut segment = RemovedSegment { file: name_of(path), records: 0, last_sequence: 0, last_hash: None };
    let (mut newest, mut line) = (None, Vec::new());
    while reader.read_until(b'\n', &mut line)? > 0 {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        if let Ok(stamped) = serde_json::from_slice::<Stamped<'_>>(text) {
            segment.records += 1;
            segment.last_sequence = segment.last_sequence.max(stamped.sequence);
            newest = newest.max(Timestamp::parse_rfc3339(&stamped.timestamp));
        }
        if let Some(chained) = ChainedLine::parse(text) {
            segment.last_hash = Some(chained.link.record_hash);
        }
        line.clear();
    }
    Ok(Some((segment, newest)))
}

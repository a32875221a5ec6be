//! Appending whole lines to the newest segment.

use super::AuditFileError;
use super::chain::{Link, seal};
use super::head::{Head, HeadState};
use super::segments::Segments;
use super::whole_file::sync_folder;
use mxcp_actors::model::audit_event::AuditRecord;
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::ports::clock::Clock;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the buffer may keep of its memory between batches.
const KEPT_CAPACITY: usize = 1024 * 1024;

/// The file that is being written.
#[derive(Clone, Debug)]
struct Segment {
    file: Arc<File>,
    path: Arc<Path>,
    /// The day in UTC, counted from 1970, on which it was begun.
    day: i64,
}

/// How the files are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct WriterRules {
    /// A new file is begun when the current one has this many bytes.
    pub(super) max_file_size: u64,
    /// Whether each day in UTC begins a file.
    pub(super) is_daily: bool,
    /// Whether records are on the disk before they count as written.
    pub(super) is_strict: bool,
}

/// Writes batches of records. A batch is in the log as a whole or, as far as this can be
/// brought about, not at all.
#[derive(Debug)]
pub(super) struct Writer {
    segments: Segments,
    rules: WriterRules,
    clock: Arc<dyn Clock>,
    current: Option<Segment>,
    /// The length of the current file's whole lines, when a half line could not be taken back.
    torn_after: Option<u64>,
    unsynced: Unsynced,
    buffer: Vec<u8>,
    tail: Tail,
    head: HeadState,
}

/// Where the log ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    /// The number of the last record; zero when there is none.
    pub(super) last_sequence: u64,
    /// What the next line is tied to; `None` when no line is chained yet.
    pub(super) link: Option<Link>,
}

impl Writer {
    /// A writer that begins a segment with its first record, which follows `tail`.
    pub(super) fn new(
        segments: Segments,
        rules: WriterRules,
        clock: Arc<dyn Clock>,
        (tail, head): (Tail, HeadState),
    ) -> Self {
        let (unsynced, buffer) = (Unsynced::default(), Vec::new());
        Self { segments, rules, clock, current: None, torn_after: None, unsynced, buffer, tail, head }
    }

    /// The number of the last record.
    pub(super) const fn last_sequence(&self) -> u64 {
        self.tail.last_sequence
    }

    /// Writes `records` with one system call, so that a killed process loses nothing that was
    /// acknowledged.
    ///
    /// # Errors
    /// When they could not be written. Then nothing of them is left to garble the next batch.
    pub(super) fn append(&mut self, records: &[Arc<AuditRecord>]) -> Result<(), AuditFileError> {
        if records.is_empty() {
            return Ok(());
        }
        let tail = self.fill_buffer(records)?;
        self.begin_head()?;
        let (segment, length) = self.segment_to_write()?;
        self.unsynced.add(&segment.file);
        let outcome = append_whole(&mut &*segment.file, length, &self.buffer)
            .and_then(|()| if self.rules.is_strict { self.sync_or_take_back(&segment.file, length) } else { Ok(()) });
        if let Err(failure) = outcome {
            // A half line would be taken for a changed one; nothing is written before it is gone.
            self.torn_after = failure.is_torn.then_some(length);
            return Err(AuditFileError::refused("write to the audit file", &segment.path)(failure.error));
        }
        self.tail = tail;
        self.unsynced.head = tail.link.map(|link| (Head::of(link), self.segments.head_path()));
        Ok(())
    }

    /// What has to be synced for everything written so far to survive a power loss. The head waits
    /// while no record tells that it was lost.
    pub(super) fn take_unsynced(&mut self) -> Unsynced {
        let mut unsynced = std::mem::take(&mut self.unsynced);
        if self.head == HeadState::Lost {
            self.unsynced.head = unsynced.head.take();
        }
        unsynced
    }

    /// Has the head written again, because a record tells that it was lost. Returns whether it was.
    pub(super) fn admit_head(&mut self) -> bool {
        std::mem::replace(&mut self.head, HeadState::Kept) == HeadState::Lost
    }

    /// Remembers that `unsynced` has yet to be synced.
    pub(super) fn put_back(&mut self, unsynced: Unsynced) {
        self.unsynced.merge(unsynced);
    }

    /// Puts the first head on the disk. It comes before the first record: a log without one is then
    /// a fault at any moment, and a kill leaves none.
    fn begin_head(&mut self) -> Result<(), AuditFileError> {
        if self.head == HeadState::ToBegin {
            let (head, path) = (Head::before_chain(self.tail.last_sequence), self.segments.head_path());
            let written = head.write(&path).and_then(|()| sync_folder(self.segments.folder()));
            written.map_err(AuditFileError::refused("write the head of the audit log", &path))?;
            self.head = HeadState::Kept;
        }
        Ok(())
    }

    fn sync_or_take_back(&self, file: &Arc<File>, length: u64) -> Result<(), FailedAppend> {
        let synced = self.unsynced.sync_content();
        synced.map_err(|error| FailedAppend { error, is_torn: file.set_len(length).is_err() })
    }

    /// Writes the lines into the buffer; returns where the log ends with them.
    fn fill_buffer(&mut self, records: &[Arc<AuditRecord>]) -> Result<Tail, AuditFileError> {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_CAPACITY);
        let mut tail = self.tail;
        for record in records {
            let start = self.buffer.len();
            serde_json::to_writer(&mut self.buffer, record.as_ref())?;
            let prev = tail.link.as_ref().map(|link| &link.record_hash);
            let record_hash = seal(&mut self.buffer, start, prev);
            self.buffer.push(b'\n');
            let link = Link { sequence: record.sequence, record_hash };
            tail = Tail { last_sequence: record.sequence, link: Some(link) };
        }
        Ok(tail)
    }

    /// The segment for the next batch, and its length. Asks the file each time: an operator
    /// may have removed or emptied it.
    fn segment_to_write(&mut self) -> Result<(Segment, u64), AuditFileError> {
        if let (Some(segment), Some(length)) = (&self.current, self.torn_after) {
            segment.file.set_len(length).map_err(AuditFileError::refused("take back a half line in", &segment.path))?;
            self.torn_after = None;
        }
        let day = day_of(self.clock.now());
        let is_of_day = |segment: &Segment| !self.rules.is_daily || day <= segment.day;
        let usable = match self.current.take().filter(is_of_day) {
            Some(segment) => usable_length(&segment, self.rules.max_file_size)?.map(|length| (segment, length)),
            None => None,
        };
        let (segment, length) = match usable {
            Some(usable) => usable,
            None => (self.begin_segment()?, 0),
        };
        self.current = Some(segment.clone());
        Ok((segment, length))
    }

    fn begin_segment(&mut self) -> Result<Segment, AuditFileError> {
        let now = self.clock.now();
        let (file, path) = self.segments.create_next(now)?;
        self.unsynced.folder = Some(self.segments.folder().to_owned());
        Ok(Segment { file: Arc::new(file), path: path.into(), day: day_of(now) })
    }
}

/// The day of `at` in UTC, counted from 1970.
const fn day_of(at: Timestamp) -> i64 {
    at.as_secs().div_euclid(24 * 60 * 60)
}

/// How long `segment` is; `None` when it is full or gone.
fn usable_length(segment: &Segment, max_file_size: u64) -> Result<Option<u64>, AuditFileError> {
    let metadata = segment.file.metadata().map_err(AuditFileError::refused("inspect", &segment.path))?;
    let is_usable = metadata.nlink() > 0 && metadata.len() < max_file_size;
    Ok(is_usable.then_some(metadata.len()))
}

/// What [`append_whole`] needs of a file; a seam for its tests, because a disk that is full on
/// demand is hard to come by.
trait Appendable: Write {
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

impl Appendable for &File {
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// A write that failed.
#[derive(Debug)]
struct FailedAppend {
    error: io::Error,
    /// Whether a part of the bytes may still be in the file.
    is_torn: bool,
}

/// Appends `bytes` to a file of `length` bytes; when that fails, takes back what was written.
fn append_whole(file: &mut impl Appendable, length: u64, bytes: &[u8]) -> Result<(), FailedAppend> {
    file.write_all(bytes).map_err(|error| FailedAppend { error, is_torn: file.truncate(length).is_err() })
}

/// Files and folders that a power loss could still take away, and the head that is true once they
/// cannot be lost.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    files: Vec<Arc<File>>,
    folder: Option<PathBuf>,
    head: Option<(Head, PathBuf)>,
}

impl Unsynced {
    /// Syncs all of it; blocks.
    ///
    /// # Errors
    /// When the operating system could not promise it.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.sync_content()?;
        self.head.as_ref().map_or(Ok(()), |(head, path)| head.write(path))
    }

    /// The same without the head, which then knows less than there is.
    fn sync_content(&self) -> io::Result<()> {
        self.files.iter().try_for_each(|file| file.sync_data())?;
        self.folder.as_ref().map_or(Ok(()), |folder| sync_folder(folder))
    }

    fn add(&mut self, file: &Arc<File>) {
        if !self.files.iter().any(|known| Arc::ptr_eq(known, file)) {
            self.files.push(Arc::clone(file));
        }
    }

    /// Takes what could not be synced back; what was written since is newer.
    fn merge(&mut self, older: Self) {
        older.files.iter().for_each(|file| self.add(file));
        self.folder = self.folder.take().or(older.folder);
        self.head = self.head.take().or(older.head);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with room for a few more bytes.
    struct AlmostFull {
        content: Vec<u8>,
        room: usize,
        can_truncate: bool,
    }

    impl Write for AlmostFull {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let fits = bytes.len().min(self.room);
            if fits == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.content.extend_from_slice(&bytes[..fits]);
            self.room -= fits;
            Ok(fits)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Appendable for AlmostFull {
        fn truncate(&mut self, length: u64) -> io::Result<()> {
            if !self.can_truncate {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            self.content.truncate(usize::try_from(length).unwrap());
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_leaves_no_half_line() {
        let mut disk = AlmostFull { content: b"{}\n".to_vec(), room: 4, can_truncate: true };
        let failure = append_whole(&mut disk, 3, b"{\"a\":1}\n").unwrap_err();
        assert_eq!(failure.error.kind(), io::ErrorKind::StorageFull);
        assert!(!failure.is_torn);
        assert_eq!(disk.content, b"{}\n");
    }

    #[test]
    fn a_half_line_that_cannot_be_taken_back_is_told() {
        let mut disk = AlmostFull { content: Vec::new(), room: 4, can_truncate: false };
        assert!(append_whole(&mut disk, 0, b"{\"a\":1}\n").unwrap_err().is_torn);
    }
}

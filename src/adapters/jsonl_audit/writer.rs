//! Appending whole lines to the newest segment.

use super::AuditFileError;
use super::segments::Segments;
use mxcp_actors::model::audit_event::AuditRecord;
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
}

/// Writes batches of records. A batch is in the log as a whole or, as far as this can be
/// brought about, not at all.
#[derive(Debug)]
pub(super) struct Writer {
    segments: Segments,
    max_file_size: u64,
    clock: Arc<dyn Clock>,
    current: Option<Segment>,
    unsynced: Unsynced,
    buffer: Vec<u8>,
}

impl Writer {
    /// A writer that begins a segment with its first record.
    pub(super) fn new(segments: Segments, max_file_size: u64, clock: Arc<dyn Clock>) -> Self {
        let unsynced = Unsynced::default();
        Self { segments, max_file_size, clock, current: None, unsynced, buffer: Vec::new() }
    }

    /// Writes `records` with one system call, so that a killed process loses nothing that was
    /// acknowledged.
    ///
    /// # Errors
    /// When they could not be written. Then nothing of them is left to garble the next batch.
    pub(super) fn append(&mut self, records: &[Arc<AuditRecord>]) -> Result<(), AuditFileError> {
        self.fill_buffer(records)?;
        let (segment, length) = self.segment_to_write()?;
        let outcome = append_whole(&mut &*segment.file, length, &self.buffer);
        if let Err(failure) = outcome {
            let error = AuditFileError::refused("write to the audit file", &segment.path)(failure.error);
            if failure.is_torn {
                // The half line stays behind in a file that is never written again.
                tracing::warn!(file = %segment.path.display(), "a failed write could not be undone; beginning a new file");
                self.current = None;
            }
            return Err(error);
        }
        self.unsynced.add(segment.file);
        Ok(())
    }

    /// What has to be synced for everything written so far to survive a power loss.
    pub(super) fn take_unsynced(&mut self) -> Unsynced {
        std::mem::take(&mut self.unsynced)
    }

    /// Remembers that `unsynced` has yet to be synced.
    pub(super) fn put_back(&mut self, unsynced: Unsynced) {
        self.unsynced.merge(unsynced);
    }

    fn fill_buffer(&mut self, records: &[Arc<AuditRecord>]) -> Result<(), AuditFileError> {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_CAPACITY);
        for record in records {
            serde_json::to_writer(&mut self.buffer, record.as_ref())?;
            self.buffer.push(b'\n');
        }
        Ok(())
    }

    /// The segment for the next batch, and its length. Asks the file each time: an operator
    /// may have removed or emptied it.
    fn segment_to_write(&mut self) -> Result<(Segment, u64), AuditFileError> {
        let usable = match self.current.take() {
            Some(segment) => usable_length(&segment, self.max_file_size)?.map(|length| (segment, length)),
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
        let (file, path) = self.segments.create_next(self.clock.now())?;
        self.unsynced.folder = Some(self.segments.folder().to_owned());
        Ok(Segment { file: Arc::new(file), path: path.into() })
    }
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

/// Files and folders that a power loss could still take away.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    files: Vec<Arc<File>>,
    folder: Option<PathBuf>,
}

impl Unsynced {
    /// Syncs all of it; blocks.
    ///
    /// # Errors
    /// When the operating system could not promise it.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.files.iter().try_for_each(|file| file.sync_data())?;
        self.folder.as_ref().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }

    fn add(&mut self, file: Arc<File>) {
        if !self.files.iter().any(|known| Arc::ptr_eq(known, &file)) {
            self.files.push(file);
        }
    }

    fn merge(&mut self, other: Self) {
        other.files.into_iter().for_each(|file| self.add(file));
        self.folder = self.folder.take().or(other.folder);
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

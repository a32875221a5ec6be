//! The names of the log's files, and their order.

use super::AuditFileError;
use super::content::{GZIP_SUFFIX, compressed};
use mxcp_actors::model::timestamp::Timestamp;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// A second in UTC, as names have it.
const STAMP: &[BorrowedFormatItem<'static>] = format_description!("[year][month][day]T[hour][minute][second]");

/// When a segment was begun, and its number among those of that second.
///
/// The order of names is the order of records: see [`Segments::create_next`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SegmentName {
    stamp: String,
    number: u32,
}

impl SegmentName {
    /// Reads what stands between the stem and the extension, such as `20261123T100712-2`.
    fn parse(text: &str) -> Option<Self> {
        let (stamp, number) = match text.split_once('-') {
            Some((stamp, number)) => (stamp, number.parse().ok()?),
            None => (text, 0),
        };
        let is_stamp = stamp.len() == 15
            && stamp.bytes().enumerate().all(|(at, byte)| if at == 8 { byte == b'T' } else { byte.is_ascii_digit() });
        is_stamp.then(|| Self { stamp: stamp.to_owned(), number })
    }

    fn text(&self) -> String {
        if self.number == 0 { self.stamp.clone() } else { format!("{}-{}", self.stamp, self.number) }
    }

    /// The name for a segment begun at `now` that sorts after `newest`, whatever the clock did
    /// in between.
    fn after(newest: Option<Self>, now: Timestamp) -> Self {
        let stamp = stamp(now);
        match newest {
            Some(newest) if newest.stamp >= stamp => {
                Self { stamp: newest.stamp, number: newest.number.saturating_add(1) }
            }
            _ => Self { stamp, number: 0 },
        }
    }
}

/// How a segment is kept. When there are both, the plain one stands first in a list that is
/// newest first, and is the one that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    Compressed,
    Plain,
}

impl Form {
    fn suffix(self) -> &'static str {
        match self {
            Self::Compressed => GZIP_SUFFIX,
            Self::Plain => "",
        }
    }
}

/// The second of `at` in UTC, as names have it.
fn stamp(at: Timestamp) -> String {
    OffsetDateTime::from_unix_timestamp(at.as_secs())
        .ok()
        .and_then(|at| at.format(STAMP).ok())
        .unwrap_or_else(|| "00000000T000000".to_owned())
}

/// Ends the name of a compressed segment that is not finished.
const UNFINISHED_SEGMENT: &str = ".jsonl.gz.tmp";

/// Keeps other processes from writing the log, as long as it lives: each goes on from the last
/// line that it wrote, so that two would tear the chain apart.
#[derive(Debug)]
pub(super) struct LogLock {
    // The lock goes with the file, also when the process is killed.
    _file: File,
}

/// The files of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segments {
    /// The configured path, where older versions kept a single file.
    path: PathBuf,
    folder: PathBuf,
    stem: String,
}

impl Segments {
    /// The files that `path` stands for.
    ///
    /// # Errors
    /// When it has no file name, or one that is not UTF-8.
    pub(super) fn new(path: &Path) -> Result<Self, AuditFileError> {
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let (Some(stem), Some(parent)) = (stem, path.parent()) else {
            return Err(AuditFileError::NotAFile(path.to_owned()));
        };
        let folder = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        Ok(Self { path: path.to_owned(), folder: folder.to_owned(), stem: stem.to_owned() })
    }

    /// The folder that they are in.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the note of the log's end is.
    pub(super) fn head_path(&self) -> PathBuf {
        self.folder.join(format!("{}.head", self.stem))
    }

    /// Where the notes of removed segments are.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub(super) fn note_paths(&self) -> Result<Vec<PathBuf>, AuditFileError> {
        let prefix = format!("{}.removed-", self.stem);
        let is_note = |name: &str| name.strip_prefix(&prefix).is_some_and(|rest| rest.strip_suffix(".json").is_some());
        self.find(|name| is_note(name).then(|| self.folder.join(name)))
    }

    /// A place for another note, which is in nobody's way while the upkeep is locked.
    pub(super) fn new_note_path(&self, now: Timestamp) -> PathBuf {
        let place = |at| self.folder.join(format!("{}.removed-{at}-{}.json", self.stem, std::process::id()));
        let (mut at, mut path) = (now.as_micros(), place(now.as_micros()));
        // A clock may have been set back.
        while path.exists() {
            at += 1;
            path = place(at);
        }
        path
    }

    /// Whether `path` is the single file of older versions, and no segment.
    pub(super) fn is_single_file(&self, path: &Path) -> bool {
        path == self.path || path == compressed(&self.path)
    }

    /// When the segment at `path` was begun, by its name, as far as that tells.
    pub(super) fn begun_at(&self, path: &Path) -> Option<Timestamp> {
        let (name, _) = self.parse(path.file_name()?.to_str()?)?;
        let at = PrimitiveDateTime::parse(&name.stamp, STAMP).ok()?;
        Some(Timestamp::from_secs(at.assume_utc().unix_timestamp()))
    }

    /// Removes what a crash left of a segment that was being compressed.
    ///
    /// # Errors
    /// When the folder cannot be listed or the file cannot be removed.
    pub(super) fn remove_unfinished(&self) -> Result<(), AuditFileError> {
        let is_ours = |name: &str| {
            let name = name.strip_suffix(UNFINISHED_SEGMENT)?.strip_prefix(&self.stem)?.strip_prefix('-')?;
            SegmentName::parse(name)
        };
        for path in self.find(|name| is_ours(name).map(|_| self.folder.join(name)))? {
            fs::remove_file(&path).map_err(AuditFileError::refused("remove", &path))?;
        }
        Ok(())
    }

    /// Waits for the turn to compress or remove files: a file that is removed while it is compressed
    /// would come back. The lock is on the folder, so that a command leaves no file of another owner.
    ///
    /// # Errors
    /// When the folder cannot be opened; `None` when there is none.
    pub(super) fn lock_upkeep(&self) -> Result<Option<File>, AuditFileError> {
        let folder = match File::open(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            folder => folder.map_err(AuditFileError::refused("open", &self.folder))?,
        };
        if let Err(error) = folder.lock() {
            tracing::debug!(%error, "the folder of the audit log cannot be locked on this file system");
        }
        Ok(Some(folder))
    }

    /// Takes the right to write the log.
    ///
    /// # Errors
    /// When another process has it, or the operating system refuses.
    pub(super) fn lock(&self) -> Result<LogLock, AuditFileError> {
        let path = self.folder.join(format!("{}.lock", self.stem));
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = opened.map_err(AuditFileError::refused("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(LogLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(AuditFileError::InUse(self.path.clone())),
            Err(TryLockError::Error(source)) => Err(AuditFileError::refused("lock", &path)(source)),
        }
    }

    /// Those that exist, newest first. A folder that does not exist has none.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub(super) fn newest_first(&self) -> Result<Vec<PathBuf>, AuditFileError> {
        let mut names = self.names()?;
        // A listing that is read in several pieces may miss a file that is just being compressed:
        // its new name is behind, and its old one is gone before it is reached.
        names.extend(self.names()?);
        names.sort_unstable_by(|one, other| other.cmp(one));
        // Between compressing a segment and removing the plain file there are both.
        names.dedup_by(|one, other| one.0 == other.0);
        let mut paths: Vec<_> = names.iter().map(|(name, form)| self.path_of(name, *form)).collect();
        if self.path.is_file() {
            paths.push(self.path.clone());
        } else if compressed(&self.path).is_file() {
            paths.push(compressed(&self.path));
        }
        Ok(paths)
    }

    /// Creates the folder, readable for its owner alone, and makes sure that files can be
    /// created in it: a fault shall be seen at the start, not by the first caller.
    ///
    /// # Errors
    /// When the folder or a file in it cannot be created.
    pub(super) fn prepare(&self) -> Result<(), AuditFileError> {
        let create = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        create.map_err(AuditFileError::refused("create the audit folder", &self.folder))?;
        let probe = self.folder.join(format!("{}.{}.probe", self.stem, std::process::id()));
        create_file(&probe).map_err(AuditFileError::refused("write to the audit folder", &self.folder))?;
        fs::remove_file(&probe).map_err(AuditFileError::refused("remove", &probe))
    }

    /// Creates the segment that follows all others, readable for its owner alone.
    ///
    /// # Errors
    /// When the folder cannot be listed or the file cannot be created.
    pub(super) fn create_next(&self, now: Timestamp) -> Result<(File, PathBuf), AuditFileError> {
        loop {
            let newest = self.names()?.into_iter().map(|(name, _)| name).max();
            let path = self.path_of(&SegmentName::after(newest, now), Form::Plain);
            match create_file(&path) {
                Ok(file) => return Ok((file, path)),
                // Another process was faster: its file is in the next listing.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(AuditFileError::refused("create the audit file", &path)(error)),
            }
        }
    }

    fn path_of(&self, name: &SegmentName, form: Form) -> PathBuf {
        self.folder.join(format!("{}-{}.jsonl{}", self.stem, name.text(), form.suffix()))
    }

    fn names(&self) -> Result<Vec<(SegmentName, Form)>, AuditFileError> {
        self.find(|name| self.parse(name))
    }

    /// What `select` makes of the names in the folder.
    fn find<T>(&self, select: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, AuditFileError> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(AuditFileError::refused("list", &self.folder))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(AuditFileError::refused("list", &self.folder))?;
            // Whatever else somebody calls like a file of the log is none.
            let is_other = entry.file_type().is_ok_and(|kind| !kind.is_file() && !kind.is_symlink());
            if !is_other {
                found.extend(entry.file_name().to_str().and_then(&select));
            }
        }
        Ok(found)
    }

    fn parse(&self, file_name: &str) -> Option<(SegmentName, Form)> {
        let (plain, form) = match file_name.strip_suffix(GZIP_SUFFIX) {
            Some(plain) => (plain, Form::Compressed),
            None => (file_name, Form::Plain),
        };
        let name = plain.strip_prefix(&self.stem)?.strip_prefix('-')?.strip_suffix(".jsonl")?;
        Some((SegmentName::parse(name)?, form))
    }
}

fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    fn next(newest: Option<&str>, now: &str) -> String {
        SegmentName::after(newest.map(|name| SegmentName::parse(name).unwrap()), at(now)).text()
    }

    #[test]
    fn a_segment_is_named_after_the_second_in_utc() {
        assert_eq!(next(None, "2026-11-23T12:07:12.9+02:00"), "20261123T100712");
    }

    #[test]
    fn segments_of_one_second_are_numbered() {
        assert_eq!(next(Some("20261123T100712"), "2026-11-23T10:07:12Z"), "20261123T100712-1");
        assert_eq!(next(Some("20261123T100712-9"), "2026-11-23T10:07:12Z"), "20261123T100712-10");
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_put_a_segment_before_older_ones() {
        assert_eq!(next(Some("20261123T100712"), "2026-11-23T09:00:00Z"), "20261123T100712-1");
    }

    #[test]
    fn the_tenth_of_a_second_comes_after_its_ninth() {
        assert!(SegmentName::parse("20261123T100712-10") > SegmentName::parse("20261123T100712-9"));
        assert!(SegmentName::parse("20261123T100713") > SegmentName::parse("20261123T100712-9"));
    }

    #[test]
    fn files_of_other_logs_are_not_taken_for_segments() {
        let segments = Segments::new(Path::new("audit/logs.jsonl")).unwrap();
        assert!(segments.parse("logs-20261123T100712.jsonl").is_some());
        assert!(segments.parse("logs-20261123T100712-1.jsonl.gz").is_some());
        for other in
            ["logs_schemas.jsonl", "logs-default-20261123T100712.jsonl", "logs-20261123T100712.gz", "logs-.jsonl"]
        {
            assert_eq!(segments.parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_path_without_a_file_name_is_refused() {
        assert!(matches!(Segments::new(Path::new("/")), Err(AuditFileError::NotAFile(_))));
    }
}

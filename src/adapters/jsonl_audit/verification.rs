//! Finding out whether the log is as it was written.

use super::AuditFileError;
use super::chain::{ChainedLine, Link, RecordHash, beginning};
use super::content::SegmentContent;
use super::head::Head;
use super::notices::{RemovedSegment, SEGMENTS_REMOVED, name_of};
use super::retention;
use super::segments::Segments;
use serde::Deserialize;
use std::collections::HashSet;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

/// How much of a segment is read at once.
const BLOCK: usize = 1024 * 1024;
/// The most faults that are told one by one; more would tell nothing new.
const FAULTS_MAX: usize = 1_000;
/// How far into a line the name of its event is looked for.
const NAME_REACH: usize = 512;
/// How often it is begun again because a file was removed while it was running.
const ATTEMPTS: usize = 3;

/// What is wrong with the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// The line does not match its own hash.
    #[error("the record was changed after it was written")]
    Changed,
    /// Numbers before the line are missing.
    #[error("the records from number {first} to {last} are missing before this one")]
    Missing {
        /// The first number.
        first: u64,
        /// The last number.
        last: u64,
    },
    /// The line is not tied to the line before it, whose number fits.
    #[error("the record before this one was changed or replaced together with its hash")]
    Replaced,
    /// The number does not come after that of the line before.
    #[error("the record is not in its place: it comes after number {found_before}")]
    Misplaced {
        /// The number that it does follow.
        found_before: u64,
    },
    /// What stands before the first line is not there, and nothing tells of its removal.
    #[error("the beginning of the log is missing, and nothing tells that it was removed for its age")]
    BeginningMissing,
    /// Among chained lines stands one that is not.
    #[error("the line carries no hash, or is not a record")]
    NotChained,
    /// The file ends in the middle of a line, and is not the last.
    #[error("the last line is not whole")]
    Torn,
    /// The head knows of later records.
    #[error("the end of the log is missing: it goes to number {last}")]
    EndMissing {
        /// The last number that was written.
        last: u64,
    },
    /// The head knows another record under that number.
    #[error("the record is not the one that was written under its number")]
    NotTheOneWritten,
    /// The file cannot be decompressed.
    #[error("the file cannot be read to its end")]
    Unreadable,
    /// The head cannot be read.
    #[error("the head of the log cannot be read")]
    HeadUnreadable,
}

impl FaultKind {
    /// A word for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Missing { .. } => "missing",
            Self::Replaced => "replaced",
            Self::Misplaced { .. } => "misplaced",
            Self::BeginningMissing => "beginning_missing",
            Self::NotChained => "not_chained",
            Self::Torn => "torn",
            Self::EndMissing { .. } => "end_missing",
            Self::NotTheOneWritten => "not_the_one_written",
            Self::Unreadable => "unreadable",
            Self::HeadUnreadable => "head_unreadable",
        }
    }
}

/// Where what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The name of the file.
    pub file: String,
    /// The line, from 1; zero when it is about the whole file.
    pub line: u64,
    /// The number of the record, when it has one.
    pub sequence: Option<u64>,
    /// What.
    pub kind: FaultKind,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Records whose place in the chain was checked.
    pub records: u64,
    /// Lines from before there was a chain.
    pub unchained: u64,
    /// Files.
    pub files: u64,
    /// Bytes that were looked at, decompressed.
    pub bytes: u64,
    /// The first and the last number.
    pub first_sequence: Option<u64>,
    /// The last number.
    pub last_sequence: Option<u64>,
    /// Whether the log ends in the middle of a line, which the next start of the daemon mends.
    pub is_end_torn: bool,
    /// What is wrong, in the order of the log.
    pub faults: Vec<Fault>,
    /// Faults beyond those that are told one by one.
    pub more_faults: u64,
}

impl Verification {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Checks every line of the log whose configured path is `path`, also while a daemon writes it.
///
/// # Errors
/// When the files cannot be read.
pub fn verify(path: &Path) -> Result<Verification, AuditFileError> {
    let segments = Segments::new(path)?;
    for _ in 1..ATTEMPTS {
        let mut check = Check::new(&segments)?;
        if check.run(&segments)? == Completeness::Whole {
            return Ok(check.found);
        }
    }
    let mut check = Check::new(&segments)?;
    check.run(&segments)?;
    Ok(check.found)
}

/// Whether all segments that were listed were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Completeness {
    Whole,
    /// One was removed meanwhile, so that the list is out of date.
    Outdated,
}

/// A line of a segment.
#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a str,
    line: u64,
}

/// A check under way.
#[derive(Debug)]
struct Check {
    found: Verification,
    head: Option<Head>,
    is_head_met: bool,
    last: Option<Link>,
    /// What the first chained line is tied to.
    beginning: Option<(RecordHash, Fault)>,
    /// The last hashes of segments that were removed for their age.
    removed: HashSet<RecordHash>,
}

impl Check {
    /// A check that knows the head from before the files are listed: they only grow.
    fn new(segments: &Segments) -> Result<Self, AuditFileError> {
        let (mut found, head_path) = (Verification::default(), segments.head_path());
        let head = match Head::read(&head_path) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let kind = FaultKind::HeadUnreadable;
                found.faults.push(Fault { file: name_of(&head_path), line: 0, sequence: None, kind });
                None
            }
            head => head.map_err(AuditFileError::refused("read", &head_path))?,
        };
        let mut check = Self { found, head, is_head_met: false, last: None, beginning: None, removed: HashSet::new() };
        check.read_notes(segments)?;
        Ok(check)
    }

    fn run(&mut self, segments: &Segments) -> Result<Completeness, AuditFileError> {
        let mut oldest_first = segments.newest_first()?;
        oldest_first.reverse();
        let count = oldest_first.len();
        for (at, path) in oldest_first.iter().enumerate() {
            let content = SegmentContent::open(path).map_err(AuditFileError::refused("open the audit file", path))?;
            let Some(content) = content else { return Ok(Completeness::Outdated) };
            self.read_segment(path, content, at + 1 == count)?;
        }
        self.read_notes(segments)?;
        self.judge_ends(oldest_first.last(), &segments.head_path());
        Ok(Completeness::Whole)
    }

    /// A note goes once a record tells the same, so it is looked for before and after.
    fn read_notes(&mut self, segments: &Segments) -> Result<(), AuditFileError> {
        let notes = retention::notes(segments)?;
        self.removed.extend(notes.iter().flat_map(|(_, note)| note).filter_map(|segment| segment.last_hash));
        Ok(())
    }

    fn read_segment(&mut self, path: &Path, content: SegmentContent, is_newest: bool) -> Result<(), AuditFileError> {
        self.found.files += 1;
        let name = name_of(path);
        let mut reader = BufReader::with_capacity(BLOCK, content);
        let (mut number, mut line) = (0, Vec::new());
        loop {
            line.clear();
            match reader.read_until(b'\n', &mut line) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if is_damage(&error) => {
                    self.complain(Place { file: &name, line: number + 1 }, None, FaultKind::Unreadable);
                    return Ok(());
                }
                Err(error) => return Err(AuditFileError::refused("read", path)(error)),
            }
            number += 1;
            self.found.bytes += u64::try_from(line.len()).unwrap_or(0);
            let place = Place { file: &name, line: number };
            match line.strip_suffix(b"\n") {
                Some(line) => self.read_line(place, line),
                None if is_newest => self.found.is_end_torn = true,
                None => self.read_torn(place, &line),
            }
        }
    }

    fn read_torn(&mut self, place: Place<'_>, line: &[u8]) {
        if self.last.is_some() || ChainedLine::parse(line).is_some() {
            self.complain(place, None, FaultKind::Torn);
        } else {
            self.found.unchained += 1;
        }
    }

    fn read_line(&mut self, place: Place<'_>, text: &[u8]) {
        let Some(chained) = ChainedLine::parse(text) else {
            if self.last.is_some() {
                self.complain(place, None, FaultKind::NotChained);
            } else {
                self.found.unchained += 1;
            }
            return;
        };
        let link = chained.link;
        self.found.records += 1;
        if chained.is_whole() {
            self.note_removals(text);
        } else {
            self.complain(place, Some(link.sequence), FaultKind::Changed);
        }
        self.check_place(place, &chained);
        self.check_head(place, link);
        self.found.first_sequence.get_or_insert(link.sequence);
        self.found.last_sequence = Some(link.sequence);
        self.last = Some(link);
    }

    fn check_place(&mut self, place: Place<'_>, chained: &ChainedLine<'_>) {
        let sequence = chained.link.sequence;
        let Some(last) = self.last else {
            if let Some(prev) = chained.prev {
                let (file, kind) = (place.file.to_owned(), FaultKind::BeginningMissing);
                self.beginning = Some((prev, Fault { file, line: place.line, sequence: Some(sequence), kind }));
            }
            return;
        };
        let found_before = last.sequence;
        let is_tied = chained.prev == Some(last.record_hash);
        let kind = match sequence.checked_sub(1) {
            Some(before) if before == found_before => (!is_tied).then_some(FaultKind::Replaced),
            Some(before) if before > found_before => Some(FaultKind::Missing { first: found_before + 1, last: before }),
            _ => Some(FaultKind::Misplaced { found_before }),
        };
        if let Some(kind) = kind {
            self.complain(place, Some(sequence), kind);
        }
    }

    fn check_head(&mut self, place: Place<'_>, link: Link) {
        let Some(head) = self.head.as_ref().map(Head::link).filter(|head| head.sequence == link.sequence) else {
            return;
        };
        self.is_head_met = true;
        if head.record_hash != link.record_hash {
            self.complain(place, Some(link.sequence), FaultKind::NotTheOneWritten);
        }
    }

    /// What was removed for its age is told by the log itself.
    fn note_removals(&mut self, line: &[u8]) {
        #[derive(Deserialize)]
        struct Record {
            operation_name: String,
            input_data: Details,
        }
        #[derive(Deserialize)]
        struct Details {
            segments: Vec<RemovedSegment>,
        }
        if !beginning(line, NAME_REACH).contains(SEGMENTS_REMOVED) {
            return;
        }
        let record =
            serde_json::from_slice::<Record>(line).ok().filter(|record| record.operation_name == SEGMENTS_REMOVED);
        let segments = record.into_iter().flat_map(|record| record.input_data.segments);
        self.removed.extend(segments.filter_map(|segment| segment.last_hash));
    }

    /// What can only be told when all was read: whether the ends are where they should be.
    fn judge_ends(&mut self, newest: Option<&PathBuf>, head_path: &Path) {
        if let Some((prev, fault)) = self.beginning.take()
            && !self.removed.contains(&prev)
        {
            self.found.faults.insert(0, fault);
        }
        let last = self.last.map_or(0, |link| link.sequence);
        if let Some(head) = self.head.as_ref().map(Head::link).filter(|head| !self.is_head_met && head.sequence > last)
        {
            let file = name_of(newest.map_or(head_path, PathBuf::as_path));
            let kind = FaultKind::EndMissing { last: head.sequence };
            self.complain(Place { file: &file, line: 0 }, self.last.map(|link| link.sequence), kind);
        }
    }

    fn complain(&mut self, place: Place<'_>, sequence: Option<u64>, kind: FaultKind) {
        if self.found.faults.len() < FAULTS_MAX {
            self.found.faults.push(Fault { file: place.file.to_owned(), line: place.line, sequence, kind });
        } else {
            self.found.more_faults += 1;
        }
    }
}

/// Whether what was read is not what gzip writes, rather than the disk refusing.
fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof)
}

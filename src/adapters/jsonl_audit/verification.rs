//! Finding out whether the log is as it was written.

use super::AuditFileError;
use super::chain::{ChainedLine, Link, RecordHash, beginning};
use super::content::{SegmentContent, is_damage};
use super::faults::{Fault, FaultKind, Verification};
use super::head::Head;
use super::notices::{HEAD_MISSING, RemovedSegment, SEGMENTS_REMOVED, name_of};
use super::retention;
use super::segments::Segments;
use super::unchained::ChainBegin;
use mxcp_actors::model::audit_event::OperationType;
use serde::Deserialize;
use serde_json::Value;
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
const ATTEMPTS: usize = 10;

/// Checks every line of the log whose configured path is `path`, also while a daemon writes it.
/// Records that were noted elsewhere are `expected` to be there.
///
/// # Errors
/// When the files cannot be read.
pub fn verify(path: &Path, expected: &[Link]) -> Result<Verification, AuditFileError> {
    let segments = Segments::new(path)?;
    for _ in 0..ATTEMPTS {
        let mut check = Check::new(&segments, expected)?;
        if check.run(&segments)? == Completeness::Whole {
            return Ok(check.found);
        }
    }
    Err(AuditFileError::Restless)
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

/// What is known of a segment before it is read.
#[derive(Clone, Copy)]
struct Standing {
    is_single_file: bool,
    is_newest: bool,
}

/// A check under way.
#[derive(Debug)]
struct Check {
    found: Verification,
    head: Option<Head>,
    is_head_met: bool,
    is_head_unreadable: bool,
    /// What was noted elsewhere and was not met yet.
    expected: Vec<Link>,
    last: Option<Link>,
    chain_begin: ChainBegin,
    /// What the first chained line is tied to.
    beginning: Option<(RecordHash, Fault)>,
    /// The last hashes of segments that were removed for their age.
    removed: HashSet<RecordHash>,
}

impl Check {
    /// A check that knows the head from before the files are listed: they only grow.
    fn new(segments: &Segments, expected: &[Link]) -> Result<Self, AuditFileError> {
        let (mut found, head_path) = (Verification::default(), segments.head_path());
        let (head, is_head_unreadable) = match Head::read(&head_path) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let kind = FaultKind::HeadUnreadable;
                found.faults.push(Fault { file: name_of(&head_path), line: 0, sequence: None, kind });
                (None, true)
            }
            head => (head.map_err(AuditFileError::refused("read", &head_path))?, false),
        };
        let mut check = Self {
            found,
            head,
            is_head_met: false,
            is_head_unreadable,
            expected: expected.to_owned(),
            last: None,
            chain_begin: ChainBegin::default(),
            beginning: None,
            removed: HashSet::new(),
        };
        check.read_notes(segments)?;
        Ok(check)
    }

    fn run(&mut self, segments: &Segments) -> Result<Completeness, AuditFileError> {
        let mut oldest_first = segments.newest_first()?;
        oldest_first.reverse();
        let count = oldest_first.len();
        self.chain_begin = ChainBegin::find(segments, &oldest_first)?;
        for (at, path) in oldest_first.iter().enumerate() {
            let content = SegmentContent::open(path).map_err(AuditFileError::refused("open the audit file", path))?;
            let Some(content) = content else { return Ok(Completeness::Outdated) };
            let standing = Standing { is_single_file: segments.is_single_file(path), is_newest: at + 1 == count };
            self.read_segment(path, content, standing)?;
        }
        self.read_notes(segments)?;
        self.judge_ends(oldest_first.last(), &segments.head_path())?;
        Ok(Completeness::Whole)
    }

    /// A note goes once a record tells the same, so it is looked for before and after.
    fn read_notes(&mut self, segments: &Segments) -> Result<(), AuditFileError> {
        let notes = retention::notes(segments)?;
        self.removed.extend(notes.iter().flat_map(|(_, note)| note).filter_map(|segment| segment.last_hash));
        Ok(())
    }

    fn read_segment(&mut self, path: &Path, content: SegmentContent, standing: Standing) -> Result<(), AuditFileError> {
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
                Some(line) => match ChainedLine::parse(line) {
                    Some(chained) => self.read_line(place, line, &chained),
                    None => self.read_unchained(place, line, standing),
                },
                None if standing.is_newest => self.found.is_end_torn = true,
                None if standing.is_single_file && ChainedLine::parse(&line).is_none() => {
                    self.read_unchained(place, &line, standing);
                }
                None => self.complain(place, None, FaultKind::Torn),
            }
        }
    }

    fn read_unchained(&mut self, place: Place<'_>, text: &[u8], standing: Standing) {
        let is_from_before = self.last.is_none() && self.chain_begin.admits(text);
        if standing.is_single_file && is_from_before {
            self.found.unchained += 1;
        } else {
            self.complain(place, None, FaultKind::NotChained);
        }
    }

    fn read_line(&mut self, place: Place<'_>, text: &[u8], chained: &ChainedLine<'_>) {
        let link = chained.link;
        self.found.records += 1;
        if chained.is_whole() {
            self.note_notices(place, link.sequence, text);
        } else {
            self.complain(place, Some(link.sequence), FaultKind::Changed);
        }
        self.check_place(place, chained);
        self.check_head(place, link);
        self.check_expected(place, link);
        self.found.first_sequence.get_or_insert(link.sequence);
        self.found.last_sequence = Some(link.sequence);
        self.found.newest = Some(link);
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
        let Some(head) = self.head.as_ref().and_then(Head::link).filter(|head| head.sequence == link.sequence) else {
            return;
        };
        self.is_head_met = true;
        if head.record_hash != link.record_hash {
            self.complain(place, Some(link.sequence), FaultKind::NotTheOneWritten);
        }
    }

    fn check_expected(&mut self, place: Place<'_>, link: Link) {
        let Some(at) = self.expected.iter().position(|expected| expected.sequence == link.sequence) else { return };
        if self.expected.swap_remove(at).record_hash != link.record_hash {
            self.complain(place, Some(link.sequence), FaultKind::ExpectedOther);
        }
    }

    /// What was removed for its age is told by the log itself, and that its head was missing.
    fn note_notices(&mut self, place: Place<'_>, sequence: u64, line: &[u8]) {
        #[derive(Deserialize)]
        struct Record {
            operation_type: OperationType,
            operation_name: String,
            input_data: Value,
        }
        #[derive(Deserialize)]
        struct Removed {
            segments: Vec<RemovedSegment>,
        }
        let beginning = beginning(line, NAME_REACH);
        if ![SEGMENTS_REMOVED, HEAD_MISSING].iter().any(|name| beginning.contains(name)) {
            return;
        }
        // A caller may ask for a tool of that name.
        let record = serde_json::from_slice::<Record>(line).ok();
        let Some(record) = record.filter(|record| record.operation_type == OperationType::Auth) else { return };
        if record.operation_name == HEAD_MISSING {
            self.complain(place, Some(sequence), FaultKind::HeadWasMissing);
        } else if record.operation_name == SEGMENTS_REMOVED {
            let removed = serde_json::from_value::<Removed>(record.input_data).ok();
            let segments = removed.into_iter().flat_map(|removed| removed.segments);
            self.removed.extend(segments.filter_map(|segment| segment.last_hash));
        }
    }

    /// What can only be told when all was read: whether the ends are where they should be.
    fn judge_ends(&mut self, newest: Option<&PathBuf>, head_path: &Path) -> Result<(), AuditFileError> {
        if let Some((prev, fault)) = self.beginning.take()
            && !self.removed.contains(&prev)
        {
            self.found.faults.insert(0, fault);
        }
        let last = self.last.map_or(0, |link| link.sequence);
        let file = name_of(newest.map_or(head_path, PathBuf::as_path));
        let head = self.head.as_ref().and_then(Head::link);
        if let Some(head) = head.filter(|head| !self.is_head_met && head.sequence > last) {
            let kind = FaultKind::EndMissing { last: head.sequence };
            self.complain(Place { file: &file, line: 0 }, self.last.map(|link| link.sequence), kind);
        }
        if self.is_head_missing(head_path)? {
            self.complain(Place { file: &name_of(head_path), line: 0 }, None, FaultKind::HeadMissing);
        }
        for expected in std::mem::take(&mut self.expected) {
            self.complain(Place { file: &file, line: 0 }, Some(expected.sequence), FaultKind::ExpectedMissing);
        }
        Ok(())
    }

    /// Whether there is no head beside chained records. Of a log that has just been begun it may
    /// have come after the first look, and before the records.
    fn is_head_missing(&self, head_path: &Path) -> Result<bool, AuditFileError> {
        if self.head.is_some() || self.is_head_unreadable || self.last.is_none() {
            return Ok(false);
        }
        let exists = head_path.try_exists().map_err(AuditFileError::refused("inspect", head_path))?;
        Ok(!exists)
    }

    fn complain(&mut self, place: Place<'_>, sequence: Option<u64>, kind: FaultKind) {
        if self.found.faults.len() < FAULTS_MAX {
            self.found.faults.push(Fault { file: place.file.to_owned(), line: place.line, sequence, kind });
        } else {
            self.found.more_faults += 1;
        }
    }
}

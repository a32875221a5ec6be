//! What a daemon does with the log that it finds: mends its end, and learns where to go on.

use super::AuditFileError;
use super::backward::BackwardLines;
use super::chain::{ChainedLine, Link};
use super::content::{SegmentContent, is_compressed};
use super::head::{Head, HeadState};
use super::notices;
use super::reader::JsonlAuditReader;
use super::segments::Segments;
use super::writer::Tail;
use mxcp_actors::model::audit_event::AuditEvent;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// How much of a file's end is looked at at once.
const BLOCK: u64 = 64 * 1024;

/// Where the log goes on, and what of its state the log itself should tell.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) tail: Tail,
    pub(super) head: HeadState,
    pub(super) notices: Vec<AuditEvent>,
}

/// Mends what a crash left and finds the end of the log.
///
/// # Errors
/// When the files cannot be read. What cannot be mended is logged, and no reason not to start.
pub(super) fn open_log(segments: &Segments) -> Result<Opened, AuditFileError> {
    let mut notices = Vec::new();
    segments.remove_unfinished()?;
    if let Some(path) = newest_with_content(segments)? {
        match mend_end(&path) {
            Ok(mended) => notices.extend(mended.map(|mended| notices::repaired(&path, mended))),
            Err(error) => {
                tracing::error!(file = %path.display(), %error, "the end of the audit log cannot be repaired");
            }
        }
    }
    let last_sequence = JsonlAuditReader::of(segments.clone()).last_sequence()?;
    let found = last_link(segments)?;
    let (head, state) = find_head(segments, found)?;
    let missing_from = found.map_or(1, |link| link.sequence + 1);
    let link = match head.and_then(|head| head.link()) {
        // Going on from the end that is left would hide what is missing.
        Some(known) if known.sequence >= missing_from => {
            tracing::error!(from = missing_from, to = known.sequence, "the end of the audit log is missing");
            notices.push(notices::missing(missing_from, known.sequence));
            Some(known)
        }
        _ => found,
    };
    if state == HeadState::Lost {
        notices.push(notices::head_missing(missing_from));
    }
    let last_sequence = last_sequence.max(link.map_or(0, |link| link.sequence));
    Ok(Opened { tail: Tail { last_sequence, link }, head: state, notices })
}

/// The head of a log whose last chained line is `found`, and what is to be done about it.
fn find_head(segments: &Segments, found: Option<Link>) -> Result<(Option<Head>, HeadState), AuditFileError> {
    let path = segments.head_path();
    match Head::read(&path) {
        Ok(Some(head)) => Ok((Some(head), HeadState::Kept)),
        Ok(None) if found.is_none() => Ok((None, HeadState::ToBegin)),
        Ok(None) => {
            tracing::error!(
                file = %path.display(), last = found.map(|link| link.sequence),
                "the head of the audit log is missing: records may have been removed from the log's end with it; \
                 the log goes on from what is left"
            );
            Ok((None, HeadState::Lost))
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            tracing::error!(file = %path.display(), %error, "the head of the audit log was not written by this server");
            Ok((None, HeadState::Lost))
        }
        Err(error) => Err(AuditFileError::refused("read", &path)(error)),
    }
}

/// What was wrong with the end of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mended {
    /// A whole line lacked its line break.
    Completed,
    /// So many bytes of an unfinished line were taken away.
    CutOff(u64),
}

/// Ends the file at `path` with a whole line; `None` when it does already.
fn mend_end(path: &Path) -> io::Result<Option<Mended>> {
    if is_compressed(path) {
        return Ok(None);
    }
    let mut file = OpenOptions::new().read(true).append(true).open(path)?;
    let length = file.metadata()?.len();
    let whole = end_of_lines(&mut file, length)?;
    if whole == length {
        return Ok(None);
    }
    let mut rest = Vec::new();
    file.seek(SeekFrom::Start(whole))?;
    file.read_to_end(&mut rest)?;
    let mended = if ChainedLine::parse(&rest).is_some_and(|line| line.is_whole()) {
        file.write_all(b"\n")?;
        Mended::Completed
    } else {
        file.set_len(whole)?;
        Mended::CutOff(length - whole)
    };
    file.sync_all()?;
    tracing::warn!(file = %path.display(), bytes = length - whole, "repaired the last line of the audit log, which a crash had torn");
    Ok(Some(mended))
}

/// Where the last whole line of a file of `length` bytes ends.
fn end_of_lines(file: &mut File, length: u64) -> io::Result<u64> {
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let mut block = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        (&mut *file).take(end - start).read_to_end(&mut block)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + u64::try_from(at).unwrap_or(u64::MAX) + 1);
        }
        end = start;
    }
    Ok(0)
}

fn newest_with_content(segments: &Segments) -> Result<Option<PathBuf>, AuditFileError> {
    let has_content = |path: &PathBuf| fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0);
    Ok(segments.newest_first()?.into_iter().find(has_content))
}

/// The last line that is chained, if the last line of a segment is.
fn last_link(segments: &Segments) -> Result<Option<Link>, AuditFileError> {
    for path in segments.newest_first()? {
        if let Some(line) = last_line(&path).map_err(AuditFileError::refused("read", &path))? {
            return Ok(ChainedLine::parse(&line).map(|line| line.link));
        }
    }
    Ok(None)
}

fn last_line(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let Some(content) = SegmentContent::open(path)? else { return Ok(None) };
    Ok(BackwardLines::new(content.into_seekable()?)?.next_line()?.map(<[u8]>::to_vec))
}

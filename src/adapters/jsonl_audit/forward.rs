//! Reading the log from its begin, or from a number on.

use super::AuditFileError;
use super::damaged::{Damaged, UnreadableLines};
use super::judge::{Judge, Verdict};
use super::patience::Patience;
use super::reader::open_from_begin;
use super::search::AGE_CHECK;
use mxcp_actors::model::audit_event::AuditRecord;
use mxcp_actors::model::audit_filter::AuditFilter;
use serde::Deserialize;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// How much is read at once.
const BLOCK: usize = 256 * 1024;

/// A part of a file that is not worth being searched for its middle.
const SHORT: u64 = 256 * 1024;

/// Looks at a line, and says whether it was enough; `None` of what is no record.
type Look<'a> = dyn FnMut(&Judge<'_>, &[u8]) -> Option<ControlFlow<()>> + 'a;

/// A record's number and time, and nothing else of its line.
#[derive(Deserialize)]
struct Numbered {
    #[serde(default)]
    sequence: u64,
    #[serde(default)]
    timestamp: String,
}

/// Shows what `filter` accepts to `visit` with its line, oldest first, until it has seen enough.
/// `segments` are newest first. Those that cannot be read are passed over and noted as `damaged`.
pub(super) fn visit(
    segments: &[PathBuf],
    filter: &AuditFilter,
    search: (&Damaged, &Patience),
    mut visit: impl FnMut(&[u8], AuditRecord) -> ControlFlow<()>,
) {
    visit_lines(segments, filter, search, &mut |judge, line| match judge.judge(line) {
        Verdict::Wanted(record) => Some(visit(line, *record)),
        Verdict::Other | Verdict::TooOld => Some(ControlFlow::Continue(())),
        Verdict::Unreadable => None,
    });
}

/// The same for whoever looks at the lines themselves.
pub(super) fn visit_lines(
    segments: &[PathBuf],
    filter: &AuditFilter,
    (damaged, patience): (&Damaged, &Patience),
    visit: &mut Look<'_>,
) {
    let judge = Judge::new(filter);
    let needed = needed_segments(segments, &judge, filter.after, damaged);
    for path in needed.iter().rev() {
        let mut unreadable = UnreadableLines::default();
        let outcome = visit_segment((&judge, patience), path, filter, (visit, &mut unreadable));
        damaged.note_lines(path, &unreadable);
        match outcome {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => break,
            Err(error) => damaged.note(path, error),
        }
    }
}

/// Those of `segments` that may hold records after that number and of the filter's time: all that
/// are newer than the newest which begins before them, and that one.
fn needed_segments<'a>(
    segments: &'a [PathBuf],
    judge: &Judge<'_>,
    after: Option<u64>,
    damaged: &Damaged,
) -> &'a [PathBuf] {
    if after.is_none() && !judge.has_begin() {
        return segments;
    }
    for (at, path) in segments.iter().enumerate() {
        let first = first_record(path).unwrap_or_else(|error| {
            damaged.note(path, error);
            None
        });
        let Some(first) = first else { continue };
        let is_before = after.is_some_and(|after| first.sequence <= after.saturating_add(1));
        if is_before || judge.is_before_time(&first.timestamp) {
            return segments.get(..=at).unwrap_or(segments);
        }
    }
    segments
}

/// What a segment begins with, as far as that can be read.
fn first_record(path: &Path) -> Result<Option<Numbered>, AuditFileError> {
    let Some(content) = open_from_begin(path)? else { return Ok(None) };
    let mut lines = BufReader::with_capacity(BLOCK, content);
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).map_err(AuditFileError::refused("read", path))? == 0 {
            return Ok(None);
        }
        if let Ok(first) = serde_json::from_slice(&line) {
            return Ok(Some(first));
        }
    }
}

fn visit_segment(
    (judge, patience): (&Judge<'_>, &Patience),
    path: &Path,
    filter: &AuditFilter,
    (visit, unreadable): (&mut Look<'_>, &mut UnreadableLines),
) -> Result<ControlFlow<()>, AuditFileError> {
    let Some(mut content) = open_from_begin(path)? else { return Ok(ControlFlow::Continue(())) };
    if let (Some(after), Some(file)) = (filter.after, content.plain()) {
        seek_after(file, after).map_err(AuditFileError::refused("read", path))?;
    }
    let mut lines = BufReader::with_capacity(BLOCK, content);
    let mut line = Vec::new();
    let (mut flow, mut unchecked) = (ControlFlow::Continue(()), 0);
    while flow.is_continue() {
        line.clear();
        unchecked += 1;
        if unchecked >= AGE_CHECK {
            unchecked = 0;
            if patience.is_over() {
                return Ok(ControlFlow::Break(()));
            }
        }
        if lines.read_until(b'\n', &mut line).map_err(AuditFileError::refused("read", path))? == 0 {
            break;
        }
        // The last line may still be on its way into the file.
        let is_whole = line.pop_if(|last| *last == b'\n').is_some();
        match visit(judge, &line) {
            Some(next) => flow = next,
            None if is_whole && !line.is_empty() => unreadable.add(&line),
            None => {}
        }
    }
    Ok(flow)
}

/// Goes to the begin of a line in front of which all records have a number up to `after`, by
/// halving: numbers only grow.
fn seek_after(file: &mut File, after: u64) -> io::Result<()> {
    let (mut low, mut high) = (0, file.seek(SeekFrom::End(0))?);
    while high - low > SHORT {
        let middle = low + (high - low) / 2;
        match first_line_from(file, middle, high)? {
            Some((begin, number)) if number <= after => low = begin,
            _ => high = middle,
        }
    }
    file.seek(SeekFrom::Start(low))?;
    Ok(())
}

/// Where the first record begins that begins after `from` and before `to`, and its number.
fn first_line_from(file: &mut File, from: u64, to: u64) -> io::Result<Option<(u64, u64)>> {
    file.seek(SeekFrom::Start(from))?;
    let mut lines = BufReader::new(file.take(to - from));
    let (mut at, mut line) = (from, Vec::new());
    let mut is_begin = false;
    loop {
        line.clear();
        let length = lines.read_until(b'\n', &mut line)?;
        if length == 0 {
            return Ok(None);
        }
        if is_begin && let Ok(Numbered { sequence, .. }) = serde_json::from_slice(&line) {
            return Ok(Some((at, sequence)));
        }
        // The first piece is the rest of a line.
        is_begin = true;
        at += u64::try_from(length).unwrap_or(u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;
    use std::io::Write as _;

    #[test]
    fn halving_ends_in_front_of_the_first_greater_number() {
        let mut text = String::new();
        for number in 1..=20_000 {
            writeln!(text, "{{\"sequence\":{number},\"padding\":\"{}\"}}", "x".repeat(number % 90)).unwrap();
        }
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        for after in [0, 1, 777, 10_000, 19_999, 20_000, 30_000] {
            seek_after(&mut file, after).unwrap();
            let from = usize::try_from(file.stream_position().unwrap()).unwrap();
            let Numbered { sequence, .. } = serde_json::from_str(text[from..].lines().next().unwrap()).unwrap();
            assert!(sequence <= after + 1, "{after}: {sequence}");
            let rest = u64::try_from(text.len() - from).unwrap();
            assert!(rest <= SHORT + 100 || sequence + 6_000 > after, "{after}: {sequence}");
        }
    }
}

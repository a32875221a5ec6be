//! Searching the log from its end, on as many threads as are given.

use super::AuditFileError;
use super::backward::BackwardLines;
use super::judge::{Judge, Verdict};
use super::reader::open_from_end;
use mxcp_actors::model::audit_event::AuditRecord;
use mxcp_actors::model::audit_filter::AuditFilter;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

/// After how many lines that were not read closely one is, for its age.
const AGE_CHECK: u32 = 512;

/// What one segment holds.
#[derive(Debug, Default)]
struct Found {
    records: Vec<AuditRecord>,
    /// Whether nothing older can be wanted.
    is_end: bool,
}

/// The newest `limit` records that `filter` accepts, newest first, of `segments`, which are newest
/// first too.
pub(super) fn newest(
    segments: &[PathBuf],
    filter: &AuditFilter,
    limit: usize,
    threads: usize,
) -> Result<Vec<AuditRecord>, AuditFileError> {
    let judge = Judge::new(filter);
    // Most searches end in the newest segment, and more threads would read others for nothing.
    let Some((first, rest)) = segments.split_first() else { return Ok(Vec::new()) };
    let Found { mut records, is_end } = search_segment(&judge, first, limit, &|| true)?;
    let missing = limit.saturating_sub(records.len());
    if !is_end && missing > 0 {
        records.extend(search_rest(&judge, rest, missing, threads)?);
    }
    Ok(records)
}

fn search_rest(
    judge: &Judge<'_>,
    segments: &[PathBuf],
    limit: usize,
    threads: usize,
) -> Result<Vec<AuditRecord>, AuditFileError> {
    let board = Board { limit, next: AtomicUsize::new(0), end: AtomicUsize::new(segments.len()) };
    let mut results = Results { limit, outcomes: (0..segments.len()).map(|_| None).collect() };
    std::thread::scope(|scope| {
        let (report, reports) = channel();
        for _ in 0..threads.clamp(1, segments.len().max(1)) {
            let (report, board) = (report.clone(), &board);
            scope.spawn(move || board.work(judge, segments, &report));
        }
        drop(report);
        for (at, outcome) in reports {
            if let Some(end) = results.note(at, outcome) {
                board.end.fetch_min(end, Ordering::Relaxed);
            }
        }
    });
    results.into_records()
}

type Outcome = Result<Found, AuditFileError>;

/// Who searches what.
struct Board {
    limit: usize,
    /// The segment that nobody has taken yet.
    next: AtomicUsize,
    /// The segment from which on nothing is needed.
    end: AtomicUsize,
}

impl Board {
    fn is_needed(&self, at: usize) -> bool {
        at < self.end.load(Ordering::Relaxed)
    }

    /// Searches one segment after the other until there is none left.
    fn work(&self, judge: &Judge<'_>, segments: &[PathBuf], report: &Sender<(usize, Outcome)>) {
        loop {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = segments.get(at).filter(|_| self.is_needed(at)) else { return };
            let outcome = search_segment(judge, path, self.limit, &|| self.is_needed(at));
            if report.send((at, outcome)).is_err() {
                return;
            }
        }
    }
}

/// What was found in each segment.
struct Results {
    limit: usize,
    outcomes: Vec<Option<Outcome>>,
}

impl Results {
    /// Notes an outcome, and tells from which segment on nothing is needed once that is known.
    fn note(&mut self, at: usize, outcome: Outcome) -> Option<usize> {
        *self.outcomes.get_mut(at)? = Some(outcome);
        let mut count = 0;
        for (at, outcome) in self.outcomes.iter().enumerate() {
            let is_last = match outcome.as_ref()? {
                Ok(found) => {
                    count += found.records.len();
                    found.is_end || count >= self.limit
                }
                Err(_) => true,
            };
            if is_last {
                return Some(at + 1);
            }
        }
        None
    }

    /// What was found in the segments that were needed.
    fn into_records(self) -> Result<Vec<AuditRecord>, AuditFileError> {
        let mut records = Vec::new();
        for outcome in self.outcomes.into_iter().map_while(|outcome| outcome) {
            let found = outcome?;
            records.extend(found.records);
            if found.is_end || records.len() >= self.limit {
                break;
            }
        }
        records.truncate(self.limit);
        Ok(records)
    }
}

/// What `path` holds, newest first, as long as it `is_needed`.
fn search_segment(
    judge: &Judge<'_>,
    path: &Path,
    limit: usize,
    is_needed: &dyn Fn() -> bool,
) -> Result<Found, AuditFileError> {
    let mut found = Found::default();
    let Some(content) = open_from_end(path)? else { return Ok(found) };
    let mut lines = BackwardLines::new(content).map_err(AuditFileError::refused("read", path))?;
    let (mut unreadable, mut unchecked) = (0_u64, 0);
    while found.records.len() < limit {
        let Some(line) = lines.next_line().map_err(AuditFileError::refused("read", path))? else { break };
        let mut verdict = judge.judge(line);
        unchecked += 1;
        if unchecked >= AGE_CHECK {
            unchecked = 0;
            if !is_needed() {
                break;
            }
            if matches!(verdict, Verdict::Other) {
                verdict = judge.judge_closely(line);
            }
        }
        match verdict {
            Verdict::Wanted(record) => found.records.push(*record),
            Verdict::Other => {}
            Verdict::Unreadable => unreadable += 1,
            Verdict::TooOld => {
                found.is_end = true;
                break;
            }
        }
    }
    warn_of_unreadable(path, unreadable);
    Ok(found)
}

/// A torn line must not hide the others.
pub(super) fn warn_of_unreadable(path: &Path, lines: u64) {
    if lines > 0 {
        tracing::warn!(file = %path.display(), lines, "skipped lines that are not audit records");
    }
}

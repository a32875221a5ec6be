//! Searching the log from its end, on as many threads as are given.

use super::AuditFileError;
use super::backward::BackwardLines;
use super::damaged::{Damaged, UnreadableLines};
use super::judge::{Judge, Verdict};
use super::patience::Patience;
use super::reader::open_from_end;
use mxcp_actors::model::audit_event::AuditRecord;
use mxcp_actors::model::audit_filter::AuditFilter;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

/// After how many lines that were not read closely one is, for its age, and whether anybody waits.
pub(super) const AGE_CHECK: u32 = 512;

/// What one segment holds.
#[derive(Debug, Default)]
struct Found {
    records: Vec<AuditRecord>,
    /// Whether nothing older can be wanted.
    is_end: bool,
    unreadable: UnreadableLines,
    /// Why it could not be read to its begin.
    damage: Option<AuditFileError>,
}

/// The newest `limit` records that `filter` accepts, newest first, of `segments`, which are newest
/// first too. Those that cannot be read are passed over and noted as `damaged`.
pub(super) fn newest(
    segments: &[PathBuf],
    filter: &AuditFilter,
    limit: usize,
    threads: usize,
    (damaged, patience): (&Damaged, &Patience),
) -> Vec<AuditRecord> {
    let judge = Judge::new(filter);
    // Most searches end in the newest segment, and more threads would read others for nothing.
    let Some((first, rest)) = segments.split_first() else { return Vec::new() };
    let Found { mut records, is_end, unreadable, damage } =
        search_segment(&judge, first, limit, &|| !patience.is_over());
    damaged.note_lines(first, &unreadable);
    damaged.note_any(first, damage);
    let missing = limit.saturating_sub(records.len());
    if !is_end && missing > 0 {
        records.extend(search_rest(&judge, rest, missing, threads, (damaged, patience)));
    }
    records
}

/// Shows every record that `filter` accepts to `visit`, newest first, until it has seen enough.
/// Holds one record at a time, and goes over the segments one after the other.
pub(super) fn visit_newest(
    segments: &[PathBuf],
    filter: &AuditFilter,
    (damaged, patience): (&Damaged, &Patience),
    mut visit: impl FnMut(AuditRecord) -> ControlFlow<()>,
) {
    let judge = Judge::new(filter);
    for path in segments {
        let mut has_had_enough = false;
        let mut unreadable = UnreadableLines::default();
        let mut visit = |record| {
            let flow = visit(record);
            has_had_enough = flow.is_break();
            flow
        };
        let outcome = walk_segment(&judge, path, &|| !patience.is_over(), (&mut visit, &mut unreadable));
        damaged.note_lines(path, &unreadable);
        let is_end = outcome.unwrap_or_else(|error| {
            damaged.note(path, error);
            false
        });
        if is_end || has_had_enough || patience.is_over() {
            return;
        }
    }
}

fn search_rest(
    judge: &Judge<'_>,
    segments: &[PathBuf],
    limit: usize,
    threads: usize,
    (damaged, patience): (&Damaged, &Patience),
) -> Vec<AuditRecord> {
    let board = Board { limit, patience, next: AtomicUsize::new(0), end: AtomicUsize::new(segments.len()) };
    let mut results = Results { limit, outcomes: (0..segments.len()).map(|_| None).collect() };
    std::thread::scope(|scope| {
        let (report, reports) = channel();
        for _ in 0..threads.clamp(1, segments.len().max(1)) {
            let (report, board) = (report.clone(), &board);
            scope.spawn(move || board.work(judge, segments, &report));
        }
        drop(report);
        for (at, found) in reports {
            if let Some(end) = results.note(at, found) {
                board.end.fetch_min(end, Ordering::Relaxed);
            }
        }
    });
    results.into_records(segments, damaged)
}

/// Who searches what.
struct Board<'a> {
    patience: &'a Patience,
    limit: usize,
    /// The segment that nobody has taken yet.
    next: AtomicUsize,
    /// The segment from which on nothing is needed.
    end: AtomicUsize,
}

impl Board<'_> {
    fn is_needed(&self, at: usize) -> bool {
        at < self.end.load(Ordering::Relaxed) && !self.patience.is_over()
    }

    /// Searches one segment after the other until there is none left.
    fn work(&self, judge: &Judge<'_>, segments: &[PathBuf], report: &Sender<(usize, Found)>) {
        loop {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = segments.get(at).filter(|_| self.is_needed(at)) else { return };
            let found = search_segment(judge, path, self.limit, &|| self.is_needed(at));
            if report.send((at, found)).is_err() {
                return;
            }
        }
    }
}

/// What was found in each segment.
struct Results {
    limit: usize,
    outcomes: Vec<Option<Found>>,
}

impl Results {
    /// Notes what was found, and tells from which segment on nothing is needed once that is known.
    fn note(&mut self, at: usize, found: Found) -> Option<usize> {
        *self.outcomes.get_mut(at)? = Some(found);
        let mut count = 0;
        for (at, outcome) in self.outcomes.iter().enumerate() {
            let found = outcome.as_ref()?;
            count += found.records.len();
            if found.is_end || count >= self.limit {
                return Some(at + 1);
            }
        }
        None
    }

    /// What was found in the segments that were needed; damage in others is of no concern.
    fn into_records(self, segments: &[PathBuf], damaged: &Damaged) -> Vec<AuditRecord> {
        let mut records = Vec::new();
        for (path, found) in segments.iter().zip(self.outcomes.into_iter().map_while(|outcome| outcome)) {
            damaged.note_lines(path, &found.unreadable);
            damaged.note_any(path, found.damage);
            records.extend(found.records);
            if found.is_end || records.len() >= self.limit {
                break;
            }
        }
        records.truncate(self.limit);
        records
    }
}

/// What `path` holds, newest first, as long as it `is_needed`.
fn search_segment(judge: &Judge<'_>, path: &Path, limit: usize, is_needed: &dyn Fn() -> bool) -> Found {
    let mut records = Vec::new();
    if limit == 0 {
        return Found::default();
    }
    let mut unreadable = UnreadableLines::default();
    let mut visit = |record| {
        records.push(record);
        if records.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    match walk_segment(judge, path, is_needed, (&mut visit, &mut unreadable)) {
        Ok(is_end) => Found { records, is_end, unreadable, damage: None },
        Err(error) => Found { records, is_end: false, unreadable, damage: Some(error) },
    }
}

/// Shows what `path` holds to `visit`, newest first, until it has seen enough or the rest is not
/// needed. Returns whether nothing older can be wanted.
fn walk_segment(
    judge: &Judge<'_>,
    path: &Path,
    is_needed: &dyn Fn() -> bool,
    (visit, unreadable): (&mut dyn FnMut(AuditRecord) -> ControlFlow<()>, &mut UnreadableLines),
) -> Result<bool, AuditFileError> {
    let Some(content) = open_from_end(path)? else { return Ok(false) };
    let mut lines = BackwardLines::new(content).map_err(AuditFileError::refused("read", path))?;
    let (mut unchecked, mut is_end) = (0, false);
    while let Some(line) = lines.next_line().map_err(AuditFileError::refused("read", path))? {
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
            Verdict::Wanted(record) => {
                if visit(*record).is_break() {
                    break;
                }
            }
            Verdict::Other => {}
            Verdict::Unreadable => unreadable.add(line),
            Verdict::TooOld => {
                is_end = true;
                break;
            }
        }
    }
    Ok(is_end)
}

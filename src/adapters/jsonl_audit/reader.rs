//! Reading the log, also while a daemon writes it.

use super::backward::BackwardLines;
use super::chain::ChainedLine;
use super::content::{SeekableContent, SegmentContent};
use super::damaged::Damaged;
use super::patience::Patience;
use super::segments::Segments;
use super::{AuditFileError, forward, search};
use mxcp_actors::model::audit_event::AuditRecord;
use mxcp_actors::model::audit_filter::AuditFilter;
use mxcp_actors::model::audit_stats::AuditStats;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Reads the files of the audit log and creates nothing. Lines that are not records are skipped
/// with a warning, and records and files that cannot be read are passed over: what is damaged
/// must not hide the rest. [`Self::take_damage`] tells which were.
#[derive(Clone, Debug)]
pub struct JsonlAuditReader {
    segments: Segments,
    damaged: Damaged,
    patience: Patience,
}

/// What the log looked like: as long as it looks the same, nothing was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogState {
    newest: Option<PathBuf>,
    length: u64,
}

impl JsonlAuditReader {
    /// Reads the log whose configured path is `path`.
    ///
    /// # Errors
    /// When `path` does not name a file.
    pub fn new(path: &Path) -> Result<Self, AuditFileError> {
        Ok(Self::of(Segments::new(path)?))
    }

    pub(super) fn of(segments: Segments) -> Self {
        Self { segments, damaged: Damaged::default(), patience: Patience::default() }
    }

    /// The same for somebody who waits only so long: then searches fail.
    pub(super) fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Ends a search that went over `result`.
    fn finished<T>(&self, result: T) -> Result<T, AuditFileError> {
        if self.patience.is_over() { Err(AuditFileError::TookTooLong) } else { Ok(result) }
    }

    /// What could not be read since this was asked last, as sentences for people.
    #[must_use]
    pub fn take_damage(&self) -> Vec<String> {
        self.damaged.take_news()
    }

    /// The newest `limit` records that `filter` accepts, newest first; none when there is no
    /// log yet. Uses every core, because a person waits for it.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn read_newest(&self, filter: &AuditFilter, limit: usize) -> Result<Vec<AuditRecord>, AuditFileError> {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        let search = (&self.damaged, &self.patience);
        self.finished(search::newest(&self.segments.newest_first()?, filter, limit, threads, search))
    }

    /// The same on the calling thread alone, which leaves the cores to those who are served.
    pub(super) fn read_newest_quietly(
        &self,
        filter: &AuditFilter,
        limit: usize,
    ) -> Result<Vec<AuditRecord>, AuditFileError> {
        let search = (&self.damaged, &self.patience);
        self.finished(search::newest(&self.segments.newest_first()?, filter, limit, 1, search))
    }

    /// The oldest `limit` records that `filter` accepts, oldest first.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn read_oldest(&self, filter: &AuditFilter, limit: usize) -> Result<Vec<AuditRecord>, AuditFileError> {
        let mut found = Vec::new();
        if limit == 0 {
            return Ok(found);
        }
        self.visit_oldest_first(filter, |_, record| {
            found.push(record);
            if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(found)
    }

    /// How many records `filter` accepts, of which kinds. Counts also what cannot be shown because
    /// something that is not counted cannot be read.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub(super) fn count(&self, filter: &AuditFilter) -> Result<AuditStats, AuditFileError> {
        let mut stats = AuditStats::default();
        let search = (&self.damaged, &self.patience);
        forward::visit_lines(&self.segments.newest_first()?, filter, search, &mut |judge, line| {
            judge.count(line, &mut stats).map(ControlFlow::Continue)
        });
        self.finished(stats)
    }

    /// Shows every record that `filter` accepts to `visit`, with its line, oldest first, until it
    /// has seen enough.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn visit_oldest_first(
        &self,
        filter: &AuditFilter,
        visit: impl FnMut(&[u8], AuditRecord) -> ControlFlow<()>,
    ) -> Result<(), AuditFileError> {
        forward::visit(&self.segments.newest_first()?, filter, (&self.damaged, &self.patience), visit);
        self.finished(())
    }

    /// The same newest first, and without the lines.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn visit_newest_first(
        &self,
        filter: &AuditFilter,
        visit: impl FnMut(AuditRecord) -> ControlFlow<()>,
    ) -> Result<(), AuditFileError> {
        search::visit_newest(&self.segments.newest_first()?, filter, (&self.damaged, &self.patience), visit);
        self.finished(())
    }

    /// The number of the newest record that has one; zero when none has. Looks at the last
    /// record of each file only: the numbers of one file all come from one writer.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn last_sequence(&self) -> Result<u64, AuditFileError> {
        for path in self.segments.newest_first()? {
            let last = last_number(&path).unwrap_or_else(|error| {
                self.damaged.note(&path, error);
                0
            });
            if last > 0 {
                return Ok(last);
            }
        }
        Ok(0)
    }

    /// What the log looks like now. Costs no more than listing its folder.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn state(&self) -> Result<LogState, AuditFileError> {
        let newest = self.segments.newest_first()?.into_iter().next();
        let length = newest.as_ref().and_then(|path| path.metadata().ok()).map_or(0, |metadata| metadata.len());
        Ok(LogState { newest, length })
    }
}

/// The number of a segment's last record; zero when there is none that tells it.
fn last_number(path: &Path) -> Result<u64, AuditFileError> {
    let Some(content) = open_from_end(path)? else { return Ok(0) };
    let mut lines = BackwardLines::new(content).map_err(AuditFileError::refused("read", path))?;
    while let Some(line) = lines.next_line().map_err(AuditFileError::refused("read", path))? {
        if let Some(chained) = ChainedLine::parse(line) {
            return Ok(chained.link.sequence);
        }
        if let Ok(record) = serde_json::from_slice::<AuditRecord>(line) {
            return Ok(record.sequence);
        }
    }
    Ok(0)
}

/// Opens a segment for reading from its begin; `None` when it was removed since the folder was
/// listed.
pub(super) fn open_from_begin(path: &Path) -> Result<Option<SegmentContent>, AuditFileError> {
    SegmentContent::open(path).map_err(AuditFileError::refused("open the audit file", path))
}

/// The same for reading from its end.
pub(super) fn open_from_end(path: &Path) -> Result<Option<SeekableContent>, AuditFileError> {
    let content = open_from_begin(path)?.map(SegmentContent::into_seekable).transpose();
    content.map_err(AuditFileError::refused("decompress", path))
}

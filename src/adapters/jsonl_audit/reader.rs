//! Reading the log, also while a daemon writes it.

use super::AuditFileError;
use super::backward::BackwardLines;
use super::content::SegmentContent;
use super::segments::Segments;
use mxcp_actors::model::audit_event::AuditRecord;
use mxcp_actors::model::audit_filter::AuditFilter;
use mxcp_actors::model::timestamp::Timestamp;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

/// How far a clock may have been set back before a search by time misses records.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60 * 60);

/// Reads the files of the audit log and creates nothing.
#[derive(Clone, Debug)]
pub struct JsonlAuditReader {
    segments: Segments,
}

impl JsonlAuditReader {
    /// Reads the log whose configured path is `path`.
    ///
    /// # Errors
    /// When `path` does not name a file.
    pub fn new(path: &Path) -> Result<Self, AuditFileError> {
        Ok(Self { segments: Segments::new(path)? })
    }

    pub(super) fn of(segments: Segments) -> Self {
        Self { segments }
    }

    /// The newest `limit` records that `filter` accepts, newest first; none when there is no
    /// log yet. Lines that are not records are skipped with a warning: a torn line must not
    /// hide the others.
    ///
    /// # Errors
    /// When the files cannot be read.
    pub fn read_newest(&self, filter: &AuditFilter, limit: usize) -> Result<Vec<AuditRecord>, AuditFileError> {
        let mut found = Vec::new();
        self.visit_newest_first(|record| {
            if found.len() >= limit || is_out_of_reach(filter, &record) {
                return ControlFlow::Break(());
            }
            if filter.accepts(&record) {
                found.push(record);
            }
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// The number of the newest record that has one; zero when none has. Looks at the last
    /// record of each file only: the numbers of one file all come from one writer.
    ///
    /// # Errors
    /// When the files cannot be read.
    pub(super) fn last_sequence(&self) -> Result<u64, AuditFileError> {
        for path in self.segments.newest_first()? {
            let mut last = 0;
            let _found = visit_file(&path, &mut |record| {
                last = record.sequence;
                ControlFlow::Break(())
            })?;
            if last > 0 {
                return Ok(last);
            }
        }
        Ok(0)
    }

    fn visit_newest_first(&self, mut visit: impl FnMut(AuditRecord) -> ControlFlow<()>) -> Result<(), AuditFileError> {
        for path in self.segments.newest_first()? {
            if visit_file(&path, &mut visit)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Whether `record` is so old that no record before it can be in the filter's time.
fn is_out_of_reach(filter: &AuditFilter, record: &AuditRecord) -> bool {
    let Some(since) = filter.since else { return false };
    Timestamp::parse_rfc3339(&record.timestamp).is_some_and(|at| at + CLOCK_TOLERANCE < since)
}

/// Shows the records of one file to `visit`, newest first, until it has seen enough.
fn visit_file(
    path: &Path,
    visit: &mut dyn FnMut(AuditRecord) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, AuditFileError> {
    let content = SegmentContent::open(path).map_err(AuditFileError::refused("open the audit file", path))?;
    // It was removed since the folder was listed.
    let Some(content) = content else { return Ok(ControlFlow::Continue(())) };
    let content = content.into_seekable().map_err(AuditFileError::refused("decompress", path))?;
    let mut flow = ControlFlow::Continue(());
    let mut skipped = 0_u64;
    for line in BackwardLines::new(content).map_err(AuditFileError::refused("read", path))? {
        let line = line.map_err(AuditFileError::refused("read", path))?;
        match serde_json::from_slice(&line) {
            Ok(record) => flow = visit(record),
            Err(_) => skipped += 1,
        }
        if flow.is_break() {
            break;
        }
    }
    if skipped > 0 {
        tracing::warn!(file = %path.display(), lines = skipped, "skipped lines that are not audit records");
    }
    Ok(flow)
}

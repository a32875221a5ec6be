//! A list of any length, written as it is found, so that it takes no memory.

use super::render::Look;
use super::with_damage;
use crate::adapters::jsonl_audit::JsonlAuditReader;
use crate::cli::output::{Report, ascii_line};
use mxcp_actors::model::audit_event::AuditRecord;
use mxcp_actors::model::audit_filter::AuditFilter;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;

/// How much is written at once.
const BLOCK: usize = 64 * 1024;

/// Every record that a filter accepts, newest first.
#[derive(Debug)]
pub(super) struct Listing<'a> {
    pub(super) reader: &'a JsonlAuditReader,
    pub(super) filter: &'a AuditFilter,
    pub(super) look: Look,
    /// Whether it is to be one JSON document.
    pub(super) is_json: bool,
}

impl Listing<'_> {
    /// Writes the list to `out`. Somebody who has read enough, such as `head`, is no error.
    ///
    /// # Errors
    /// When the log cannot be read, or the list cannot be written.
    pub(super) fn write(&self, out: &mut dyn Write) -> anyhow::Result<Report> {
        let mut out = BufWriter::with_capacity(BLOCK, out);
        let (mut count, mut written) = (0, Ok(()));
        self.reader.visit_newest_first(self.filter, |record| {
            written = self.write_record(&mut out, &record, count);
            count += 1;
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        let report = Report { is_told: true, ..with_damage(Report::text(""), self.reader) };
        match written.and_then(|()| self.write_end(&mut out, count, report.is_failure)) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(report),
        }
    }

    /// One record, of which `before` were written already.
    fn write_record(&self, out: &mut dyn Write, record: &AuditRecord, before: usize) -> io::Result<()> {
        if self.is_json {
            let begin = if before == 0 { "{\n  \"result\": {\n    \"records\": [\n" } else { ",\n" };
            return write!(out, "{begin}      {}", ascii_line(&self.look.record_as_json(record)));
        }
        if before == 0
            && let Some(head) = self.look.list_head()
        {
            writeln!(out, "{head}")?;
        }
        self.look.lines(record).into_iter().try_for_each(|line| writeln!(out, "{line}"))
    }

    /// What stands below `count` records.
    fn write_end(&self, out: &mut dyn Write, count: usize, is_failure: bool) -> io::Result<()> {
        if self.is_json {
            let begin = if count == 0 { "{\n  \"result\": {\n    \"records\": [" } else { "\n    " };
            let status = if is_failure { "error" } else { "ok" };
            writeln!(out, "{begin}],\n    \"count\": {count}\n  }},\n  \"status\": \"{status}\"\n}}")?;
        } else {
            self.look.list_end(count).into_iter().try_for_each(|line| writeln!(out, "{line}"))?;
        }
        out.flush()
    }
}

//! Showing what happens while it happens.
//!
//! Records are numbered, and each is shown once and in order, wherever it comes from: first out of
//! the files, then from the server, or when that does not answer again out of the files.

use super::daemon::{LiveStream, LocalServer, StreamEvent};
use super::render::Look;
use super::with_advice;
use crate::adapters::jsonl_audit::{JsonlAuditReader, LogState};
use crate::cli::output::UsageError;
use mxcp_actors::model::audit_event::AuditRecord;
use mxcp_actors::model::audit_filter::AuditFilter;
use mxcp_actors::model::timestamp::Timestamp;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

/// How often the files are looked at, and the server is called, while it does not answer.
const POLL: Duration = Duration::from_millis(200);

/// The most records that are read of the files at once.
const PAGE: usize = 1_000;

/// How long after `--until` a record of that time may still be on its way into the files.
const STRAGGLERS: Duration = Duration::from_secs(1);

/// What a person wants to follow.
#[derive(Debug)]
pub(super) struct Wish {
    filter: AuditFilter,
    /// How many records that are there already; `None` for all.
    limit: Option<usize>,
    look: Look,
    /// How long until nothing more can be wanted.
    time_left: Option<Duration>,
}

impl Wish {
    /// What somebody wants who asks at `now`.
    ///
    /// # Errors
    /// When all of that is over.
    pub(super) fn new(
        filter: AuditFilter,
        limit: Option<usize>,
        look: Look,
        now: Timestamp,
    ) -> Result<Self, UsageError> {
        if filter.until.is_some_and(|until| until <= now) {
            return Err(UsageError("--until is in the past, so that there is nothing to --follow".to_owned()));
        }
        let time_left = filter.until.map(|until| until.since(now) + STRAGGLERS);
        Ok(Self { filter, limit, look, time_left })
    }
}

/// Follows until interrupted, or until nobody reads what is written, or its time is over. Returns
/// whether all could be shown; what cannot is told on standard error when it is met.
pub(super) fn run(
    reader: &JsonlAuditReader,
    socket: Option<&Path>,
    wish: &Wish,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let server = socket.map(LocalServer::at).transpose()?;
    let mut follower = Follower { reader, server, wish, out, position: 0, seen: None, has_all: true };
    match runtime.block_on(follower.follow_in_time()) {
        // `head` has had enough.
        Err(error) if is_closed_pipe(&error) => Ok(follower.has_all),
        outcome => outcome.map(|()| follower.has_all),
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

struct Follower<'a> {
    reader: &'a JsonlAuditReader,
    server: Option<LocalServer<'a>>,
    wish: &'a Wish,
    out: &'a mut dyn Write,
    /// The number up to which everything was shown.
    position: u64,
    /// What the log looked like when it was read last.
    seen: Option<LogState>,
    /// Whether everything could be shown so far.
    has_all: bool,
}

impl Follower<'_> {
    async fn follow_in_time(&mut self) -> anyhow::Result<()> {
        let Some(time_left) = self.wish.time_left else { return self.follow().await };
        if let Ok(outcome) = tokio::time::timeout(time_left, self.follow()).await {
            return outcome;
        }
        self.seen = None;
        self.show_files()
    }

    async fn follow(&mut self) -> anyhow::Result<()> {
        self.show_what_is_there()?;
        loop {
            if let Some(stream) = self.open_stream().await {
                self.show_stream(stream).await?;
            }
            self.show_files()?;
            tokio::time::sleep(POLL).await;
        }
    }

    fn show_what_is_there(&mut self) -> anyhow::Result<()> {
        if let Some(head) = self.wish.look.head() {
            writeln!(self.out, "{head}")?;
        }
        // What is written from here on has a greater number, and comes later.
        let last = self.reader.last_sequence()?;
        let filter = AuditFilter { up_to: Some(last), ..self.wish.filter.clone() };
        self.position = last;
        if let Some(limit) = self.wish.limit {
            let mut records = self.reader.read_newest(&filter, limit)?;
            records.reverse();
            self.print(&records)?;
        } else {
            let mut written = Ok(());
            self.reader.visit_oldest_first(&filter, |_, record| {
                written = self.write(std::slice::from_ref(&record));
                if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            written?;
            self.out.flush()?;
        }
        self.tell_damage();
        Ok(())
    }

    /// Names what of the files could not be read, each once.
    fn tell_damage(&mut self) {
        for damage in self.reader.take_damage() {
            self.tell_missing(&with_advice(&damage));
        }
    }

    fn tell_missing(&mut self, what: &str) {
        self.has_all = false;
        // Standard error may be closed; there is nobody else to tell.
        drop(writeln!(io::stderr(), "Warning: {what}"));
    }

    async fn open_stream(&self) -> Option<LiveStream> {
        let opened = self.server.as_ref()?.open(&self.wish.filter, self.position).await;
        opened.inspect_err(|error| tracing::debug!(%error, "the server does not answer")).ok()
    }

    /// Shows what the server tells until it ends.
    async fn show_stream(&mut self, mut stream: LiveStream) -> anyhow::Result<()> {
        while let Some(event) = stream.next().await {
            match event {
                StreamEvent::BegunAnew => self.position = 0,
                StreamEvent::Record(record) if record.sequence > self.position => {
                    self.position = record.sequence;
                    self.print(std::slice::from_ref(&record))?;
                }
                StreamEvent::Record(_) => {}
                StreamEvent::Unreadable(number) => {
                    self.tell_missing(&format!(
                        "the server sent the record with the number {number}, which this program cannot read, so that it is missing here"
                    ));
                    self.position = self.position.max(number);
                }
            }
        }
        Ok(())
    }

    /// Shows what the files have beyond the last record that was shown.
    fn show_files(&mut self) -> anyhow::Result<()> {
        let state = self.reader.state()?;
        if self.seen.as_ref() == Some(&state) {
            return Ok(());
        }
        if self.reader.last_sequence()? < self.position {
            // Somebody has removed the files, and numbers begin anew.
            self.position = 0;
        }
        loop {
            let filter = AuditFilter { after: Some(self.position), ..self.wish.filter.clone() };
            let records = self.reader.read_oldest(&filter, PAGE)?;
            self.print(&records)?;
            self.position = records.last().map_or(self.position, |record| record.sequence);
            if records.len() < PAGE {
                break;
            }
        }
        self.seen = Some(state);
        self.tell_damage();
        Ok(())
    }

    fn print(&mut self, records: &[AuditRecord]) -> anyhow::Result<()> {
        self.write(records)?;
        Ok(self.out.flush()?)
    }

    fn write(&mut self, records: &[AuditRecord]) -> io::Result<()> {
        let mut lines = records.iter().flat_map(|record| self.wish.look.lines(record));
        lines.try_for_each(|line| writeln!(self.out, "{line}"))
    }
}

//! Showing what happens while it happens.
//!
//! Records are numbered, and each is shown once and in order, wherever it comes from: first out of
//! the files, then from the server, or when that does not answer again out of the files.

use super::daemon::{LiveStream, LocalServer, StreamEvent};
use super::render::Look;
use crate::adapters::jsonl_audit::{JsonlAuditReader, LogState};
use mxcp_actors::model::audit_event::AuditRecord;
use mxcp_actors::model::audit_filter::AuditFilter;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

/// How often the files are looked at, and the server is called, while it does not answer.
const POLL: Duration = Duration::from_millis(200);

/// The most records that are read of the files at once.
const PAGE: usize = 1_000;

/// What a person wants to follow.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) filter: AuditFilter,
    /// How many records that are there already.
    pub(super) limit: usize,
    pub(super) look: Look,
}

/// Follows until interrupted, or until nobody reads what is written.
pub(super) fn run(reader: &JsonlAuditReader, socket: Option<&Path>, wish: &Wish) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut out = io::stdout();
    let server = socket.map(LocalServer::at).transpose()?;
    let mut follower = Follower { reader, server, wish, out: &mut out, position: 0, seen: None };
    match runtime.block_on(follower.follow()) {
        // `head` has had enough.
        Err(error) if is_closed_pipe(&error) => Ok(()),
        outcome => outcome,
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
}

impl Follower<'_> {
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
        let mut records = self.reader.read_newest(&filter, self.wish.limit)?;
        records.reverse();
        self.position = last;
        self.print(&records)
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
        Ok(())
    }

    fn print(&mut self, records: &[AuditRecord]) -> anyhow::Result<()> {
        for line in records.iter().flat_map(|record| self.wish.look.lines(record)) {
            writeln!(self.out, "{line}")?;
        }
        Ok(self.out.flush()?)
    }
}

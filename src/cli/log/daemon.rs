//! Listening to the server that writes the log, through its local socket.

use crate::http::audit::AuditQuery;
use anyhow::{Context as _, anyhow};
use mxcp_actors::model::audit_event::AuditRecord;
use mxcp_actors::model::audit_filter::AuditFilter;
use reqwest::{Client, Response};
use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;
use tokio::time::timeout;

/// How long the server may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How long it may be silent: it gives signs of life more often.
const SILENCE_MAX: Duration = Duration::from_secs(45);

/// The longest line that is read: a record with a large result.
const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What the server says.
#[derive(Debug, PartialEq)]
pub(super) enum StreamEvent {
    /// A record.
    Record(Box<AuditRecord>),
    /// A record of that number which this program cannot read.
    Unreadable(u64),
    /// The log does not reach as far as was asked for: it has been begun anew.
    BegunAnew,
}

/// The server's local socket.
#[derive(Debug)]
pub(super) struct LocalServer<'a> {
    socket: &'a Path,
    client: Client,
}

/// Records as they are written.
#[derive(Debug)]
pub(super) struct LiveStream {
    answer: Response,
    reader: EventReader,
}

impl<'a> LocalServer<'a> {
    /// The server at `socket`, whether it runs or not.
    ///
    /// # Errors
    /// When no client can be made.
    pub(super) fn at(socket: &'a Path) -> anyhow::Result<Self> {
        let client = Client::builder().unix_socket(socket).build().context("cannot speak HTTP")?;
        Ok(Self { socket, client })
    }

    /// Asks for what `filter` accepts beyond the number `after`.
    ///
    /// # Errors
    /// When no server answers, or it refuses.
    pub(super) async fn open(&self, filter: &AuditFilter, after: u64) -> anyhow::Result<LiveStream> {
        if !self.socket.exists() {
            return Err(anyhow!("there is no {}", self.socket.display()));
        }
        let query = AuditQuery { filter: AuditFilter { after: Some(after), ..filter.clone() }, limit: None };
        let request = self.client.get(format!("http://localhost/audit/stream?{}", query.to_text()));
        let answer = timeout(ANSWER_WITHIN, request.send()).await.context("no answer")??;
        if !answer.status().is_success() {
            return Err(anyhow!("{}", answer.status()));
        }
        Ok(LiveStream { answer, reader: EventReader::default() })
    }
}

impl LiveStream {
    /// Waits for what the server says next; `None` when it has ended.
    pub(super) async fn next(&mut self) -> Option<StreamEvent> {
        loop {
            if let Some(event) = self.reader.events.pop_front() {
                return Some(event);
            }
            let chunk = timeout(SILENCE_MAX, self.answer.chunk()).await.ok()?.ok()??;
            self.reader.read(&chunk)?;
        }
    }
}

/// Finds events in a stream of bytes (HTML, "Server-sent events").
#[derive(Debug, Default)]
struct EventReader {
    line: Vec<u8>,
    /// What the event is called that is being read, which is its number.
    id: u64,
    is_anew: bool,
    events: VecDeque<StreamEvent>,
}

impl EventReader {
    /// Takes more bytes; `None` when they are not what a server of this kind says.
    fn read(&mut self, bytes: &[u8]) -> Option<()> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if self.line.len() > LINE_BYTES_MAX {
                return None;
            }
            if self.line.pop_if(|last| *last == b'\n').is_some() {
                self.take_line();
                self.line.clear();
            }
        }
        Some(())
    }

    fn take_line(&mut self) {
        if let Some(event) = self.line.strip_prefix(b"event: ") {
            self.is_anew = event == b"anew";
        } else if let Some(id) = self.line.strip_prefix(b"id: ") {
            self.id = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok()).unwrap_or(0);
        } else if let Some(data) = self.line.strip_prefix(b"data: ") {
            if std::mem::take(&mut self.is_anew) {
                self.events.push_back(StreamEvent::BegunAnew);
            } else if let Ok(record) = serde_json::from_slice(data) {
                self.events.push_back(StreamEvent::Record(record));
            } else {
                self.events.push_back(StreamEvent::Unreadable(self.id));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_cannot_be_read_is_told_by_its_number() {
        let mut reader = EventReader::default();
        let deep = "[".repeat(200) + &"]".repeat(200);
        let text =
            format!("retry: 1000\n\nid: 41\n\nid: 42\ndata: {{\"input_data\":{deep}}}\n\nevent: anew\ndata: {{}}\n\n");
        let (first, second) = text.split_at(30);
        reader.read(first.as_bytes()).unwrap();
        reader.read(second.as_bytes()).unwrap();
        assert_eq!(reader.events, [StreamEvent::Unreadable(42), StreamEvent::BegunAnew]);
    }
}

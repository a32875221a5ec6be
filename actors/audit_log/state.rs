//! The queue of events that wait to be written, and the numbering of those that are.

use super::Batch;
use super::messages::AuditError;
use crate::model::audit_event::{AuditEvent, AuditRecord};
use crate::model::timestamp::Timestamp;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Somebody who waits for their event to be written, and gets its number.
pub(super) type Waiter = oneshot::Sender<Result<u64, AuditError>>;

/// Events in order. At most one batch is being written at a time.
#[derive(Debug)]
pub(super) struct Queue {
    last_sequence: u64,
    waiting: Vec<(AuditEvent, Waiter)>,
    flushes: Vec<oneshot::Sender<()>>,
    in_flight: Option<u64>,
}

impl Queue {
    /// A queue whose first record follows number `last_sequence`.
    pub(super) fn after(last_sequence: u64) -> Self {
        Self { last_sequence, waiting: Vec::new(), flushes: Vec::new(), in_flight: None }
    }

    /// Puts `event` at the end; the receiver learns how it went.
    pub(super) fn push(&mut self, event: AuditEvent) -> oneshot::Receiver<Result<u64, AuditError>> {
        let (waiter, written) = oneshot::channel();
        self.waiting.push((event, waiter));
        written
    }

    /// Ready when nothing is waiting or being written any more.
    pub(super) fn drained(&mut self) -> oneshot::Receiver<()> {
        let (done, drained) = oneshot::channel();
        if !self.is_idle() {
            self.flushes.push(done);
        }
        drained
    }

    /// Takes all that waits as the next batch; `None` when there is nothing, or a batch is
    /// being written. Numbers are given here, so that a failed batch leaves no gap.
    pub(super) fn start_batch(
        &mut self,
        now: Timestamp,
        mut record_id: impl FnMut() -> String,
    ) -> Option<(Batch, Vec<Waiter>)> {
        if self.in_flight.is_some() || self.waiting.is_empty() {
            return None;
        }
        let (events, waiters): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting).into_iter().unzip();
        let records: Batch = (self.last_sequence + 1..)
            .zip(events)
            .map(|(sequence, event)| Arc::new(AuditRecord::of(event, sequence, now, record_id())))
            .collect();
        self.in_flight = u64::try_from(records.len()).ok();
        Some((records, waiters))
    }

    /// Ends the batch under way; returns the number that its first record got or would have got.
    pub(super) fn finish_batch(&mut self, is_written: bool) -> u64 {
        let first = self.last_sequence + 1;
        let count = self.in_flight.take().unwrap_or(0);
        if is_written {
            self.last_sequence += count;
        }
        if self.is_idle() {
            self.flushes.clear();
        }
        first
    }

    /// The number of the last record that was written.
    pub(super) const fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// Whether a batch is on its way to the store.
    pub(super) const fn is_writing(&self) -> bool {
        self.in_flight.is_some()
    }

    fn is_idle(&self) -> bool {
        self.in_flight.is_none() && self.waiting.is_empty()
    }
}

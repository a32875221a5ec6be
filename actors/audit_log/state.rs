//! The queue of events that wait to be written, and the numbering of those that are.

use super::Batch;
use super::messages::AuditError;
use crate::model::audit_event::{AuditCaller, AuditEvent, AuditRecord, OnFailure, OperationStatus};
use crate::model::timestamp::Timestamp;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Somebody who waits for their event to be written, and gets its number.
pub(super) type Waiter = oneshot::Sender<Result<u64, AuditError>>;

/// Records that could not be written, and that no record tells of yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gap {
    since: Timestamp,
    records: u64,
}

/// A batch under way.
#[derive(Clone, Copy, Debug)]
struct InFlight {
    /// How many records it has.
    count: u64,
    /// How many of them are events, and not the record of a gap.
    events: u64,
}

/// Events in order. At most one batch is being written at a time.
#[derive(Debug)]
pub(super) struct Queue {
    last_sequence: u64,
    on_failure: OnFailure,
    waiting: Vec<(AuditEvent, Waiter)>,
    /// Those who want to know whether anything can be written.
    probes: Vec<Waiter>,
    flushes: Vec<oneshot::Sender<()>>,
    in_flight: Option<InFlight>,
    gap: Option<Gap>,
}

impl Queue {
    /// A queue whose first record follows number `last_sequence`.
    pub(super) fn after(last_sequence: u64, on_failure: OnFailure) -> Self {
        Self {
            last_sequence,
            on_failure,
            waiting: Vec::new(),
            probes: Vec::new(),
            flushes: Vec::new(),
            in_flight: None,
            gap: None,
        }
    }

    /// Puts `event` at the end; the receiver learns how it went.
    pub(super) fn push(&mut self, event: AuditEvent) -> oneshot::Receiver<Result<u64, AuditError>> {
        let (waiter, written) = oneshot::channel();
        self.waiting.push((event, waiter));
        written
    }

    /// Learns whether records can be written; has the gap recorded, if there is one.
    pub(super) fn probe(&mut self) -> oneshot::Receiver<Result<u64, AuditError>> {
        let (waiter, written) = oneshot::channel();
        if self.gap.is_some() || self.in_flight.is_some() {
            self.probes.push(waiter);
        } else {
            // Who asked is right behind its receiver.
            let _gave_up = waiter.send(Ok(self.last_sequence));
        }
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
    /// being written. Numbers are given here, so that a failed batch leaves no gap in them; what
    /// could not be written before is told first.
    pub(super) fn start_batch(
        &mut self,
        now: Timestamp,
        mut record_id: impl FnMut() -> String,
    ) -> Option<(Batch, Vec<Waiter>)> {
        let is_wanted = !self.waiting.is_empty() || !self.probes.is_empty();
        if self.in_flight.is_some() || !is_wanted {
            return None;
        }
        let (events, waiters): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting).into_iter().unzip();
        let told = self.gap.map(|gap| gap.event(self.on_failure));
        let count_of = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let events_count = count_of(events.len());
        let records: Batch = (self.last_sequence + 1..)
            .zip(told.into_iter().chain(events))
            .map(|(sequence, event)| Arc::new(AuditRecord::of(event, sequence, now, record_id())))
            .collect();
        self.in_flight = Some(InFlight { count: count_of(records.len()), events: events_count });
        Some((records, waiters))
    }

    /// Ends the batch under way, which was tried at `now`; tells everyone who waited for it.
    pub(super) fn finish_batch(&mut self, waiters: Vec<Waiter>, is_written: bool, now: Timestamp) {
        let Some(InFlight { count, events }) = self.in_flight.take() else { return };
        let first = self.last_sequence + 1 + (count - events);
        if is_written {
            self.last_sequence += count;
            self.gap = None;
        } else {
            let gap = self.gap.get_or_insert(Gap { since: now, records: 0 });
            gap.records += events;
        }
        let outcome = |number| match (is_written, self.on_failure) {
            (true, _) => Ok(number),
            (false, OnFailure::Allow) => Ok(0),
            (false, OnFailure::Deny) => Err(AuditError::NotWritten),
        };
        let probes = std::mem::take(&mut self.probes).into_iter().map(|probe| (self.last_sequence, probe));
        for (number, waiter) in (first..).zip(waiters).chain(probes) {
            // A caller that gave up is not there to be told.
            let _gave_up = waiter.send(outcome(number));
        }
        if self.is_idle() {
            self.flushes.clear();
        }
    }

    /// How many records could not be written since one could; zero when the last one was.
    pub(super) fn unwritten(&self) -> Option<u64> {
        self.gap.map(|gap| gap.records)
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

impl Gap {
    fn event(self, on_failure: OnFailure) -> AuditEvent {
        let details = json!({
            "reason": "not_written",
            "records": self.records,
            "since": self.since.to_rfc3339(),
            "on_failure": on_failure,
        });
        AuditEvent::auth("audit.gap", OperationStatus::Error, AuditCaller::of_server())
            .with_details(details)
            .with_error("records could not be written")
    }
}

//! Those who hear of records as they are written.
//!
//! Nothing is done for nobody: without subscribers a batch costs one look at their number. With
//! some, each record is shared between all of them, and becomes text at most once, on the thread
//! of the first that wants it.

use super::Batch;
use crate::model::audit_event::AuditRecord;
use std::sync::{Arc, OnceLock};
use tokio::sync::{broadcast, oneshot};

/// How many records wait for a slow subscriber. Those who fall further behind are told how many
/// they missed, and find them in the store.
const BACKLOG: usize = 256;

/// A record that was just written.
#[derive(Debug)]
pub struct LiveRecord {
    record: Arc<AuditRecord>,
    line: OnceLock<Arc<str>>,
}

impl LiveRecord {
    fn new(record: Arc<AuditRecord>) -> Self {
        Self { record, line: OnceLock::new() }
    }

    /// The record.
    #[must_use]
    pub fn record(&self) -> &AuditRecord {
        &self.record
    }

    /// The record as one line of JSON, made once for all subscribers.
    #[must_use]
    pub fn line(&self) -> &Arc<str> {
        // What the store could write can be written again, so the text is never empty.
        self.line.get_or_init(|| serde_json::to_string(self.record()).unwrap_or_default().into())
    }
}

/// What a subscriber hears.
#[derive(Clone, Debug)]
pub enum Heard {
    /// A record was written.
    Record(Arc<LiveRecord>),
    /// So many were written that the subscriber was too slow for; they are in the store.
    Skipped(u64),
    /// There will be no more.
    End,
}

/// Hears of every record after [`Self::last_sequence`], in order.
#[derive(Debug)]
pub struct Subscription {
    last_sequence: u64,
    records: broadcast::Receiver<Arc<LiveRecord>>,
}

impl Subscription {
    /// The number of the last record that was written before the subscription: everything up to
    /// it is in the store, and everything after it will be heard of.
    #[must_use]
    pub const fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    /// Waits for the next record. May be dropped at any time without losing one.
    pub async fn next(&mut self) -> Heard {
        match self.records.recv().await {
            Ok(record) => Heard::Record(record),
            Err(broadcast::error::RecvError::Lagged(count)) => Heard::Skipped(count),
            Err(broadcast::error::RecvError::Closed) => Heard::End,
        }
    }
}

/// All who listen.
#[derive(Debug)]
pub(super) struct Subscribers {
    records: broadcast::Sender<Arc<LiveRecord>>,
    waiting: Vec<oneshot::Sender<Subscription>>,
}

impl Subscribers {
    pub(super) fn new() -> Self {
        Self { records: broadcast::Sender::new(BACKLOG), waiting: Vec::new() }
    }

    /// Subscribes somebody from the number `last_written` on. While a batch is on its way
    /// (`is_writing`) they wait for its end: it may have been copied for nobody.
    pub(super) fn subscribe(&mut self, last_written: u64, is_writing: bool) -> oneshot::Receiver<Subscription> {
        let (answer, subscribed) = oneshot::channel();
        self.waiting.push(answer);
        if !is_writing {
            self.admit(last_written);
        }
        subscribed
    }

    /// What has to be kept of a batch for those who listen.
    pub(super) fn copy(&self, batch: &Batch) -> Batch {
        if self.records.receiver_count() == 0 { Batch::new() } else { batch.clone() }
    }

    /// Tells everybody of `written`, and lets in who has waited meanwhile.
    pub(super) fn tell(&mut self, written: Batch, last_written: u64) {
        for record in written {
            // All may have gone since the batch was copied.
            let _nobody_listens = self.records.send(Arc::new(LiveRecord::new(record)));
        }
        self.admit(last_written);
    }

    fn admit(&mut self, last_sequence: u64) {
        for answer in self.waiting.drain(..) {
            // Who gave up asking does not listen.
            let _gave_up = answer.send(Subscription { last_sequence, records: self.records.subscribe() });
        }
    }
}

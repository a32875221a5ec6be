//! The audit log: gives every event its number and time, and keeps them in order.
//!
//! Owns the order of records, the queue of those that are not written yet, and who hears of
//! those that are. Rank 0: asks no other actor. Told by every coordinator and owner. Timers:
//! `TickSync` makes what is written survive a power loss once a second, and records the counts of
//! floods; `TickTend` has the store compress and remove what is old, and records what happened to
//! the log itself. If it dies, calls fail rather than pass unrecorded, and the process ends.

mod handle;
mod messages;
mod repeats;
mod state;
mod subscription;
#[cfg(test)]
mod tests;

pub use handle::AuditLogHandle;
pub use messages::AuditError;
pub use repeats::Flood;
pub use subscription::{Heard, LiveRecord, Subscription};

use crate::mailbox::EndGuard;
use crate::model::audit_event::{AuditEvent, AuditRecord};
use crate::model::timestamp::Timestamp;
use crate::ports::StoreError;
use crate::ports::audit_store::AuditStore;
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, ResponseFuture, WrapFuture};
use messages::{CheckWritable, FlushLog, RecordEvent, RecordRepeated, SubscribeRecords, TickSync, TickTend};
use repeats::Repeats;
use state::Queue;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use subscription::Subscribers;

/// How often written records are made to survive a power loss.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);
/// How often the store looks after what it holds.
const TEND_INTERVAL: Duration = Duration::from_secs(60);
/// How often it is told that records cannot be written.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(10);
/// Events that may wait for the writer. Beyond it callers wait in the mailbox.
const MAILBOX_CAPACITY: usize = 4_096;

/// What the audit log needs.
#[derive(Clone, Debug)]
pub(crate) struct AuditPorts {
    pub(crate) store: Arc<dyn AuditStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

/// The actor.
#[derive(Debug)]
pub(crate) struct AuditLog {
    ports: AuditPorts,
    queue: Queue,
    subscribers: Subscribers,
    repeats: Repeats,
    is_synced: bool,
    is_tending: bool,
    /// Whether the last record could not be written, for those who ask before they act.
    is_failing: Arc<AtomicBool>,
    complained_at: Option<Timestamp>,
    _guard: EndGuard,
}

impl AuditLog {
    /// `last_sequence` is the number of the last record in the store.
    pub(crate) fn new(ports: AuditPorts, last_sequence: u64, is_failing: Arc<AtomicBool>, guard: EndGuard) -> Self {
        Self {
            queue: Queue::after(last_sequence, ports.store.on_failure()),
            ports,
            subscribers: Subscribers::new(),
            repeats: Repeats::default(),
            is_synced: true,
            is_tending: false,
            is_failing,
            complained_at: None,
            _guard: guard,
        }
    }

    /// Writes all that has queued up in one go, unless a write is under way: then that one's
    /// end starts the next.
    fn write_next(&mut self, ctx: &mut Context<Self>) {
        let (now, entropy) = (self.ports.clock.now(), Arc::clone(&self.ports.entropy));
        let Some((records, waiters)) = self.queue.start_batch(now, || entropy.uuid()) else { return };
        let store = Arc::clone(&self.ports.store);
        let copy = self.subscribers.copy(&records);
        let write = async move { (store.append(records).await, waiters) };
        ctx.spawn(write.into_actor(self).map(move |(outcome, waiters), log, ctx| {
            let is_written = outcome.is_ok();
            log.queue.finish_batch(waiters, is_written, now);
            log.is_synced &= !is_written;
            log.note_outcome(outcome, now);
            let written = if is_written { copy } else { Batch::new() };
            log.subscribers.tell(written, log.queue.last_sequence());
            log.write_next(ctx);
        }));
    }

    /// Tells the operator, loudly but not for each call, and those who ask before they act.
    fn note_outcome(&mut self, outcome: Result<(), StoreError>, now: Timestamp) {
        self.is_failing.store(outcome.is_err(), Ordering::Relaxed);
        let Err(error) = outcome else {
            if self.complained_at.take().is_some() {
                tracing::warn!("audit records can be written again; a record tells how many could not");
            }
            return;
        };
        if self.complained_at.is_some_and(|last| now.since(last) < COMPLAINT_INTERVAL) {
            return;
        }
        self.complained_at = Some(now);
        let on_failure = self.ports.store.on_failure();
        let unwritten = self.queue.unwritten().unwrap_or(0);
        tracing::error!(%error, unwritten, ?on_failure, "audit records could not be written");
    }

    /// Records `events` that nobody waits for.
    fn record_unasked(&mut self, events: Vec<AuditEvent>, ctx: &mut Context<Self>) {
        for event in events {
            // Whether it was written shows in the log of the daemon, and as a gap.
            drop(self.queue.push(event));
        }
        self.write_next(ctx);
    }

    /// Records what happened to the log itself; the future lets the store forget it once that is
    /// written.
    fn record_notices(
        &mut self,
        notices: Result<Vec<AuditEvent>, StoreError>,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = ()> + use<> {
        let notices = notices.unwrap_or_else(|error| {
            tracing::error!(%error, "what happened to the audit log itself cannot be told");
            Vec::new()
        });
        let written: Vec<_> = notices.into_iter().map(|notice| self.queue.push(notice)).collect();
        self.write_next(ctx);
        let store = Arc::clone(&self.ports.store);
        async move {
            if written.is_empty() {
                return;
            }
            for written in written {
                // Zero is no number: it was let pass without a record.
                if !matches!(written.await, Ok(Ok(1..))) {
                    return;
                }
            }
            if let Err(error) = store.forget_notices().await {
                tracing::error!(%error, "notices about the audit log could not be removed");
            }
        }
    }
}

impl Actor for AuditLog {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_CAPACITY);
        ctx.run_interval(SYNC_INTERVAL, |_, ctx| ctx.notify(TickSync));
        ctx.run_interval(TEND_INTERVAL, |_, ctx| ctx.notify(TickTend));
        ctx.notify(TickTend);
    }
}

impl Handler<RecordEvent> for AuditLog {
    type Result = ResponseFuture<Result<u64, AuditError>>;

    fn handle(&mut self, message: RecordEvent, ctx: &mut Self::Context) -> Self::Result {
        let written = self.queue.push(message.event);
        self.write_next(ctx);
        Box::pin(async move { written.await.unwrap_or(Err(AuditError::NotWritten)) })
    }
}

impl Handler<RecordRepeated> for AuditLog {
    type Result = ();

    fn handle(&mut self, message: RecordRepeated, ctx: &mut Self::Context) -> Self::Result {
        let first = self.repeats.admit(message.event, message.flood, self.ports.clock.now());
        self.record_unasked(first.into_iter().collect(), ctx);
    }
}

impl Handler<CheckWritable> for AuditLog {
    type Result = ResponseFuture<Result<u64, AuditError>>;

    fn handle(&mut self, _: CheckWritable, ctx: &mut Self::Context) -> Self::Result {
        let checked = self.queue.probe();
        self.write_next(ctx);
        Box::pin(async move { checked.await.unwrap_or(Err(AuditError::NotWritten)) })
    }
}

impl Handler<FlushLog> for AuditLog {
    type Result = ResponseFuture<Result<(), AuditError>>;

    fn handle(&mut self, _: FlushLog, ctx: &mut Self::Context) -> Self::Result {
        let counted = self.repeats.all(self.ports.clock.now());
        self.record_unasked(counted, ctx);
        let drained = self.queue.drained();
        let store = Arc::clone(&self.ports.store);
        Box::pin(async move {
            // The sender goes when everything queued before it has been written.
            let _all_written = drained.await;
            store.sync().await.map_err(|_| AuditError::NotWritten)
        })
    }
}

impl Handler<SubscribeRecords> for AuditLog {
    type Result = ResponseFuture<Result<Subscription, AuditError>>;

    fn handle(&mut self, _: SubscribeRecords, _: &mut Self::Context) -> Self::Result {
        let subscribed = self.subscribers.subscribe(self.queue.last_sequence(), self.queue.is_writing());
        Box::pin(async move { subscribed.await.map_err(|_| AuditError::NotWritten) })
    }
}

impl Handler<TickSync> for AuditLog {
    type Result = ();

    fn handle(&mut self, _: TickSync, ctx: &mut Self::Context) {
        let counted = self.repeats.due(self.ports.clock.now());
        self.record_unasked(counted, ctx);
        if std::mem::replace(&mut self.is_synced, true) {
            return;
        }
        let store = Arc::clone(&self.ports.store);
        ctx.spawn(async move { store.sync().await }.into_actor(self).map(|outcome, log, _| {
            if let Err(error) = outcome {
                tracing::error!(%error, "the audit log could not be synced");
                log.is_synced = false;
            }
        }));
    }
}

impl Handler<TickTend> for AuditLog {
    type Result = ();

    /// Asks for notices first: compressing may take long, and what happened before the start
    /// should be told soon.
    fn handle(&mut self, _: TickTend, ctx: &mut Self::Context) {
        if std::mem::replace(&mut self.is_tending, true) {
            return;
        }
        let store = Arc::clone(&self.ports.store);
        let notices = async move { store.notices().await };
        let tended = notices
            .into_actor(self)
            .then(|notices, log, ctx| log.record_notices(notices, ctx).into_actor(log))
            .then(|(), log, _| {
                let store = Arc::clone(&log.ports.store);
                async move { (store.tend().await, store.notices().await) }.into_actor(log)
            })
            .then(|(tended, notices), log, ctx| {
                if let Err(error) = tended {
                    tracing::error!(%error, "old files of the audit log could not be looked after");
                }
                log.record_notices(notices, ctx).into_actor(log)
            });
        ctx.spawn(tended.map(|(), log, _| log.is_tending = false));
    }
}

/// A batch on its way to the store.
pub(crate) type Batch = Vec<Arc<AuditRecord>>;

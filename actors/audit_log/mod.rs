//! The audit log: gives every event its number and time, and keeps them in order.
//!
//! Owns the order of records, the queue of those that are not written yet, and who hears of
//! those that are. Rank 0: asks
//! no other actor. Told by every coordinator and owner. Timers: `TickSync` makes what is
//! written survive a power loss once a second. If it dies, calls fail rather than pass
//! unrecorded, and the process ends.

mod handle;
mod messages;
mod state;
mod subscription;
#[cfg(test)]
mod tests;

pub use handle::AuditLogHandle;
pub use messages::AuditError;
pub use subscription::{Heard, LiveRecord, Subscription};

use crate::mailbox::EndGuard;
use crate::model::audit_event::AuditRecord;
use crate::ports::audit_store::AuditStore;
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, ResponseFuture, WrapFuture};
use messages::{FlushLog, RecordEvent, SubscribeRecords, TickSync};
use state::{Queue, Waiter};
use std::sync::Arc;
use std::time::Duration;
use subscription::Subscribers;

/// How often written records are made to survive a power loss.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);
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
    is_synced: bool,
    _guard: EndGuard,
}

impl AuditLog {
    /// `last_sequence` is the number of the last record in the store.
    pub(crate) fn new(ports: AuditPorts, last_sequence: u64, guard: EndGuard) -> Self {
        Self {
            ports,
            queue: Queue::after(last_sequence),
            subscribers: Subscribers::new(),
            is_synced: true,
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
        ctx.spawn(write.into_actor(self).map(|(outcome, waiters), log, ctx| {
            let is_written = outcome.is_ok();
            if let Err(error) = &outcome {
                tracing::error!(%error, "audit records could not be written");
            }
            let first = log.queue.finish_batch(is_written);
            log.is_synced &= !is_written;
            answer(waiters, first, is_written);
            let written = if is_written { copy } else { Batch::new() };
            log.subscribers.tell(written, log.queue.last_sequence());
            log.write_next(ctx);
        }));
    }
}

/// Tells everyone who waited for a batch how it ended.
fn answer(waiters: Vec<Waiter>, first: u64, is_written: bool) {
    for (number, waiter) in (first..).zip(waiters) {
        let outcome = if is_written { Ok(number) } else { Err(AuditError::NotWritten) };
        // A caller that gave up is not there to be told.
        let _gave_up = waiter.send(outcome);
    }
}

impl Actor for AuditLog {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_CAPACITY);
        ctx.run_interval(SYNC_INTERVAL, |_, ctx| ctx.notify(TickSync));
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

impl Handler<FlushLog> for AuditLog {
    type Result = ResponseFuture<Result<(), AuditError>>;

    fn handle(&mut self, _: FlushLog, ctx: &mut Self::Context) -> Self::Result {
        let drained = self.queue.drained();
        self.write_next(ctx);
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

/// A batch on its way to the store.
pub(crate) type Batch = Vec<Arc<AuditRecord>>;

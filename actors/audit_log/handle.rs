//! What the rest of the house sees of the audit log.

use super::messages::{AuditError, CheckWritable, FlushLog, RecordEvent, RecordRepeated, SubscribeRecords};
use super::repeats::Flood;
use super::{AuditLog, AuditPorts, Subscription};
use crate::mailbox::{ASK_DEADLINE, EndGuard, ask};
use crate::model::audit_event::{AuditEvent, AuditRecord, OnFailure};
use crate::model::audit_filter::AuditFilter;
use crate::model::audit_stats::AuditStats;
use crate::ports::StoreError;
use crate::ports::audit_store::AuditStore;
use actix::{Actor, Addr, ArbiterHandle, Context};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const NAME: &str = "audit_log";

/// Records what happens.
#[derive(Clone, Debug)]
pub struct AuditLogHandle {
    address: Addr<AuditLog>,
    /// For reading alone, which needs no order and would keep writers waiting.
    store: Arc<dyn AuditStore>,
    on_failure: OnFailure,
    is_failing: Arc<AtomicBool>,
}

impl AuditLogHandle {
    pub(crate) fn start(arbiter: &ArbiterHandle, ports: AuditPorts, last_sequence: u64, guard: EndGuard) -> Self {
        let store = Arc::clone(&ports.store);
        let on_failure = store.on_failure();
        let is_failing = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_failing);
        let start = move |_: &mut Context<AuditLog>| AuditLog::new(ports, last_sequence, flag, guard);
        Self { address: AuditLog::start_in_arbiter(arbiter, start), store, on_failure, is_failing }
    }

    /// Records `event` and waits until it cannot be lost by a crash; returns its number, and zero
    /// when it could not be written and the operator lets calls go on all the same.
    ///
    /// # Errors
    /// When it could not be written. Then what it tells of must not be answered as done.
    pub async fn record(&self, event: AuditEvent) -> Result<u64, AuditError> {
        let recorded = ask(NAME, &self.address, RecordEvent { event }, ASK_DEADLINE).await;
        self.judge(recorded)
    }

    /// Makes sure that what is about to be done can be recorded. Costs nothing as long as the
    /// last record was written; after one that was not, tries to write again.
    ///
    /// # Errors
    /// When it cannot be recorded. Then it must not be done.
    pub async fn ensure_writable(&self) -> Result<(), AuditError> {
        if !self.is_failing.load(Ordering::Relaxed) {
            return Ok(());
        }
        let checked = ask(NAME, &self.address, CheckWritable, ASK_DEADLINE).await;
        self.judge(checked).map(|_| ())
    }

    /// Records that something happened that may happen very often, such as a stranger being turned
    /// away: the first of a kind at once, then how many came within a minute. Waits for nothing; when
    /// thousands are waiting already, more are not counted.
    pub fn record_repeated(&self, event: AuditEvent) {
        if self.address.try_send(RecordRepeated { event, flood: None }).is_err() {
            tracing::debug!("an event of a flood was not counted");
        }
    }

    /// The same for what comes by the ten thousand in a second: only the first one is a message, made
    /// by `event`, and the others are counted at `flood`, which belongs to this kind of event alone.
    pub fn record_flood(&self, flood: &Arc<Flood>, event: impl FnOnce() -> AuditEvent) {
        if flood.is_only_counted() {
            return;
        }
        let first = RecordRepeated { event: event(), flood: Some(Arc::clone(flood)) };
        if self.address.try_send(first).is_err() {
            flood.forget();
            tracing::debug!("an event of a flood was not counted");
        }
    }

    /// What an outcome means to the caller, who may be let pass without a record.
    fn judge(&self, outcome: Result<u64, AuditError>) -> Result<u64, AuditError> {
        match (outcome, self.on_failure) {
            (Err(_), OnFailure::Allow) => Ok(0),
            (outcome, _) => outcome,
        }
    }

    /// Waits until everything recorded so far survives a power loss.
    ///
    /// # Errors
    /// When that could not be reached.
    pub async fn flush(&self) -> Result<(), AuditError> {
        ask(NAME, &self.address, FlushLog, ASK_DEADLINE).await
    }

    /// Hears of every record that is written from now on.
    ///
    /// # Errors
    /// When the audit log does not answer.
    pub async fn subscribe(&self) -> Result<Subscription, AuditError> {
        ask(NAME, &self.address, SubscribeRecords, ASK_DEADLINE).await
    }

    /// The newest `limit` records that `filter` accepts, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn read_newest(&self, filter: AuditFilter, limit: usize) -> Result<Vec<AuditRecord>, StoreError> {
        self.store.read_newest(filter, limit).await
    }

    /// How many records `filter` accepts, of which kinds.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn count(&self, filter: AuditFilter) -> Result<AuditStats, StoreError> {
        self.store.count(filter).await
    }

    /// The oldest `limit` records that `filter` accepts, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn read_oldest(&self, filter: AuditFilter, limit: usize) -> Result<Vec<AuditRecord>, StoreError> {
        self.store.read_oldest(filter, limit).await
    }
}

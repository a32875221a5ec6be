//! What the rest of the house sees of the audit log.

use super::messages::{AuditError, FlushLog, RecordEvent, SubscribeRecords};
use super::{AuditLog, AuditPorts, Subscription};
use crate::mailbox::{ASK_DEADLINE, EndGuard, ask};
use crate::model::audit_event::{AuditEvent, AuditRecord};
use crate::model::audit_filter::AuditFilter;
use crate::ports::StoreError;
use crate::ports::audit_store::AuditStore;
use actix::{Actor, Addr, ArbiterHandle, Context};
use std::sync::Arc;

const NAME: &str = "audit_log";

/// Records what happens.
#[derive(Clone, Debug)]
pub struct AuditLogHandle {
    address: Addr<AuditLog>,
    /// For reading alone, which needs no order and would keep writers waiting.
    store: Arc<dyn AuditStore>,
}

impl AuditLogHandle {
    pub(crate) fn start(arbiter: &ArbiterHandle, ports: AuditPorts, last_sequence: u64, guard: EndGuard) -> Self {
        let store = Arc::clone(&ports.store);
        let start = move |_: &mut Context<AuditLog>| AuditLog::new(ports, last_sequence, guard);
        Self { address: AuditLog::start_in_arbiter(arbiter, start), store }
    }

    /// Records `event` and waits until it cannot be lost by a crash; returns its number.
    ///
    /// # Errors
    /// When it could not be written. Then what it tells of must not be answered as done.
    pub async fn record(&self, event: AuditEvent) -> Result<u64, AuditError> {
        ask(NAME, &self.address, RecordEvent { event }, ASK_DEADLINE).await
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

    /// The oldest `limit` records that `filter` accepts, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn read_oldest(&self, filter: AuditFilter, limit: usize) -> Result<Vec<AuditRecord>, StoreError> {
        self.store.read_oldest(filter, limit).await
    }
}

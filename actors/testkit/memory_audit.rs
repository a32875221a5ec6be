//! An audit store in memory that can be told to fail.

use super::seeded_entropy::SeededEntropy;
use super::tokio_clock::TokioClock;
use crate::audit_log::{AuditLogHandle, AuditPorts};
use crate::mailbox::EndGuard;
use crate::model::audit_event::{AuditRecord, OnFailure};
use crate::model::audit_filter::AuditFilter;
use crate::ports::audit_store::AuditStore;
use crate::ports::{StoreError, StoreResult};
use actix::Arbiter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Mutex;

/// An audit log that keeps its records in memory. Needs actix's system.
#[must_use]
pub fn log_in_memory() -> AuditLogHandle {
    log_on(MemoryAudit::default())
}

/// The same, giving no page of its records at once.
#[must_use]
pub fn log_that_reads_slowly() -> AuditLogHandle {
    log_on(MemoryAudit { reads_slowly: true, ..MemoryAudit::default() })
}

fn log_on(store: MemoryAudit) -> AuditLogHandle {
    let (ended, _) = tokio::sync::mpsc::unbounded_channel();
    let ports = AuditPorts {
        store: Arc::new(store),
        clock: Arc::new(TokioClock::default()),
        entropy: Arc::new(SeededEntropy::new(1)),
    };
    AuditLogHandle::start(&Arbiter::current(), ports, 0, EndGuard::new("audit_log", ended))
}

/// Keeps records in a list.
#[derive(Debug, Default)]
pub struct MemoryAudit {
    records: Arc<Mutex<Vec<Arc<AuditRecord>>>>,
    fails_next: AtomicBool,
    lets_pass: bool,
    reads_slowly: bool,
}

impl MemoryAudit {
    /// One whose operator lets calls go on that cannot be recorded.
    #[must_use]
    pub fn letting_pass() -> Self {
        Self { lets_pass: true, ..Self::default() }
    }

    /// The names of everything recorded, oldest first.
    ///
    /// # Panics
    /// When a write is under way.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.records.try_lock().unwrap().iter().map(|record| record.operation_name.clone()).collect()
    }

    /// Everything recorded, oldest first.
    ///
    /// # Panics
    /// When a write is under way.
    #[must_use]
    pub fn records(&self) -> Vec<Arc<AuditRecord>> {
        self.records.try_lock().unwrap().clone()
    }

    /// Makes the next write fail.
    pub fn fail_next(&self) {
        self.fails_next.store(true, Ordering::SeqCst);
    }
}

impl AuditStore for MemoryAudit {
    fn append(&self, records: Vec<Arc<AuditRecord>>) -> StoreResult<'_, ()> {
        Box::pin(async move {
            if self.fails_next.swap(false, Ordering::SeqCst) {
                return Err(StoreError { detail: "told to fail".to_owned() });
            }
            self.records.lock().await.extend(records);
            Ok(())
        })
    }

    fn last_sequence(&self) -> StoreResult<'_, u64> {
        Box::pin(async move { Ok(self.records.lock().await.last().map_or(0, |record| record.sequence)) })
    }

    fn read_newest(&self, filter: AuditFilter, limit: usize) -> StoreResult<'_, Vec<AuditRecord>> {
        Box::pin(async move {
            let records = self.records.lock().await;
            let newest = records.iter().rev().filter(|record| filter.accepts(record)).take(limit);
            Ok(newest.map(|record| AuditRecord::clone(record)).collect())
        })
    }

    fn read_oldest(&self, filter: AuditFilter, limit: usize) -> StoreResult<'_, Vec<AuditRecord>> {
        Box::pin(async move {
            for _ in 0..if self.reads_slowly { 10 } else { 0 } {
                tokio::task::yield_now().await;
            }
            let records = self.records.lock().await;
            let oldest = records.iter().filter(|record| filter.accepts(record)).take(limit);
            Ok(oldest.map(|record| AuditRecord::clone(record)).collect())
        })
    }

    fn sync(&self) -> StoreResult<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn on_failure(&self) -> OnFailure {
        if self.lets_pass { OnFailure::Allow } else { OnFailure::Deny }
    }
}

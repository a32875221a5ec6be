//! Where the audit log is kept.

use super::StoreResult;
use crate::model::audit_event::{AuditEvent, AuditRecord, OnFailure};
use crate::model::audit_filter::{AuditFilter, AuditView};
use crate::model::audit_stats::AuditStats;
use std::sync::Arc;

/// Keeps records in order.
pub trait AuditStore: Send + Sync + std::fmt::Debug {
    /// Appends `records`; ready when a killed process no longer loses them.
    ///
    /// Called by the audit log alone, one call at a time, on a thread that serves nothing else.
    fn append(&self, records: Vec<Arc<AuditRecord>>) -> StoreResult<'_, ()>;

    /// The number of the last record, zero when there is none.
    fn last_sequence(&self) -> StoreResult<'_, u64>;

    /// The newest `limit` records that `filter` accepts, newest first.
    fn read_newest(&self, filter: AuditFilter, limit: usize) -> StoreResult<'_, Vec<AuditRecord>>;

    /// The oldest `limit` records that `filter` accepts, oldest first. With `filter.after` it costs
    /// little, however much was written before.
    fn read_oldest(&self, filter: AuditFilter, limit: usize) -> StoreResult<'_, Vec<AuditRecord>>;

    /// How many records `filter` accepts, of which kinds.
    fn count(&self, filter: AuditFilter) -> StoreResult<'_, AuditStats> {
        Box::pin(async move {
            let mut stats = AuditStats::default();
            for record in self.read_oldest(filter, usize::MAX).await? {
                stats.add(&AuditView::of(&record));
            }
            Ok(stats)
        })
    }

    /// Makes everything appended so far survive a power loss.
    fn sync(&self) -> StoreResult<'_, ()>;

    /// What happens to calls that cannot be recorded.
    fn on_failure(&self) -> OnFailure {
        OnFailure::Deny
    }

    /// Looks after what is not written any more: compresses it, and removes what is old enough.
    /// Called by the audit log from time to time; may take long.
    fn tend(&self) -> StoreResult<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// What happened to the log itself, such as repairs and removals, that it should hold a
    /// record of; the same again until [`Self::forget_notices`].
    fn notices(&self) -> StoreResult<'_, Vec<AuditEvent>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// All notices that were given out have been recorded.
    fn forget_notices(&self) -> StoreResult<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

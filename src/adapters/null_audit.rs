//! An audit log that keeps nothing: for commands, and for servers whose audit log is off.

use mxcp_actors::model::audit_event::AuditRecord;
use mxcp_actors::model::audit_filter::AuditFilter;
use mxcp_actors::ports::StoreResult;
use mxcp_actors::ports::audit_store::AuditStore;
use std::sync::Arc;

/// Keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullAudit;

impl AuditStore for NullAudit {
    fn append(&self, _: Vec<Arc<AuditRecord>>) -> StoreResult<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn last_sequence(&self) -> StoreResult<'_, u64> {
        Box::pin(std::future::ready(Ok(0)))
    }

    fn read_newest(&self, _: AuditFilter, _: usize) -> StoreResult<'_, Vec<AuditRecord>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn read_oldest(&self, _: AuditFilter, _: usize) -> StoreResult<'_, Vec<AuditRecord>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn sync(&self) -> StoreResult<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

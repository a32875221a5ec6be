//! What the rest of the house sees of the audit log.

use super::messages::{AuditError, FlushLog, RecordEvent};
use super::{AuditLog, AuditPorts};
use crate::mailbox::{ASK_DEADLINE, EndGuard, ask};
use crate::model::audit_event::AuditEvent;
use actix::{Actor, Addr, ArbiterHandle, Context};

const NAME: &str = "audit_log";

/// Records what happens.
#[derive(Clone, Debug)]
pub struct AuditLogHandle {
    address: Addr<AuditLog>,
}

impl AuditLogHandle {
    pub(crate) fn start(arbiter: &ArbiterHandle, ports: AuditPorts, last_sequence: u64, guard: EndGuard) -> Self {
        let start = move |_: &mut Context<AuditLog>| AuditLog::new(ports, last_sequence, guard);
        Self { address: AuditLog::start_in_arbiter(arbiter, start) }
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
}

//! What the audit log is told and asked.

use super::repeats::Flood;
use super::subscription::Subscription;
use crate::mailbox::Unavailable;
use crate::model::audit_event::AuditEvent;
use actix::Message;
use std::sync::Arc;

/// Why an event is not in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// The store refused it; the operator's log says why.
    #[error("the audit record could not be written")]
    NotWritten,
    /// The audit log did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Appends an event. Sent by coordinators and owners; answered with the record's number once
/// a killed process no longer loses it. Not idempotent: twice sent is twice recorded.
#[derive(Debug, Message)]
#[rtype(result = "Result<u64, AuditError>")]
pub(crate) struct RecordEvent {
    pub(crate) event: AuditEvent,
}

/// Waits until everything told so far is written and survives a power loss. Sent by the
/// supervisor at shutdown.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), AuditError>")]
pub(crate) struct FlushLog;

/// Appends an event of a kind that may come in floods, or only counts it. Sent by whoever turns
/// strangers away; nobody waits for it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct RecordRepeated {
    pub(crate) event: AuditEvent,
    /// Where others of its kind are counted from now on.
    pub(crate) flood: Option<Arc<Flood>>,
}

/// Finds out whether records can be written again, after some could not. Sent before a call is
/// begun that could not be recorded afterwards.
#[derive(Debug, Message)]
#[rtype(result = "Result<u64, AuditError>")]
pub(crate) struct CheckWritable;

/// Subscribes to the records that will be written. Sent by those who show the log live; changes
/// nothing for anybody else.
#[derive(Debug, Message)]
#[rtype(result = "Result<Subscription, AuditError>")]
pub(crate) struct SubscribeRecords;

/// Makes what is written survive a power loss.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct TickSync;

/// Has the store look after what it holds.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct TickTend;

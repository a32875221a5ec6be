use super::state::Queue;
use super::{AuditError, AuditLogHandle, AuditPorts};
use crate::mailbox::EndGuard;
use crate::model::audit_event::{AuditCaller, AuditEvent, OperationStatus};
use crate::model::timestamp::Timestamp;
use crate::testkit::memory_audit::MemoryAudit;
use crate::testkit::seeded_entropy::SeededEntropy;
use crate::testkit::tokio_clock::TokioClock;
use actix::Arbiter;
use std::sync::Arc;

fn event(name: &str) -> AuditEvent {
    AuditEvent::auth(name, OperationStatus::Success, AuditCaller::default())
}

#[test]
fn all_that_waits_goes_in_one_batch_and_nothing_joins_it_later() {
    let mut queue = Queue::after(7);
    let mut written = [queue.push(event("a")), queue.push(event("b"))];
    let (batch, waiters) = queue.start_batch(Timestamp::from_secs(0), String::new).unwrap();
    assert_eq!(batch.iter().map(|record| record.sequence).collect::<Vec<_>>(), [8, 9]);
    let _later = queue.push(event("c"));
    assert!(queue.start_batch(Timestamp::from_secs(0), String::new).is_none());
    super::answer(waiters, queue.finish_batch(true), true);
    assert_eq!(written[1].try_recv(), Ok(Ok(9)));
    let (batch, _) = queue.start_batch(Timestamp::from_secs(0), String::new).unwrap();
    assert_eq!(batch[0].sequence, 10);
}

#[test]
fn a_failed_batch_leaves_no_gap_in_the_numbers() {
    let mut queue = Queue::after(0);
    let mut refused = queue.push(event("a"));
    let (_, waiters) = queue.start_batch(Timestamp::from_secs(0), String::new).unwrap();
    super::answer(waiters, queue.finish_batch(false), false);
    assert_eq!(refused.try_recv(), Ok(Err(AuditError::NotWritten)));
    let _next = queue.push(event("b"));
    let (batch, _) = queue.start_batch(Timestamp::from_secs(0), String::new).unwrap();
    assert_eq!(batch[0].sequence, 1);
}

#[test]
fn a_flush_waits_for_what_came_before_it() {
    let mut queue = Queue::after(0);
    assert!(queue.drained().try_recv().is_err_and(|error| error == tokio::sync::oneshot::error::TryRecvError::Closed));
    let _written = queue.push(event("a"));
    let mut drained = queue.drained();
    let (_, _waiters) = queue.start_batch(Timestamp::from_secs(0), String::new).unwrap();
    assert!(drained.try_recv().is_err_and(|error| error == tokio::sync::oneshot::error::TryRecvError::Empty));
    queue.finish_batch(true);
    assert!(drained.try_recv().is_err_and(|error| error == tokio::sync::oneshot::error::TryRecvError::Closed));
}

#[actix::test]
async fn records_are_numbered_in_the_order_of_asking_and_stored_before_the_answer() {
    let store = Arc::new(MemoryAudit::default());
    let (ended, _) = tokio::sync::mpsc::unbounded_channel();
    let ports = AuditPorts {
        store: Arc::clone(&store) as _,
        clock: Arc::new(TokioClock::default()),
        entropy: Arc::new(SeededEntropy::new(1)),
    };
    let log = AuditLogHandle::start(&Arbiter::current(), ports, 41, EndGuard::new("audit_log", ended));
    assert_eq!(log.record(event("first")).await, Ok(42));
    assert_eq!(store.names(), ["first"]);
    let both = tokio::join!(log.record(event("second")), log.record(event("third")));
    assert_eq!(both, (Ok(43), Ok(44)));
    store.fail_next();
    assert_eq!(log.record(event("lost")).await, Err(AuditError::NotWritten));
    assert_eq!(log.record(event("fourth")).await, Ok(45));
    log.flush().await.unwrap();
    assert_eq!(store.names(), ["first", "second", "third", "fourth"]);
}

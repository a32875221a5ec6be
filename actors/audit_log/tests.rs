use super::state::Queue;
use super::subscription::Subscribers;
use super::{AuditError, AuditLogHandle, AuditPorts, Heard, Subscription};
use crate::mailbox::EndGuard;
use crate::model::audit_event::{AuditCaller, AuditEvent, OnFailure, OperationStatus};
use crate::model::audit_filter::AuditFilter;
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
    let mut queue = Queue::after(7, OnFailure::Deny);
    let mut written = [queue.push(event("a")), queue.push(event("b"))];
    let (batch, waiters) = queue.start_batch(Timestamp::from_secs(0), String::new).unwrap();
    assert_eq!(batch.iter().map(|record| record.sequence).collect::<Vec<_>>(), [8, 9]);
    let _later = queue.push(event("c"));
    assert!(queue.start_batch(Timestamp::from_secs(0), String::new).is_none());
    queue.finish_batch(waiters, true, Timestamp::from_secs(0));
    assert_eq!(written[1].try_recv(), Ok(Ok(9)));
    let (batch, _) = queue.start_batch(Timestamp::from_secs(0), String::new).unwrap();
    assert_eq!(batch[0].sequence, 10);
}

#[test]
fn a_failed_batch_leaves_no_gap_in_the_numbers_and_is_told_first() {
    let mut queue = Queue::after(0, OnFailure::Deny);
    for secs in [5, 6] {
        let mut refused = queue.push(event("a"));
        let (_, waiters) = queue.start_batch(Timestamp::from_secs(secs), String::new).unwrap();
        queue.finish_batch(waiters, false, Timestamp::from_secs(secs));
        assert_eq!(refused.try_recv(), Ok(Err(AuditError::NotWritten)));
    }
    let mut next = queue.push(event("b"));
    let (batch, waiters) = queue.start_batch(Timestamp::from_secs(7), String::new).unwrap();
    assert_eq!((batch[0].sequence, batch[0].operation_name.as_str()), (1, "audit.gap"));
    let details = batch[0].input_data.clone().unwrap();
    assert_eq!((&details["records"], &details["since"]), (&2.into(), &"1970-01-01T00:00:05Z".into()));
    assert_eq!((batch[1].sequence, batch[1].operation_name.as_str()), (2, "b"));
    queue.finish_batch(waiters, true, Timestamp::from_secs(7));
    assert_eq!(next.try_recv(), Ok(Ok(2)));
    let _later = queue.push(event("c"));
    let (batch, _) = queue.start_batch(Timestamp::from_secs(8), String::new).unwrap();
    assert_eq!((batch.len(), batch[0].sequence), (1, 3), "a gap is told once");
}

#[test]
fn a_flush_waits_for_what_came_before_it() {
    let mut queue = Queue::after(0, OnFailure::Deny);
    assert!(queue.drained().try_recv().is_err_and(|error| error == tokio::sync::oneshot::error::TryRecvError::Closed));
    let _written = queue.push(event("a"));
    let mut drained = queue.drained();
    let (_, waiters) = queue.start_batch(Timestamp::from_secs(0), String::new).unwrap();
    assert!(drained.try_recv().is_err_and(|error| error == tokio::sync::oneshot::error::TryRecvError::Empty));
    queue.finish_batch(waiters, true, Timestamp::from_secs(0));
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
    assert_eq!(log.record(event("fourth")).await, Ok(46));
    log.flush().await.unwrap();
    assert_eq!(store.names(), ["first", "second", "third", "audit.gap", "fourth"]);
}

fn log_with(store: &Arc<MemoryAudit>) -> AuditLogHandle {
    let (ended, _) = tokio::sync::mpsc::unbounded_channel();
    let ports = AuditPorts {
        store: Arc::clone(store) as _,
        clock: Arc::new(TokioClock::default()),
        entropy: Arc::new(SeededEntropy::new(1)),
    };
    AuditLogHandle::start(&Arbiter::current(), ports, 0, EndGuard::new("audit_log", ended))
}

async fn heard(subscription: &mut Subscription) -> u64 {
    match subscription.next().await {
        Heard::Record(live) => live.record().sequence,
        other => panic!("{other:?}"),
    }
}

#[actix::test]
async fn a_subscriber_hears_of_everything_after_the_number_it_was_told() {
    let log = log_with(&Arc::default());
    log.record(event("before")).await.unwrap();
    // The subscription is asked for while a batch is on its way.
    let (_, subscribed, _) = tokio::join!(log.record(event("x")), log.subscribe(), log.record(event("y")));
    let mut subscription = subscribed.unwrap();
    log.record(event("after")).await.unwrap();
    let first = subscription.last_sequence() + 1;
    assert!((2..=4).contains(&first), "{first}");
    for number in first..=4 {
        assert_eq!(heard(&mut subscription).await, number);
    }
}

#[test]
fn who_subscribes_during_a_write_is_let_in_after_it() {
    let mut subscribers = Subscribers::new();
    let mut subscribed = subscribers.subscribe(4, true);
    assert!(subscribed.try_recv().is_err());
    subscribers.tell(Vec::new(), 6);
    assert_eq!(subscribed.try_recv().unwrap().last_sequence(), 6);
}

#[actix::test]
async fn nobody_hears_of_what_could_not_be_written() {
    let store: Arc<MemoryAudit> = Arc::default();
    let log = log_with(&store);
    let mut subscription = log.subscribe().await.unwrap();
    store.fail_next();
    assert_eq!(log.record(event("lost")).await, Err(AuditError::NotWritten));
    log.record(event("kept")).await.unwrap();
    assert_eq!(heard(&mut subscription).await, 1, "the gap is told");
    let Heard::Record(live) = subscription.next().await else { panic!() };
    assert_eq!((live.record().sequence, live.record().operation_name.as_str()), (2, "kept"));
    assert!(live.line().contains("\"operation_name\":\"kept\""));
}

#[actix::test]
async fn a_subscriber_that_is_too_slow_is_told_how_much_it_missed() {
    let log = log_with(&Arc::default());
    let mut subscription = log.subscribe().await.unwrap();
    futures_util::future::join_all((0..300).map(|_| log.record(event("e")))).await;
    let Heard::Skipped(missed) = subscription.next().await else { panic!() };
    assert_eq!(heard(&mut subscription).await, missed + 1);
}

#[actix::test]
async fn records_are_read_without_waiting_for_the_writer() {
    let log = log_with(&Arc::default());
    log.record(event("a")).await.unwrap();
    let records = log.read_newest(AuditFilter::default(), 5).await.unwrap();
    assert_eq!(records.iter().map(|record| record.sequence).collect::<Vec<_>>(), [1]);
}

#[actix::test]
async fn what_cannot_be_recorded_is_refused_before_it_is_done() {
    let store: Arc<MemoryAudit> = Arc::default();
    let log = log_with(&store);
    assert_eq!(log.ensure_writable().await, Ok(()));
    store.fail_next();
    log.record(event("lost")).await.unwrap_err();
    store.fail_next();
    assert_eq!(log.ensure_writable().await, Err(AuditError::NotWritten));
    assert_eq!(log.ensure_writable().await, Ok(()), "the disk has room again");
    assert_eq!(store.names(), ["audit.gap"]);
    assert_eq!(store.records()[0].input_data.as_ref().unwrap()["records"], 1);
}

#[actix::test]
async fn calls_may_go_on_without_a_record_and_their_number_is_told() {
    let store = Arc::new(MemoryAudit::letting_pass());
    let log = log_with(&store);
    store.fail_next();
    assert_eq!(log.record(event("lost")).await, Ok(0));
    store.fail_next();
    assert_eq!(log.ensure_writable().await, Ok(()));
    assert_eq!(log.record(event("kept")).await, Ok(2));
    assert_eq!(store.names(), ["audit.gap", "kept"]);
}

#[actix::test]
async fn a_flood_is_two_records() {
    let store: Arc<MemoryAudit> = Arc::default();
    let log = log_with(&store);
    log.record(event("before")).await.unwrap();
    for _ in 0..500 {
        log.record_repeated(event("auth.rate_limited"));
    }
    log.flush().await.unwrap();
    assert_eq!(store.names(), ["before", "auth.rate_limited", "auth.rate_limited"]);
    assert_eq!(store.records()[2].input_data.as_ref().unwrap()["repeated"], 499);
}

use super::at;
use crate::model::audit_event::{AuditCaller, AuditEvent, AuditRecord, OperationStatus, OperationType};
use crate::model::audit_filter::{AuditFilter, AuditName};
use crate::ports::audit_store::AuditStore;
use std::sync::Arc;

fn record(sequence: u64, name: &str, status: OperationStatus) -> Arc<AuditRecord> {
    let event = AuditEvent::auth(name, status, AuditCaller::default());
    let secs = i64::try_from(sequence).unwrap() * 10;
    Arc::new(AuditRecord::of(event, sequence, at(secs), format!("record-{sequence}")))
}

async fn newest(store: &dyn AuditStore, filter: AuditFilter, limit: usize) -> Vec<u64> {
    store.read_newest(filter, limit).await.unwrap().iter().map(|record| record.sequence).collect()
}

async fn oldest(store: &dyn AuditStore, filter: AuditFilter, limit: usize) -> Vec<u64> {
    store.read_oldest(filter, limit).await.unwrap().iter().map(|record| record.sequence).collect()
}

/// Checks an empty [`AuditStore`]. Leaves five records in it, the last with the number 5.
pub async fn check_audit_store(store: &dyn AuditStore) {
    assert_eq!(store.last_sequence().await.unwrap(), 0, "an empty log has no last record");
    assert!(newest(store, AuditFilter::default(), 10).await.is_empty(), "an empty log has no records");
    store.append(Vec::new()).await.unwrap();
    store.append(vec![record(1, "a", OperationStatus::Success), record(2, "b", OperationStatus::Error)]).await.unwrap();
    store.append(vec![record(3, "a", OperationStatus::Error)]).await.unwrap();
    store
        .append(vec![record(4, "c", OperationStatus::Success), record(5, "a", OperationStatus::Success)])
        .await
        .unwrap();
    store.sync().await.unwrap();
    assert_eq!(store.last_sequence().await.unwrap(), 5, "the last number is that of the last record");
    records_come_newest_first(store).await;
    a_filter_counts_before_the_limit(store).await;
    records_come_back_whole(store).await;
}

async fn records_come_newest_first(store: &dyn AuditStore) {
    assert_eq!(newest(store, AuditFilter::default(), 10).await, [5, 4, 3, 2, 1]);
    assert_eq!(newest(store, AuditFilter::default(), 2).await, [5, 4]);
    assert!(newest(store, AuditFilter::default(), 0).await.is_empty());
}

async fn a_filter_counts_before_the_limit(store: &dyn AuditStore) {
    let either = ["a", "b"].map(|name| AuditName::Event(name.to_owned())).to_vec();
    let named = AuditFilter { names: either, ..AuditFilter::default() };
    assert_eq!(newest(store, named.clone(), 3).await, [5, 3, 2]);
    let failed = AuditFilter { statuses: vec![OperationStatus::Error], ..named };
    assert_eq!(newest(store, failed, 10).await, [3, 2]);
    let recent = AuditFilter { since: Some(at(40)), ..AuditFilter::default() };
    assert_eq!(newest(store, recent, 10).await, [5, 4], "the first instant counts");
    let tools = AuditFilter { kinds: vec![OperationType::Tool], ..AuditFilter::default() };
    assert!(newest(store, tools, 10).await.is_empty());
    let middle = AuditFilter { after: Some(2), up_to: Some(4), ..AuditFilter::default() };
    assert_eq!(newest(store, middle.clone(), 10).await, [4, 3]);
    assert_eq!(oldest(store, middle, 10).await, [3, 4]);
    assert_eq!(oldest(store, AuditFilter { after: Some(1), ..AuditFilter::default() }, 2).await, [2, 3]);
    assert!(oldest(store, AuditFilter { after: Some(5), ..AuditFilter::default() }, 2).await.is_empty());
    assert!(oldest(store, AuditFilter::default(), 0).await.is_empty());
}

async fn records_come_back_whole(store: &dyn AuditStore) {
    let mut read = store.read_newest(AuditFilter::default(), 1).await.unwrap().remove(0);
    // A store that chains its records adds these.
    (read.prev_hash, read.record_hash) = (None, None);
    assert_eq!(&read, record(5, "a", OperationStatus::Success).as_ref());
}

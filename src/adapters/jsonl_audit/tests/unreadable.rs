//! Records whose lines are whole but cannot be read again.

use super::*;
use serde_json::{Value, json};
use std::ops::ControlFlow;

const FILE: &str = "logs-default-20261123T100712.jsonl";
const NOTHING: [&str; 0] = [];

/// A record nested deeper than any reader follows.
fn deep(sequence: u64) -> Arc<AuditRecord> {
    let mut record = record(sequence, "deep", START).as_ref().clone();
    record.input_data = Some((0..200).fold(Value::Null, |inner, _| json!([inner])));
    Arc::new(record)
}

/// A log of four records, of which two cannot be read.
async fn log_with_deep_records() -> (Log, JsonlAuditStore) {
    let log = Log::new();
    let store = log.open(START, LARGE);
    store.append(vec![record(1, "one", START), deep(2), record(3, "three", START), deep(4)]).await.unwrap();
    store.sync().await.unwrap();
    (log, store)
}

fn named(name: &str) -> AuditFilter {
    AuditFilter { names: vec![AuditName::Event(name.to_owned())], ..AuditFilter::default() }
}

fn after(number: u64) -> AuditFilter {
    AuditFilter { after: Some(number), ..AuditFilter::default() }
}

/// What is told after `read`.
fn told<T>(log: &Log, read: impl FnOnce(&JsonlAuditReader) -> T) -> Vec<String> {
    let reader = log.reader();
    drop(read(&reader));
    reader.take_damage()
}

fn both(log: &Log) -> [String; 1] {
    let path = log.folder().join(FILE);
    [format!("2 records in {} cannot be read and are missing here, the first with the number 2", path.display())]
}

fn one(log: &Log, number: u64) -> [String; 1] {
    let path = log.folder().join(FILE);
    [format!("the record with the number {number} in {} cannot be read and is missing here", path.display())]
}

#[actix::test]
async fn a_record_that_cannot_be_read_hides_no_other_and_is_told() {
    let (log, _store) = log_with_deep_records().await;
    let all = AuditFilter::default();
    assert_eq!(log.all_names(), ["three", "one"]);
    assert_eq!(told(&log, |reader| reader.read_newest(&all, 9)), both(&log));
    assert_eq!(told(&log, |reader| reader.read_newest_quietly(&named("deep"), 9)), both(&log));
    assert_eq!(told(&log, |reader| reader.read_oldest(&all, 9)), both(&log));
    assert_eq!(told(&log, |reader| reader.visit_newest_first(&all, |_| ControlFlow::Continue(()))), both(&log));
}

#[actix::test]
async fn only_what_was_looked_for_is_told() {
    let (log, _store) = log_with_deep_records().await;
    assert_eq!(told(&log, |reader| reader.read_oldest(&named("three"), 9)), NOTHING);
    assert_eq!(told(&log, |reader| reader.read_oldest(&after(3), 9)), one(&log, 4));
    assert_eq!(told(&log, |reader| reader.read_oldest(&after(4), 9)), NOTHING);
}

#[actix::test]
async fn records_that_cannot_be_read_are_counted_and_numbers_go_on_after_them() {
    let (log, store) = log_with_deep_records().await;
    assert_eq!(store.count(AuditFilter::default()).await.unwrap().total_records, 4);
    assert_eq!(store.count(named("deep")).await.unwrap().total_records, 2);
    assert_eq!(log.reader().last_sequence().unwrap(), 4);
    drop(store);
    assert_eq!(log.open(START, LARGE).last_sequence().await, Ok(4));
}

#[actix::test]
async fn of_many_files_those_that_were_needed_tell() {
    let log = Log::new();
    for hour in 10..14 {
        let store = log.open(&format!("2026-11-23T{hour}:00:00Z"), 1);
        store.append(vec![deep(hour * 2), record(hour * 2 + 1, "call", START)]).await.unwrap();
        store.sync().await.unwrap();
    }
    assert_eq!(log.files().len(), 4);
    assert_eq!(told(&log, |reader| reader.read_newest(&AuditFilter::default(), 9)).len(), 4);
    assert_eq!(told(&log, |reader| reader.read_newest(&AuditFilter::default(), 1)), NOTHING);
}

#[actix::test]
async fn each_is_told_once() {
    let (log, store) = log_with_deep_records().await;
    let reader = log.reader();
    let news = || {
        drop(reader.read_oldest(&AuditFilter::default(), 9).unwrap());
        reader.take_damage()
    };
    assert_eq!(news(), both(&log));
    assert_eq!(news(), NOTHING);
    store.append(vec![deep(5)]).await.unwrap();
    assert_eq!(news(), one(&log, 5));
}

#[actix::test]
async fn a_line_that_no_server_wrote_is_no_loss() {
    let log = Log::new();
    log.write(FILE, "{\"torn\n");
    assert_eq!(told(&log, |reader| reader.read_newest(&AuditFilter::default(), 9)), NOTHING);
}

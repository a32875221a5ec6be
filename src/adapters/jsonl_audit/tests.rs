mod durability;
mod unreadable;
mod upkeep;
mod verification;

use super::{AuditFileSettings, JsonlAuditReader, JsonlAuditStore};
use mxcp_actors::model::audit_event::{AuditCaller, AuditEvent, AuditRecord, OnFailure, OperationStatus};
use mxcp_actors::model::audit_filter::{AuditFilter, AuditName};
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::ports::audit_store::AuditStore;
use mxcp_actors::ports::clock::Clock;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const START: &str = "2026-11-23T10:07:12Z";
const LARGE: u64 = 1024 * 1024;

const SETTINGS: AuditFileSettings = AuditFileSettings {
    max_file_size: LARGE,
    is_daily: true,
    is_compressed: true,
    retention: Duration::from_secs(90 * 24 * 60 * 60),
    is_strict: false,
    on_failure: OnFailure::Deny,
};

#[derive(Debug)]
struct FixedClock(Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// A log in a folder of its own.
struct Log {
    folder: TempDir,
}

impl Log {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    fn folder(&self) -> PathBuf {
        self.folder.path().join("audit")
    }

    fn path(&self) -> PathBuf {
        self.folder().join("logs-default.jsonl")
    }

    /// A start of the daemon at `now`.
    fn open(&self, now: &str, max_file_size: u64) -> JsonlAuditStore {
        self.open_with(now, AuditFileSettings { max_file_size, ..SETTINGS })
    }

    fn open_with(&self, now: &str, settings: AuditFileSettings) -> JsonlAuditStore {
        JsonlAuditStore::open(&self.path(), settings, Arc::new(FixedClock(at(now)))).unwrap()
    }

    fn reader(&self) -> JsonlAuditReader {
        JsonlAuditReader::new(&self.path()).unwrap()
    }

    /// The segments, and the files of older versions.
    fn files(&self) -> Vec<String> {
        let mut names = self.all_files();
        names.retain(|name| name.contains(".jsonl"));
        names
    }

    fn all_files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.folder().join(name)).unwrap()
    }

    fn write(&self, name: &str, content: &str) {
        fs::create_dir_all(self.folder()).unwrap();
        fs::write(self.folder().join(name), content).unwrap();
    }

    fn names(&self, filter: &AuditFilter, limit: usize) -> Vec<String> {
        let records = self.reader().read_newest(filter, limit).unwrap();
        records.into_iter().map(|record| record.operation_name).collect()
    }

    fn all_names(&self) -> Vec<String> {
        self.names(&AuditFilter::default(), usize::MAX)
    }
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn record(sequence: u64, name: &str, when: &str) -> Arc<AuditRecord> {
    let event = AuditEvent::auth(name, OperationStatus::Success, AuditCaller::default());
    Arc::new(AuditRecord::of(event, sequence, at(when), format!("record-{sequence}")))
}

fn line(sequence: u64, name: &str, when: &str) -> String {
    format!("{}\n", serde_json::to_string(record(sequence, name, when).as_ref()).unwrap())
}

async fn append(store: &JsonlAuditStore, sequence: u64, name: &str) {
    store.append(vec![record(sequence, name, START)]).await.unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[actix::test]
async fn what_was_appended_is_read_newest_first() {
    let log = Log::new();
    let store = log.open(START, LARGE);
    store.append(vec![record(1, "one", START), record(2, "two", START)]).await.unwrap();
    store.append(vec![record(3, "three", START)]).await.unwrap();
    let mut newest = store.read_newest(AuditFilter::default(), 2).await.unwrap();
    newest.iter_mut().for_each(|record| (record.prev_hash, record.record_hash) = (None, None));
    assert_eq!(newest, [record(3, "three", START).as_ref().clone(), record(2, "two", START).as_ref().clone()]);
    assert_eq!(store.last_sequence().await, Ok(3));
    assert_eq!(log.files(), ["logs-default-20261123T100712.jsonl"]);
}

#[actix::test]
async fn only_the_owner_can_read_the_log() {
    let log = Log::new();
    append(&log.open(START, LARGE), 1, "one").await;
    assert_eq!(mode(&log.folder()), 0o700);
    assert_eq!(mode(&log.folder().join("logs-default-20261123T100712.jsonl")), 0o600);
}

#[actix::test]
async fn a_start_without_records_leaves_no_file() {
    let log = Log::new();
    let store = log.open(START, LARGE);
    assert_eq!(store.last_sequence().await, Ok(0));
    store.sync().await.unwrap();
    assert!(log.files().is_empty());
}

#[actix::test]
async fn each_start_writes_its_own_file_and_numbers_go_on() {
    let log = Log::new();
    append(&log.open(START, LARGE), 7, "before").await;
    let store = log.open(START, LARGE);
    assert_eq!(store.last_sequence().await, Ok(7));
    append(&store, 8, "after").await;
    assert_eq!(log.files(), ["logs-default-20261123T100712-1.jsonl", "logs-default-20261123T100712.jsonl"]);
    assert_eq!(log.all_names(), ["after", "before"]);
}

#[actix::test]
async fn a_full_file_is_followed_by_a_new_one() {
    let log = Log::new();
    let store = log.open(START, 600);
    for number in 1..=5 {
        append(&store, number, &format!("call-{number}")).await;
    }
    assert!(log.files().len() > 1, "{:?}", log.files());
    for file in log.files() {
        let length = fs::metadata(log.folder().join(file)).unwrap().len();
        assert!((1..600 + 900).contains(&length), "{length}");
    }
    assert_eq!(log.all_names(), ["call-5", "call-4", "call-3", "call-2", "call-1"]);
    store.sync().await.unwrap();
}

#[actix::test]
async fn a_file_that_was_removed_under_the_daemon_is_replaced() {
    let log = Log::new();
    let store = log.open(START, LARGE);
    append(&store, 1, "removed").await;
    fs::remove_file(log.folder().join(&log.files()[0])).unwrap();
    append(&store, 2, "kept").await;
    assert_eq!(log.all_names(), ["kept"]);
}

#[actix::test]
async fn a_line_that_a_crash_tore_hides_no_other() {
    let log = Log::new();
    let whole = line(4, "whole", START);
    let torn = &line(5, "torn", START)[..80];
    log.write("logs-default-20261123T100000.jsonl", &format!("{whole}{torn}"));
    let store = log.open(START, LARGE);
    assert_eq!(store.last_sequence().await, Ok(4));
    append(&store, 5, "next").await;
    assert_eq!(log.all_names(), ["next", "whole"]);
}

#[test]
fn garbage_between_records_is_skipped() {
    let log = Log::new();
    let content = format!("{}not json\n{{\"a\":1}}\n\u{0}\u{0}\n{}", line(1, "one", START), line(2, "two", START));
    log.write("logs-default-20261123T100712.jsonl", &content);
    assert_eq!(log.all_names(), ["two", "one"]);
}

#[actix::test]
async fn numbers_go_on_after_empty_files_and_files_of_writers_without_numbers() {
    let log = Log::new();
    log.write("logs-default-20261123T100000.jsonl", &line(9, "numbered", START));
    log.write("logs-default-20261123T100100.jsonl", &line(0, "unnumbered", START).replace("\"sequence\":0,", ""));
    log.write("logs-default-20261123T100200.jsonl", "");
    assert_eq!(log.open(START, LARGE).last_sequence().await, Ok(9));
    assert_eq!(log.all_names(), ["unnumbered", "numbered"]);
}

#[test]
fn the_single_file_of_older_versions_is_the_oldest_and_schemas_are_left_alone() {
    let log = Log::new();
    log.write("logs-default.jsonl", &line(1, "oldest", START));
    log.write("logs-default_schemas.jsonl", &line(2, "schema", START));
    log.write("logs-default-20200101T000000.jsonl", &line(3, "newer", START));
    assert_eq!(log.all_names(), ["newer", "oldest"]);
}

#[test]
fn reading_a_log_that_does_not_exist_creates_nothing() {
    let log = Log::new();
    assert!(log.all_names().is_empty());
    assert!(!log.folder().exists());
}

#[test]
fn a_search_by_time_finds_records_from_then_on_in_every_zone() {
    let log = Log::new();
    let content = [
        line(1, "day-before", "2026-11-22T10:00:00Z"),
        line(2, "just-before", "2026-11-23T09:59:59.999999Z"),
        line(3, "on-time", "2026-11-23T10:00:00Z"),
        line(4, "clock-set-back", "2026-11-23T09:30:00Z"),
        line(5, "after", "2026-11-23T12:30:00Z").replace("T12:30:00Z", "T02:30:00-10:00"),
    ];
    log.write("logs-default-20261122T090000.jsonl", &content.concat());
    let filter = AuditFilter { since: Some(at("2026-11-23T10:00:00Z")), ..AuditFilter::default() };
    assert_eq!(log.names(&filter, usize::MAX), ["after", "on-time"]);
}

#[test]
fn many_files_are_searched_at_once_and_answered_in_order() {
    let log = Log::new();
    for file in 0..12 {
        let lines: Vec<_> = (0..50)
            .map(|at| (file * 50 + at + 1, if at % 10 == 0 { "rare" } else { "common" }))
            .map(|(number, name)| line(number, name, &format!("2026-11-23T10:{file:02}:00Z")))
            .collect();
        log.write(&format!("logs-default-20261123T10{file:02}00.jsonl"), &lines.concat());
    }
    let rare = |rest| AuditFilter { names: vec![AuditName::Event("rare".to_owned())], ..rest };
    let numbers = |filter: &AuditFilter, limit| {
        let records = log.reader().read_newest(filter, limit).unwrap();
        records.iter().map(|record| record.sequence).collect::<Vec<_>>()
    };
    let all: Vec<u64> = (0..60).rev().map(|at| at * 10 + 1).collect();
    for limit in [1, 4, 5, 6, 23, 60, 1_000] {
        assert_eq!(numbers(&rare(AuditFilter::default()), limit), all[..limit.min(60)], "{limit}");
    }
    assert_eq!(
        numbers(&rare(AuditFilter { after: Some(295), up_to: Some(330), ..AuditFilter::default() }), 9),
        [321, 311, 301]
    );
    let oldest =
        log.reader().read_oldest(&rare(AuditFilter { after: Some(295), ..AuditFilter::default() }), 3).unwrap();
    assert_eq!(oldest.iter().map(|record| record.sequence).collect::<Vec<_>>(), [301, 311, 321]);
    assert_eq!(log.reader().last_sequence().unwrap(), 600);
}

#[test]
fn the_limit_counts_the_records_that_the_filter_accepts() {
    let log = Log::new();
    let content: Vec<_> =
        (1..=10).map(|number| line(number, if number % 2 == 0 { "even" } else { "odd" }, START)).collect();
    log.write("logs-default-20261123T100712.jsonl", &content.concat());
    let filter = AuditFilter { names: vec![AuditName::Event("odd".to_owned())], ..AuditFilter::default() };
    assert_eq!(log.names(&filter, 3), ["odd", "odd", "odd"]);
    assert!(log.names(&filter, 0).is_empty());
}

#[test]
fn a_folder_that_cannot_be_created_is_told_at_the_start() {
    let log = Log::new();
    fs::write(log.folder(), "a file").unwrap();
    let refused = JsonlAuditStore::open(&log.path(), SETTINGS, Arc::new(FixedClock(at(START)))).unwrap_err();
    assert!(refused.to_string().starts_with("cannot create the audit folder "), "{refused}");
}

#[actix::test]
async fn a_search_that_nobody_waits_for_ends_and_one_that_takes_too_long_fails() {
    let log = Log::new();
    log.write("logs-default-20261123T100000.jsonl", &line(1, "call", START).repeat(2_000));
    let (patience, waiting) = super::patience::Patience::for_time(Duration::from_secs(60));
    let reader = log.reader().with_patience(patience);
    let all = AuditFilter::default();
    assert_eq!(reader.read_newest(&all, usize::MAX).unwrap().len(), 2_000);
    drop(waiting);
    let too_long = |outcome: Result<(), super::AuditFileError>| {
        assert!(outcome.unwrap_err().to_string().contains("took too long"));
    };
    let mut seen = 0;
    too_long(reader.visit_oldest_first(&all, |_, _| {
        seen += 1;
        std::ops::ControlFlow::Continue(())
    }));
    assert!(seen < 600, "{seen}");
    too_long(reader.read_newest(&all, usize::MAX).map(drop));
    let (over, _waiting) = super::patience::Patience::for_time(Duration::ZERO);
    too_long(log.reader().with_patience(over).count(&all).map(drop));
}

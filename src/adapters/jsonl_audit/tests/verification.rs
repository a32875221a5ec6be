use super::super::segments::Segments;
use super::super::{FaultKind, Link, Verification, verify};
use super::*;

/// A log of nine records in three segments, of which the first is compressed.
async fn three_segments() -> Log {
    let log = Log::new();
    for (start, first) in [("2026-11-23T10:00:00Z", 1), ("2026-11-23T11:00:00Z", 4), ("2026-11-23T12:00:00Z", 7)] {
        let store = log.open(start, LARGE);
        for number in first..first + 3 {
            append(&store, number, &format!("call-{number}")).await;
        }
        store.sync().await.unwrap();
        if first == 4 {
            store.tend().await.unwrap();
        }
    }
    assert_eq!(log.files(), [FIRST, SECOND, THIRD]);
    log
}

/// The single file of older versions.
const OLD: &str = "logs-default.jsonl";
const HEAD: &str = "logs-default.head";
const FIRST: &str = "logs-default-20261123T100000.jsonl.gz";
const SECOND: &str = "logs-default-20261123T110000.jsonl";
const THIRD: &str = "logs-default-20261123T120000.jsonl";

fn found(log: &Log) -> Verification {
    verify(&log.path(), &[]).unwrap()
}

/// The faults, as file, line, number and kind.
fn faults(log: &Log) -> Vec<(String, u64, Option<u64>, FaultKind)> {
    found(log).faults.into_iter().map(|fault| (fault.file, fault.line, fault.sequence, fault.kind)).collect()
}

fn at_place(file: &str, line: u64, sequence: u64, kind: FaultKind) -> (String, u64, Option<u64>, FaultKind) {
    (file.to_owned(), line, Some(sequence), kind)
}

fn change_lines(log: &Log, file: &str, change: impl FnOnce(&mut Vec<String>)) {
    let mut lines: Vec<String> = log.text(file).lines().map(str::to_owned).collect();
    change(&mut lines);
    log.write(file, &lines.into_iter().map(|line| line + "\n").collect::<String>());
}

#[actix::test]
async fn a_log_over_restarts_and_compressed_files_is_whole() {
    let found = found(&three_segments().await);
    assert!(found.is_intact(), "{:?}", found.faults);
    assert_eq!((found.records, found.files), (9, 3));
    assert_eq!((found.first_sequence, found.last_sequence), (Some(1), Some(9)));
}

#[test]
fn a_log_that_does_not_exist_is_whole() {
    let log = Log::new();
    assert!(found(&log).is_intact());
    assert!(!log.folder().exists());
}

#[actix::test]
async fn the_chain_begins_after_records_of_older_versions() {
    let log = Log::new();
    log.write(OLD, &(line(0, "oldest", START) + &line(1, "old", START) + &line(2, "old", START)));
    let store = log.open(START, LARGE);
    assert_eq!(store.last_sequence().await, Ok(2));
    append(&store, 3, "new").await;
    let found = found(&log);
    assert!(found.is_intact(), "{:?}", found.faults);
    assert_eq!((found.unchained, found.records, found.first_sequence), (3, 1, Some(3)));
    assert!(log.text("logs-default-20261123T100712.jsonl").contains("\"prev_hash\":null,"));
}

#[actix::test]
async fn a_changed_record_is_found() {
    let log = three_segments().await;
    change_lines(&log, SECOND, |lines| lines[1] = lines[1].replace("call-5", "call-0"));
    assert_eq!(faults(&log), [at_place(SECOND, 2, 5, FaultKind::Changed)]);
}

#[actix::test]
async fn a_changed_record_with_a_new_hash_is_found_by_the_next_one() {
    let log = three_segments().await;
    change_lines(&log, SECOND, |lines| {
        let changed = lines[1].replace("call-5", "call-0");
        let (hashed, _) = changed.split_once(",\"record_hash\"").unwrap();
        lines[1] = format!("{hashed},\"record_hash\":\"{}\"}}", super::super::RecordHash::of(hashed.as_bytes()));
    });
    assert_eq!(faults(&log), [at_place(SECOND, 3, 6, FaultKind::Replaced)]);
}

#[actix::test]
async fn a_removed_record_is_found() {
    let log = three_segments().await;
    change_lines(&log, SECOND, |lines| drop(lines.remove(0)));
    assert_eq!(faults(&log), [at_place(SECOND, 1, 5, FaultKind::Missing { first: 4, last: 4 })]);
}

#[actix::test]
async fn moved_records_are_found() {
    let log = three_segments().await;
    change_lines(&log, SECOND, |lines| lines.swap(0, 1));
    let missing = FaultKind::Missing { first: 4, last: 4 };
    let misplaced = FaultKind::Misplaced { found_before: 5 };
    let gap = FaultKind::Missing { first: 5, last: 5 };
    let expected = [at_place(SECOND, 1, 5, missing), at_place(SECOND, 2, 4, misplaced), at_place(SECOND, 3, 6, gap)];
    assert_eq!(faults(&log), expected);
}

#[actix::test]
async fn a_record_that_is_there_twice_is_found() {
    let log = three_segments().await;
    change_lines(&log, SECOND, |lines| lines.insert(1, lines[0].clone()));
    assert_eq!(faults(&log), [at_place(SECOND, 2, 4, FaultKind::Misplaced { found_before: 4 })]);
}

#[actix::test]
async fn a_line_that_somebody_added_is_found() {
    let log = three_segments().await;
    change_lines(&log, SECOND, |lines| lines.insert(1, line(5, "made up", START).trim_end().to_owned()));
    assert_eq!(faults(&log), [(SECOND.to_owned(), 2, None, FaultKind::NotChained)]);
}

#[actix::test]
async fn a_line_that_somebody_added_before_the_first_record_is_found() {
    let log = Log::new();
    let store = log.open(START, LARGE);
    append(&store, 1, "first").await;
    store.sync().await.unwrap();
    let first = log.files().remove(0);
    let forged = line(0, "made up", "2020-01-01T00:00:00Z");
    change_lines(&log, &first, |lines| lines.insert(0, forged.trim_end().to_owned()));
    assert_eq!(faults(&log), [(first, 1, None, FaultKind::NotChained)]);
    let log = three_segments().await;
    let file = "logs-default-20200101T000000.jsonl";
    log.write(file, &forged);
    assert_eq!(faults(&log), [(file.to_owned(), 1, None, FaultKind::NotChained)]);
    assert_eq!(found(&log).unchained, 0);
    log.write(file, forged.trim_end());
    assert_eq!(faults(&log), [(file.to_owned(), 1, None, FaultKind::Torn)]);
}

#[actix::test]
async fn no_line_of_the_file_of_older_versions_is_younger_than_the_chain() {
    let log = three_segments().await;
    // The first chained record is compressed, and of that time.
    let lines = [
        line(0, "old", "2026-11-23T10:00:00Z"),
        line(0, "just before", START),
        line(0, "made up", "2026-11-23T10:07:12.000001Z"),
        "not dated\n".to_owned(),
        line(0, "old", "2026-11-23T12:07:11+02:00"),
        line(0, "made up and torn", "2026-11-23T11:00:00Z").trim_end().to_owned(),
    ];
    log.write(OLD, &lines.concat());
    assert_eq!(faults(&log), [3, 6].map(|number| (OLD.to_owned(), number, None, FaultKind::NotChained)));
    assert_eq!(found(&log).unchained, 4);
}

#[actix::test]
async fn a_removed_segment_is_found() {
    let log = three_segments().await;
    fs::remove_file(log.folder().join(SECOND)).unwrap();
    assert_eq!(faults(&log), [at_place(THIRD, 1, 7, FaultKind::Missing { first: 4, last: 6 })]);
}

#[actix::test]
async fn a_removed_beginning_is_found() {
    let log = three_segments().await;
    fs::remove_file(log.folder().join(FIRST)).unwrap();
    assert_eq!(faults(&log), [at_place(SECOND, 1, 4, FaultKind::BeginningMissing)]);
}

#[actix::test]
async fn a_removed_end_is_found_by_the_head() {
    let log = three_segments().await;
    change_lines(&log, THIRD, |lines| lines.truncate(1));
    assert_eq!(faults(&log), [(THIRD.to_owned(), 0, Some(7), FaultKind::EndMissing { last: 9 })]);
    fs::remove_file(log.folder().join(THIRD)).unwrap();
    assert_eq!(faults(&log), [(SECOND.to_owned(), 0, Some(6), FaultKind::EndMissing { last: 9 })]);
    for file in log.files() {
        fs::remove_file(log.folder().join(file)).unwrap();
    }
    assert_eq!(faults(&log), [("logs-default.head".to_owned(), 0, None, FaultKind::EndMissing { last: 9 })]);
}

#[actix::test]
async fn a_removed_end_stays_found_when_the_daemon_goes_on() {
    let log = three_segments().await;
    change_lines(&log, THIRD, |lines| lines.truncate(1));
    let store = log.open("2026-11-23T13:00:00Z", LARGE);
    let notices = store.notices().await.unwrap();
    assert_eq!(notices[0].operation_name, "audit.gap");
    assert_eq!(notices[0].input.as_ref().unwrap()["first_missing"], 8);
    assert_eq!(store.last_sequence().await, Ok(9), "numbers are not used twice");
    append(&store, 10, "next").await;
    store.sync().await.unwrap();
    let missing = FaultKind::Missing { first: 8, last: 9 };
    assert_eq!(faults(&log), [at_place("logs-default-20261123T130000.jsonl", 1, 10, missing)]);
}

/// What somebody does who wants the last two records forgotten.
async fn without_end_and_head() -> Log {
    let log = three_segments().await;
    change_lines(&log, THIRD, |lines| lines.truncate(1));
    fs::remove_file(log.folder().join(HEAD)).unwrap();
    log
}

#[actix::test]
async fn an_end_that_is_removed_together_with_the_head_is_found() {
    let log = without_end_and_head().await;
    assert_eq!(faults(&log), [(HEAD.to_owned(), 0, None, FaultKind::HeadMissing)]);
}

#[actix::test]
async fn a_start_without_the_head_hides_nothing_before_a_record_tells_of_it() {
    let log = without_end_and_head().await;
    let store = log.open("2026-11-23T13:00:00Z", LARGE);
    append(&store, 8, "a call that is faster").await;
    store.sync().await.unwrap();
    let missing = (HEAD.to_owned(), 0, None, FaultKind::HeadMissing);
    assert_eq!(faults(&log), std::slice::from_ref(&missing));
    drop(store);
    let store = log.open("2026-11-23T14:00:00Z", LARGE);
    let notices = store.notices().await.unwrap();
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].operation_name, "audit.head_missing");
    assert_eq!(notices[0].input.as_ref().unwrap()["trusted_from"], 9);
    let told = Arc::new(AuditRecord::of(notices[0].clone(), 9, at(START), "r".to_owned()));
    store.append(vec![told]).await.unwrap();
    store.sync().await.unwrap();
    assert!(faults(&log).contains(&missing), "not before it is written for certain");
    store.forget_notices().await.unwrap();
    assert!(log.text(HEAD).starts_with("{\"sequence\":9,"));
    append(&store, 10, "next").await;
    store.sync().await.unwrap();
    let told = at_place("logs-default-20261123T140000.jsonl", 1, 9, FaultKind::HeadWasMissing);
    assert_eq!(faults(&log), [told], "the record stays a fault");
    drop(store);
    let store = log.open("2026-11-23T15:00:00Z", LARGE);
    assert!(store.notices().await.unwrap().is_empty(), "it is told once");
}

#[actix::test]
async fn a_log_of_older_versions_needs_no_head_and_gets_one_with_its_first_record() {
    let log = Log::new();
    log.write(OLD, &(line(1, "old", START) + &line(2, "old", START)));
    assert!(found(&log).is_intact());
    let store = log.open(START, LARGE);
    assert!(store.notices().await.unwrap().is_empty());
    append(&store, 3, "new").await;
    assert_eq!(log.text(HEAD), "{\"sequence\":2,\"record_hash\":null}");
    assert!(found(&log).is_intact());
}

#[actix::test]
async fn a_record_that_was_noted_elsewhere_has_to_be_there_with_its_hash() {
    let log = three_segments().await;
    let newest = found(&log).newest.unwrap();
    assert_eq!(newest.sequence, 9);
    let expecting = |expected: &[Link]| {
        let found = verify(&log.path(), expected).unwrap();
        found.faults.into_iter().map(|fault| (fault.file, fault.sequence, fault.kind)).collect::<Vec<_>>()
    };
    assert_eq!(expecting(&[newest]), []);
    let other = Link { sequence: 8, ..newest };
    assert_eq!(expecting(&[newest, other]), [(THIRD.to_owned(), Some(8), FaultKind::ExpectedOther)]);
    // Everything is gone, the head too, and the log was begun anew.
    for file in log.all_files() {
        fs::remove_file(log.folder().join(file)).unwrap();
    }
    assert_eq!(expecting(&[newest]), [(HEAD.to_owned(), Some(9), FaultKind::ExpectedMissing)]);
    let store = log.open("2026-11-23T13:00:00Z", LARGE);
    append(&store, 1, "anew").await;
    store.sync().await.unwrap();
    assert_eq!(expecting(&[]), [], "the log itself cannot know");
    let file = "logs-default-20261123T130000.jsonl".to_owned();
    assert_eq!(expecting(&[newest]), [(file, Some(9), FaultKind::ExpectedMissing)]);
}

#[actix::test]
async fn a_caller_cannot_tell_in_the_name_of_the_log() {
    let log = three_segments().await;
    let store = log.open("2026-11-23T13:00:00Z", LARGE);
    // The hash that the second segment's first line is tied to.
    let tied = log.text(SECOND).split_once("\"prev_hash\":\"").unwrap().1[..64].to_owned();
    for (number, name) in [(10, "audit.segments_removed"), (11, "audit.head_missing")] {
        let mut event = AuditEvent::auth(name, OperationStatus::Error, AuditCaller::default());
        event.operation_type = mxcp_actors::model::audit_event::OperationType::Tool;
        event.input = Some(serde_json::json!({
            "segments": [{"file": FIRST, "records": 3, "last_sequence": 3, "last_hash": tied}],
        }));
        store.append(vec![Arc::new(AuditRecord::of(event, number, at(START), "r".to_owned()))]).await.unwrap();
    }
    fs::remove_file(log.folder().join(FIRST)).unwrap();
    assert_eq!(faults(&log), [at_place(SECOND, 1, 4, FaultKind::BeginningMissing)]);
}

#[actix::test]
async fn a_damaged_compressed_file_is_a_fault() {
    let log = three_segments().await;
    let path = log.folder().join(FIRST);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(faults(&log).iter().any(|fault| fault.0 == FIRST && fault.3 == FaultKind::Unreadable));
}

#[actix::test]
async fn any_changed_byte_of_a_segment_is_found() {
    let log = three_segments().await;
    let whole = fs::read(log.folder().join(SECOND)).unwrap();
    for at in (0..whole.len()).step_by(7) {
        let mut changed = whole.clone();
        changed[at] ^= 0x04;
        fs::write(log.folder().join(SECOND), &changed).unwrap();
        assert!(!found(&log).is_intact(), "byte {at}");
    }
}

#[actix::test]
async fn a_head_that_nobody_wrote_here_is_a_fault_and_told() {
    let log = three_segments().await;
    for content in ["{}", "", "{\"sequence\":9"] {
        log.write(HEAD, content);
        assert_eq!(faults(&log), [(HEAD.to_owned(), 0, None, FaultKind::HeadUnreadable)]);
    }
    let notices = log.open("2026-11-23T13:00:00Z", LARGE).notices().await.unwrap();
    assert_eq!(notices[0].operation_name, "audit.head_missing");
}

#[actix::test]
async fn what_is_no_file_is_none_of_the_log() {
    let log = three_segments().await;
    fs::create_dir(log.folder().join("logs-default-20261123T235959.jsonl")).unwrap();
    let fifo = log.folder().join("logs-default-20261123T235958.jsonl");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    assert!(found(&log).is_intact());
    assert_eq!(log.open(START, LARGE).last_sequence().await, Ok(found(&log).records));
    // A link to it is followed, and never waited for.
    let link = "logs-default-20261123T235957.jsonl";
    std::os::unix::fs::symlink(&fifo, log.folder().join(link)).unwrap();
    let message = verify(&log.path(), &[]).unwrap_err().to_string();
    assert!(message.contains(link) && message.ends_with("it is no regular file"), "{message}");
}

#[actix::test]
async fn a_note_of_removed_files_that_cannot_be_read_keeps_nothing_back() {
    let log = three_segments().await;
    change_lines(&log, SECOND, |lines| drop(lines.remove(0)));
    let before = faults(&log);
    assert!(!before.is_empty());
    let note = Segments::new(&log.path()).unwrap().new_note_path(at(START));
    fs::write(&note, "damaged").unwrap();
    assert_eq!(faults(&log), before);
    assert!(log.open(START, LARGE).notices().await.is_ok());
}

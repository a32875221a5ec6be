use super::super::{FaultKind, Verification, verify};
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

const FIRST: &str = "logs-default-20261123T100000.jsonl.gz";
const SECOND: &str = "logs-default-20261123T110000.jsonl";
const THIRD: &str = "logs-default-20261123T120000.jsonl";

fn found(log: &Log) -> Verification {
    verify(&log.path()).unwrap()
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
    log.write("logs-default.jsonl", &line(0, "oldest", START));
    log.write("logs-default-20261123T090000.jsonl", &(line(1, "old", START) + &line(2, "old", START)));
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
async fn a_head_that_nobody_wrote_here_is_a_fault() {
    let log = three_segments().await;
    log.write("logs-default.head", "{}");
    assert_eq!(faults(&log), [("logs-default.head".to_owned(), 0, None, FaultKind::HeadUnreadable)]);
}

use super::super::verify;
use super::*;

const FILE: &str = "logs-default-20261123T100712.jsonl";
const HEAD: &str = "logs-default.head";

/// A log of three records whose process was killed before it could note its head.
async fn killed() -> Log {
    let log = Log::new();
    let store = log.open(START, LARGE);
    for number in 1..=3 {
        append(&store, number, &format!("call-{number}")).await;
    }
    log
}

/// What the next start has to tell.
async fn told(log: &Log) -> (Vec<serde_json::Value>, JsonlAuditStore) {
    let store = log.open("2026-11-23T11:00:00Z", LARGE);
    let notices = store.notices().await.unwrap();
    assert!(notices.iter().all(|notice| notice.operation_name == "audit.repaired"), "{notices:?}");
    (notices.into_iter().map(|notice| notice.input.unwrap()).collect(), store)
}

#[actix::test]
async fn records_beyond_the_head_are_no_fault() {
    let log = killed().await;
    assert_eq!(log.text(HEAD), "{\"sequence\":0,\"record_hash\":null}", "there from before the first record on");
    let store = log.open(START, LARGE);
    append(&store, 4, "noted").await;
    store.sync().await.unwrap();
    append(&store, 5, "not noted").await;
    let found = verify(&log.path(), &[]).unwrap();
    assert!(found.is_intact(), "{:?}", found.faults);
    assert!(log.text(HEAD).starts_with("{\"sequence\":4,"));
}

#[actix::test]
async fn a_log_without_room_for_its_head_takes_no_record() {
    let log = Log::new();
    let store = log.open(START, LARGE);
    fs::create_dir(log.folder().join(HEAD)).unwrap();
    let refused = store.append(vec![record(1, "one", START)]).await.unwrap_err();
    assert!(refused.detail.starts_with("cannot write the head of the audit log "), "{}", refused.detail);
    assert!(log.files().is_empty());
    fs::remove_dir(log.folder().join(HEAD)).unwrap();
    append(&store, 1, "one").await;
    assert!(verify(&log.path(), &[]).unwrap().is_intact());
}

/// Whatever a kill leaves of the first record's way to the disk: the files in the order in which
/// they come to be, the last one in parts.
#[actix::test]
async fn a_kill_at_any_moment_of_the_first_record_leaves_no_fault() {
    let log = Log::new();
    append(&log.open(START, LARGE), 1, "one").await;
    let (head, whole) = (log.text(HEAD), log.text(FILE));
    let check = |log: &Log, length: usize| {
        let found = verify(&log.path(), &[]).unwrap();
        assert!(found.is_intact(), "{length}: {:?}", found.faults);
        let store = log.open("2026-11-23T11:00:00Z", LARGE);
        drop(store);
        assert!(verify(&log.path(), &[]).unwrap().is_intact(), "{length}: after a start");
    };
    let empty = Log::new();
    empty.write("logs-default.head.tmp", "{\"sequ");
    check(&empty, 0);
    let begun = Log::new();
    begun.write(HEAD, &head);
    check(&begun, 0);
    for length in (0..=whole.len()).step_by(31).chain([whole.len() - 1, whole.len()]) {
        let torn = Log::new();
        torn.write(HEAD, &head);
        torn.write(FILE, &whole[..length]);
        check(&torn, length);
    }
}

#[actix::test]
async fn a_torn_line_is_taken_away_and_told() {
    let log = killed().await;
    let whole = log.text(FILE);
    let torn = whole.len() - 100;
    log.write(FILE, &whole[..torn]);
    assert!(verify(&log.path(), &[]).unwrap().is_end_torn);
    let (told, store) = told(&log).await;
    let end = whole[..torn].rfind('\n').unwrap() + 1;
    assert_eq!(told, [serde_json::json!({"file": FILE, "repair": "unfinished_line_removed", "bytes": torn - end})]);
    assert_eq!(log.text(FILE), whole[..end]);
    assert_eq!(store.last_sequence().await, Ok(2));
    append(&store, 3, "next").await;
    assert!(verify(&log.path(), &[]).unwrap().is_intact());
}

#[actix::test]
async fn a_whole_line_without_its_break_is_kept() {
    let log = killed().await;
    let whole = log.text(FILE);
    log.write(FILE, whole.trim_end());
    let (told, store) = told(&log).await;
    assert_eq!(told, [serde_json::json!({"file": FILE, "repair": "line_break_added"})]);
    assert_eq!(log.text(FILE), whole);
    append(&store, 4, "next").await;
    assert!(verify(&log.path(), &[]).unwrap().is_intact());
}

#[actix::test]
async fn zeros_that_a_power_loss_left_are_taken_away() {
    let log = killed().await;
    let whole = log.text(FILE);
    log.write(FILE, &(whole.clone() + &"\0".repeat(100_000)));
    let (told, _store) = told(&log).await;
    assert_eq!(told[0]["bytes"], 100_000);
    assert_eq!(log.text(FILE), whole);
}

#[actix::test]
async fn a_file_that_is_only_a_torn_line_is_emptied() {
    let log = Log::new();
    log.write(FILE, "{\"schema_name\":\"mxcp.endp");
    let (told, store) = told(&log).await;
    assert_eq!((told.len(), log.text(FILE).as_str()), (1, ""));
    append(&store, 1, "next").await;
    assert!(verify(&log.path(), &[]).unwrap().is_intact());
}

#[actix::test]
async fn a_strict_log_is_on_the_disk_before_the_answer_and_goes_on_like_another() {
    let log = Log::new();
    let settings = AuditFileSettings { is_strict: true, ..SETTINGS };
    let store = log.open_with(START, settings);
    append(&store, 1, "one").await;
    append(&store, 2, "two").await;
    store.sync().await.unwrap();
    assert!(log.text(HEAD).starts_with("{\"sequence\":2,"));
    assert!(verify(&log.path(), &[]).unwrap().is_intact());
}

#[actix::test]
async fn half_compressed_files_of_a_crash_are_removed() {
    let log = killed().await;
    let unfinished = format!("{FILE}.gz.tmp");
    log.write(&unfinished, "half");
    log.open(START, LARGE);
    assert!(!log.all_files().contains(&unfinished));
}

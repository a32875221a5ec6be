use super::super::{find_expired, remove_expired, verify};
use super::*;
use mxcp_actors::model::audit_event::AuditEvent;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A clock that goes on when it is told to.
#[derive(Debug)]
struct SetClock(std::sync::atomic::AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.0.load(std::sync::atomic::Ordering::Relaxed))
    }
}

impl SetClock {
    fn new(text: &str) -> Arc<Self> {
        Arc::new(Self(at(text).as_secs().into()))
    }

    fn set(&self, text: &str) {
        self.0.store(at(text).as_secs(), std::sync::atomic::Ordering::Relaxed);
    }
}

/// Writes a record on each of the days.
async fn days(log: &Log, settings: AuditFileSettings, clock: &Arc<SetClock>) -> JsonlAuditStore {
    let store = JsonlAuditStore::open(&log.path(), settings, Arc::clone(clock) as _).unwrap();
    for (number, day) in (1..).zip(["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"]) {
        let now = format!("{day}T23:59:59Z");
        clock.set(&now);
        store.append(vec![record(number, "call", &now)]).await.unwrap();
    }
    store.sync().await.unwrap();
    store
}

/// Records what the store has to tell, as the audit log does.
async fn record_notices(store: &JsonlAuditStore, first: u64) -> Vec<AuditEvent> {
    let notices = store.notices().await.unwrap();
    for (number, notice) in (first..).zip(notices.clone()) {
        store.append(vec![Arc::new(AuditRecord::of(notice, number, at(START), "r".to_owned()))]).await.unwrap();
    }
    store.forget_notices().await.unwrap();
    notices
}

#[actix::test]
async fn each_day_in_utc_has_its_file() {
    let log = Log::new();
    let clock = SetClock::new(START);
    days(&log, SETTINGS, &clock).await;
    assert_eq!(log.files().len(), 4);
    let by_size = Log::new();
    days(&by_size, AuditFileSettings { is_daily: false, ..SETTINGS }, &clock).await;
    assert_eq!(by_size.files().len(), 1);
}

#[actix::test]
async fn closed_files_are_compressed_and_the_newest_is_not() {
    let log = Log::new();
    let clock = SetClock::new(START);
    let store = days(&log, SETTINGS, &clock).await;
    store.tend().await.unwrap();
    let compressed: Vec<bool> = log.files().iter().map(|name| name.contains(".gz")).collect();
    assert_eq!(compressed, [true, true, true, false]);
    assert_eq!(log.all_names().len(), 4);
    assert!(verify(&log.path(), &[]).unwrap().is_intact());
    let plain = Log::new();
    let store = days(&plain, AuditFileSettings { is_compressed: false, ..SETTINGS }, &clock).await;
    store.tend().await.unwrap();
    assert!(!plain.files().iter().any(|name| name.contains(".gz")));
}

#[actix::test]
async fn what_is_old_is_removed_and_told_and_no_alarm() {
    let log = Log::new();
    let clock = SetClock::new(START);
    let settings = AuditFileSettings { retention: 2 * DAY, ..SETTINGS };
    let store = days(&log, settings, &clock).await;
    clock.set("2026-11-24T00:00:00Z");
    store.tend().await.unwrap();
    assert_eq!(log.files().len(), 2, "{:?}", log.files());
    assert!(verify(&log.path(), &[]).unwrap().is_intact(), "a note tells before the record does");
    let notices = record_notices(&store, 5).await;
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].operation_name, "audit.segments_removed");
    let told = &notices[0].input.as_ref().unwrap()["segments"];
    assert_eq!((told[0]["records"].as_u64(), told[1]["last_sequence"].as_u64()), (Some(1), Some(2)));
    assert!(!log.all_files().iter().any(|name| name.contains("removed")), "{:?}", log.all_files());
    let found = verify(&log.path(), &[]).unwrap();
    assert!(found.is_intact(), "{:?}", found.faults);
    assert_eq!(found.first_sequence, Some(3));
    assert!(store.notices().await.unwrap().is_empty());
    fs::remove_file(log.folder().join(&log.files()[0])).unwrap();
    assert!(!verify(&log.path(), &[]).unwrap().is_intact(), "what somebody else removes is an alarm");
}

#[actix::test]
async fn a_command_removes_beside_the_daemon_which_tells_of_it() {
    let log = Log::new();
    let clock = SetClock::new(START);
    let store = days(&log, SETTINGS, &clock).await;
    let now = at("2026-11-24T00:00:00Z");
    let found = find_expired(&log.path(), now - DAY).unwrap();
    assert_eq!((found.segments.len(), found.records(), log.files().len()), (3, 3, 4), "nothing is removed yet");
    assert_eq!(remove_expired(&log.path(), now - DAY, now).unwrap(), found);
    assert_eq!(log.files().len(), 1);
    assert_eq!(record_notices(&store, 5).await.len(), 1);
    assert!(verify(&log.path(), &[]).unwrap().is_intact());
    assert!(remove_expired(&log.path(), now - DAY, now).unwrap().segments.is_empty());
}

#[actix::test]
async fn the_newest_file_stays_whatever_its_age() {
    let log = Log::new();
    append(&log.open(START, LARGE), 1, "only").await;
    let now = at("2030-01-01T00:00:00Z");
    assert!(remove_expired(&log.path(), now, now).unwrap().segments.is_empty());
}

#[actix::test]
async fn a_file_with_one_record_that_is_not_old_stays_and_so_do_all_after_it() {
    let log = Log::new();
    let lines = line(1, "old", "2026-01-01T00:00:00Z") + &line(2, "young", "2026-11-23T10:00:00Z");
    log.write("logs-default-20260101T000000.jsonl", &lines);
    log.write("logs-default-20260102T000000.jsonl", &line(3, "set back", "2026-01-02T00:00:00Z"));
    log.write("logs-default-20261123T000000.jsonl", &line(4, "newest", "2026-11-23T10:00:00Z"));
    assert!(find_expired(&log.path(), at("2026-11-01T00:00:00Z")).unwrap().segments.is_empty());
}

#[actix::test]
async fn two_daemons_do_not_write_one_log() {
    let log = Log::new();
    let first = log.open(START, LARGE);
    let refused = JsonlAuditStore::open(&log.path(), SETTINGS, Arc::new(FixedClock(at(START)))).unwrap_err();
    assert!(refused.to_string().ends_with("is written by another process"), "{refused}");
    drop(first);
    log.open(START, LARGE);
}

#[actix::test]
async fn both_forms_of_a_file_that_a_crash_left_are_removed() {
    let log = Log::new();
    let clock = SetClock::new(START);
    let store = days(&log, AuditFileSettings { is_compressed: false, ..SETTINGS }, &clock).await;
    drop(store);
    // As when the process was killed between naming the compressed file and removing the plain one.
    let plain = log.folder().join(&log.files()[1]);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &fs::read(&plain).unwrap()).unwrap();
    fs::write(log.folder().join(format!("{}.gz", log.files()[1])), encoder.finish().unwrap()).unwrap();
    assert_eq!(log.all_names().len(), 4);
    let now = at("2026-11-24T00:00:00Z");
    assert_eq!(remove_expired(&log.path(), now - DAY, now).unwrap().records(), 3);
    assert_eq!(log.files().len(), 1, "{:?}", log.files());
    assert!(verify(&log.path(), &[]).unwrap().is_intact());
}

/// A daemon that writes and compresses, commands that remove, check and read, all at once.
#[test]
fn cleaning_up_beside_the_daemon_and_readers_is_no_fault_and_shows_each_record_once() {
    let log = Log::new();
    let store = log.open(START, 4_096);
    let is_done = std::sync::atomic::AtomicBool::new(false);
    let done = &std::sync::atomic::Ordering::Relaxed;
    let (path, now) = (&log.path(), at("2026-11-23T12:00:00Z"));
    let is_done = &is_done;
    let runtime = &tokio::runtime::Builder::new_current_thread().build().unwrap();
    let store = &store;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(move || {
                while !is_done.load(*done) {
                    remove_expired(path, now, now).unwrap();
                    std::thread::yield_now();
                }
            });
        }
        scope.spawn(move || {
            while !is_done.load(*done) {
                match verify(path, &[]) {
                    Ok(found) => assert!(found.is_intact(), "{:?}", found.faults),
                    Err(error) => assert!(error.to_string().ends_with("try again"), "{error}"),
                }
            }
        });
        scope.spawn(move || {
            while !is_done.load(*done) {
                let reader = JsonlAuditReader::new(path).unwrap();
                let mut numbers = Vec::new();
                let visit = |_: &[u8], record: AuditRecord| {
                    numbers.push(record.sequence);
                    std::ops::ControlFlow::Continue(())
                };
                reader.visit_oldest_first(&AuditFilter::default(), visit).unwrap();
                assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
                assert_eq!(reader.take_damage(), [] as [&str; 0]);
            }
        });
        let write = || {
            for number in 1..=600 {
                runtime.block_on(append(store, number, "call"));
                if number % 10 == 0 {
                    runtime.block_on(store.tend()).unwrap();
                }
            }
        };
        let outcome = scope.spawn(write).join();
        is_done.store(true, *done);
        outcome.unwrap();
    });
    runtime.block_on(store.sync()).unwrap();
    assert!(verify(&log.path(), &[]).unwrap().is_intact());
}

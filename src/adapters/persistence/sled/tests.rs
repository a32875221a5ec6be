//! What is peculiar to sled.

use super::super::tests::{at, fill, open, refusal, settings};
use super::super::{PersistenceSettings, StoreKind, files, key_file_of};
use super::disk::{self, Disk};
use super::engine::{Reader, Shared, Writer};
use super::layout::{Space, Span};
use crate::adapters::persistence::lane::Engine as _;
use mxcp_actors::model::ids::{ClientId, SessionId};
use mxcp_actors::model::secret::TokenHash;
use mxcp_actors::ports::StoreError;
use mxcp_actors::ports::entropy::Entropy as _;
use mxcp_actors::testkit::seeded_entropy::SeededEntropy;
use mxcp_actors::testkit::{load_sessions, samples};
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::ops::Range;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

fn sled_settings(folder: &TempDir) -> PersistenceSettings {
    settings(StoreKind::Sled, folder)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The database itself, after it was closed.
fn open_closed(path: &Path) -> sled::Db {
    disk::wait_until_closed(path).unwrap();
    sled::open(path).unwrap()
}

/// The files of a database, without its folders.
type Files = BTreeMap<String, Vec<u8>>;

fn files_in(path: &Path) -> Files {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())).collect()
}

/// Makes `path` a database of those files.
fn write_files(path: &Path, files: &Files) {
    drop(fs::remove_dir_all(path));
    files::prepare_folder_of(path).unwrap();
    files::create_private_folder(path).unwrap();
    for (name, content) in files {
        files::replace_private(&path.join(name), content).unwrap();
    }
}

#[actix_rt::test]
async fn what_is_removed_leaves_nothing_behind() {
    let folder = TempDir::new().unwrap();
    let settings = sled_settings(&folder);
    let stores = open(&settings);
    fill(&stores).await;
    stores.sessions.insert_session(samples::browser_session("b1", "ada", "cookie", at(0))).await.unwrap();
    // Each is put in place of another once, with another end.
    stores.grants.insert_login(samples::pending_login("login", at(1_100))).await.unwrap();
    stores.grants.put_consent(samples::consent("ada", at(2_100))).await.unwrap();
    let upstream = samples::upstream_tokens("upstream", Some("upstream-refresh"), Some(at(700)));
    stores.sessions.put_upstream_tokens(SessionId::new("s1"), upstream).await.unwrap();
    stores.clients.insert_client(samples::client("app")).await.unwrap();
    stores.clients.insert_client(samples::client("used")).await.unwrap();
    stores.clients.mark_client_used(ClientId::new("used")).await.unwrap();
    stores.clients.insert_client(samples::client("used")).await.unwrap();

    for id in ["s1", "b1"] {
        assert!(stores.sessions.remove_session(SessionId::new(id)).await.unwrap().is_some());
    }
    assert!(stores.grants.take_login(TokenHash::of("login")).await.unwrap().is_some());
    assert_eq!(stores.grants.sweep_grants(at(9_000), 10).await, Ok(2), "the code and the consent");
    assert_eq!(stores.assertions.sweep_assertions(at(9_000), 10).await, Ok(1));
    assert_eq!(stores.clients.remove_unused_clients(at(1), 10).await.unwrap().len(), 2);
    assert_eq!(stores.clients.count_clients().await, Ok(0));
    drop(stores);
    let database = open_closed(&settings.path);
    let keys = database.iter().keys().map(Result::unwrap);
    let left: Vec<_> = keys.filter(|key| key[0] != Space::Marks as u8).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Of what was written after the last answer each sector may be on the disk or not.
#[test]
fn a_loss_of_power_takes_nothing_that_was_answered() {
    let folder = TempDir::new().unwrap();
    let (mut writer, _) = engines(&folder);
    let path = folder.path().join("oauth.sled");
    let mut change = |keys: Range<u32>| {
        for key in keys {
            let put = |writer: &mut Writer| {
                writer.put(&key.to_be_bytes(), vec![7; 4_000]);
                Ok(())
            };
            writer.step(put).unwrap();
        }
        writer.commit().unwrap();
    };
    let entropy = SeededEntropy::new(1);
    for round in 0..15 {
        let answered = (round + 1) * 20;
        (answered - 20..answered).for_each(|key| change(key..key + 1));
        let before = files_in(&path);
        change(1_000_000 + answered..1_000_010 + answered);
        let mut after = files_in(&path);
        tear(after.get_mut("db").unwrap(), &before["db"], &entropy);

        let lost = TempDir::new().unwrap();
        let torn = lost.path().join("kept/oauth.sled");
        write_files(&torn, &after);
        let reopened = sled::open(&torn).unwrap();
        let is_gone = |key: &u32| reopened.get(key.to_be_bytes()).unwrap().is_none();
        assert_eq!((0..answered).find(is_gone), None, "of {answered}");
    }
    assert!(fs::metadata(path.join("db")).unwrap().len() > 3 * 512 * 1024, "the log has gone through some segments");
}

/// Takes some sectors of `log` back to what they were `before`.
fn tear(log: &mut [u8], before: &[u8], entropy: &SeededEntropy) {
    for (index, sector) in log.chunks_mut(512).enumerate() {
        let mut coin = [0];
        entropy.fill(&mut coin);
        if coin[0] % 2 == 0 {
            let was = before.get(index * 512..).unwrap_or_default().iter().chain(std::iter::repeat(&0));
            sector.iter_mut().zip(was).for_each(|(byte, was)| *byte = *was);
        }
    }
}

/// An empty database with what changes it and what reads it.
fn engines(folder: &TempDir) -> (Writer, Reader) {
    let path = folder.path().join("oauth.sled");
    disk::prepare(&path).unwrap();
    let shared = Arc::new(Shared::new(sled::open(&path).unwrap()));
    (Writer::new(Arc::clone(&shared), Disk::open(&path).unwrap()), Reader::new(shared))
}

fn read(reader: &Reader, key: &[u8]) -> Option<Vec<u8>> {
    reader.look(|view| view.get(key)).unwrap().map(|value| value.to_vec())
}

#[test]
fn a_step_that_fails_takes_only_itself_back() {
    let folder = TempDir::new().unwrap();
    let (mut writer, reader) = engines(&folder);
    writer.begin().unwrap();
    let put = |key: &'static [u8], value: &'static [u8]| {
        move |writer: &mut Writer| {
            writer.put(key, value);
            Ok(())
        }
    };
    writer.step(put(b"a", b"1")).unwrap();
    writer.step(put(b"b", b"1")).unwrap();
    let failed = writer.step(|writer| -> Result<(), StoreError> {
        writer.put(b"a", b"2");
        writer.remove(b"b");
        writer.put(b"c", b"2");
        writer.put(b"c", b"3");
        writer.put_new(b"a", b"4")
    });
    assert!(failed.unwrap_err().detail.contains("is there already"));
    let seen = writer.step(|writer| Ok((writer.get(b"a")?, writer.get(b"b")?, writer.get(b"c")?))).unwrap();
    assert_eq!(seen, (Some(b"1".into()), Some(b"1".into()), None));
    assert_eq!(read(&reader, b"a"), None, "nobody else sees the group");
    writer.commit().unwrap();
    assert_eq!((read(&reader, b"a"), read(&reader, b"c")), (Some(b"1".to_vec()), None));
    writer.step(put(b"a", b"5")).unwrap();
    writer.rollback();
    writer.commit().unwrap();
    assert_eq!(read(&reader, b"a"), Some(b"1".to_vec()));
}

#[test]
fn what_does_not_reach_the_disk_is_not_seen_and_ends_the_writing() {
    let folder = TempDir::new().unwrap();
    let (mut writer, reader) = engines(&folder);
    let put = |writer: &mut Writer, value: &'static [u8]| {
        writer.step(|writer| {
            writer.put(b"a", value);
            writer.put(value, b"");
            Ok(())
        })
    };
    put(&mut writer, b"1").unwrap();
    writer.commit().unwrap();
    fs::remove_dir(folder.path().join("oauth.sled/blobs")).unwrap();
    put(&mut writer, b"2").unwrap();
    writer.commit().unwrap_err();
    writer.rollback();
    assert_eq!((read(&reader, b"a"), read(&reader, b"2")), (Some(b"1".to_vec()), None));
    let kept = reader.look(|view| view.scan(&Span { from: b"1".to_vec(), to: b"a".to_vec() }, 9)).unwrap();
    assert_eq!(kept, [(b"1".into(), b"".into())]);
    assert!(writer.begin().unwrap_err().detail.contains("restart mxcp"));
}

#[actix_rt::test]
async fn damage_is_told_and_nothing_is_begun_anew() {
    let folder = TempDir::new().unwrap();
    let settings = sled_settings(&folder);
    fill(&open(&settings)).await;
    drop(open(&settings));
    let whole = files_in(&settings.path);
    let snapshot = whole.keys().find(|name| name.starts_with("snap.")).unwrap();
    let garbage = b"this is no database, it only looks for a moment as if it might be one".to_vec();
    let half = |name: &str| whole[name][..whole[name].len().min(8_000) / 2].to_vec();
    let damages = [
        ("db", Some(garbage.clone())),
        ("db", Some(half("db"))),
        ("db", Some(Vec::new())),
        ("db", None),
        ("conf", Some(garbage.clone())),
        (snapshot, Some(garbage.clone())),
        (snapshot, Some(half(snapshot))),
        ("mxcp-version", Some(garbage)),
        ("mxcp-version", Some(Vec::new())),
    ];
    for (name, content) in damages {
        let mut files = whole.clone();
        files.remove(name);
        files.extend(content.map(|content| (name.to_owned(), content)));
        write_files(&settings.path, &files);
        let error = refusal(&settings);
        assert!(error.contains("is damaged") && error.contains("restore a backup"), "{name}: {error}");
    }
    write_files(&settings.path, &whole);
    assert_eq!(load_sessions(open(&settings).sessions.as_ref(), at(100)).await.unwrap().len(), 1);
}

#[test]
fn a_folder_of_something_else_is_refused_and_left_alone() {
    let text = |text: &str| text.as_bytes().to_vec();
    let cases = [
        (Files::from([("config.yml".to_owned(), text("mxcp: 1"))]), "is not a database of mxcp"),
        (Files::from([("mxcp-version".to_owned(), text("99\n"))]), "schema 99, this version knows 1"),
    ];
    for (files, wanted) in cases {
        let folder = TempDir::new().unwrap();
        let settings = sled_settings(&folder);
        write_files(&settings.path, &files);
        let error = refusal(&settings);
        assert!(error.contains(wanted), "{error}");
        assert_eq!(files_in(&settings.path), files);
        assert!(!key_file_of(&settings.path).exists());
    }
    let folder = TempDir::new().unwrap();
    let settings = sled_settings(&folder);
    files::prepare_folder_of(&settings.path).unwrap();
    fs::write(&settings.path, "a file").unwrap();
    assert!(refusal(&settings).contains("it is a file, and a sled database is a folder"));
}

#[actix_rt::test]
async fn a_database_that_another_program_holds_is_told() {
    let folder = TempDir::new().unwrap();
    let settings = sled_settings(&folder);
    fill(&open(&settings)).await;
    let other = open_closed(&settings.path);
    assert!(refusal(&settings).contains("is locked by another program"));
    drop(other);
    open(&settings);
}

#[test]
fn a_database_of_something_else_is_refused() {
    let folder = TempDir::new().unwrap();
    let settings = sled_settings(&folder);
    files::create_private_folder(&settings.path).unwrap();
    sled::open(&settings.path).unwrap().insert("invoice", "42").unwrap();
    for name in ["conf", "db"] {
        set_mode(&settings.path.join(name), 0o600);
    }
    set_mode(&settings.path.join("blobs"), 0o700);
    assert!(refusal(&settings).contains("is not a database of mxcp"));
    assert!(!key_file_of(&settings.path).exists());
    assert_eq!(open_closed(&settings.path).get("invoice").unwrap(), Some("42".into()));
}

#[actix_rt::test]
async fn a_first_start_that_was_broken_off_is_made_good() {
    let folder = TempDir::new().unwrap();
    let settings = sled_settings(&folder);
    // Before anything of ours was in it, and after.
    files::create_private_folder(&settings.path).unwrap();
    disk::prepare(&settings.path).unwrap();
    drop(sled::open(&settings.path).unwrap());
    fill(&open(&settings)).await;
    fs::rename(settings.path.join("mxcp-version"), settings.path.join("mxcp-version.new")).unwrap();
    assert_eq!(load_sessions(open(&settings).sessions.as_ref(), at(100)).await.unwrap().len(), 1);
    assert_eq!(fs::read_to_string(settings.path.join("mxcp-version")).unwrap(), "1\n");
}

#[actix_rt::test]
async fn what_a_killed_process_left_open_is_closed_and_what_another_opened_is_refused() {
    let folder = TempDir::new().unwrap();
    let settings = sled_settings(&folder);
    fill(&open(&settings)).await;
    drop(open(&settings));
    let names: Vec<_> = files_in(&settings.path).into_keys().collect();
    let snapshot = names.iter().find(|name| name.starts_with("snap.")).unwrap();
    set_mode(&settings.path.join(snapshot), 0o644);
    drop(open(&settings));
    assert_eq!(fs::metadata(settings.path.join(snapshot)).unwrap().mode() & 0o777, 0o600);
    for (name, mode, wanted) in [("db", 0o640, "chmod 600"), ("blobs", 0o750, "chmod 700"), ("", 0o711, "chmod 700")] {
        let path = settings.path.join(name);
        let before = fs::metadata(&path).unwrap().permissions();
        set_mode(&path, mode);
        let error = refusal(&settings);
        assert!(error.contains(wanted), "{error}");
        fs::set_permissions(&path, before).unwrap();
    }
    open(&settings);
}

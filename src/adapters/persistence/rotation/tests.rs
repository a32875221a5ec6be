//! A key is changed without losing anything, whenever the command is killed.

use super::super::tests::{at, fill, given, kinds, open, refusal, settings, surroundings};
use super::super::{KeySource, PersistenceError, Stores, key_file_of};
use super::*;
use mxcp_actors::model::ids::{ClientId, SessionId, UserId};
use mxcp_actors::model::secret::TokenHash;
use mxcp_actors::testkit::{load_sessions, samples};
use std::fs;
use tempfile::TempDir;

/// What [`fill`] puts into a store that is sealed: a session, its provider's tokens, a login, a
/// code and a consent.
const SEALED: u64 = 5;

/// Everything that [`fill`] put in is there.
async fn assert_readable(Stores { grants, sessions, .. }: &Stores) {
    let loaded = load_sessions(sessions.as_ref(), at(100)).await.unwrap();
    assert_eq!(loaded.len(), 1);
    let session = sessions.find_session(SessionId::new("s1")).await.unwrap().unwrap();
    assert!(session.upstream.unwrap().access_token.matches("upstream-access"));
    assert_eq!(sessions.list_user_sessions(UserId::of("fake", "ada")).await.unwrap().len(), 1);
    assert!(grants.find_login(TokenHash::of("login")).await.unwrap().is_some());
    let consents = grants.list_consents(TokenHash::of("browser"), ClientId::new("app")).await.unwrap();
    assert_eq!(consents, [samples::consent("ada", at(2_000))]);
}

fn rotate(settings: &PersistenceSettings) -> KeyRotation {
    rotate_key(settings, &surroundings()).unwrap()
}

fn key_lines(settings: &PersistenceSettings) -> Vec<String> {
    fs::read_to_string(key_file_of(&settings.path)).unwrap().lines().map(str::to_owned).collect()
}

#[actix_rt::test]
async fn after_a_rotation_the_new_key_opens_everything_and_the_old_one_nothing() {
    for kind in kinds() {
        let folder = TempDir::new().unwrap();
        let settings = settings(kind, &folder);
        fill(&open(&settings)).await;
        let old = key_lines(&settings);
        let rotation = rotate(&settings);
        let new = key_lines(&settings);
        assert_eq!((old.len(), new.len(), rotation.records, rotation.is_resumed), (1, 1, SEALED, false));
        assert_ne!(old, new);
        assert_eq!(rotation.key, keys::parse(&new[0]).unwrap().id.to_string());
        assert_eq!(rotation.retired, [keys::parse(&old[0]).unwrap().id.to_string()]);
        assert_readable(&open(&settings)).await;

        fs::write(key_file_of(&settings.path), &old[0]).unwrap();
        let error = refusal(&settings);
        assert!(error.contains(&format!("was written with the encryption key {}", rotation.key)), "{error}");
    }
}

#[actix_rt::test]
async fn no_record_is_left_under_the_old_key() {
    // sled keeps what was replaced in its log for a while.
    let folder = TempDir::new().unwrap();
    let settings = settings(StoreKind::Sqlite, &folder);
    fill(&open(&settings)).await;
    let old = keys::parse(&key_lines(&settings)[0]).unwrap().id;
    let shows_old = || {
        let files = fs::read_dir(settings.path.parent().unwrap()).unwrap();
        let mut contents = files.map(|entry| fs::read(entry.unwrap().path()).unwrap());
        contents.any(|bytes| bytes.windows(old.0.len()).any(|window| window == old.0))
    };
    assert!(shows_old());
    rotate(&settings);
    assert!(!shows_old());
}

#[actix_rt::test]
async fn a_kill_between_any_two_transactions_leaves_a_store_that_opens_and_is_rotated_to_the_end() {
    for kind in kinds() {
        for steps in 0.. {
            let folder = TempDir::new().unwrap();
            let settings = settings(kind, &folder);
            fill(&open(&settings)).await;
            let mut rotation = Rotation::begin(&settings, &surroundings()).unwrap();
            let is_complete = !(0..steps).all(|_| rotation.step().unwrap());
            let done = rotation.records;
            drop(rotation);
            let interrupted = key_lines(&settings);
            assert_eq!(interrupted.len(), 2);
            assert_readable(&open(&settings)).await;

            let rotation = rotate(&settings);
            assert!(rotation.is_resumed);
            assert_eq!(rotation.records + done, SEALED, "after {steps} steps");
            assert_eq!(key_lines(&settings), [interrupted[0].clone()], "it goes on with the key that it had made");
            assert_readable(&open(&settings)).await;
            if is_complete {
                assert!(steps > 1);
                break;
            }
        }
    }
}

#[actix_rt::test]
async fn a_kill_before_the_old_key_leaves_the_file_is_mended_as_well() {
    for kind in kinds() {
        let folder = TempDir::new().unwrap();
        let settings = settings(kind, &folder);
        fill(&open(&settings)).await;
        let old = key_lines(&settings);
        rotate(&settings);
        let new = key_lines(&settings);
        fs::write(key_file_of(&settings.path), format!("{}\n{}\n", new[0], old[0])).unwrap();
        assert_readable(&open(&settings)).await;
        let rotation = rotate(&settings);
        assert_eq!((rotation.records, rotation.is_resumed, key_lines(&settings)), (0, true, new));
    }
}

#[actix_rt::test]
async fn configured_keys_are_changed_by_putting_a_new_one_in_front() {
    for kind in kinds() {
        let folder = TempDir::new().unwrap();
        let with = |digits: &[&str]| PersistenceSettings { keys: given(digits), ..settings(kind, &folder) };
        fill(&open(&with(&["1"]))).await;
        let id = |digit: &str| keys::parse(&digit.repeat(64)).unwrap().id.to_string();
        let rotation = rotate(&with(&["2", "1", "3"]));
        assert_eq!((rotation.records, rotation.key), (SEALED, id("2")));
        assert_eq!((rotation.retired, rotation.key_file), (vec![id("1"), id("3")], None));
        assert_readable(&open(&with(&["2"]))).await;
        assert!(refusal(&with(&["1"])).contains(&id("2")));
        assert_eq!(rotate(&with(&["2"])).records, 0, "there is nothing left to do");
    }
}

#[actix_rt::test]
async fn a_key_that_is_not_given_stops_the_rotation_before_it_begins() {
    for kind in kinds() {
        let folder = TempDir::new().unwrap();
        let with = |digits: &[&str]| PersistenceSettings { keys: given(digits), ..settings(kind, &folder) };
        fill(&open(&with(&["1"]))).await;
        let error = rotate_key(&with(&["2"]), &surroundings()).unwrap_err();
        assert!(matches!(error, PersistenceError::WrongKeys { .. }), "{error}");
        assert_readable(&open(&with(&["1"]))).await;

        // A key file of another store gets no new key written into it.
        let by_file = settings(kind, &folder);
        fs::write(key_file_of(&by_file.path), "4".repeat(64)).unwrap();
        fs::set_permissions(key_file_of(&by_file.path), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let error = rotate_key(&by_file, &surroundings()).unwrap_err();
        assert!(matches!(error, PersistenceError::WrongKeys { .. }), "{error}");
        assert_eq!(key_lines(&by_file), ["4".repeat(64)]);
    }
}

#[actix_rt::test]
async fn nothing_is_rotated_while_the_daemon_runs_or_where_nothing_is_kept() {
    for kind in kinds() {
        let folder = TempDir::new().unwrap();
        let settings = settings(kind, &folder);
        let error = rotate_key(&settings, &surroundings()).unwrap_err();
        assert!(matches!(error, PersistenceError::NothingKept(_)), "{error}");
        assert!(!settings.path.exists());
        let running = open(&settings);
        let error = rotate_key(&settings, &surroundings()).unwrap_err().to_string();
        assert!(error.contains("in use by another mxcp; stop that one first"), "{error}");
        assert_eq!(key_lines(&settings).len(), 1);
        drop(running);
    }
}

#[actix_rt::test]
async fn many_records_take_several_transactions() {
    for kind in kinds() {
        let folder = TempDir::new().unwrap();
        let settings = settings(kind, &folder);
        let stores = open(&settings);
        let logins = (0..2_500).map(|n| samples::pending_login(&format!("login {n}"), at(1_000)));
        futures_util::future::try_join_all(logins.map(|login| stores.grants.insert_login(login))).await.unwrap();
        drop(stores);
        let mut rotation = Rotation::begin(&settings, &surroundings()).unwrap();
        let mut largest = 0;
        loop {
            let before = rotation.records;
            if !rotation.step().unwrap() {
                break;
            }
            largest = largest.max(rotation.records - before);
        }
        assert_eq!((rotation.finish().unwrap().records, largest), (2_500, 1_000));
        let KeySource::File(_) = &settings.keys else { panic!("{settings:?}") };
        assert!(open(&settings).grants.find_login(TokenHash::of("login 2499")).await.unwrap().is_some());
    }
}

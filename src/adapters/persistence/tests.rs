//! Every kind of store keeps the promises of the ports, and what it keeps survives, safely.

use super::*;
use crate::adapters::system::{SystemClock, SystemEntropy};
use mxcp_actors::model::client_assertion::UsedAssertion;
use mxcp_actors::model::ids::{ClientId, SessionId, UserId};
use mxcp_actors::model::secret::{Secret, TokenHash};
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::ports::assertion_store::AssertionUse;
use mxcp_actors::ports::session_store::TokenChange;
use mxcp_actors::testkit::{conformance, load_sessions, samples};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use tempfile::TempDir;

pub(super) fn kinds() -> impl Iterator<Item = StoreKind> {
    [StoreKind::Sqlite, StoreKind::Sled].into_iter().filter(|kind| kind.is_built())
}

pub(super) fn surroundings() -> Surroundings {
    Surroundings { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) }
}

pub(super) fn settings(kind: StoreKind, folder: &TempDir) -> PersistenceSettings {
    let path = folder.path().join("below/oauth.db");
    PersistenceSettings { kind, keys: KeySource::File(key_file_of(&path)), path }
}

pub(super) fn open(settings: &PersistenceSettings) -> Stores {
    Stores::open(settings, &surroundings()).unwrap()
}

pub(super) fn refusal(settings: &PersistenceSettings) -> String {
    Stores::open(settings, &surroundings()).unwrap_err().to_string()
}

pub(super) fn given(digits: &[&str]) -> KeySource {
    KeySource::Given(digits.iter().map(|digit| Secret::new(digit.repeat(64))).collect())
}

pub(super) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn assertion() -> UsedAssertion {
    UsedAssertion { client_id: ClientId::new("app"), id_hash: TokenHash::of("jti"), expires_at: at(1_000) }
}

/// Puts one of everything into `stores`.
pub(super) async fn fill(stores: &Stores) {
    let session = samples::session("s1", "ada", at(0));
    stores.sessions.insert_session(session).await.unwrap();
    let change = TokenChange {
        rotated: None,
        access: samples::access_token("access", "s1", at(5_000)),
        refresh: Some(samples::refresh_token("refresh", "s1", at(6_000))),
        idle_expires_at: at(7_000),
        claimed_by: None,
    };
    assert!(stores.sessions.change_tokens(SessionId::new("s1"), change).await.unwrap());
    let upstream = samples::upstream_tokens("upstream-access", Some("upstream-refresh"), Some(at(600)));
    assert!(stores.sessions.put_upstream_tokens(SessionId::new("s1"), upstream).await.unwrap());
    stores.grants.insert_login(samples::pending_login("login", at(1_000))).await.unwrap();
    stores.grants.insert_code(samples::code("code", "s1", at(1_000))).await.unwrap();
    stores.grants.put_consent(samples::consent("ada", at(2_000))).await.unwrap();
    stores.clients.insert_client(samples::client("app")).await.unwrap();
    assert_eq!(stores.assertions.use_assertion(assertion(), at(0), 10).await.unwrap(), AssertionUse::First);
}

/// All files of a store, and what is in them.
fn contents(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found
}

#[actix_rt::test]
async fn every_kind_keeps_the_promises_of_the_ports() {
    for kind in kinds() {
        let folder = TempDir::new().unwrap();
        let stores = open(&settings(kind, &folder));
        conformance::check_session_store(stores.sessions.as_ref()).await;
        conformance::check_grant_store(stores.grants.as_ref()).await;
        conformance::check_client_store(stores.clients.as_ref()).await;
        conformance::check_assertion_store(stores.assertions.as_ref()).await;
    }
}

#[actix_rt::test]
async fn everything_is_there_after_a_restart() {
    for kind in kinds() {
        let folder = TempDir::new().unwrap();
        let settings = settings(kind, &folder);
        fill(&open(&settings)).await;
        let Stores { clients, assertions, grants, sessions } = open(&settings);
        let loaded = load_sessions(sessions.as_ref(), at(100)).await.unwrap();
        let [stored] = loaded.as_slice() else { panic!("one session: {loaded:?}") };
        let upstream = stored.session.upstream.as_ref().unwrap();
        assert!(upstream.access_token.matches("upstream-access"));
        assert_eq!(
            (stored.session.user.id.clone(), stored.session.idle_expires_at),
            (UserId::of("fake", "ada"), at(7_000))
        );
        assert_eq!(stored.access_tokens, [samples::access_token("access", "s1", at(5_000))]);
        assert_eq!(sessions.list_user_sessions(UserId::of("fake", "ada")).await.unwrap().len(), 1);
        assert!(sessions.find_refresh_token(TokenHash::of("refresh")).await.unwrap().is_some());
        assert_eq!(assertions.use_assertion(assertion(), at(999), 10).await.unwrap(), AssertionUse::Repeated);
        assert!(grants.take_login(TokenHash::of("login")).await.unwrap().is_some());
        assert!(matches!(
            grants.redeem_code(TokenHash::of("code")).await.unwrap(),
            mxcp_actors::ports::grant_store::Redemption::First(_)
        ));
        let consents = grants.list_consents(TokenHash::of("browser"), ClientId::new("app")).await.unwrap();
        assert_eq!(consents, [samples::consent("ada", at(2_000))]);
        assert_eq!(clients.find_client(ClientId::new("app")).await.unwrap(), Some(samples::client("app")));
    }
}

#[actix_rt::test]
async fn the_files_are_the_owners_alone_and_tell_nothing_of_people() {
    for kind in kinds() {
        let folder = TempDir::new().unwrap();
        let stores = open(&settings(kind, &folder));
        fill(&stores).await;
        let mut written = contents(folder.path());
        drop(stores);
        written.extend(contents(folder.path()));
        assert!(written.len() >= 4, "the store, its key, its lock and what is open");
        for (path, bytes) in written {
            assert_eq!(fs::metadata(&path).map_or(0o600, |found| found.mode() & 0o777), 0o600, "{}", path.display());
            for secret in ["ada", "upstream-access", "upstream-refresh", "verifier"] {
                let shows = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!shows, "{} shows {secret}", path.display());
            }
        }
        assert_eq!(fs::metadata(folder.path().join("below")).unwrap().mode() & 0o777, 0o700);
    }
}

#[actix_rt::test]
async fn a_store_that_others_may_read_is_refused() {
    for kind in kinds() {
        let folder = TempDir::new().unwrap();
        let settings = settings(kind, &folder);
        fill(&open(&settings)).await;
        let key_file = key_file_of(&settings.path);
        for path in [&settings.path, &key_file] {
            let before = fs::metadata(path).unwrap().permissions();
            fs::set_permissions(path, fs::Permissions::from_mode(before.mode() | 0o044)).unwrap();
            let error = refusal(&settings);
            assert!(error.contains("chmod") && error.contains(&*path.to_string_lossy()), "{error}");
            fs::set_permissions(path, before).unwrap();
        }
        open(&settings);
    }
}

#[actix_rt::test]
async fn a_store_is_used_by_one_daemon() {
    for kind in kinds() {
        let folder = TempDir::new().unwrap();
        let settings = settings(kind, &folder);
        let first = open(&settings);
        let error = refusal(&settings);
        assert!(error.contains("in use by another mxcp"), "{error}");
        drop(first);
        open(&settings);
    }
}

#[actix_rt::test]
async fn a_lost_key_stops_the_start_and_changes_nothing() {
    for kind in kinds() {
        let folder = TempDir::new().unwrap();
        let with = |keys: KeySource| PersistenceSettings { keys, ..settings(kind, &folder) };
        fill(&open(&with(given(&["1"])))).await;
        let error = refusal(&with(given(&["2"])));
        assert!(error.contains("was written with the encryption key"), "{error}");
        assert!(refusal(&settings(kind, &folder)).contains("key file"), "no key file is made for a store with data");
        // A new key in front of the old one reads all, and from then on both are needed.
        open(&with(given(&["2", "1"]))).grants.put_consent(samples::consent("ben", at(2_000))).await.unwrap();
        for one in ["1", "2"] {
            assert!(refusal(&with(given(&[one]))).contains("was written with the encryption key"), "{one}");
        }
        let sessions = open(&with(given(&["1", "2"]))).sessions;
        assert_eq!(sessions.list_user_sessions(UserId::of("fake", "ada")).await.unwrap().len(), 1);
    }
}

#[test]
fn a_file_of_something_else_is_refused_and_left_alone() {
    let incumbent = "CREATE TABLE states (state TEXT); CREATE TABLE auth_codes (code TEXT);
                     CREATE TABLE oauth_clients (client_id TEXT);";
    let newer = "CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, applied_at INTEGER);
                 INSERT INTO schema_migrations VALUES (1, 0), (99, 0)";
    let cases = [
        (incumbent, "mxcp migrate-oauth-db"),
        ("CREATE TABLE invoices (number TEXT)", "is not a database of mxcp"),
        (newer, "schema 99, this version knows 2"),
    ];
    for (sql, wanted) in cases {
        let folder = TempDir::new().unwrap();
        let settings = settings(StoreKind::Sqlite, &folder);
        files::prepare_folder_of(&settings.path).unwrap();
        files::create_private(&settings.path).unwrap();
        rusqlite::Connection::open(&settings.path).unwrap().execute_batch(sql).unwrap();
        let before = fs::read(&settings.path).unwrap();
        let error = refusal(&settings);
        assert!(error.contains(wanted), "{error}");
        assert_eq!(fs::read(&settings.path).unwrap(), before);
        assert!(!key_file_of(&settings.path).exists());
    }
}

#[actix_rt::test]
async fn a_damaged_file_is_told_and_not_begun_anew() {
    let folder = TempDir::new().unwrap();
    let settings = settings(StoreKind::Sqlite, &folder);
    fill(&open(&settings)).await;
    fs::write(&settings.path, b"this is no database, it only looks for a moment as if it might be one").unwrap();
    let error = refusal(&settings);
    assert!(error.contains("is damaged") && error.contains("restore a backup"), "{error}");
}

#[actix_rt::test]
async fn a_file_that_another_program_holds_is_told() {
    let folder = TempDir::new().unwrap();
    let settings = settings(StoreKind::Sqlite, &folder);
    let stores = open(&settings);
    let other = rusqlite::Connection::open(&settings.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = stores.clients.insert_client(samples::client("app")).await.unwrap_err();
    assert!(error.to_string().contains("locked"), "{error}");
    assert_eq!(stores.clients.count_clients().await, Ok(0), "reading does not wait for it");
    other.execute_batch("ROLLBACK").unwrap();
    stores.clients.insert_client(samples::client("app")).await.unwrap();
}

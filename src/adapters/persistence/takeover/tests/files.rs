//! Files and keys: nothing is lost, whatever fails.

use super::*;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

/// A case whose old database is where the new one is to be, readable by all as it was made.
fn in_place() -> (Case, PersistenceSettings) {
    let mut case = Case::usual(None);
    let store = case.store();
    super::super::super::files::prepare_folder_of(&store.path).unwrap();
    fs::rename(&case.path, &store.path).unwrap();
    fs::set_permissions(&store.path, fs::Permissions::from_mode(0o644)).unwrap();
    case.path.clone_from(&store.path);
    (case, store)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[actix_rt::test]
async fn a_database_where_the_new_one_is_to_be_is_moved_aside_whole() {
    let (case, store) = in_place();
    let before = fs::read(&store.path).unwrap();
    let aside = store.path.with_file_name("oauth.db.python-backup");
    let moved = case.take_over(&store).unwrap();
    assert_eq!((moved.sessions, moved.set_aside.as_ref()), (1, Some(&aside)));
    assert_eq!(fs::read(&aside).unwrap(), before);
    assert_eq!(fs::metadata(&aside).unwrap().mode() & 0o777, 0o600, "it may hold tokens that can be read");
    drop(open(&store));

    let error = case.take_over(&store).unwrap_err();
    assert!(error.to_string().contains("oauth.db.python-backup"), "{error}");
    let again = take_over(&aside, &[], &store, &case.home, &surroundings()).unwrap();
    assert_eq!((again.sessions, again.sessions_before, again.clients_before, again.set_aside), (0, 1, 1, None));
    assert_eq!(fs::read(&aside).unwrap(), before);
}

#[actix_rt::test]
async fn when_the_new_store_cannot_be_made_the_old_database_is_put_back() {
    let (case, store) = in_place();
    let key_file = super::super::super::key_file_of(&store.path);
    fs::write(&key_file, "no key").unwrap();
    fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
    let before = fs::read(&store.path).unwrap();
    let error = case.take_over(&store).unwrap_err();
    assert!(error.to_string().contains("is not an encryption key"), "{error}");
    assert_eq!(fs::read(&store.path).unwrap(), before);
    assert_eq!(fs::metadata(&store.path).unwrap().mode() & 0o777, 0o644);
    assert_eq!(names(store.path.parent().unwrap()), ["oauth.db", "oauth.db.key", "oauth.db.lock"]);
    fs::remove_file(&key_file).unwrap();
    assert_eq!(case.take_over(&store).unwrap().sessions, 1);
}

#[actix_rt::test]
async fn what_fails_in_the_transaction_leaves_nothing_behind() {
    let (case, store) = in_place();
    // The same token twice, once in capitals: there they were two, and here they are one.
    let sql = "UPDATE sessions SET access_token_hash = upper(access_token_hash)";
    Connection::open(&store.path).unwrap().execute(sql, ()).unwrap();
    case.add_session(&session("s2", &json!({"access": "mcp_s1"})));
    let before = fs::read(&store.path).unwrap();
    let error = case.take_over(&store).unwrap_err();
    assert!(error.to_string().contains("UNIQUE"), "{error}");
    assert_eq!(fs::read(&store.path).unwrap(), before);
    assert_eq!(names(store.path.parent().unwrap()), ["oauth.db", "oauth.db.lock"]);
}

#[actix_rt::test]
async fn what_cannot_be_read_stays_where_it_is() {
    let (case, store) = in_place();
    let sql = "UPDATE oauth_clients SET redirect_uris = x'00'";
    Connection::open(&store.path).unwrap().execute(sql, ()).unwrap();
    assert!(matches!(case.take_over(&store).unwrap_err(), TakeoverError::Unreadable { .. }));
    assert_eq!(names(store.path.parent().unwrap()), ["oauth.db", "oauth.db.lock"]);
}

#[actix_rt::test]
async fn an_earlier_backup_is_not_overwritten() {
    let (case, store) = in_place();
    let aside = store.path.with_file_name("oauth.db.python-backup");
    fs::write(&aside, "precious").unwrap();
    let error = case.take_over(&store).unwrap_err();
    assert!(matches!(error, TakeoverError::InTheWay { .. }), "{error}");
    assert_eq!(fs::read(&aside).unwrap(), b"precious");
    assert_eq!(names(store.path.parent().unwrap()), ["oauth.db", "oauth.db.lock", "oauth.db.python-backup"]);
}

#[actix_rt::test]
async fn an_old_database_elsewhere_is_not_changed() {
    let case = Case::usual(None);
    fs::set_permissions(&case.path, fs::Permissions::from_mode(0o444)).unwrap();
    let before = fs::read(&case.path).unwrap();
    assert_eq!(case.moved().0.sessions, 1);
    assert_eq!(fs::read(&case.path).unwrap(), before);
    assert_eq!(names(case.folder.path()), ["below", "old.db"]);
}

#[actix_rt::test]
async fn nothing_is_moved_while_either_server_runs() {
    let case = Case::usual(None);
    let running = open(&case.store());
    let error = case.take_over(&case.store()).unwrap_err();
    assert!(error.to_string().contains("in use by another mxcp; stop that one first"), "{error}");
    drop(running);
    fs::write(case.folder.path().join("old.db-journal"), "half a change").unwrap();
    let error = case.take_over(&case.store()).unwrap_err();
    assert!(matches!(error, TakeoverError::Busy { .. }), "{error}");
}

#[actix_rt::test]
async fn an_encrypted_database_needs_its_key() {
    let mut case = Case::usual(Some(KEY));
    for wrong in [None, Some("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")] {
        case.key = wrong.map(Secret::new);
        let error = case.take_over(&case.store()).unwrap_err();
        assert!(matches!(error, TakeoverError::KeyNeeded(_)), "{error}");
        assert!(!case.store().path.exists());
    }
    // The configured key serves as well.
    let store = PersistenceSettings { keys: KeySource::Given(vec![Secret::new(KEY)]), ..case.store() };
    assert_eq!(case.take_over(&store).unwrap().sessions, 1);
}

#[actix_rt::test]
async fn what_a_lost_key_had_encrypted_is_left_out() {
    let mut case = Case::usual(Some(KEY));
    case.key = Some(Secret::new("1".repeat(64)));
    case.add_session(&session("s2", &json!({})));
    let changes = json!({"client_secret": "x", "token_endpoint_auth_method": "client_secret_post"});
    case.add_client(&client(OTHER_APP, &changes));
    case.key = Some(Secret::new(KEY));
    let (moved, _) = case.moved();
    assert_eq!((moved.sessions, moved.clients), (1, 1));
    assert_eq!(moved.sessions_left_out, BTreeMap::from([("cannot be decrypted".to_owned(), 1)]));
    assert_eq!(moved.clients_left_out[0].reason, "its secret cannot be decrypted");
}

#[test]
fn what_is_no_database_of_the_python_product_is_told_so() {
    let case = Case::new(None);
    let store = PersistenceSettings { keys: given(&["1"]), ..case.store() };
    let attempt = |path: &Path| take_over(path, &[], &store, &case.home, &surroundings()).unwrap_err();
    assert!(matches!(attempt(&case.folder.path().join("none.db")), TakeoverError::Missing(_)));
    let other = case.folder.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE invoices (number TEXT)").unwrap();
    assert!(matches!(attempt(&other), TakeoverError::NotOld(_)));
    fs::write(&other, "no database at all, but long enough to be looked at as one").unwrap();
    assert!(matches!(attempt(&other), TakeoverError::Unreadable { .. }));
}

#[test]
fn a_key_file_holds_keys() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("old.key");
    fs::write(&path, format!("{KEY}\n")).unwrap();
    assert!(read_old_keys(&path).unwrap()[0].matches(KEY));
    for text in ["", "hunter2"] {
        fs::write(&path, text).unwrap();
        let error = read_old_keys(&path).unwrap_err().to_string();
        assert!(error.contains("does not hold a key") && !error.contains("hunter2"), "{error}");
    }
}

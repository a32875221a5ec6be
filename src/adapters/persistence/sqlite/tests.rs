//! What is peculiar to SQLite.

use super::open;
use crate::adapters::persistence::{KeySource, Surroundings, key_file_of};
use crate::adapters::system::{SystemClock, SystemEntropy};
use mxcp_actors::ports::client_store::ClientStore as _;
use mxcp_actors::testkit::samples;
use std::sync::Arc;
use tempfile::TempDir;

#[actix_rt::test]
async fn a_full_disk_fails_what_does_not_fit_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("oauth.db");
    let open = || {
        let surroundings = Surroundings { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) };
        open(&path, &KeySource::File(key_file_of(&path)), &surroundings).unwrap()
    };
    let store = open();
    let room = |pages: u32| {
        let sql = format!("PRAGMA max_page_count = {pages}");
        store.write(move |database| database.query_row(&sql, (), |_| Ok(())))
    };
    room(1).await.unwrap();
    let client = |number: usize| samples::client(&format!("app-{number}"));
    // Asked for together, so that some share the transaction in which the room ends.
    let inserts = (0..500).map(|number| store.insert_client(client(number)));
    let outcomes = futures_util::future::join_all(inserts).await;
    let failures: Vec<String> =
        outcomes.iter().filter_map(|done| done.as_ref().err()).map(ToString::to_string).collect();
    assert!(!failures.is_empty() && failures.iter().all(|error| error.contains("full")), "{failures:?}");
    room(1_000_000).await.unwrap();
    for (number, outcome) in outcomes.iter().enumerate() {
        let found = store.find_client(client(number).id).await.unwrap();
        assert_eq!(found.is_some(), outcome.is_ok(), "what was acknowledged is there, and nothing else");
    }
    store.insert_client(samples::client("later")).await.unwrap();
    drop(store);
    assert!(open().find_client(samples::client("later").id).await.unwrap().is_some());
}

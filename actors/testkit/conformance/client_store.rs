use super::at;
use crate::model::client::{AuthMethod, Client};
use crate::model::client_keys::ClientKeys;
use crate::model::ids::ClientId;
use crate::model::secret::TokenHash;
use crate::ports::client_store::ClientStore;
use crate::testkit::fake_signatures::key_set;
use crate::testkit::samples;
use std::sync::Arc;

fn client(id: &str, issued_at: i64) -> Client {
    Client { issued_at: at(issued_at), secret_hash: Some(TokenHash::of(id)), ..samples::client(id) }
}

async fn is_kept(store: &dyn ClientStore, id: &str) -> bool {
    store.find_client(ClientId::new(id)).await.unwrap().is_some()
}

/// Checks an empty [`ClientStore`].
pub async fn check_client_store(store: &dyn ClientStore) {
    a_client_comes_back_as_it_was(store).await;
    only_old_clients_without_use_are_removed(store).await;
    a_sweep_removes_no_more_than_its_limit(store).await;
}

async fn a_client_comes_back_as_it_was(store: &dyn ClientStore) {
    assert_eq!(store.count_clients().await.unwrap(), 0);
    assert_eq!(store.find_client(ClientId::new("one")).await.unwrap(), None);
    let keys = Some(ClientKeys::Set(Arc::new(key_set("k", 1))));
    let one = Client { keys, auth_method: AuthMethod::PrivateKeyJwt, ..client("one", 100) };
    store.insert_client(one.clone()).await.unwrap();
    assert_eq!(store.find_client(ClientId::new("one")).await.unwrap(), Some(one));
    assert_eq!(store.count_clients().await.unwrap(), 1);
}

async fn only_old_clients_without_use_are_removed(store: &dyn ClientStore) {
    store.insert_client(client("used", 100)).await.unwrap();
    store.insert_client(client("young", 200)).await.unwrap();
    store.mark_client_used(ClientId::new("used")).await.unwrap();
    store.mark_client_used(ClientId::new("used")).await.unwrap();
    store.mark_client_used(ClientId::new("nobody")).await.unwrap();
    assert_eq!(
        store.remove_unused_clients(at(100), 10).await.unwrap(),
        [],
        "a client of that instant is not before it"
    );
    assert_eq!(store.remove_unused_clients(at(200), 10).await.unwrap(), [ClientId::new("one")]);
    assert!(!is_kept(store, "one").await);
    assert!(is_kept(store, "used").await);
    assert!(is_kept(store, "young").await);
    assert_eq!(store.count_clients().await.unwrap(), 2);
}

async fn a_sweep_removes_no_more_than_its_limit(store: &dyn ClientStore) {
    for id in ["s1", "s2", "s3"] {
        store.insert_client(client(id, 50)).await.unwrap();
    }
    assert_eq!(store.remove_unused_clients(at(100), 2).await.unwrap().len(), 2);
    assert_eq!(store.remove_unused_clients(at(100), 2).await.unwrap().len(), 1);
    assert_eq!(store.remove_unused_clients(at(100), 2).await.unwrap().len(), 0);
}

use super::{CONTENDERS, at};
use crate::model::client_assertion::UsedAssertion;
use crate::model::ids::ClientId;
use crate::model::secret::TokenHash;
use crate::model::timestamp::Timestamp;
use crate::ports::assertion_store::{AssertionStore, AssertionUse};
use futures_util::future::join_all;

fn used(client: &str, id: &str, expires_at: Timestamp) -> UsedAssertion {
    UsedAssertion { client_id: ClientId::new(client), id_hash: TokenHash::of(id), expires_at }
}

/// Uses the assertion `id` of `client` at `now`, which is over at second 1000.
async fn attempt(store: &dyn AssertionStore, client: &str, id: &str, now: i64) -> AssertionUse {
    store.use_assertion(used(client, id, at(1_000)), at(now), 3).await.unwrap()
}

/// Checks an empty [`AssertionStore`].
pub async fn check_assertion_store(store: &dyn AssertionStore) {
    an_assertion_is_used_once(store).await;
    an_assertion_is_remembered_until_it_is_over(store).await;
    a_client_has_a_bounded_number_of_assertions(store).await;
    a_sweep_takes_what_is_over_in_bounded_steps(store).await;
}

async fn an_assertion_is_used_once(store: &dyn AssertionStore) {
    let attempts = join_all((0..CONTENDERS).map(|_| attempt(store, "app", "one", 100))).await;
    assert_eq!(attempts.iter().filter(|outcome| **outcome == AssertionUse::First).count(), 1, "one is the first");
    assert_eq!(attempts.iter().filter(|outcome| **outcome == AssertionUse::Repeated).count(), CONTENDERS - 1);
    assert_eq!(attempt(store, "other", "one", 100).await, AssertionUse::First, "names are the client's own");
}

async fn an_assertion_is_remembered_until_it_is_over(store: &dyn AssertionStore) {
    assert_eq!(attempt(store, "app", "one", 999).await, AssertionUse::Repeated);
    let later = used("app", "one", at(2_000));
    assert_eq!(store.use_assertion(later.clone(), at(1_000), 3).await.unwrap(), AssertionUse::First);
    assert_eq!(store.use_assertion(later, at(1_000), 3).await.unwrap(), AssertionUse::Repeated);
}

async fn a_client_has_a_bounded_number_of_assertions(store: &dyn AssertionStore) {
    // The one from before is over at second 2000, these are at second 1000.
    assert_eq!(attempt(store, "app", "two", 500).await, AssertionUse::First);
    assert_eq!(attempt(store, "app", "three", 500).await, AssertionUse::First);
    assert_eq!(attempt(store, "app", "four", 500).await, AssertionUse::Full);
    assert_eq!(attempt(store, "app", "three", 500).await, AssertionUse::Repeated, "what is known is known");
    assert_eq!(attempt(store, "other", "two", 500).await, AssertionUse::First, "others have room of their own");
    let next = used("app", "four", at(2_000));
    assert_eq!(store.use_assertion(next.clone(), at(1_000), 3).await.unwrap(), AssertionUse::First, "two are over");
    assert_eq!(store.use_assertion(next, at(1_000), 3).await.unwrap(), AssertionUse::Repeated);
}

async fn a_sweep_takes_what_is_over_in_bounded_steps(store: &dyn AssertionStore) {
    // How much of what is over was forgotten on the way is the store's own business.
    while store.sweep_assertions(at(1_999), 10).await.unwrap() > 0 {}
    for id in ["one", "four"] {
        let again = used("app", id, at(2_000));
        assert_eq!(store.use_assertion(again, at(1_999), 3).await.unwrap(), AssertionUse::Repeated, "{id} is not over");
    }
    assert_eq!(store.sweep_assertions(at(2_000), 1).await.unwrap(), 1);
    assert_eq!(store.sweep_assertions(at(2_000), 1).await.unwrap(), 1);
    assert_eq!(store.sweep_assertions(at(2_000), 1).await.unwrap(), 0);
}

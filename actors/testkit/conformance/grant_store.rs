use super::{CONTENDERS, at};
use crate::model::grant::Consent;
use crate::model::ids::ClientId;
use crate::model::secret::TokenHash;
use crate::ports::grant_store::{GrantStore, Redemption};
use crate::testkit::samples;
use futures_util::future::join_all;

/// Checks an empty [`GrantStore`].
pub async fn check_grant_store(store: &dyn GrantStore) {
    a_login_is_looked_at_often_and_taken_once(store).await;
    a_code_is_redeemed_once_and_remembered(store).await;
    consents_are_kept_by_browser_client_and_person(store).await;
    a_sweep_takes_what_is_over_in_bounded_steps(store).await;
}

async fn a_login_is_looked_at_often_and_taken_once(store: &dyn GrantStore) {
    let handle = TokenHash::of("login");
    assert!(store.find_login(handle).await.unwrap().is_none());
    assert!(store.take_login(handle).await.unwrap().is_none());
    let login = samples::pending_login("login", at(1_000));
    store.insert_login(login.clone()).await.unwrap();
    for _ in 0..2 {
        let found = store.find_login(handle).await.unwrap().unwrap();
        assert_eq!(format!("{found:?}"), format!("{login:?}"));
        assert_eq!((found.handle_hash, found.browser_hash), (login.handle_hash, login.browser_hash));
    }
    let taken = join_all((0..CONTENDERS).map(|_| store.take_login(handle))).await;
    assert_eq!(taken.into_iter().filter(|taken| matches!(taken, Ok(Some(_)))).count(), 1, "one takes the login");
    assert!(store.find_login(handle).await.unwrap().is_none());
}

async fn a_code_is_redeemed_once_and_remembered(store: &dyn GrantStore) {
    let hash = TokenHash::of("code");
    assert_eq!(store.redeem_code(hash).await.unwrap(), Redemption::Unknown);
    let code = Box::new(samples::code("code", "session", at(1_000)));
    store.insert_code((*code).clone()).await.unwrap();
    let redeemed = join_all((0..CONTENDERS).map(|_| store.redeem_code(hash))).await;
    let redeemed: Vec<_> = redeemed.into_iter().map(Result::unwrap).collect();
    let (first, repeated) = (Redemption::First(code.clone()), Redemption::Repeated(code));
    assert_eq!(redeemed.iter().filter(|outcome| **outcome == first).count(), 1, "one redeems the code");
    assert_eq!(redeemed.iter().filter(|outcome| **outcome == repeated).count(), CONTENDERS - 1);
}

async fn consents_are_kept_by_browser_client_and_person(store: &dyn GrantStore) {
    let (browser, app) = (TokenHash::of("browser"), ClientId::new("app"));
    let list = || async { store.list_consents(browser, app.clone()).await.unwrap() };
    assert!(list().await.is_empty());
    store.put_consent(samples::consent("ada", at(2_000))).await.unwrap();
    store.put_consent(samples::consent("bob", at(2_000))).await.unwrap();
    let wider = Consent { scopes: samples::scopes("read write"), ..samples::consent("ada", at(3_000)) };
    store.put_consent(wider.clone()).await.unwrap();
    let kept = list().await;
    assert_eq!(kept.len(), 2, "a later consent of the same person replaces the earlier");
    assert!(kept.contains(&wider) && kept.contains(&samples::consent("bob", at(2_000))));
    assert!(store.list_consents(TokenHash::of("other"), app.clone()).await.unwrap().is_empty());
    assert!(store.list_consents(browser, ClientId::new("other")).await.unwrap().is_empty());
}

async fn a_sweep_takes_what_is_over_in_bounded_steps(store: &dyn GrantStore) {
    let memory = samples::code("x", "x", at(0)).forget_at();
    let forgotten = |after: i64| at(after + memory.as_secs());
    assert_eq!(store.sweep_grants(at(999), 10).await.unwrap(), 0, "nothing is over yet");
    assert_eq!(store.sweep_grants(at(1_000), 10).await.unwrap(), 0, "a used code is remembered beyond its end");
    assert!(matches!(store.redeem_code(TokenHash::of("code")).await.unwrap(), Redemption::Repeated(_)));
    store.insert_login(samples::pending_login("late", at(1_000))).await.unwrap();
    assert_eq!(store.sweep_grants(at(1_000), 10).await.unwrap(), 1, "its time is over at that instant");
    assert!(store.find_login(TokenHash::of("late")).await.unwrap().is_none());
    // One code and bob's consent are over by then, ada's is over last.
    assert!(forgotten(1_000) < at(2_000));
    assert_eq!(store.sweep_grants(at(2_000), 1).await.unwrap(), 1);
    assert_eq!(store.sweep_grants(at(2_000), 1).await.unwrap(), 1);
    assert_eq!(store.sweep_grants(at(2_000), 1).await.unwrap(), 0);
    assert_eq!(store.redeem_code(TokenHash::of("code")).await.unwrap(), Redemption::Unknown);
    assert_eq!(store.sweep_grants(at(3_000), 10).await.unwrap(), 1);
    assert!(store.list_consents(TokenHash::of("browser"), ClientId::new("app")).await.unwrap().is_empty());
}

use super::TokenRefreshError;
use super::state::{BackOff, Flights, Joined};
use crate::model::ids::{ClientId, SessionId};
use crate::model::resource::Resource;
use crate::model::secret::Secret;
use crate::model::session::EndReason;
use crate::model::timestamp::Timestamp;
use crate::model::token::UpstreamTokens;
use crate::ports::session_store::SessionStore;
use crate::ports::upstream_idp::UpstreamError;
use crate::sessions::NewSession;
use crate::testkit::fake_idp::FakeIdp;
use crate::testkit::rig::{Login, Rig};
use crate::testkit::samples::{self, scopes};
use futures_util::future::join_all;
use proptest::prelude::*;
use std::time::Duration;

mod revoking;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn late_callers_join_the_flight_and_all_get_what_it_brings() {
    let (mut flights, id, other) = (Flights::default(), SessionId::new("s"), SessionId::new("t"));
    let (first, mut one) = flights.join(&id);
    let (later, mut two) = flights.join(&id);
    let (elsewhere, mut apart) = flights.join(&other);
    assert_eq!((first, later, elsewhere), (Joined::First, Joined::Later, Joined::First));
    flights.land(&id, &Err(unavailable()));
    for landed in [&mut one, &mut two] {
        assert_eq!(landed.try_recv().unwrap().unwrap_err(), unavailable());
    }
    assert!(apart.try_recv().is_err());
    assert_eq!(flights.join(&id).0, Joined::First, "the next one flies anew");
}

#[test]
fn a_flight_goes_on_although_its_first_caller_gave_up() {
    let (mut flights, id) = (Flights::default(), SessionId::new("s"));
    drop(flights.join(&id));
    assert_eq!(flights.join(&id).0, Joined::Later);
}

proptest! {
    #[test]
    fn back_off_doubles_up_to_five_minutes_and_half_as_much_again(jitters in proptest::collection::vec(any::<u8>(), 1..40)) {
        let now = Timestamp::from_secs(1_000);
        let mut back_off = None;
        for (failures, random) in jitters.into_iter().enumerate() {
            let next = BackOff::after(back_off, now, random);
            let pause = Duration::from_secs(300.min(2_u64.saturating_pow(u32::try_from(failures).unwrap() + 1)));
            let waited = next.retry_at.since(now);
            prop_assert!(waited >= pause && waited < pause.mul_f64(1.5), "{waited:?} after failure {failures}");
            back_off = Some(next);
        }
    }
}

/// A session whose provider token ends after `ends_in`.
async fn open(rig: &Rig, ends_in: Duration, refresh: Option<&str>) -> SessionId {
    let session = NewSession {
        client_id: Some(ClientId::new("app")),
        user: samples::user("ada"),
        scopes: scopes("read"),
        resource: Resource::parse(samples::RESOURCE).unwrap(),
        upstream: Some(samples::upstream_tokens("first-at", refresh, Some(rig.now() + ends_in))),
    };
    let id = rig.sessions.open_session(session).await.unwrap().id;
    rig.sessions.issue_tokens(id.clone(), true).await.unwrap();
    id
}

async fn fresh(rig: &Rig, id: &SessionId) -> Result<String, TokenRefreshError> {
    let token = rig.token_refresh.fresh_token(id.clone()).await.map_err(without_time)?;
    Ok(token.unwrap().expose().to_owned())
}

/// The provider is away, for however long.
fn unavailable() -> TokenRefreshError {
    TokenRefreshError::ProviderUnavailable { retry_after: Duration::ZERO }
}

fn without_time(error: TokenRefreshError) -> TokenRefreshError {
    match error {
        TokenRefreshError::ProviderUnavailable { .. } => unavailable(),
        other => other,
    }
}

async fn kept(rig: &Rig, id: &SessionId) -> UpstreamTokens {
    rig.sessions.find_session(id.clone()).await.unwrap().unwrap().upstream.unwrap()
}

#[actix::test]
async fn a_token_that_still_works_is_used_as_it_is() {
    let rig = Rig::start(Login::Provider).await;
    let id = open(&rig, 31 * SECOND, Some("first-rt")).await;
    assert_eq!(fresh(&rig, &id).await, Ok("first-at".to_owned()));
    assert!(rig.idp.refreshed_with().is_empty());
}

#[actix::test]
async fn many_calls_at_expiry_make_one_refresh() {
    let rig = Rig::start(Login::Provider).await;
    let id = open(&rig, Duration::ZERO, Some("first-rt")).await;
    for outcome in join_all((0..20).map(|_| fresh(&rig, &id))).await {
        assert_eq!(outcome, Ok("upstream-at-1".to_owned()));
    }
    assert_eq!(rig.idp.refreshed_with(), ["first-rt"]);
    let kept = kept(&rig, &id).await;
    assert!(kept.access_token.matches("upstream-at-1") && kept.refresh_token.unwrap().matches("upstream-rt-1"));
    assert_eq!(rig.recorded("auth.upstream_refreshed"), 1);
}

#[actix::test]
async fn a_new_refresh_token_replaces_the_old_and_none_keeps_it() {
    let rig = Rig::start(Login::Provider).await;
    let id = open(&rig, Duration::ZERO, Some("first-rt")).await;
    fresh(&rig, &id).await.unwrap();
    rig.idp.keep_refresh_tokens();
    for _ in 0..2 {
        rig.sessions.store_upstream_tokens(id.clone(), expired(kept(&rig, &id).await, rig.now())).await.unwrap();
        fresh(&rig, &id).await.unwrap();
    }
    assert_eq!(rig.idp.refreshed_with(), ["first-rt", "upstream-rt-1", "upstream-rt-1"]);
    assert!(kept(&rig, &id).await.refresh_token.unwrap().matches("upstream-rt-1"));
}

fn expired(tokens: UpstreamTokens, now: Timestamp) -> UpstreamTokens {
    UpstreamTokens { expires_at: Some(now), ..tokens }
}

#[actix::test]
async fn a_token_that_could_not_be_kept_is_not_used() {
    let rig = Rig::start(Login::Provider).await;
    let id = open(&rig, Duration::ZERO, Some("first-rt")).await;
    rig.session_store.break_operation("put_upstream_tokens");
    assert_eq!(fresh(&rig, &id).await, Err(TokenRefreshError::StoreUnavailable));
    assert_eq!(fresh(&rig, &id).await, Err(TokenRefreshError::StoreUnavailable));
    assert_eq!(rig.idp.refreshed_with(), ["first-rt"], "the provider has forgotten that one");
    rig.session_store.heal();
    assert_eq!(fresh(&rig, &id).await, Ok("upstream-at-1".to_owned()));
    assert!(kept(&rig, &id).await.refresh_token.unwrap().matches("upstream-rt-1"));
    assert_eq!(rig.idp.refreshed_with(), ["first-rt"]);
}

#[actix::test]
async fn what_could_not_be_kept_is_kept_as_soon_as_it_can_be() {
    let rig = Rig::start(Login::Provider).await;
    let id = open(&rig, Duration::ZERO, Some("first-rt")).await;
    rig.session_store.break_operation("put_upstream_tokens");
    assert_eq!(fresh(&rig, &id).await, Err(TokenRefreshError::StoreUnavailable));
    rig.session_store.heal();
    rig.pass(31 * SECOND).await;
    assert!(kept(&rig, &id).await.access_token.matches("upstream-at-1"), "nobody asked for it");
}

#[actix::test]
async fn a_token_that_was_refused_is_replaced_once() {
    let rig = Rig::start(Login::Provider).await;
    let id = open(&rig, 600 * SECOND, Some("first-rt")).await;
    let replace = |token: &str| {
        let replaced = rig.token_refresh.replace_token(id.clone(), Secret::new(token));
        async move { replaced.await.map(|token| token.map(|token| token.expose().to_owned())) }
    };
    for outcome in join_all((0..5).map(|_| replace("first-at"))).await {
        assert_eq!(outcome, Ok(Some("upstream-at-1".to_owned())));
    }
    assert_eq!(replace("first-at").await, Ok(Some("upstream-at-1".to_owned())), "it was replaced before");
    assert_eq!(rig.idp.refreshed_with(), ["first-rt"]);
    assert_eq!(replace("upstream-at-1").await, Ok(None), "an API that refuses everything wears nobody out");
    rig.pass(61 * SECOND).await;
    rig.idp.fail_next(FakeIdp::faulty());
    assert_eq!(replace("upstream-at-1").await.map_err(without_time), Err(unavailable()), "it does not work any more");
}

#[actix::test]
async fn a_refused_token_without_a_refresh_token_cannot_be_replaced() {
    let rig = Rig::start(Login::Provider).await;
    let id = open(&rig, 600 * SECOND, None).await;
    assert_eq!(
        rig.token_refresh.replace_token(id, Secret::new("first-at")).await.map(|token| token.is_some()),
        Ok(false)
    );
}

#[actix::test]
async fn callers_learn_when_the_provider_will_be_asked_again() {
    let rig = Rig::start(Login::Provider).await;
    let id = open(&rig, Duration::ZERO, Some("first-rt")).await;
    rig.idp.fail_next(FakeIdp::faulty());
    for passed in [0, 1] {
        rig.pass(passed * SECOND).await;
        let error = rig.token_refresh.fresh_token(id.clone()).await.unwrap_err();
        let TokenRefreshError::ProviderUnavailable { retry_after } = error else { panic!("{error:?}") };
        assert!(retry_after > Duration::ZERO && retry_after + passed * SECOND <= 3 * SECOND, "{retry_after:?}");
    }
}

#[actix::test]
async fn sessions_that_nobody_uses_are_not_kept_fresh() {
    let rig = Rig::start(Login::Provider).await;
    // Beyond the life of its access token, so that it is due when nobody uses it any more.
    let id = open(&rig, 2 * 3_600 * SECOND, Some("first-rt")).await;
    rig.pass(3 * 3_600 * SECOND).await;
    assert!(rig.idp.refreshed_with().is_empty());
    assert_eq!(fresh(&rig, &id).await, Ok("upstream-at-1".to_owned()), "whoever comes back is refreshed then");
}

#[actix::test]
async fn a_grant_that_the_provider_ended_ends_the_session() {
    let rig = Rig::start(Login::Provider).await;
    let id = open(&rig, Duration::ZERO, Some("first-rt")).await;
    let ours = rig.sessions.issue_tokens(id.clone(), false).await.unwrap();
    rig.idp.fail_next(FakeIdp::invalid_grant());
    let outcomes = join_all((0..5).map(|_| fresh(&rig, &id))).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Err(TokenRefreshError::SessionEnded)), "{outcomes:?}");
    assert!(rig.sessions.verify_access_token(ours.access_token.expose()).is_err());
    assert!(rig.session_store.find_session(id).await.unwrap().is_none());
    assert_eq!(rig.recorded("auth.session_ended"), 1);
}

#[actix::test]
async fn a_provider_that_is_down_leaves_the_session_and_is_given_a_rest() {
    let rig = Rig::start(Login::Provider).await;
    let id = open(&rig, Duration::ZERO, Some("first-rt")).await;
    rig.idp.fail_next(FakeIdp::faulty());
    for _ in 0..3 {
        assert_eq!(fresh(&rig, &id).await, Err(unavailable()));
    }
    assert_eq!(rig.idp.refreshed_with().len(), 1, "asked again only after a pause");
    rig.pass(3 * SECOND).await;
    assert_eq!(fresh(&rig, &id).await, Ok("upstream-at-1".to_owned()));
    assert_eq!(rig.idp.refreshed_with(), ["first-rt", "first-rt"]);
}

#[actix::test]
async fn while_the_provider_is_down_a_token_is_used_to_its_end() {
    let rig = Rig::start(Login::Provider).await;
    let id = open(&rig, 20 * SECOND, Some("first-rt")).await;
    for error in [
        FakeIdp::faulty(),
        UpstreamError::Unreachable { provider: "fake".to_owned(), what: "tokens", detail: "x".to_owned() },
    ] {
        rig.idp.fail_next(error);
        assert_eq!(fresh(&rig, &id).await, Ok("first-at".to_owned()));
        rig.pass(3 * SECOND).await;
    }
    assert_eq!(rig.idp.refreshed_with().len(), 2);
}

#[actix::test]
async fn a_token_without_a_refresh_token_is_left_for_the_provider_to_refuse() {
    let rig = Rig::start(Login::Provider).await;
    let id = open(&rig, Duration::ZERO, None).await;
    assert_eq!(fresh(&rig, &id).await, Ok("first-at".to_owned()));
}

#[actix::test]
async fn a_session_that_has_ended_gives_no_token() {
    let rig = Rig::start(Login::Provider).await;
    let id = open(&rig, 60 * SECOND, Some("first-rt")).await;
    rig.sessions.end_session(id.clone(), EndReason::SignedOut).await.unwrap();
    assert_eq!(fresh(&rig, &id).await, Err(TokenRefreshError::SessionEnded));
}

#[actix::test]
async fn a_session_that_ends_during_the_refresh_gives_no_token() {
    let rig = Rig::start(Login::Provider).await;
    let id = open(&rig, Duration::ZERO, Some("first-rt")).await;
    let end = async {
        rig.pass(Duration::from_millis(100)).await;
        rig.sessions.end_session(id.clone(), EndReason::SignedOut).await.unwrap()
    };
    let (outcome, ended) = tokio::join!(fresh(&rig, &id), end);
    assert!(ended.is_some());
    assert_eq!(outcome, Err(TokenRefreshError::SessionEnded));
}

#[actix::test]
async fn tokens_are_refreshed_before_anyone_needs_them() {
    let rig = Rig::start(Login::Provider).await;
    let id = open(&rig, 600 * SECOND, Some("first-rt")).await;
    rig.pass(500 * SECOND).await;
    assert!(rig.idp.refreshed_with().is_empty());
    rig.pass(45 * SECOND).await;
    assert_eq!(rig.idp.refreshed_with(), ["first-rt"]);
    assert!(kept(&rig, &id).await.access_token.matches("upstream-at-1"));
}

#[actix::test]
async fn sessions_that_keep_failing_do_not_keep_others_from_being_refreshed() {
    let rig = Rig::start(Login::Provider).await;
    rig.idp.refuse("refused");
    for n in 0..40 {
        open(&rig, Duration::ZERO, Some(&format!("refused-{n}"))).await;
    }
    // By then every one of them is being given a rest, most of the time.
    rig.pass(2_000 * SECOND).await;
    let others: Vec<String> = (0..3).map(|n| format!("other-{n}")).collect();
    for other in &others {
        open(&rig, 60 * SECOND, Some(other)).await;
    }
    rig.pass(61 * SECOND).await;
    let shown = rig.idp.refreshed_with();
    assert!(others.iter().all(|other| shown.contains(other)), "{shown:?}");
}

#[actix::test]
async fn nothing_about_a_refresh_shows_a_token() {
    let rig = Rig::start(Login::Provider).await;
    let id = open(&rig, Duration::ZERO, Some("first-rt")).await;
    rig.idp.fail_next(FakeIdp::faulty());
    assert!(fresh(&rig, &id).await.is_err());
    rig.pass(3 * SECOND).await;
    assert!(fresh(&rig, &id).await.is_ok());
    for record in rig.audit.records() {
        let line = serde_json::to_string(&*record).unwrap();
        assert!(!line.contains("-at") && !line.contains("-rt"), "{line}");
    }
    assert_eq!(format!("{:?}", Secret::new("first-rt")), "[redacted]");
}

#[actix::test]
async fn many_sessions_are_refreshed_in_time_however_few_at_once() {
    let rig = Rig::start(Login::Provider).await;
    for n in 0..200 {
        open(&rig, 60 * SECOND, Some(&format!("rt-{n}"))).await;
    }
    rig.pass(59 * SECOND).await;
    assert_eq!(rig.idp.refreshed_with().len(), 200);
}

#[actix::test]
async fn tokens_that_could_not_be_kept_are_revoked_when_their_session_ends() {
    let rig = Rig::start(Login::Provider).await;
    let id = open(&rig, Duration::ZERO, Some("first-rt")).await;
    rig.session_store.break_operation("put_upstream_tokens");
    assert_eq!(fresh(&rig, &id).await, Err(TokenRefreshError::StoreUnavailable));
    rig.sessions.end_session(id, EndReason::SignedOut).await.unwrap();
    rig.pass(31 * SECOND).await;
    let revoked = rig.idp.revoked();
    assert!(revoked.iter().any(|token| token == "upstream-at-1"), "{revoked:?}");
}

mod scopes;
mod unclaimed;

use super::state::{ACCESS_PREFIX, REFRESH_PREFIX, RefreshJudgement, RefreshedBy, expiries, judge_refresh, successor};
use super::{InvalidToken, NewSession, RefreshError, SessionError};
use crate::model::ids::{ClientId, SessionId, UserId};
use crate::model::resource::Resource;
use crate::model::scope::ScopeSet;
use crate::model::secret::Secret;
use crate::model::session::{EndReason, Session};
use crate::model::timestamp::Timestamp;
use crate::model::token::{IssuedTokens, RefreshTokenRecord, Rotation};
use crate::ports::clock::Clock;
use crate::ports::session_store::SessionStore;
use crate::settings::{Lifetimes, Settings};
use crate::testkit::rig::{Login, Rig, settings};
use crate::testkit::samples::{self, scopes};
use futures_util::future::join_all;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// A token of session `s` that was replaced at second 100, or not at all.
fn record(is_used: bool) -> RefreshTokenRecord {
    let rotation = Rotation {
        rotated_at: at(100),
        salt: "salt".to_owned(),
        scopes: scopes("read"),
        access_expires_at: at(3_700),
        is_claim: false,
    };
    RefreshTokenRecord { rotation: is_used.then_some(rotation), ..samples::refresh_token("r", "s", at(3_000)) }
}

#[test]
fn a_refresh_token_is_judged_by_client_time_use_and_scope() {
    use RefreshJudgement as J;
    let session = samples::session("s", "ada", at(0));
    let rotate = |scopes: ScopeSet| J::Rotate { scopes, is_claim: false };
    let all = rotate(session.scopes.clone());
    let repeat = J::Repeat(record(true).rotation.unwrap());
    for (is_used, client, asked, now, grace, expected) in [
        (false, "app", None, 200, 30, all.clone()),
        (false, "app", Some(""), 200, 30, all.clone()),
        (false, "app", Some("read"), 200, 30, rotate(scopes("read"))),
        (false, "app", Some("read mxcp:access"), 200, 30, rotate(scopes("read mxcp:access"))),
        (false, "app", Some("read write"), 200, 30, J::ScopeTooWide),
        (false, "other", None, 200, 30, J::Invalid),
        (false, "app", None, 2_999, 30, all.clone()),
        (false, "app", None, 3_000, 30, J::Invalid),
        (false, "app", None, 3_600, 30, J::Invalid),
        (true, "app", None, 100, 30, repeat.clone()),
        (true, "app", None, 130, 30, repeat),
        (true, "app", None, 131, 30, J::Replayed),
        (true, "app", None, 100, 0, J::Replayed),
        (true, "app", None, 101, 0, J::Replayed),
        (true, "other", None, 101, 0, J::Invalid),
        (true, "app", None, 3_600, 30, J::Invalid),
    ] {
        let (client, asked) = (samples::client(client), asked.map(scopes));
        let by = RefreshedBy { client: &client, asked: asked.as_ref(), held: &session.scopes };
        let judged = judge_refresh(&record(is_used), &session, by, at(now), Duration::from_secs(grace));
        assert_eq!(judged, expected, "used: {is_used}, {}, {asked:?}, at {now}, grace {grace}", client.id);
    }
}

prop_compose! {
    fn any_scopes()(names in proptest::collection::vec("[a-d]", 0..4)) -> ScopeSet {
        names.into_iter().collect()
    }
}

proptest! {
    #[test]
    fn a_refresh_never_widens_the_scope(granted in any_scopes(), asked in proptest::option::of(any_scopes())) {
        let session = Session { scopes: granted, ..samples::session("s", "ada", at(0)) };
        let client = samples::client("app");
        let by = RefreshedBy { client: &client, asked: asked.as_ref(), held: &session.scopes };
        match judge_refresh(&record(false), &session, by, at(200), MINUTE) {
            RefreshJudgement::Rotate { scopes, .. } => {
                prop_assert!(session.scopes.contains_all(&scopes));
                prop_assert!(asked.is_none_or(|asked| asked.is_empty() || asked == scopes));
            }
            RefreshJudgement::ScopeTooWide => prop_assert!(asked.is_some_and(|asked| !session.scopes.contains_all(&asked))),
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn no_token_outlives_its_session(
        now in 0_i64..200_000, access in 0_u64..200_000, idle in 0_u64..200_000, with_refresh: bool,
    ) {
        let session = samples::session("s", "ada", at(0));
        let lifetimes = Lifetimes {
            access_token: Duration::from_secs(access),
            refresh_token_idle: Duration::from_secs(idle),
            ..Lifetimes::default()
        };
        let expiries = expiries(&session, at(now), with_refresh, &lifetimes);
        prop_assert!(expiries.idle <= session.expires_at);
        prop_assert!(expiries.access <= expiries.idle, "the session ends before its token");
        prop_assert!(with_refresh || expiries.access == expiries.idle);
    }

    #[test]
    fn a_successor_needs_both_halves(used in "[a-z]{1,20}", salt in "[a-z]{1,20}", other in "[a-z]{1,20}") {
        let used = Secret::new(used);
        let next = successor(&used, &salt, REFRESH_PREFIX);
        prop_assert!(next.matches(successor(&used, &salt, REFRESH_PREFIX).expose()));
        prop_assert_eq!(next.matches(successor(&used, &other, REFRESH_PREFIX).expose()), salt == other);
        let by_another = successor(&Secret::new(other.clone()), &salt, REFRESH_PREFIX);
        prop_assert_eq!(next.matches(by_another.expose()), used.matches(&other));
        let access = successor(&used, &salt, ACCESS_PREFIX);
        let tails = (access.expose().strip_prefix(ACCESS_PREFIX), next.expose().strip_prefix(REFRESH_PREFIX));
        prop_assert!(tails.0 != tails.1, "one successor must not give the other away");
    }
}

fn new_session(client: Option<&str>, username: &str) -> NewSession {
    NewSession {
        client_id: client.map(ClientId::new),
        user: samples::user(username),
        scopes: scopes("mxcp:access read"),
        resource: Resource::parse(samples::RESOURCE).unwrap(),
        upstream: None,
    }
}

async fn open(rig: &Rig, username: &str) -> SessionId {
    rig.sessions.open_session(new_session(Some("app"), username)).await.unwrap().id
}

async fn issue(rig: &Rig) -> IssuedTokens {
    let id = open(rig, "ada").await;
    rig.sessions.issue_tokens(id, true).await.unwrap()
}

async fn refresh(rig: &Rig, token: &Secret) -> Result<IssuedTokens, RefreshError> {
    rig.sessions.refresh_tokens(token.clone(), samples::client("app"), None).await
}

fn works(rig: &Rig, tokens: &IssuedTokens) -> bool {
    rig.sessions.verify_access_token(tokens.access_token.expose()).is_ok()
}

fn next(tokens: &IssuedTokens) -> &Secret {
    tokens.refresh_token.as_ref().unwrap()
}

async fn with_lifetimes(lifetimes: Lifetimes) -> Rig {
    Rig::with(Login::Provider, Settings { lifetimes, ..settings() }).await
}

#[actix::test]
async fn an_access_token_stands_for_its_person_until_its_time_is_over() {
    let rig = Rig::start(Login::Provider).await;
    let tokens = issue(&rig).await;
    assert!(
        tokens.access_token.expose().starts_with(ACCESS_PREFIX) && next(&tokens).expose().starts_with(REFRESH_PREFIX)
    );
    let grant = rig.sessions.verify_access_token(tokens.access_token.expose()).unwrap();
    assert_eq!(grant.principal.user.as_ref().unwrap().username, "ada");
    assert_eq!(
        (grant.principal.scopes.to_string(), grant.resource.as_str()),
        ("mxcp:access read".to_owned(), samples::RESOURCE)
    );
    rig.pass(59 * MINUTE).await;
    assert!(works(&rig, &tokens));
    rig.pass(MINUTE).await;
    assert_eq!(rig.sessions.verify_access_token(tokens.access_token.expose()).err(), Some(InvalidToken));
    for no_token in ["", "mxcp_at_", next(&tokens).expose()] {
        assert!(rig.sessions.verify_access_token(no_token).is_err(), "{no_token}");
    }
}

#[actix::test]
async fn who_waits_for_the_end_of_a_token_hears_of_it_when_it_comes() {
    let rig = Rig::start(Login::Provider).await;
    let waited_for = |token: Secret| {
        let (sessions, clock, began) = (rig.sessions.clone(), Arc::clone(&rig.clock), rig.clock.now());
        async move {
            sessions.wait_for_token_end(&token.hash()).await;
            clock.now().since(began)
        }
    };
    let (ended, revoked, lasting) = (issue(&rig).await, issue(&rig).await, issue(&rig).await);
    let waits = join_all([&ended, &revoked, &lasting].map(|tokens| waited_for(tokens.access_token.clone())));
    let ends = async {
        rig.pass(MINUTE).await;
        rig.sessions.end_session(ended.session_id.clone(), EndReason::SignedOut).await.unwrap();
        rig.pass(MINUTE).await;
        rig.sessions.revoke_token(revoked.access_token.clone(), ClientId::new("app")).await.unwrap();
    };
    let (waited, ()) = tokio::join!(waits, ends);
    let minutes: Vec<u64> = waited.iter().map(|waited| waited.as_secs() / 60).collect();
    assert_eq!(minutes, [1, 2, 60], "ended with its session, revoked alone, expired");
    assert_eq!(waited_for(ended.access_token).await, Duration::ZERO);
}

#[actix::test]
async fn a_refresh_gives_a_new_pair_and_the_old_token_the_same_within_grace() {
    let rig = Rig::start(Login::Provider).await;
    let first = issue(&rig).await;
    let second = refresh(&rig, next(&first)).await.unwrap();
    assert!(works(&rig, &first) && works(&rig, &second));
    assert!(!next(&second).matches(next(&first).expose()));
    rig.pass(Duration::from_secs(20)).await;
    let again = refresh(&rig, next(&first)).await.unwrap();
    assert!(again.access_token.matches(second.access_token.expose()) && next(&again).matches(next(&second).expose()));
    assert_eq!(second.expires_in.saturating_sub(again.expires_in).as_secs(), 20);
    assert_eq!(again.scopes, second.scopes);
}

#[actix::test]
async fn of_many_refreshes_at_once_all_get_the_same_pair() {
    let rig = Rig::start(Login::Provider).await;
    let first = issue(&rig).await;
    let answers = join_all((0..20).map(|_| refresh(&rig, next(&first)))).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    for answer in &answers {
        assert!(answer.access_token.matches(answers[0].access_token.expose()));
        assert!(next(answer).matches(next(&answers[0]).expose()) && works(&rig, answer));
    }
}

#[actix::test]
async fn a_replay_after_grace_ends_the_session_and_all_its_tokens() {
    let rig = Rig::start(Login::Provider).await;
    let first = issue(&rig).await;
    let second = refresh(&rig, next(&first)).await.unwrap();
    rig.pass(Duration::from_secs(31)).await;
    assert_eq!(refresh(&rig, next(&first)).await.unwrap_err(), RefreshError::Replayed);
    assert!(!works(&rig, &first) && !works(&rig, &second));
    assert_eq!(refresh(&rig, next(&second)).await.unwrap_err(), RefreshError::Invalid);
    assert_eq!(rig.recorded("auth.session_ended"), 1);
}

#[actix::test]
async fn a_replay_within_grace_ends_the_session_once_the_successor_was_used() {
    let rig = Rig::start(Login::Provider).await;
    let first = issue(&rig).await;
    let second = refresh(&rig, next(&first)).await.unwrap();
    let third = refresh(&rig, next(&second)).await.unwrap();
    assert_eq!(refresh(&rig, next(&first)).await.unwrap_err(), RefreshError::Replayed);
    assert!(!works(&rig, &third));
    assert_eq!(refresh(&rig, next(&third)).await.unwrap_err(), RefreshError::Invalid);
}

#[actix::test]
async fn without_grace_any_second_use_ends_the_session() {
    let rig = with_lifetimes(Lifetimes { refresh_grace: Duration::ZERO, ..Lifetimes::default() }).await;
    let first = issue(&rig).await;
    let second = refresh(&rig, next(&first)).await.unwrap();
    assert_eq!(refresh(&rig, next(&first)).await.unwrap_err(), RefreshError::Replayed);
    assert!(!works(&rig, &second));
}

#[actix::test]
async fn another_client_is_refused_and_the_session_goes_on() {
    let rig = Rig::start(Login::Provider).await;
    let first = issue(&rig).await;
    let stranger = || rig.sessions.refresh_tokens(next(&first).clone(), samples::client("stranger"), None);
    assert_eq!(stranger().await.unwrap_err(), RefreshError::Invalid);
    let second = refresh(&rig, next(&first)).await.unwrap();
    rig.pass(MINUTE).await;
    assert_eq!(stranger().await.unwrap_err(), RefreshError::Invalid, "nor does a stranger's replay end it");
    assert!(works(&rig, &second));
}

#[actix::test]
async fn a_narrower_scope_is_for_that_access_token_only() {
    let rig = Rig::start(Login::Provider).await;
    let first = issue(&rig).await;
    let ask =
        |token: Secret, text: &str| rig.sessions.refresh_tokens(token, samples::client("app"), Some(scopes(text)));
    assert_eq!(ask(next(&first).clone(), "read write").await.unwrap_err(), RefreshError::ScopeTooWide);
    let narrow = ask(next(&first).clone(), "read").await.unwrap();
    let grant = rig.sessions.verify_access_token(narrow.access_token.expose()).unwrap();
    assert_eq!(grant.principal.scopes, scopes("read"));
    let whole = refresh(&rig, next(&narrow)).await.unwrap();
    assert_eq!(whole.scopes, scopes("mxcp:access read"));
}

#[actix::test]
async fn a_session_ends_when_it_is_not_used_and_at_its_limit_however_it_is_used() {
    let lifetimes = Lifetimes {
        access_token: 5 * MINUTE,
        refresh_token_idle: 10 * MINUTE,
        refresh_token_max: 25 * MINUTE,
        ..Lifetimes::default()
    };
    let rig = with_lifetimes(lifetimes).await;
    let idle = issue(&rig).await;
    let mut used = issue(&rig).await;
    for _ in 0..2 {
        rig.pass(9 * MINUTE).await;
        used = refresh(&rig, next(&used)).await.unwrap();
    }
    assert_eq!(refresh(&rig, next(&idle)).await.unwrap_err(), RefreshError::Invalid);
    rig.pass(5 * MINUTE).await;
    used = refresh(&rig, next(&used)).await.unwrap();
    assert!(used.expires_in <= 2 * MINUTE, "an access token ends with its session");
    rig.pass(2 * MINUTE).await;
    assert!(!works(&rig, &used));
    assert_eq!(refresh(&rig, next(&used)).await.unwrap_err(), RefreshError::Invalid);
    rig.pass(MINUTE).await;
    assert_eq!(rig.recorded("auth.session_ended"), 2, "the sweep ends both");
    assert!(rig.sessions.find_session(used.session_id).await.unwrap().is_none());
}

#[actix::test]
async fn a_session_whose_code_is_never_redeemed_is_swept() {
    let rig = Rig::start(Login::Provider).await;
    let id = open(&rig, "ada").await;
    rig.pass(3 * MINUTE).await;
    assert!(rig.session_store.find_session(id.clone()).await.unwrap().is_none());
    assert_eq!(rig.sessions.issue_tokens(id, true).await.unwrap_err(), SessionError::Ended);
}

#[actix::test]
async fn without_a_refresh_token_the_session_ends_with_its_access_token() {
    let rig = Rig::start(Login::Provider).await;
    let id = open(&rig, "ada").await;
    let tokens = rig.sessions.issue_tokens(id.clone(), false).await.unwrap();
    assert!(tokens.refresh_token.is_none());
    rig.pass(tokens.expires_in).await;
    assert!(rig.sessions.find_session(id).await.unwrap().is_none());
}

#[actix::test]
async fn revoking_an_access_token_ends_it_alone_and_a_refresh_token_everything() {
    let rig = Rig::start(Login::Provider).await;
    let app = ClientId::new("app");
    let first = issue(&rig).await;
    let second = refresh(&rig, next(&first)).await.unwrap();
    let revoke = |token: &Secret, client: &ClientId| rig.sessions.revoke_token(token.clone(), client.clone());
    assert!(revoke(&first.access_token, &ClientId::new("stranger")).await.unwrap().is_none());
    assert!(revoke(next(&second), &ClientId::new("stranger")).await.unwrap().is_none());
    assert!(revoke(&Secret::new("no token"), &app).await.unwrap().is_none());
    assert!(works(&rig, &first) && works(&rig, &second));
    assert_eq!(revoke(&first.access_token, &app).await.unwrap().unwrap().id, first.session_id);
    assert!(!works(&rig, &first) && works(&rig, &second));
    let third = refresh(&rig, next(&second)).await.unwrap();
    assert!(revoke(next(&third), &app).await.unwrap().is_some());
    assert!(!works(&rig, &second) && !works(&rig, &third));
    assert_eq!(refresh(&rig, next(&third)).await.unwrap_err(), RefreshError::Invalid);
    assert!(revoke(next(&third), &app).await.unwrap().is_none(), "twice is no error");
}

#[actix::test]
async fn tokens_that_are_issued_while_their_session_ends_never_work() {
    let rig = Rig::start(Login::Provider).await;
    // The end starts a little later each time, so that it meets every step of the issuing.
    for delay in 0..12 {
        let id = open(&rig, "ada").await;
        let end = async {
            for _ in 0..delay {
                tokio::task::yield_now().await;
            }
            rig.sessions.end_session(id.clone(), EndReason::SignedOut).await.unwrap()
        };
        let (issued, ended) = tokio::join!(rig.sessions.issue_tokens(id.clone(), true), end);
        assert!(ended.is_some());
        if let Ok(tokens) = issued {
            assert!(!works(&rig, &tokens), "the access token works after {delay} turns");
            assert_eq!(refresh(&rig, next(&tokens)).await.unwrap_err(), RefreshError::Invalid);
        }
    }
}

#[actix::test]
async fn a_session_is_ended_once_and_its_tokens_are_dead_before_the_answer() {
    let rig = Rig::start(Login::Provider).await;
    let tokens = issue(&rig).await;
    let ends = (0..5).map(|_| rig.sessions.end_session(tokens.session_id.clone(), EndReason::SignedOut));
    let ended = join_all(ends).await.into_iter().filter(|ended| matches!(ended, Ok(Some(_)))).count();
    assert_eq!(ended, 1);
    assert!(!works(&rig, &tokens));
    assert_eq!(rig.recorded("auth.session_ended"), 1);
}

#[actix::test]
async fn signing_out_everywhere_ends_every_session_of_that_person_only() {
    let rig = Rig::start(Login::Provider).await;
    let (one, two) = (issue(&rig).await, issue(&rig).await);
    let bobs = open(&rig, "bob").await;
    let bobs = rig.sessions.issue_tokens(bobs, true).await.unwrap();
    let visit = rig.sessions.open_session(new_session(None, "ada")).await.unwrap().cookie.unwrap();
    assert!(rig.sessions.find_browser_session(visit.clone()).await.unwrap().is_some());
    let ada = UserId::of("fake", "ada");
    assert_eq!(rig.sessions.end_user_sessions(ada.clone(), EndReason::SignedOut).await.unwrap(), 3);
    assert!(!works(&rig, &one) && !works(&rig, &two) && works(&rig, &bobs));
    assert!(rig.sessions.find_browser_session(visit).await.unwrap().is_none());
    assert_eq!(rig.sessions.end_user_sessions(ada, EndReason::SignedOut).await.unwrap(), 0);
}

#[actix::test]
async fn tokens_are_dead_even_when_the_store_cannot_end_them() {
    let rig = Rig::start(Login::Provider).await;
    let tokens = [issue(&rig).await, issue(&rig).await];
    rig.session_store.break_operation("remove_session");
    let ended = rig.sessions.end_user_sessions(UserId::of("fake", "ada"), EndReason::SignedOut).await;
    assert!(matches!(ended, Err(SessionError::Store(_))));
    assert!(tokens.iter().all(|tokens| !works(&rig, tokens)));
    rig.session_store.heal();
    let ended = rig.sessions.end_user_sessions(UserId::of("fake", "ada"), EndReason::SignedOut).await;
    assert_eq!(ended.unwrap(), 2, "trying again ends them in the store as well");
}

#[actix::test]
async fn signing_out_everywhere_that_fails_halfway_can_be_tried_again_from_the_same_visit() {
    let rig = Rig::start(Login::Provider).await;
    let visit = rig.sessions.open_session(new_session(None, "ada")).await.unwrap().cookie.unwrap();
    for _ in 0..5 {
        open(&rig, "ada").await;
    }
    rig.session_store.break_after(4, "remove_session");
    let ada = UserId::of("fake", "ada");
    assert!(rig.sessions.end_user_sessions(ada.clone(), EndReason::SignedOut).await.is_err());
    assert!(rig.sessions.find_browser_session(visit).await.unwrap().is_some());
    rig.session_store.heal();
    assert_eq!(rig.sessions.end_user_sessions(ada, EndReason::SignedOut).await.unwrap(), 2);
}

#[actix::test]
async fn a_store_that_fails_gives_no_token_and_leaves_the_old_one_in_force() {
    let rig = Rig::start(Login::Provider).await;
    let first = issue(&rig).await;
    rig.session_store.break_operation("change_tokens");
    assert!(matches!(refresh(&rig, next(&first)).await, Err(RefreshError::Store(_))));
    rig.session_store.heal();
    assert!(works(&rig, &refresh(&rig, next(&first)).await.unwrap()));
}

#[actix::test]
async fn a_restart_keeps_live_tokens() {
    let rig = Rig::start(Login::Provider).await;
    let tokens = issue(&rig).await;
    let ended = issue(&rig).await;
    rig.sessions.end_session(ended.session_id.clone(), EndReason::SignedOut).await.unwrap();
    let restarted = rig.restart_sessions().await;
    assert!(restarted.verify_access_token(tokens.access_token.expose()).is_ok());
    assert!(restarted.verify_access_token(ended.access_token.expose()).is_err());
}

#[actix::test]
async fn a_sweep_goes_on_until_all_that_is_over_is_gone() {
    let rig = Rig::start(Login::Provider).await;
    for _ in 0..2_500 {
        open(&rig, "ada").await;
    }
    // One tick comes after they are over.
    rig.pass(Duration::from_secs(150)).await;
    assert_eq!(rig.sessions.end_user_sessions(UserId::of("fake", "ada"), EndReason::SignedOut).await.unwrap(), 0);
}

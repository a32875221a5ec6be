use super::attempts::Attempts;
use super::state::judge_redemption;
use super::{CodeError, LoginLookupError, NewLogin, RedeemCode, RedeemError, TooManyAttempts};
use crate::model::grant::{LoginPurpose, LoginStage};
use crate::model::ids::{ClientId, SessionId};
use crate::model::secret::{Secret, TokenHash};
use crate::model::timestamp::Timestamp;
use crate::ports::grant_store::GrantStore;
use crate::testkit::rig::{Login, Rig};
use crate::testkit::samples;
use futures_util::future::join_all;
use proptest::prelude::*;
use std::time::Duration;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn attempt(code: &str) -> RedeemCode {
    RedeemCode {
        code: Secret::new(code),
        client_id: ClientId::new("app"),
        redirect_uri: Some(samples::REDIRECT_URI.to_owned()),
        verifier: Secret::new(samples::VERIFIER),
    }
}

fn mismatch<T>(what: &'static str) -> Result<T, RedeemError> {
    Err(RedeemError::Mismatch { what, trace_id: Some("trace".to_owned()) })
}

#[test]
fn a_code_is_redeemed_only_by_the_request_that_it_was_issued_for() {
    let right = || attempt("code");
    let uri = |uri: &str| RedeemCode { redirect_uri: Some(uri.to_owned()), ..right() };
    let verifier = |text: &str| RedeemCode { verifier: Secret::new(text), ..right() };
    for (attempt, now, expected) in [
        (right(), 0, Ok(())),
        (right(), 59, Ok(())),
        (right(), 60, Err(RedeemError::Invalid)),
        (RedeemCode { redirect_uri: None, ..right() }, 0, Ok(())),
        (uri("https://app.example.com/callback/"), 0, mismatch("redirect_uri")),
        (uri("https://evil.example.com/callback"), 0, mismatch("redirect_uri")),
        (uri(""), 0, mismatch("redirect_uri")),
        (RedeemCode { client_id: ClientId::new("other"), ..right() }, 0, mismatch("client_id")),
        (verifier(""), 0, mismatch("code_verifier")),
        (verifier(&format!("{}x", samples::VERIFIER)), 0, mismatch("code_verifier")),
        (verifier(samples::request("app").challenge.as_str()), 0, mismatch("code_verifier")),
    ] {
        let code = samples::code("code", "session", at(60));
        assert_eq!(judge_redemption(&code, &attempt, at(now)), expected, "{attempt:?} at {now}");
    }
}

proptest! {
    #[test]
    fn a_redemption_with_any_part_wrong_fails(
        client in "app|[a-z]{1,5}", verifier in "[A-Za-z0-9._~-]{43,60}", is_right_verifier: bool, now in 0_i64..120,
    ) {
        let right = is_right_verifier.then(|| samples::VERIFIER.to_owned());
        let shown = right.unwrap_or(verifier);
        let attempt = RedeemCode { client_id: ClientId::new(client.clone()), verifier: Secret::new(shown.clone()), ..attempt("c") };
        let judged = judge_redemption(&samples::code("c", "session", at(60)), &attempt, at(now));
        prop_assert_eq!(judged.is_ok(), client == "app" && shown == samples::VERIFIER && now < 60);
    }

    #[test]
    fn no_name_is_tried_more_often_than_its_limits_in_one_window(
        tries in proptest::collection::vec((0_usize..3, 0_usize..3, 0_i64..20), 0..200),
    ) {
        let (names, peers) = (["ada", "bob", "eve"], ["1", "2", "3"]);
        let (mut attempts, mut now) = (Attempts::default(), 0);
        let mut passed: Vec<(&str, &str, i64)> = Vec::new();
        for (name, peer, pause) in tries {
            now += pause;
            let (name, peer) = (names[name], peers[peer]);
            // A window starts with its first attempt, so two windows may touch.
            let of_pair = passed.iter().filter(|tried| (tried.0, tried.1) == (name, peer) && now - tried.2 < 300).count();
            match attempts.count(name, peer, at(now)) {
                Ok(()) => passed.push((name, peer, now)),
                Err(TooManyAttempts::Wait(wait)) => {
                    prop_assert!(of_pair >= 5, "refused although only {of_pair} of 5 were made");
                    prop_assert!(wait <= Duration::from_secs(300) && !wait.is_zero());
                }
                Err(other) => prop_assert!(false, "{other}"),
            }
            prop_assert!(of_pair < 10, "two windows' worth at the most");
        }
    }
}

#[test]
fn attempts_are_limited_by_name_and_address_together_and_apart() {
    for (name_count, peer_count, allowed) in [(1, 1, 5), (1, 100, 30), (100, 1, 60)] {
        let mut attempts = Attempts::default();
        let passed = (0..1_000).filter(|n: &usize| {
            let (name, peer) = (format!("name{}", n % name_count), format!("peer{}", n % peer_count));
            attempts.count(&name, &peer, at(0)).is_ok()
        });
        assert_eq!(passed.count(), allowed, "{name_count} names from {peer_count} addresses");
    }
}

#[test]
fn a_window_ends_after_five_minutes_and_says_how_long_that_is() {
    let mut attempts = Attempts::default();
    for second in 0..5 {
        assert_eq!(attempts.count("ada", "peer", at(second)), Ok(()));
    }
    assert_eq!(attempts.count("ada", "peer", at(100)), Err(TooManyAttempts::Wait(Duration::from_secs(200))));
    assert!(attempts.count("ada", "peer", at(299)).is_err());
    assert_eq!(attempts.count("ada", "peer", at(300)), Ok(()));
}

#[test]
fn getting_in_forgets_the_name_but_not_the_address() {
    let mut attempts = Attempts::default();
    for n in 0..60 {
        let name = format!("name{}", n % 12);
        assert_eq!(attempts.count(&name, "peer", at(0)), Ok(()));
        if n % 12 == 0 {
            attempts.forget(&name, "peer");
        }
    }
    assert!(attempts.count("name0", "peer", at(0)).is_err(), "the address has used up its share");
    assert_eq!(attempts.count("name0", "elsewhere", at(0)), Ok(()));
}

fn new_login() -> NewLogin {
    NewLogin {
        browser_hash: TokenHash::of("browser"),
        purpose: LoginPurpose::Visit,
        stage: LoginStage::AwaitingPassword,
        expected_user: None,
        trace_id: None,
    }
}

fn browser() -> Secret {
    Secret::new("browser")
}

#[actix::test]
async fn a_login_is_taken_once() {
    let rig = Rig::start(Login::Password).await;
    let handle = rig.authorization_codes.begin_login(new_login()).await.unwrap();
    assert!(rig.authorization_codes.find_login(handle.clone(), browser()).await.is_ok());
    let taken = join_all((0..20).map(|_| rig.authorization_codes.take_login(handle.clone(), browser()))).await;
    assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 1);
    assert!(taken.iter().filter_map(|taken| taken.as_ref().err()).all(|error| *error == LoginLookupError::Unknown));
}

#[actix::test]
async fn another_browser_cannot_use_a_login_nor_use_it_up() {
    let rig = Rig::start(Login::Password).await;
    let handle = rig.authorization_codes.begin_login(new_login()).await.unwrap();
    for other in ["", "another browser"] {
        let (codes, other) = (&rig.authorization_codes, Secret::new(other));
        let found = codes.find_login(handle.clone(), other.clone()).await;
        let taken = codes.take_login(handle.clone(), other).await;
        assert_eq!(found.err(), Some(LoginLookupError::OtherBrowser));
        assert_eq!(taken.err(), Some(LoginLookupError::OtherBrowser));
    }
    assert!(rig.authorization_codes.take_login(handle, browser()).await.is_ok());
}

#[actix::test]
async fn a_login_is_over_after_its_time() {
    let rig = Rig::start(Login::Password).await;
    let handle = rig.authorization_codes.begin_login(new_login()).await.unwrap();
    rig.pass(Duration::from_secs(599)).await;
    assert!(rig.authorization_codes.find_login(handle.clone(), browser()).await.is_ok());
    rig.pass(Duration::from_secs(1)).await;
    let taken = rig.authorization_codes.take_login(handle.clone(), browser()).await;
    assert_eq!(taken.err(), Some(LoginLookupError::Unknown));
    rig.pass(Duration::from_secs(30)).await;
    assert!(rig.grant_store.find_login(handle.hash()).await.unwrap().is_none(), "the timer frees it");
}

#[actix::test]
async fn of_many_redemptions_at_once_one_wins_and_the_others_learn_the_session() {
    let rig = Rig::start(Login::Password).await;
    let session_id = SessionId::new("s");
    let code = rig
        .authorization_codes
        .issue_code(session_id.clone(), samples::request("app"), Some("trace".to_owned()))
        .await
        .unwrap();
    let redeemed = join_all((0..20).map(|_| rig.authorization_codes.redeem_code(attempt(code.expose())))).await;
    assert_eq!(redeemed.iter().filter(|redeemed| redeemed.is_ok()).count(), 1);
    let replayed = Err(RedeemError::AlreadyRedeemed { session_id, trace_id: Some("trace".to_owned()) });
    assert_eq!(redeemed.iter().filter(|redeemed| **redeemed == replayed).count(), 19);
}

#[actix::test]
async fn a_wrong_attempt_uses_the_code_up() {
    let rig = Rig::start(Login::Password).await;
    let code = rig
        .authorization_codes
        .issue_code(SessionId::new("s"), samples::request("app"), Some("trace".to_owned()))
        .await
        .unwrap();
    let wrong = RedeemCode { verifier: Secret::new("x".repeat(43)), ..attempt(code.expose()) };
    assert_eq!(rig.authorization_codes.redeem_code(wrong).await, mismatch("code_verifier"));
    let right = rig.authorization_codes.redeem_code(attempt(code.expose())).await;
    assert!(matches!(right, Err(RedeemError::AlreadyRedeemed { .. })));
}

#[actix::test]
async fn a_code_is_too_old_after_a_minute_and_a_replay_is_known_long_after() {
    let rig = Rig::start(Login::Password).await;
    let issue = || rig.authorization_codes.issue_code(SessionId::new("s"), samples::request("app"), None);
    let (used, late) = (issue().await.unwrap(), issue().await.unwrap());
    assert!(rig.authorization_codes.redeem_code(attempt(used.expose())).await.is_ok());
    rig.pass(Duration::from_secs(60)).await;
    assert_eq!(rig.authorization_codes.redeem_code(attempt(late.expose())).await, Err(RedeemError::Invalid));
    rig.pass(Duration::from_secs(500)).await;
    let replayed = rig.authorization_codes.redeem_code(attempt(used.expose())).await;
    assert!(matches!(replayed, Err(RedeemError::AlreadyRedeemed { .. })));
    rig.pass(Duration::from_secs(200)).await;
    assert_eq!(rig.authorization_codes.redeem_code(attempt(used.expose())).await, Err(RedeemError::Invalid));
}

#[actix::test]
async fn a_consent_counts_until_its_time_is_over() {
    let rig = Rig::start(Login::Password).await;
    let list = || rig.authorization_codes.list_consents(TokenHash::of("browser"), ClientId::new("app"));
    let consent = samples::consent("ada", rig.now() + Duration::from_secs(100));
    rig.authorization_codes.record_consent(consent.clone()).await.unwrap();
    assert_eq!(list().await.unwrap(), [consent]);
    rig.pass(Duration::from_secs(100)).await;
    assert_eq!(list().await.unwrap(), []);
}

#[actix::test]
async fn a_store_that_fails_is_told_and_uses_nothing_up() {
    let rig = Rig::start(Login::Password).await;
    let code = rig
        .authorization_codes
        .issue_code(SessionId::new("s"), samples::request("app"), Some("trace".to_owned()))
        .await
        .unwrap();
    for operation in ["redeem_code", "insert_login"] {
        rig.grant_store.break_operation(operation);
    }
    assert!(matches!(rig.authorization_codes.begin_login(new_login()).await, Err(CodeError::Store(_))));
    let failed = rig.authorization_codes.redeem_code(attempt(code.expose())).await;
    assert!(matches!(failed, Err(RedeemError::Store(_))));
    rig.grant_store.heal();
    assert!(rig.authorization_codes.redeem_code(attempt(code.expose())).await.is_ok());
}

#[actix::test]
async fn a_sweep_goes_on_until_all_that_is_over_is_gone() {
    let rig = Rig::start(Login::Password).await;
    for _ in 0..2_500 {
        rig.authorization_codes.begin_login(new_login()).await.unwrap();
    }
    // One tick comes after they are over.
    rig.pass(Duration::from_secs(631)).await;
    assert_eq!(rig.grant_store.sweep_grants(rig.now(), 10_000).await.unwrap(), 0);
}

//! What happens at the provider when sessions end.

use super::{SECOND, fresh};
use crate::model::audit_event::{AuditRecord, OperationStatus};
use crate::model::ids::{ClientId, SessionId, UserId};
use crate::model::resource::Resource;
use crate::model::session::{EndReason, Session};
use crate::ports::session_store::SessionStore;
use crate::ports::upstream_idp::UpstreamError;
use crate::sessions::{EndedGrant, NewSession};
use crate::testkit::fake_idp::FakeIdp;
use crate::testkit::rig::{Login, Rig};
use crate::testkit::samples::{self, scopes};
use std::sync::Arc;
use std::time::Duration;

/// A session of `username` that holds `token` of the provider.
async fn open(rig: &Rig, username: &str, token: &str) -> SessionId {
    let session = NewSession {
        client_id: Some(ClientId::new("app")),
        user: samples::user(username),
        scopes: scopes("read"),
        resource: Resource::parse(samples::RESOURCE).unwrap(),
        upstream: Some(samples::upstream_tokens(token, Some("secret-rt"), None)),
    };
    let id = rig.sessions.open_session(session).await.unwrap().id;
    rig.sessions.issue_tokens(id.clone(), true).await.unwrap();
    id
}

async fn end(rig: &Rig, id: &SessionId, reason: EndReason) {
    assert!(rig.sessions.end_session(id.clone(), reason).await.unwrap().is_some());
}

async fn sign_out_everywhere(rig: &Rig, username: &str) -> usize {
    rig.sessions.end_user_sessions(UserId::of("fake", username), EndReason::SignedOut).await.unwrap()
}

fn records(rig: &Rig) -> Vec<Arc<AuditRecord>> {
    let mut records = rig.audit.records();
    records.retain(|record| record.operation_name == "auth.upstream_revoked");
    records
}

#[actix::test]
async fn a_session_that_somebody_ends_is_revoked_at_the_provider_once() {
    let rig = Rig::start(Login::Provider).await;
    let reasons = [
        EndReason::SignedOut,
        EndReason::Revoked,
        EndReason::CodeReplayed,
        EndReason::RefreshTokenReplayed,
        EndReason::UserRemoved,
    ];
    for (count, reason) in reasons.into_iter().enumerate() {
        let id = open(&rig, "ada", reason.as_str()).await;
        end(&rig, &id, reason).await;
        assert!(rig.sessions.end_session(id.clone(), reason).await.unwrap().is_none());
        rig.pass(600 * SECOND).await;
        assert_eq!(rig.idp.revoked()[count..], [reason.as_str()]);
        let record = records(&rig).pop().unwrap();
        assert_eq!((record.operation_status, record.session_id.as_ref()), (OperationStatus::Success, Some(&id)));
        assert_eq!(record.input_data.as_ref().unwrap()["provider"], "fake");
    }
    assert_eq!(records(&rig).len(), reasons.len());
}

#[actix::test]
async fn a_session_whose_time_is_over_or_that_the_provider_ended_is_not_revoked_there() {
    let rig = Rig::start(Login::Provider).await;
    for reason in [EndReason::Expired, EndReason::UpstreamGrantEnded] {
        let id = open(&rig, "ada", "at").await;
        end(&rig, &id, reason).await;
    }
    rig.pass(600 * SECOND).await;
    assert_eq!(rig.idp.revoked(), [] as [&str; 0]);
}

#[actix::test]
async fn ending_a_session_does_not_wait_for_the_provider() {
    let rig = Rig::start(Login::Provider).await;
    let (one, two) = (open(&rig, "ada", "one").await, open(&rig, "ada", "two").await);
    let before = rig.now();
    end(&rig, &one, EndReason::SignedOut).await;
    end(&rig, &two, EndReason::SignedOut).await;
    assert_eq!((rig.now(), records(&rig).len()), (before, 0));
    rig.pass(SECOND).await;
    assert_eq!(records(&rig).len(), 2);
}

#[actix::test]
async fn a_provider_that_is_down_for_a_moment_is_asked_again() {
    let rig = Rig::start(Login::Provider).await;
    let id = open(&rig, "ada", "at").await;
    for error in [
        FakeIdp::faulty(),
        UpstreamError::Unreachable { provider: "fake".to_owned(), what: "tokens", detail: "x".to_owned() },
    ] {
        rig.idp.fail_next(error);
    }
    end(&rig, &id, EndReason::SignedOut).await;
    rig.pass(SECOND).await;
    assert_eq!(rig.idp.revoked(), ["at"], "not again at once");
    rig.pass(60 * SECOND).await;
    assert_eq!(rig.idp.revoked(), ["at", "at", "at"]);
    let statuses: Vec<_> = records(&rig).iter().map(|record| record.operation_status).collect();
    assert_eq!(statuses, [OperationStatus::Success]);
}

#[actix::test]
async fn a_provider_that_stays_down_is_given_up_and_one_that_refuses_is_not_asked_again() {
    let rig = Rig::start(Login::Provider).await;
    let refused = || UpstreamError::Refused { provider: "fake".to_owned(), error: "no".to_owned(), detail: None };
    for (count, error, asked) in [(0, FakeIdp::faulty(), 6), (1, refused(), 1)] {
        let id = open(&rig, "ada", "secret-at").await;
        for _ in 0..asked {
            rig.idp.fail_next(error.clone());
        }
        let before = rig.idp.revoked().len();
        end(&rig, &id, EndReason::Revoked).await;
        rig.pass(600 * SECOND).await;
        assert_eq!(rig.idp.revoked().len() - before, asked);
        let records = records(&rig);
        assert_eq!(records.len(), count + 1);
        assert_eq!(records[count].operation_status, OperationStatus::Error);
        assert_eq!(records[count].error, Some(error.to_string()));
    }
    for record in rig.audit.records() {
        assert!(!serde_json::to_string(&*record).unwrap().contains("secret-"), "{record:?}");
    }
}

#[actix::test]
async fn a_provider_that_never_answers_is_given_up_as_well() {
    let rig = Rig::start(Login::Provider).await;
    rig.idp.hang();
    let id = open(&rig, "ada", "at").await;
    end(&rig, &id, EndReason::SignedOut).await;
    rig.pass(600 * SECOND).await;
    assert_eq!(rig.idp.revoked().len(), 6);
    let error = records(&rig).pop().unwrap().error.clone();
    assert_eq!(error.as_deref(), Some("the identity provider did not answer within 20 s"));
}

#[actix::test]
async fn one_session_of_several_is_not_revoked_where_that_may_end_the_others() {
    let rig = Rig::start(Login::Provider).await;
    rig.idp.revoke_whole_grants();
    let (first, last) = (open(&rig, "ada", "first").await, open(&rig, "ada", "last").await);
    open(&rig, "bob", "of bob").await;
    end(&rig, &first, EndReason::SignedOut).await;
    rig.pass(600 * SECOND).await;
    assert_eq!(rig.idp.revoked(), [] as [&str; 0]);
    end(&rig, &last, EndReason::SignedOut).await;
    rig.pass(SECOND).await;
    assert_eq!(rig.idp.revoked(), ["last"]);
    assert_eq!(records(&rig).len(), 1);
}

#[actix::test]
async fn signing_out_everywhere_revokes_all_that_the_person_has_and_nothing_of_others() {
    let rig = Rig::start(Login::Provider).await;
    rig.idp.revoke_whole_grants();
    open(&rig, "bob", "of bob").await;
    for token in ["one", "two", "three"] {
        open(&rig, "ada", token).await;
    }
    assert_eq!(sign_out_everywhere(&rig, "ada").await, 3);
    rig.pass(SECOND).await;
    let mut revoked = rig.idp.revoked();
    revoked.sort();
    assert_eq!(revoked, ["one", "three", "two"]);
}

#[actix::test]
async fn what_ended_is_revoked_even_when_signing_out_everywhere_fails_halfway() {
    let rig = Rig::start(Login::Provider).await;
    for token in ["one", "two", "three"] {
        open(&rig, "ada", token).await;
    }
    rig.session_store.break_after(2, "remove_session");
    let ada = UserId::of("fake", "ada");
    assert!(rig.sessions.end_user_sessions(ada, EndReason::SignedOut).await.is_err());
    rig.pass(SECOND).await;
    assert_eq!(rig.idp.revoked().len(), 2);
}

#[actix::test]
async fn a_person_who_signs_in_again_meanwhile_keeps_the_new_session() {
    let rig = Rig::start(Login::Provider).await;
    rig.idp.revoke_whole_grants();
    rig.idp.fail_next(FakeIdp::faulty());
    let id = open(&rig, "ada", "old").await;
    end(&rig, &id, EndReason::SignedOut).await;
    rig.pass(SECOND).await;
    open(&rig, "ada", "new").await;
    rig.pass(600 * SECOND).await;
    assert_eq!(rig.idp.revoked(), ["old"], "only the attempt before the new sign-in");
}

#[actix::test]
async fn a_store_that_is_away_for_a_moment_is_asked_again_who_has_other_sessions() {
    let rig = Rig::start(Login::Provider).await;
    rig.idp.revoke_whole_grants();
    let id = open(&rig, "ada", "at").await;
    rig.session_store.break_operation("list_user_sessions");
    end(&rig, &id, EndReason::SignedOut).await;
    rig.pass(SECOND).await;
    assert_eq!(rig.idp.revoked(), [] as [&str; 0], "nothing is revoked in the dark");
    rig.session_store.heal();
    rig.pass(60 * SECOND).await;
    assert_eq!(rig.idp.revoked(), ["at"]);
}

#[actix::test]
async fn a_provider_that_offers_no_revocation_leaves_no_record() {
    let rig = Rig::start(Login::Provider).await;
    rig.idp.offer_no_revocation();
    let id = open(&rig, "ada", "at").await;
    end(&rig, &id, EndReason::SignedOut).await;
    rig.token_refresh.finish_revocations().await;
    assert_eq!(records(&rig).len(), 0);
}

#[actix::test]
async fn tokens_of_another_provider_are_shown_to_nobody() {
    let rig = Rig::start(Login::Provider).await;
    let mut session: Session = samples::session("elsewhere", "ada", rig.now());
    session.user.provider = "earlier".to_owned();
    session.upstream = Some(samples::upstream_tokens("of the earlier one", None, None));
    rig.session_store.insert_session(session).await.unwrap();
    end(&rig, &SessionId::new("elsewhere"), EndReason::Revoked).await;
    rig.pass(600 * SECOND).await;
    assert_eq!(rig.idp.revoked(), [] as [&str; 0]);
}

#[actix::test]
async fn somebody_who_was_removed_is_found_at_the_start_and_revoked() {
    let rig = Rig::start(Login::Provider).await;
    let mut session = samples::session("gone", "mallory", rig.now());
    session.upstream = Some(samples::upstream_tokens("of mallory", None, None));
    rig.session_store.insert_session(session).await.unwrap();
    rig.restart_sessions().await;
    rig.pass(SECOND).await;
    assert_eq!(rig.idp.revoked(), ["of mallory"]);
}

#[actix::test]
async fn tokens_that_come_too_late_for_their_session_are_revoked_too() {
    let rig = Rig::start(Login::Provider).await;
    let id = super::open(&rig, Duration::ZERO, Some("first-rt")).await;
    let sign_out = async {
        rig.pass(Duration::from_millis(100)).await;
        end(&rig, &id, EndReason::SignedOut).await;
    };
    let (outcome, ()) = tokio::join!(fresh(&rig, &id), sign_out);
    assert!(outcome.is_err());
    rig.pass(SECOND).await;
    assert_eq!(rig.idp.revoked(), ["first-at", "upstream-at-1"]);
}

#[actix::test]
async fn of_too_many_that_wait_the_oldest_are_given_up() {
    let rig = Rig::start(Login::Provider).await;
    for number in 0..300 {
        let tokens = samples::upstream_tokens(&number.to_string(), None, None);
        rig.ended_grants.push(EndedGrant::with(&samples::session("s", "ada", rig.now()), tokens));
    }
    rig.pass(600 * SECOND).await;
    let last: Vec<String> = (44..300).map(|number: usize| number.to_string()).collect();
    assert_eq!(rig.idp.revoked(), last);
    let before = rig.now();
    rig.token_refresh.finish_revocations().await;
    assert_eq!(rig.now(), before, "what was given up is not waited for");
}

#[actix::test]
async fn the_end_of_the_process_waits_for_revocations_a_few_seconds_at_most() {
    let rig = Rig::start(Login::Provider).await;
    let id = open(&rig, "ada", "at").await;
    end(&rig, &id, EndReason::SignedOut).await;
    rig.token_refresh.finish_revocations().await;
    assert_eq!(records(&rig).len(), 1);
    rig.idp.hang();
    let id = open(&rig, "ada", "at").await;
    end(&rig, &id, EndReason::SignedOut).await;
    let before = rig.now();
    rig.token_refresh.finish_revocations().await;
    assert_eq!(rig.now().since(before).as_secs(), 3);
}

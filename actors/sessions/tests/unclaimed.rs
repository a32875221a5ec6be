//! Sessions of clients that nobody noted belong to the client that refreshes first.

use super::{MINUTE, next, scopes};
use crate::model::client::{Client, ClientOrigin};
use crate::model::ids::{ClientId, SessionId};
use crate::model::secret::Secret;
use crate::model::session::{Session, SessionKind};
use crate::model::timestamp::Timestamp;
use crate::ports::session_store::{SessionStore, TokenChange};
use crate::sessions::{RefreshError, SessionsHandle};
use crate::testkit::rig::{Login, Rig};
use crate::testkit::samples;
use futures_util::future::join_all;
use std::time::Duration;

/// An unclaimed session with the tokens `a-old` and `r-old`, as a start finds it.
async fn rig() -> (Rig, SessionsHandle) {
    let rig = Rig::start(Login::Provider).await;
    let now = rig.now();
    let session = Session { kind: SessionKind::Unclaimed, ..samples::session("s1", "ada", now) };
    rig.session_store.insert_session(session).await.unwrap();
    let change = TokenChange {
        rotated: None,
        access: samples::access_token("a-old", "s1", now + MINUTE),
        refresh: Some(samples::refresh_token("r-old", "s1", now + Duration::from_secs(3_600))),
        idle_expires_at: now + Duration::from_secs(3_600),
        claimed_by: None,
    };
    assert!(rig.session_store.change_tokens(SessionId::new("s1"), change).await.unwrap());
    let sessions = rig.restart_sessions().await;
    (rig, sessions)
}

/// A client that registered at the very start of time.
fn client(id: &str) -> Client {
    samples::client(id)
}

fn old() -> Secret {
    Secret::new("r-old")
}

async fn kind(rig: &Rig) -> Option<SessionKind> {
    rig.session_store.find_session(SessionId::new("s1")).await.unwrap().map(|session| session.kind)
}

#[actix::test]
async fn the_old_access_token_works_and_names_no_client() {
    let (_rig, sessions) = rig().await;
    let grant = sessions.verify_access_token("a-old").unwrap();
    assert_eq!((grant.principal.client_id.clone(), grant.principal.user.is_some()), (None, true));
}

#[actix::test]
async fn the_first_client_to_refresh_has_the_session_from_then_on() {
    let (rig, sessions) = rig().await;
    let first = sessions.refresh_tokens(old(), client("app"), None).await.unwrap();
    assert_eq!(kind(&rig).await, Some(SessionKind::Client { client_id: ClientId::new("app") }));
    let grant = sessions.verify_access_token(first.access_token.expose()).unwrap();
    assert_eq!(grant.principal.client_id, Some(ClientId::new("app")));
    let again = sessions.refresh_tokens(old(), client("app"), None).await.unwrap();
    assert!(again.access_token.matches(first.access_token.expose()), "a lost answer is given again");
    let stranger = sessions.refresh_tokens(next(&first).clone(), client("other"), None).await;
    assert_eq!(stranger.unwrap_err(), RefreshError::Invalid);
    sessions.refresh_tokens(next(&first).clone(), client("app"), None).await.unwrap();
}

#[actix::test]
async fn of_many_clients_at_once_none_keeps_what_another_was_given() {
    let (rig, sessions) = rig().await;
    let names: Vec<String> = (0..8).map(|n| format!("app-{n}")).collect();
    let asked = join_all(names.iter().map(|name| sessions.refresh_tokens(old(), client(name), None))).await;
    assert_eq!(asked.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(asked.iter().any(|outcome| matches!(outcome, Err(RefreshError::Replayed))));
    assert_eq!(kind(&rig).await, None, "two that hold the token: one has stolen it");
    for tokens in asked.iter().flatten() {
        assert!(sessions.verify_access_token(tokens.access_token.expose()).is_err());
    }
}

#[actix::test]
async fn a_second_client_with_the_same_token_ends_the_session() {
    let (rig, sessions) = rig().await;
    let thief = sessions.refresh_tokens(old(), client("thief"), None).await.unwrap();
    let owner = sessions.refresh_tokens(old(), client("app"), None).await;
    assert_eq!(owner.unwrap_err(), RefreshError::Replayed);
    assert!(sessions.verify_access_token(thief.access_token.expose()).is_err());
    assert!(sessions.refresh_tokens(next(&thief).clone(), client("thief"), None).await.is_err());
    assert_eq!((kind(&rig).await, rig.recorded("auth.session_ended")), (None, 1));
}

#[actix::test]
async fn who_came_after_the_session_or_may_have_less_cannot_claim_it() {
    let (rig, sessions) = rig().await;
    let later = Timestamp::from_micros(rig.now().as_micros() + 1);
    let newcomer = Client { issued_at: later, ..client("newcomer") };
    let narrow = Client { scope: scopes("mxcp:access"), ..client("narrow") };
    for client in [newcomer.clone(), narrow] {
        let refused = sessions.refresh_tokens(old(), client, None).await;
        assert_eq!(refused.unwrap_err(), RefreshError::Invalid);
    }
    assert_eq!(kind(&rig).await, Some(SessionKind::Unclaimed), "and the attempts harm nobody");
    let configured = Client { origin: ClientOrigin::Configured, ..newcomer };
    sessions.refresh_tokens(old(), configured, None).await.unwrap();
}

#[actix::test]
async fn whoever_holds_a_token_of_an_unclaimed_session_may_revoke_it() {
    let (rig, sessions) = rig().await;
    let id = ClientId::new("any");
    assert!(sessions.revoke_token(Secret::new("a-old"), id.clone()).await.unwrap().is_some());
    assert!(sessions.verify_access_token("a-old").is_err());
    assert!(sessions.revoke_token(old(), id).await.unwrap().is_some());
    assert_eq!(kind(&rig).await, None);
}

use super::{CONTENDERS, at};
use crate::model::ids::{ClientId, SessionId, UserId};
use crate::model::secret::TokenHash;
use crate::model::session::{Session, SessionKind};
use crate::model::timestamp::Timestamp;
use crate::model::token::Rotation;
use crate::ports::session_store::{SessionStore, TokenChange};
use crate::testkit::{load_sessions, samples};
use futures_util::future::join_all;
use std::time::Duration;

/// Checks an empty [`SessionStore`].
pub async fn check_session_store(store: &dyn SessionStore) {
    a_session_is_found_by_its_names(store).await;
    tokens_change_whole_or_not_at_all(store).await;
    a_refresh_token_is_rotated_once(store).await;
    upstream_tokens_are_replaced(store).await;
    what_is_live_is_loaded(store).await;
    an_access_token_is_removed_alone(store).await;
    a_session_is_removed_once_with_its_tokens(store).await;
    an_unclaimed_session_is_claimed_by_one(store).await;
    a_sweep_takes_what_is_over_in_bounded_steps(store).await;
}

fn id(text: &str) -> SessionId {
    SessionId::new(text)
}

/// A change that gives session `s1` the tokens `a-{name}` and `r-{name}`.
fn change(name: &str, rotated: Option<&str>) -> TokenChange {
    let rotation = Rotation {
        rotated_at: at(100),
        salt: format!("salt of {name}"),
        scopes: samples::scopes("read"),
        access_expires_at: at(500),
        is_claim: false,
    };
    TokenChange {
        rotated: rotated.map(|token| (TokenHash::of(token), rotation)),
        access: samples::access_token(&format!("a-{name}"), "s1", at(500)),
        refresh: Some(samples::refresh_token(&format!("r-{name}"), "s1", at(5_000))),
        idle_expires_at: at(5_000),
        claimed_by: None,
    }
}

async fn has_access(store: &dyn SessionStore, token: &str) -> bool {
    store.find_access_token(TokenHash::of(token)).await.unwrap().is_some()
}

async fn has_refresh(store: &dyn SessionStore, token: &str) -> bool {
    store.find_refresh_token(TokenHash::of(token)).await.unwrap().is_some()
}

async fn a_session_is_found_by_its_names(store: &dyn SessionStore) {
    assert!(store.find_session(id("s1")).await.unwrap().is_none());
    let session = samples::session("s1", "ada", at(0));
    store.insert_session(session.clone()).await.unwrap();
    store.insert_session(samples::session("s2", "bob", at(0))).await.unwrap();
    store.insert_session(samples::browser_session("b1", "ada", "cookie", at(0))).await.unwrap();
    let found = store.find_session(id("s1")).await.unwrap().unwrap();
    assert_eq!(format!("{found:?}"), format!("{session:?}"));
    let mut of_ada: Vec<_> = store.list_user_sessions(UserId::of("fake", "ada")).await.unwrap();
    of_ada.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(of_ada.iter().map(|session| session.id.as_str()).collect::<Vec<_>>(), ["b1", "s1"]);
    let by_cookie = store.find_browser_session(TokenHash::of("cookie")).await.unwrap().unwrap();
    assert_eq!(by_cookie.id, id("b1"));
    assert!(store.find_browser_session(TokenHash::of("other")).await.unwrap().is_none());
}

async fn tokens_change_whole_or_not_at_all(store: &dyn SessionStore) {
    assert!(!store.change_tokens(id("gone"), change("lost", None)).await.unwrap(), "no session, no tokens");
    assert!(!has_access(store, "a-lost").await && !has_refresh(store, "r-lost").await);
    assert!(!store.change_tokens(id("s1"), change("lost", Some("no such token"))).await.unwrap());
    assert!(!has_access(store, "a-lost").await && !has_refresh(store, "r-lost").await);
    assert_eq!(store.find_session(id("s1")).await.unwrap().unwrap().idle_expires_at, at(3_600));

    assert!(store.change_tokens(id("s1"), change("1", None)).await.unwrap());
    assert_eq!(store.find_session(id("s1")).await.unwrap().unwrap().idle_expires_at, at(5_000));
    let access = store.find_access_token(TokenHash::of("a-1")).await.unwrap();
    assert_eq!(access, Some(samples::access_token("a-1", "s1", at(500))));
    let refresh = store.find_refresh_token(TokenHash::of("r-1")).await.unwrap();
    assert_eq!(refresh, Some(samples::refresh_token("r-1", "s1", at(5_000))));
}

async fn a_refresh_token_is_rotated_once(store: &dyn SessionStore) {
    let names: Vec<String> = (0..CONTENDERS).map(|n| format!("2-{n}")).collect();
    let changes = names.iter().map(|name| store.change_tokens(id("s1"), change(name, Some("r-1"))));
    let applied: Vec<bool> = join_all(changes).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(applied.iter().filter(|is_applied| **is_applied).count(), 1, "one rotates the token");
    for (name, is_applied) in names.iter().zip(&applied) {
        assert_eq!(has_access(store, &format!("a-{name}")).await, *is_applied, "the losers change nothing");
        assert_eq!(has_refresh(store, &format!("r-{name}")).await, *is_applied, "the losers change nothing");
    }
    let used = store.find_refresh_token(TokenHash::of("r-1")).await.unwrap().unwrap();
    let winner = names.iter().zip(&applied).find(|(_, is_applied)| **is_applied).unwrap().0;
    assert_eq!(used.rotation, change(winner, Some("r-1")).rotated.map(|(_, rotation)| rotation));
}

async fn upstream_tokens_are_replaced(store: &dyn SessionStore) {
    let due = |before| async move { store.list_refresh_due(at(0)..before, 10).await.unwrap() };
    assert_eq!(due(at(10_000)).await, [], "sessions without a provider's token need no refresh");
    let put = |session: &str, refresh: Option<&str>, expires_at: Option<Timestamp>| {
        store.put_upstream_tokens(id(session), samples::upstream_tokens("u-at", refresh, expires_at))
    };
    assert!(!put("gone", Some("u-rt"), Some(at(600))).await.unwrap());
    assert!(put("s1", Some("u-rt"), Some(at(600))).await.unwrap());
    assert!(put("s2", None, Some(at(600))).await.unwrap());
    assert_eq!(due(at(601)).await, [id("s1")], "without a refresh token there is nothing to refresh");
    assert_eq!(due(at(600)).await, []);
    assert!(put("s2", Some("u-rt"), None).await.unwrap());
    assert_eq!(due(at(601)).await, [id("s1")], "what never ends is never due");
    assert!(put("s2", Some("u-rt"), Some(at(500))).await.unwrap());
    assert_eq!(due(at(601)).await.len(), 2);
    assert_eq!(store.list_refresh_due(at(0)..at(601), 1).await.unwrap(), [id("s2")], "what ends first comes first");
    assert_eq!(store.list_refresh_due(at(500)..at(600), 10).await.unwrap(), [id("s2")]);
    assert_eq!(store.list_refresh_due(at(501)..at(601), 10).await.unwrap(), [id("s1")]);
    let kept = store.find_session(id("s1")).await.unwrap().unwrap().upstream.unwrap();
    assert!(kept.access_token.matches("u-at") && kept.refresh_token.unwrap().matches("u-rt"));
    assert_eq!(kept.expires_at, Some(at(600)));
}

async fn what_is_live_is_loaded(store: &dyn SessionStore) {
    let mut loaded = load_sessions(store, at(200)).await.unwrap();
    loaded.sort_by(|one, other| one.session.id.cmp(&other.session.id));
    assert_eq!(loaded.iter().map(|stored| stored.session.id.as_str()).collect::<Vec<_>>(), ["b1", "s1", "s2"]);
    assert_eq!(loaded.iter().map(|stored| stored.access_tokens.len()).collect::<Vec<_>>(), [0, 2, 0]);
    let loaded = load_sessions(store, at(3_600)).await.unwrap();
    let loaded: Vec<_> = loaded.iter().map(|stored| stored.session.id.as_str()).collect();
    assert_eq!(loaded, ["s1"], "only s1 was used, and so lives beyond its first idle limit");
}

async fn an_access_token_is_removed_alone(store: &dyn SessionStore) {
    assert!(store.remove_access_token(TokenHash::of("a-1")).await.unwrap());
    assert!(!store.remove_access_token(TokenHash::of("a-1")).await.unwrap());
    assert!(!has_access(store, "a-1").await);
    assert!(has_refresh(store, "r-1").await && store.find_session(id("s1")).await.unwrap().is_some());
}

async fn a_session_is_removed_once_with_its_tokens(store: &dyn SessionStore) {
    assert!(store.change_tokens(id("s1"), change("3", None)).await.unwrap());
    let removed = join_all((0..CONTENDERS).map(|_| store.remove_session(id("s1")))).await;
    let removed = removed.into_iter().filter(|removed| matches!(removed, Ok(Some(session)) if session.id == id("s1")));
    assert_eq!(removed.count(), 1, "the first to remove a session gets it");
    assert!(!has_access(store, "a-3").await && !has_refresh(store, "r-3").await && !has_refresh(store, "r-1").await);
    assert!(!store.change_tokens(id("s1"), change("4", None)).await.unwrap(), "what is gone gets no tokens");
    assert!(!has_access(store, "a-4").await);
    assert!(store.remove_session(id("b1")).await.unwrap().is_some());
    assert!(store.find_browser_session(TokenHash::of("cookie")).await.unwrap().is_none());
    assert!(store.remove_session(id("s2")).await.unwrap().is_some());
}

async fn an_unclaimed_session_is_claimed_by_one(store: &dyn SessionStore) {
    let session = Session { kind: SessionKind::Unclaimed, ..samples::session("s1", "ada", at(0)) };
    store.insert_session(session.clone()).await.unwrap();
    assert!(store.change_tokens(id("s1"), change("0", None)).await.unwrap());
    let found = store.find_session(id("s1")).await.unwrap().unwrap();
    assert_eq!(found.kind, SessionKind::Unclaimed, "tokens alone bind nothing");
    let contenders: Vec<String> = (0..CONTENDERS).map(|n| format!("app-{n}")).collect();
    let claims = contenders.iter().map(|name| {
        let claimed_by = Some(ClientId::new(name.as_str()));
        store.change_tokens(id("s1"), TokenChange { claimed_by, ..change(name, Some("r-0")) })
    });
    let claimed: Vec<bool> = join_all(claims).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(claimed.iter().filter(|is_claimed| **is_claimed).count(), 1);
    let winner = contenders.iter().zip(&claimed).find(|(_, is_claimed)| **is_claimed).unwrap().0;
    let bound = SessionKind::Client { client_id: ClientId::new(winner.as_str()) };
    let later = TokenChange { claimed_by: Some(ClientId::new("late")), ..change("later", None) };
    assert!(store.change_tokens(id("s1"), later).await.unwrap());
    assert_eq!(store.find_session(id("s1")).await.unwrap().unwrap().kind, bound, "it is bound for good");
    let loaded = load_sessions(store, at(200)).await.unwrap();
    assert_eq!(loaded.iter().map(|stored| &stored.session.kind).collect::<Vec<_>>(), [&bound]);
    let of_ada = store.list_user_sessions(UserId::of("fake", "ada")).await.unwrap();
    assert_eq!(of_ada.iter().map(|session| &session.kind).collect::<Vec<_>>(), [&bound]);
    assert_eq!(store.remove_session(id("s1")).await.unwrap().unwrap().kind, bound);
}

async fn a_sweep_takes_what_is_over_in_bounded_steps(store: &dyn SessionStore) {
    let (now, later) = (at(1_000), at(1_000) + Duration::from_secs(3_600));
    for name in ["s5", "s6", "s7"] {
        store.insert_session(samples::session(name, "ada", now)).await.unwrap();
        let token = |token: &str| format!("{token}-{name}");
        let given = TokenChange {
            rotated: None,
            access: samples::access_token(&token("a"), name, at(1_500)),
            refresh: Some(samples::refresh_token(&token("r"), name, at(1_600))),
            idle_expires_at: later,
            claimed_by: None,
        };
        assert!(store.change_tokens(id(name), given).await.unwrap());
    }
    let rotation = change("x", Some("r-s5")).rotated;
    let given = TokenChange {
        rotated: rotation,
        access: samples::access_token("a-x", "s5", at(9_000)),
        refresh: None,
        idle_expires_at: later,
        claimed_by: None,
    };
    assert!(store.change_tokens(id("s5"), given).await.unwrap());

    assert_eq!(store.sweep_sessions(at(1_499), 10).await.unwrap().access_tokens, [], "nothing is over yet");
    assert_eq!(store.sweep_sessions(at(1_500), 2).await.unwrap().access_tokens.len(), 2);
    assert_eq!(store.sweep_sessions(at(1_500), 2).await.unwrap().access_tokens.len(), 1);
    assert!(!has_access(store, "a-s5").await && has_access(store, "a-x").await);
    assert!(has_refresh(store, "r-s5").await, "a used token is remembered until its end, so that a replay is known");
    let swept = store.sweep_sessions(at(1_600), 10).await.unwrap();
    assert_eq!((swept.access_tokens.len(), swept.expired_sessions.len()), (0, 0));
    assert!(!has_refresh(store, "r-s5").await && !has_refresh(store, "r-s6").await);

    assert_eq!(store.sweep_sessions(later, 2).await.unwrap().expired_sessions.len(), 2);
    let expired = store.sweep_sessions(later, 10).await.unwrap().expired_sessions;
    assert_eq!(expired.len(), 3, "sessions that are over are told until they are removed");
    for session in expired {
        assert!(store.remove_session(session).await.unwrap().is_some());
    }
    assert_eq!(store.sweep_sessions(later, 10).await.unwrap().expired_sessions, []);
}

//! Sessions.

use super::*;
use mxcp_actors::model::ids::{SessionId, UserId};
use mxcp_actors::model::secret::TokenHash;
use mxcp_actors::model::session::SessionKind;
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::testkit::load_sessions;
use std::time::Duration;

fn at(seconds: f64) -> Timestamp {
    super::super::sessions::timestamp(seconds).unwrap()
}

async fn kind_of(stores: &super::super::super::Stores, id: &str) -> SessionKind {
    stores.sessions.find_session(SessionId::new(id)).await.unwrap().unwrap().kind
}

#[actix_rt::test]
async fn a_session_goes_over_with_its_person_its_tokens_and_those_of_the_provider() {
    for kind in kinds() {
        for key in [None, Some(KEY)] {
            let case = Case::new(key);
            let until = now() + 2.0 * HOUR;
            case.add_client(&client(APP, &json!({})));
            case.add_session(&session("s1", &json!({"upstream_refresh": "ghr_refresh", "upstream_expires_at": until})));
            let store = settings(kind, &case.folder);
            let moved = case.take_over(&store).unwrap();
            assert_eq!((moved.sessions, moved.clients, moved.set_aside), (1, 1, None));
            let sessions = open(&store).sessions;
            let loaded = load_sessions(sessions.as_ref(), surroundings().clock.now()).await.unwrap();
            let [stored] = loaded.as_slice() else { panic!("{loaded:?}") };
            let user = &stored.session.user;
            assert_eq!((&user.id, user.username.as_str()), (&UserId::of("github", "4711"), "ada"));
            assert_eq!((user.email.as_deref(), user.email_verified), (Some("ada@example.com"), false));
            assert_eq!(user.claims["login"], "ada");
            assert_eq!(
                (&stored.session.scopes, &stored.session.resource),
                (&case.home.default_scopes, &case.home.resource)
            );
            let upstream = stored.session.upstream.as_ref().unwrap();
            assert!(upstream.access_token.matches("gho_access"));
            assert!(upstream.refresh_token.as_ref().unwrap().matches("ghr_refresh"));
            assert_eq!(
                (upstream.expires_at, upstream.scope.to_string()),
                (Some(at(until)), "read:user user:email".to_owned())
            );
            assert_eq!(stored.access_tokens[0].hash, TokenHash::of("mcp_s1"));
            let refresh = sessions.find_refresh_token(TokenHash::of("mcp_refresh_s1")).await.unwrap().unwrap();
            assert_eq!((refresh.session_id, refresh.rotation), (SessionId::new("s1"), None));
        }
    }
}

#[actix_rt::test]
async fn nothing_lives_longer_than_it_would_here_or_there() {
    let case = Case::new(None);
    case.add_client(&client(APP, &json!({"created_at": now() - 20.0 * DAY})));
    let created = now() - 10.0 * DAY;
    let long =
        json!({"access_expires_at": now() + 30.0 * DAY, "created_at": created, "refresh_expires_at": now() + DAY});
    case.add_session(&session("long", &long));
    case.add_session(&session("endless", &json!({"access_expires_at": null, "created_at": created})));
    let ahead = json!({"created_at": now() + DAY, "access_expires_at": now() + 60.0});
    case.add_session(&session("ahead", &ahead));
    let (moved, stores) = case.moved();
    assert_eq!(moved.sessions, 3);
    let now = surroundings().clock.now();
    let loaded = load_sessions(stores.sessions.as_ref(), now).await.unwrap();
    let lifetimes = Lifetimes::default();
    for stored in &loaded {
        let session = &stored.session;
        assert!(session.expires_at <= session.created_at + lifetimes.refresh_token_max && session.created_at <= now);
        assert!(session.idle_expires_at <= session.created_at + lifetimes.refresh_token_idle);
        for token in &stored.access_tokens {
            assert!(token.expires_at <= now + lifetimes.access_token && token.expires_at <= session.idle_expires_at);
        }
    }
    let idle =
        |id: &str| loaded.iter().find(|stored| stored.session.id.as_str() == id).unwrap().session.idle_expires_at;
    assert!(idle("long") < now + Duration::from_secs(25 * 60 * 60), "its own limit was nearer");
    assert_eq!(idle("endless"), at(created) + lifetimes.refresh_token_idle);
}

#[actix_rt::test]
async fn what_was_over_there_is_not_revived() {
    let case = Case::usual(None);
    let over = now() - 60.0;
    let refreshable = json!({"access_expires_at": over, "upstream_refresh": "ghr_refresh"});
    case.add_session(&session("refreshable", &refreshable));
    // There a refresh needed the provider's.
    case.add_session(&session("dead", &json!({"access_expires_at": over})));
    let mut ended = refreshable.clone();
    ended["refresh_expires_at"] = json!(over);
    case.add_session(&session("ended", &ended));
    let mut idle = refreshable.clone();
    idle["created_at"] = json!(now() - 31.0 * DAY);
    case.add_session(&session("idle", &idle));
    case.add_session(&session("ancient", &json!({"created_at": now() - 91.0 * DAY})));
    let mut no_refresh = refreshable;
    no_refresh["refresh"] = Value::Null;
    case.add_session(&session("norefresh", &no_refresh));
    let (moved, stores) = case.moved();
    assert_eq!((moved.sessions, moved.sessions_left_out), (2, BTreeMap::from([("expired".to_owned(), 5)])));
    let loaded = load_sessions(stores.sessions.as_ref(), surroundings().clock.now()).await.unwrap();
    let mut ids: Vec<_> = loaded.iter().map(|stored| stored.session.id.as_str()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["refreshable", "s1"]);
}

#[actix_rt::test]
async fn a_session_belongs_to_the_one_client_that_can_be_meant() {
    let case = Case::new(None);
    case.add_session(&session("early", &json!({"created_at": now() - 3.0 * DAY})));
    case.add_client(&client(APP, &json!({})));
    case.add_session(&session("middle", &json!({"created_at": now() - DAY})));
    let no_refresh = client("0b6f2f7e-6a43-4c02-9d55-6ad3a35c6f03", &json!({"grant_types": ["authorization_code"]}));
    case.add_client(&no_refresh);
    case.add_client(&client(OTHER_APP, &json!({"created_at": now() - HOUR})));
    case.add_session(&session("late", &json!({})));
    let (moved, stores) = case.moved();
    assert_eq!((moved.sessions, moved.clients), (3, 3));
    let app = SessionKind::Client { client_id: ClientId::new(APP) };
    assert_eq!(kind_of(&stores, "early").await, SessionKind::Unclaimed, "it was before all clients");
    assert!(stores.sessions.find_refresh_token(TokenHash::of("mcp_refresh_early")).await.unwrap().is_none());
    assert_eq!(kind_of(&stores, "middle").await, app);
    assert_eq!(kind_of(&stores, "late").await, SessionKind::Unclaimed, "two can be meant");
    assert!(stores.sessions.find_refresh_token(TokenHash::of("mcp_refresh_late")).await.unwrap().is_some());
}

#[actix_rt::test]
async fn sessions_of_another_provider_and_damaged_ones_are_left_out_with_the_reason() {
    let case = Case::usual(None);
    case.add_session(&session("google", &json!({"provider": "google"})));
    case.add_session(&session("user", &json!({"user_info": {"no": "user"}})));
    case.add_session(&session("time", &json!({"created_at": -1.0})));
    case.add_session(&session("../../id", &json!({})));
    let (moved, _) = case.moved();
    assert_eq!(moved.sessions, 1);
    let reasons = BTreeMap::from([
        ("damaged".to_owned(), 3),
        ("signed in at google, which is not a provider that is configured".to_owned(), 1),
    ]);
    assert_eq!(moved.sessions_left_out, reasons);
}

#[actix_rt::test]
async fn a_person_of_an_openid_provider_is_described_as_at_a_sign_in() {
    let mut case = Case::new(None);
    case.home.people = vec![PeopleOf { provider: "acme".to_owned(), has_openid_claims: true }];
    case.add_client(&client(APP, &json!({})));
    let profile = json!({"sub": "u-1", "preferred_username": "ada", "email": "ada@example.com", "email_verified": true,
        "groups": ["staff"], "role": "admin"});
    let user = json!({"provider": "acme", "user_id": "u-1", "username": "ada", "raw_profile": profile});
    case.add_session(&session("s1", &json!({"provider": "acme", "user_info": user})));
    let (_, stores) = case.moved();
    let user = stores.sessions.find_session(SessionId::new("s1")).await.unwrap().unwrap().user;
    assert_eq!((user.id, user.email_verified), (UserId::of("acme", "u-1"), true));
    assert_eq!((user.role.as_deref(), user.groups), (Some("admin"), vec!["staff".to_owned()]));
}

#[actix_rt::test]
async fn a_person_of_salesforce_is_known_by_the_organization_too() {
    let ids = json!({"organization_id": "00D5g000004AbCdEAK", "user_id": "0055g00000AbCdEAAV"});
    for (profile, subject) in [
        (ids, "00D5g000004AbCdEAK/0055g00000AbCdEAAV"),
        (json!({"organization_id": "00D5g000004AbCdEAK", "user_id": "0055g00000ZZZZZZZZ"}), "0055g00000AbCdEAAV"),
        (json!({}), "0055g00000AbCdEAAV"),
    ] {
        let mut case = Case::new(None);
        case.home.people = vec![PeopleOf { provider: "salesforce".to_owned(), has_openid_claims: false }];
        case.add_client(&client(APP, &json!({})));
        let user = json!({
            "provider": "salesforce", "user_id": "0055g00000AbCdEAAV", "username": "ada", "raw_profile": profile,
        });
        case.add_session(&session("s1", &json!({"provider": "salesforce", "user_info": user})));
        let (_, stores) = case.moved();
        let user = stores.sessions.find_session(SessionId::new("s1")).await.unwrap().unwrap().user;
        assert_eq!((user.subject.as_str(), user.id), (subject, UserId::of("salesforce", subject)));
    }
}

#[actix_rt::test]
async fn a_second_run_neither_doubles_anything_nor_brings_back_what_has_ended() {
    for kind in kinds() {
        let case = Case::usual(None);
        let store = settings(kind, &case.folder);
        case.add_session(&session("s2", &json!({})));
        assert_eq!(case.take_over(&store).unwrap().sessions, 2);
        assert!(open(&store).sessions.remove_session(SessionId::new("s1")).await.unwrap().is_some());
        case.add_session(&session("s3", &json!({})));
        let again = case.take_over(&store).unwrap();
        assert_eq!((again.sessions, again.sessions_before, again.clients, again.clients_before), (1, 2, 0, 1));
        let stores = open(&store);
        assert!(stores.sessions.find_session(SessionId::new("s1")).await.unwrap().is_none());
        assert_eq!(load_sessions(stores.sessions.as_ref(), surroundings().clock.now()).await.unwrap().len(), 2);
        assert_eq!(stores.clients.count_clients().await.unwrap(), 1);
    }
}

//! What tokens allow by the rules of now.

use super::{new_session, next, refresh, works};
use crate::model::principal::Principal;
use crate::model::scope_hierarchy::Reach;
use crate::model::token::IssuedTokens;
use crate::scope_rules::GrantRule;
use crate::sessions::{NewSession, RefreshError, SessionsHandle};
use crate::testkit::rig::{Login, Rig, settings};
use crate::testkit::samples::{self, scopes};
use std::sync::Arc;

fn grants(to_all: &str) -> Vec<GrantRule> {
    vec![GrantRule::new("true", scopes(to_all)).unwrap()]
}

async fn issue(rig: &Rig, text: &str) -> IssuedTokens {
    let session = NewSession { scopes: scopes(text), ..new_session(Some("app"), "ada") };
    let id = rig.sessions.open_session(session).await.unwrap().id;
    rig.sessions.issue_tokens(id, true).await.unwrap()
}

fn principal(sessions: &SessionsHandle, tokens: &IssuedTokens) -> Arc<Principal> {
    Arc::clone(&sessions.verify_access_token(tokens.access_token.expose()).unwrap().principal)
}

#[actix::test]
async fn a_token_allows_what_follows_from_its_scopes_and_names_them_as_they_were_granted() {
    let rig = Rig::start(Login::Provider).await;
    let tokens = issue(&rig, "write").await;
    assert_eq!(tokens.scopes, scopes("write"));
    let principal = principal(&rig.sessions, &tokens);
    assert_eq!((&principal.scopes, &principal.reach), (&scopes("write read"), &Reach::Everything));
    assert!(principal.holds(&scopes("read")) && !principal.holds(&scopes("admin")));
}

#[actix::test]
async fn a_refresh_may_narrow_to_what_follows() {
    let rig = Rig::start(Login::Provider).await;
    let tokens = issue(&rig, "write").await;
    let ask = rig.sessions.refresh_tokens(next(&tokens).clone(), samples::client("app"), Some(scopes("read")));
    assert_eq!(ask.await.unwrap().scopes, scopes("read"));
}

#[actix::test]
async fn a_right_that_was_taken_away_is_gone_from_sessions_that_exist() {
    let rig = Rig::start(Login::Provider).await;
    let tokens = issue(&rig, "mxcp:access write").await;
    let now = rig.restart_sessions_with_grants(Some(grants("mxcp:access read"))).await;
    let principal = principal(&now, &tokens);
    assert_eq!(principal.scopes, scopes("mxcp:access read"));
    assert!(!principal.could_hold(&scopes("write")));
    let refreshed = now.refresh_tokens(next(&tokens).clone(), samples::client("app"), None).await.unwrap();
    assert_eq!(refreshed.scopes, scopes("mxcp:access read"));
}

#[actix::test]
async fn a_token_of_which_nothing_is_left_does_not_work_and_its_refresh_says_why() {
    let rig = Rig::start(Login::Provider).await;
    let tokens = issue(&rig, "read").await;
    let now = rig.restart_sessions_with_grants(Some(grants("mxcp:access"))).await;
    assert!(now.verify_access_token(tokens.access_token.expose()).is_err());
    let app = || samples::client("app");
    let refused = now.refresh_tokens(next(&tokens).clone(), app(), None).await;
    assert_eq!(refused.unwrap_err(), RefreshError::NothingLeft);
    // The refresh token was not used up by that.
    let later = rig.restart_sessions_with_grants(None).await;
    assert_eq!(later.refresh_tokens(next(&tokens).clone(), app(), None).await.unwrap().scopes, scopes("read"));
}

#[actix::test]
async fn what_was_not_granted_does_not_come_back_by_a_refresh() {
    let rig = Rig::with_grants(Login::Provider, settings(), Some(grants("read"))).await;
    let tokens = issue(&rig, "read").await;
    assert!(works(&rig, &tokens));
    let wider = refresh(&rig, next(&tokens)).await.unwrap();
    assert_eq!(wider.scopes, scopes("read"));
    let ask = rig.sessions.refresh_tokens(next(&wider).clone(), samples::client("app"), Some(scopes("write")));
    assert_eq!(ask.await.unwrap_err(), RefreshError::ScopeTooWide);
}

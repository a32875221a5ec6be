//! What people get of what a client asks for.

use super::*;
use crate::model::client::{AuthMethod, ClientMetadata};
use crate::scope_rules::GrantRule;

async fn rig_with(when: &str, given: &str) -> Rig {
    let settings = Settings { configured_clients: vec![samples::client("app")], ..settings() };
    let grants = vec![GrantRule::new(when, scopes(given)).unwrap()];
    Rig::with_grants(Login::Provider, settings, Some(grants)).await
}

fn asking_for(scope: &str) -> AuthorizeParameters {
    AuthorizeParameters { scope: Some(scope.to_owned()), ..parameters() }
}

#[actix::test]
async fn the_session_gets_what_its_person_is_entitled_to() {
    let rig = rig_with("user.username == 'ada'", "mxcp:access read").await;
    let mut ada = Person::new();
    let url = ada.reach_provider(&rig, asking_for("mxcp:access write")).await;
    let code = code(ada.come_back(&rig, &url, "ada").await);
    let tokens = rig.authorization.exchange_token(code_request(&code)).await.unwrap();
    assert_eq!(tokens.scopes, scopes("mxcp:access read"));
}

/// Has `bob`, for whom `when` does not hold, sign in where it gives the only scope.
async fn answer_to_bob(when: &str) {
    let rig = rig_with(when, "mxcp:access").await;
    let mut bob = Person::new();
    let url = bob.reach_provider(&rig, parameters()).await;
    let answer = answer(bob.come_back(&rig, &url, "bob").await);
    assert_eq!((answer["error"].as_str(), answer.get("code")), ("access_denied", None));
    assert_eq!((rig.recorded("auth.login_failed"), rig.recorded("auth.login_succeeded")), (1, 0));
}

#[actix::test]
async fn who_is_entitled_to_nothing_gets_no_session() {
    answer_to_bob("user.username == 'ada'").await;
}

#[actix::test]
async fn what_cannot_be_evaluated_entitles_nobody() {
    answer_to_bob("user.claims.team == 'x'").await;
}

#[actix::test]
async fn a_client_that_registered_itself_may_ask_for_more_than_it_registered() {
    let rig = rig(Login::Provider).await;
    let metadata = ClientMetadata {
        name: Some("Editor".to_owned()),
        redirect_uris: vec![RedirectUri::parse(samples::REDIRECT_URI).unwrap()],
        grant_types: vec![GrantType::AuthorizationCode],
        auth_method: AuthMethod::None,
        keys: None,
        scope: Some(scopes("mxcp:access")),
    };
    let client = rig.client_registry.register_client(metadata, "192.0.2.1".to_owned(), None).await.unwrap().client;
    let asked = AuthorizeParameters { client_id: Some(client.id.to_string()), ..asking_for("mxcp:access write none") };
    let prompt = consent(Person::new().begin(&rig, asked).await);
    assert_eq!(prompt.scopes, ["mxcp:access", "write"]);
    assert_eq!(prompt.implied_scopes, ["read"]);
}

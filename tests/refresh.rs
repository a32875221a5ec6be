//! Refresh tokens: they rotate, belong to one client, and give the same answer again only for a
//! moment (OAuth 2.1 section 4.3, RFC 9700 section 4.14).

use crate::common::{Browser, OAuthClient, REDIRECT_URI, Setup, TestApp, Tokens, change, oauth_error};
use serde_json::json;

async fn assert_refused(client: &OAuthClient, app: &TestApp, token: &str) {
    let refused = client.refresh(app, token).await;
    assert_eq!(oauth_error(refused).await, (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn a_refresh_gives_a_new_pair() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let first = client.tokens(&app, "ada").await;
    let second = Tokens::of(client.refresh(&app, &first.refresh).await).await;
    assert_ne!(second.access, first.access);
    assert_ne!(second.refresh, first.refresh);
    assert!(app.whoami(&second.access).await.contains("ada"));
    let third = Tokens::of(client.refresh(&app, &second.refresh).await).await;
    assert!(app.whoami(&third.access).await.contains("ada"));
}

#[tokio::test]
async fn a_confidential_client_must_prove_itself_to_refresh() {
    let app = TestApp::start().await;
    let metadata = json!({"redirect_uris": [REDIRECT_URI], "grant_types": ["authorization_code", "refresh_token"]});
    let client = OAuthClient::register_with(&app, &metadata).await;
    let first = client.tokens(&app, "ada").await;
    let nobody = OAuthClient { secret: None, ..client.clone() };
    let refused = nobody.refresh(&app, &first.refresh).await;
    assert_eq!(oauth_error(refused).await, (401, "invalid_client".to_owned()));
    let impostor = OAuthClient { secret: Some("guess".to_owned()), ..client.clone() };
    let refused = impostor.refresh(&app, &first.refresh).await;
    assert_eq!(oauth_error(refused).await, (401, "invalid_client".to_owned()));
    Tokens::of(client.refresh(&app, &first.refresh).await).await;
}

#[tokio::test]
async fn a_client_that_lost_the_answer_gets_the_same_again_for_a_moment() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let first = client.tokens(&app, "ada").await;
    let answers = futures_util::future::join_all((0..10).map(|_| client.refresh(&app, &first.refresh))).await;
    let mut pairs = Vec::new();
    for answer in answers {
        let tokens = Tokens::of(answer).await;
        pairs.push((tokens.access, tokens.refresh));
    }
    pairs.dedup();
    assert_eq!(pairs.len(), 1, "{pairs:?}");
    assert_eq!(app.status_with(&pairs[0].0).await, 200);
}

#[tokio::test]
async fn a_replay_after_the_successor_was_used_ends_the_session() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let first = client.tokens(&app, "ada").await;
    let second = Tokens::of(client.refresh(&app, &first.refresh).await).await;
    let third = Tokens::of(client.refresh(&app, &second.refresh).await).await;
    assert_refused(&client, &app, &first.refresh).await;
    assert_refused(&client, &app, &third.refresh).await;
    for access in [&first.access, &second.access, &third.access] {
        assert_eq!(app.status_with(access).await, 401);
    }
}

#[tokio::test]
async fn without_grace_any_second_use_ends_the_session() {
    let app = TestApp::with(Setup::default().with_lifetime("refresh_grace", "0s")).await;
    let client = OAuthClient::register(&app).await;
    let first = client.tokens(&app, "ada").await;
    let second = Tokens::of(client.refresh(&app, &first.refresh).await).await;
    assert_eq!(app.status_with(&second.access).await, 200);
    assert_refused(&client, &app, &first.refresh).await;
    assert_eq!(app.status_with(&second.access).await, 401);
    assert_refused(&client, &app, &second.refresh).await;
}

#[tokio::test]
async fn a_refresh_token_is_of_no_use_to_another_client() {
    let app = TestApp::start().await;
    let (client, thief) = (OAuthClient::register(&app).await, OAuthClient::register(&app).await);
    let tokens = client.tokens(&app, "ada").await;
    assert_refused(&thief, &app, &tokens.refresh).await;
    assert_eq!(app.status_with(&tokens.access).await, 200, "the attempt harms nobody");
    Tokens::of(client.refresh(&app, &tokens.refresh).await).await;
}

#[tokio::test]
async fn what_is_no_refresh_token_gives_nothing() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let tokens = client.tokens(&app, "ada").await;
    for token in ["x", "mxcp_rt_unknown", &tokens.access, &format!("{}x", tokens.refresh)] {
        assert_refused(&client, &app, token).await;
    }
    let mut form = client.refreshment(&tokens.refresh);
    change(&mut form, "refresh_token", None);
    let refused = client.post(&app, "/token", &form).await;
    assert_eq!(oauth_error(refused).await, (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn a_refresh_may_narrow_the_scope_and_the_resource_but_widen_neither() {
    let mut setup = Setup::default();
    setup.auth["authorization"] = json!({"required_scopes": ["mxcp:access"]});
    setup = setup.with_clients(json!([{"client_id": "desk", "name": "Desk", "redirect_uris": [REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token"], "scopes": ["mxcp:access", "reports"]}]));
    let app = TestApp::with(setup).await;
    let client = OAuthClient { id: "desk".to_owned(), secret: None, redirect_uri: REDIRECT_URI.to_owned() };
    let mut browser = Browser::new(&app);
    let answer = client.sign_in_with(&app, &mut browser, "ada", &[("scope", Some("mxcp:access"))]).await;
    let few = Tokens::of(client.redeem(&app, &answer["code"]).await).await;
    let all = client.tokens(&app, "ada").await;
    assert_eq!((few.scope.as_str(), all.scope.as_str()), ("mxcp:access", "mxcp:access reports"));

    let refresh = async |tokens: &Tokens, name: &str, value: &str| {
        let mut form = client.refreshment(&tokens.refresh);
        change(&mut form, name, Some(value));
        client.post(&app, "/token", &form).await
    };
    let wider = refresh(&few, "scope", "mxcp:access reports").await;
    assert_eq!(oauth_error(wider).await, (400, "invalid_scope".to_owned()));
    let foreign = refresh(&few, "resource", "https://other.example.com/mcp").await;
    assert_eq!(oauth_error(foreign).await, (400, "invalid_target".to_owned()));
    Tokens::of(refresh(&few, "resource", &app.resource()).await).await;

    let narrow = Tokens::of(refresh(&all, "scope", "reports").await).await;
    assert_eq!(narrow.scope, "reports");
    assert_eq!(app.status_with(&narrow.access).await, 403);
    let whole = Tokens::of(refresh(&narrow, "scope", "mxcp:access reports").await).await;
    assert_eq!(app.status_with(&whole.access).await, 200);
}

//! Revocation (RFC 7009).

use crate::common::{OAuthClient, REDIRECT_URI, TestApp, Tokens, header, oauth_error, pairs};
use serde_json::json;

#[tokio::test]
async fn revoking_a_refresh_token_ends_everything_of_that_grant() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let (tokens, others) = (client.tokens(&app, "ada").await, client.tokens(&app, "ada").await);
    let response = client.revoke(&app, &tokens.refresh).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "cache-control"), "no-store");
    assert_eq!(app.status_with(&tokens.access).await, 401);
    let refused = client.refresh(&app, &tokens.refresh).await;
    assert_eq!(oauth_error(refused).await, (400, "invalid_grant".to_owned()));
    assert_eq!(app.status_with(&others.access).await, 200, "another grant of the same person goes on");
}

#[tokio::test]
async fn revoking_an_access_token_ends_it_alone() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let tokens = client.tokens(&app, "ada").await;
    assert_eq!(client.revoke(&app, &tokens.access).await.status(), 200);
    assert_eq!(app.status_with(&tokens.access).await, 401);
    let next = Tokens::of(client.refresh(&app, &tokens.refresh).await).await;
    assert_eq!(app.status_with(&next.access).await, 200);
}

#[tokio::test]
async fn another_clients_token_is_not_touched_and_nobody_learns_of_it() {
    let app = TestApp::start().await;
    let (client, other) = (OAuthClient::register(&app).await, OAuthClient::register(&app).await);
    let tokens = client.tokens(&app, "ada").await;
    for token in [&tokens.access, &tokens.refresh] {
        let response = other.revoke(&app, token).await;
        assert_eq!((response.status().as_u16(), response.text().await.unwrap()), (200, String::new()));
    }
    assert_eq!(app.status_with(&tokens.access).await, 200);
    Tokens::of(client.refresh(&app, &tokens.refresh).await).await;
}

#[tokio::test]
async fn a_token_that_does_not_exist_is_as_good_as_revoked() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    let tokens = client.tokens(&app, "ada").await;
    assert_eq!(client.revoke(&app, "mxcp_at_unknown").await.status(), 200);
    for _ in 0..2 {
        assert_eq!(client.revoke(&app, &tokens.refresh).await.status(), 200);
    }
}

#[tokio::test]
async fn a_hint_is_only_a_hint() {
    let app = TestApp::start().await;
    let client = OAuthClient::register(&app).await;
    for hint in ["access_token", "refresh_token", "other"] {
        let tokens = client.tokens(&app, "ada").await;
        let form = [("token", tokens.refresh.as_str()), ("token_type_hint", hint), ("client_id", &client.id)];
        assert_eq!(client.post(&app, "/revoke", &pairs(&form)).await.status(), 200);
        assert_eq!(app.status_with(&tokens.access).await, 401, "{hint}");
    }
}

#[tokio::test]
async fn whoever_does_not_prove_to_be_the_client_revokes_nothing() {
    let app = TestApp::start().await;
    let metadata = json!({"redirect_uris": [REDIRECT_URI], "grant_types": ["authorization_code", "refresh_token"]});
    let client = OAuthClient::register_with(&app, &metadata).await;
    let tokens = client.tokens(&app, "ada").await;
    let nobody = OAuthClient { secret: None, ..client.clone() };
    let impostor = OAuthClient { secret: Some("guess".to_owned()), ..client.clone() };
    for caller in [&nobody, &impostor] {
        let refused = caller.revoke(&app, &tokens.access).await;
        assert_eq!(oauth_error(refused).await, (401, "invalid_client".to_owned()));
    }
    let anonymous = app.post_form("/revoke", &pairs(&[("token", &tokens.access)])).await;
    assert_eq!(oauth_error(anonymous).await, (401, "invalid_client".to_owned()));
    let nothing = client.post(&app, "/revoke", &pairs(&[("client_id", &client.id)])).await;
    assert_eq!(oauth_error(nothing).await, (400, "invalid_request".to_owned()));
    assert_eq!(app.status_with(&tokens.access).await, 200);
}

//! The provider's tokens behind a session: refreshed before a call that needs them, by one refresh
//! however many wait, and ended only when the provider ends them.

use crate::common::{GitHubApp, OAuthClient, Setup, TestApp, header, text_of};
use futures_util::future::join_all;
use serde_json::{Value, json};

async fn signed_in() -> (GitHubApp, TestApp, String) {
    let github = GitHubApp::start().await;
    let app = TestApp::with(github.setup()).await;
    let client = OAuthClient::register(&app).await;
    let tokens = GitHubApp::tokens(&app, &client).await;
    (github, app, tokens.access)
}

fn refreshes(app: &TestApp) -> Vec<Value> {
    app.audit().into_iter().filter(|record| record["operation_name"] == "auth.upstream_refreshed").collect()
}

#[tokio::test]
async fn twenty_calls_at_expiry_see_the_token_of_one_refresh() {
    let (github, app, access) = signed_in().await;
    let calls = (0..20).map(|_| app.call(&access, "token").send());
    for response in join_all(calls).await {
        assert!(text_of(&response.unwrap().json().await.unwrap()).contains("ghu_1"));
    }
    assert_eq!(github.shown(), ["ghr_first"]);
    assert_eq!(refreshes(&app).len(), 1);
    let everything = format!("{:?}", app.audit());
    assert!(!everything.contains("ghr_") && everything.contains("github"), "{everything}");
    assert!(!everything.contains("ghu_") && everything.contains("[REDACTED]"), "what SQL gives back is recorded too");
}

#[tokio::test]
async fn a_provider_that_is_away_is_a_503_and_the_session_lives() {
    let (github, app, access) = signed_in().await;
    github.answer_refreshes_with(Some((500, json!({"message": "ghr_first is a secret"}))));
    for _ in 0..2 {
        let response = app.call(&access, "token").send().await.unwrap();
        assert_eq!(response.status(), 503);
        let seconds: u64 = header(&response, "retry-after").parse().unwrap();
        assert!((1..=4).contains(&seconds), "{seconds}");
        let body: Value = response.json().await.unwrap();
        assert_eq!((&body["id"], &body["error"]["code"]), (&json!(1), &json!(-32603)), "{body}");
        assert!(body["error"]["message"].as_str().unwrap().contains("identity provider"), "{body}");
    }
    assert_eq!(github.shown().len(), 1, "it is given a rest");
    assert!(app.whoami(&access).await.contains("octocat"), "what needs no token goes on");
    let [failure] = refreshes(&app).try_into().unwrap();
    assert_eq!(failure["operation_status"], "error");
    assert_eq!(failure["error"], "github, asked for tokens, answered with status 500");
    github.answer_refreshes_with(None);
    let recovered = async {
        loop {
            let response = app.call(&access, "token").send().await.unwrap();
            if response.status() == 200 {
                return text_of(&response.json().await.unwrap());
            }
        }
    };
    let text = tokio::time::timeout(std::time::Duration::from_secs(30), recovered).await.unwrap();
    assert!(text.contains("ghu_2"), "{text}");
}

#[tokio::test]
async fn a_grant_that_the_provider_ended_ends_the_session() {
    let (github, app, access) = signed_in().await;
    let ended =
        json!({"error": "bad_refresh_token", "error_description": "The refresh token is incorrect or expired."});
    github.answer_refreshes_with(Some((200, ended)));
    let body: Value = app.call(&access, "token").send().await.unwrap().json().await.unwrap();
    assert_eq!(body["result"]["isError"], true);
    assert!(body["result"]["content"][0]["text"].as_str().unwrap().contains("log in again"), "{body}");
    assert_eq!(app.status_with(&access).await, 401);
    let names: Vec<Value> = app.audit().iter().map(|record| record["operation_name"].clone()).collect();
    assert!(names.contains(&json!("auth.session_ended")), "{names:?}");
}

#[tokio::test]
async fn our_own_secret_that_the_provider_refuses_ends_no_session() {
    let (github, app, access) = signed_in().await;
    let refused = json!({"error": "incorrect_client_credentials", "error_description": "wrong client secret"});
    github.answer_refreshes_with(Some((200, refused)));
    assert_eq!(app.call(&access, "token").send().await.unwrap().status(), 503);
    assert!(app.whoami(&access).await.contains("octocat"));
    let [failure] = refreshes(&app).try_into().unwrap();
    assert_eq!(failure["error"], "github refused: incorrect_client_credentials: wrong client secret");
}

#[tokio::test]
async fn a_token_that_the_api_has_taken_back_is_replaced_within_the_call() {
    let github = GitHubApp::giving_tokens_for(28_800).await;
    let url = github.repositories();
    let sql = format!(
        "SELECT * FROM read_json_auto('{url}', headers = MAP {{'Authorization': 'Bearer ' || get_user_external_token()}})"
    );
    let setup = Setup { http_fetch: json!({"allow": ["127.0.0.1"]}), ..github.setup() };
    let app = TestApp::with(setup.with_tool("repositories", &sql)).await;
    let client = OAuthClient::register(&app).await;
    let tokens = GitHubApp::tokens(&app, &client).await;
    for _ in 0..2 {
        let body = app.call(&tokens.access, "repositories").send().await.unwrap().json().await.unwrap();
        assert!(text_of(&body).contains("token ghu_1"), "{body}");
    }
    assert_eq!(github.shown(), ["ghr_first"]);
}

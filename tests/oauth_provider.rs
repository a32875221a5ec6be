//! People who sign in at an identity provider: the second leg of the flow, and who may end it.

use crate::common::{Browser, FakeProvider, OAuthClient, Page, Setup, TestApp, Tokens, UPSTREAM_TOKEN, query_of};
use crate::upstream_support::dead_address;
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A client's request up to the provider's own page.
async fn to_provider(app: &TestApp, client: &OAuthClient, browser: &mut Browser) -> Url {
    let consent = browser.open(client.authorize_url(app, &[])).await;
    assert_eq!(consent.form().action, "/consent");
    browser.submit(&consent, "approve", &[]).await.location()
}

fn assert_refused(app: &TestApp, client: &OAuthClient, page: &Page, error: &str) {
    let answer = client.answer(page);
    assert_eq!(answer["error"], error);
    assert_eq!(answer["state"], "state of the client");
    assert_eq!(answer["iss"], app.issuer);
    assert!(!answer.contains_key("code"));
}

#[tokio::test]
async fn a_person_of_the_provider_gets_to_a_call_step_by_step() {
    let provider = FakeProvider::start().await;
    let app = TestApp::with(provider.setup()).await;
    let client = OAuthClient::register(&app).await;
    let mut browser = Browser::new(&app);
    let consent = browser.open(client.authorize_url(&app, &[])).await;
    for text in ["Reading Room", "app.example.com", "openid"] {
        assert!(consent.text().contains(text), "{text} is not in {}", consent.body);
    }
    let at_provider = browser.submit(&consent, "approve", &[]).await.location();
    let asked = query_of(&at_provider);
    assert_eq!(asked["redirect_uri"], format!("{}/callback", app.issuer));
    assert_eq!(asked["code_challenge_method"], "S256");
    assert!(!at_provider.as_str().contains("state+of+the+client"), "the client's state is none of the provider's");
    let back = browser.open(provider.sign_in(&at_provider)).await;
    let answer = client.answer(&back);
    assert_eq!(answer["state"], "state of the client");
    assert_eq!(answer["iss"], app.issuer);
    let response = client.redeem(&app, &answer["code"]).await;
    let body = response.text().await.unwrap();
    assert!(!body.contains(UPSTREAM_TOKEN), "the provider's token is not the client's");
    let body: Value = serde_json::from_str(&body).unwrap();
    let access = body["access_token"].as_str().unwrap();
    assert!(app.whoami(access).await.contains("ada"));
    assert!(!provider.received().await.contains(access), "our token is not the provider's");
}

#[tokio::test]
async fn a_remembered_client_goes_straight_to_the_provider() {
    let provider = FakeProvider::start().await;
    let app = TestApp::with(provider.setup()).await;
    let client = OAuthClient::register(&app).await;
    let mut browser = Browser::new(&app);
    let first = to_provider(&app, &client, &mut browser).await;
    client.answer(&browser.open(provider.sign_in(&first)).await);
    let second = browser.open(client.authorize_url(&app, &[])).await.location();
    assert_ne!(query_of(&first)["state"], query_of(&second)["state"]);
    assert_ne!(query_of(&first)["nonce"], query_of(&second)["nonce"]);
    let answer = client.answer(&browser.open(provider.sign_in(&second)).await);
    Tokens::of(client.redeem(&app, &answer["code"]).await).await;
    let other = OAuthClient::register(&app).await;
    assert_eq!(browser.open(other.authorize_url(&app, &[])).await.form().action, "/consent");
}

#[tokio::test]
async fn a_login_ends_in_the_browser_that_began_it() {
    let provider = FakeProvider::start().await;
    let app = TestApp::with(provider.setup()).await;
    let client = OAuthClient::register(&app).await;
    let mut browser = Browser::new(&app);
    let at_provider = to_provider(&app, &client, &mut browser).await;
    let callback = provider.sign_in(&at_provider);
    let mut strange = Browser::new(&app);
    strange.open(&callback).await.assert_error_page(403);
    strange.open(client.authorize_url(&app, &[])).await;
    strange.open(&callback).await.assert_error_page(403);
    // None of this used the login up.
    assert!(client.answer(&browser.open(&callback).await).contains_key("code"));
}

#[tokio::test]
async fn a_state_of_the_provider_leg_is_used_once() {
    let provider = FakeProvider::start().await;
    let app = TestApp::with(provider.setup()).await;
    let client = OAuthClient::register(&app).await;
    let mut browser = Browser::new(&app);
    let callback = provider.sign_in(&to_provider(&app, &client, &mut browser).await);
    let first = client.answer(&browser.open(&callback).await);
    browser.open(&callback).await.assert_error_page(400);
    Tokens::of(client.redeem(&app, &first["code"]).await).await;
    for query in [
        "",
        "?code=x",
        "?state=x",
        "?code=x&state=unknown",
        "?error=access_denied&state=unknown",
        "?code=%ff&state=%ff",
    ] {
        browser.open(app.url(&format!("/callback{query}"))).await.assert_error_page(400);
    }
    let mut twice = callback.clone();
    twice.query_pairs_mut().append_pair("state", "x");
    browser.open(&twice).await.assert_error_page(400);
}

#[tokio::test]
async fn a_refusal_at_the_provider_is_told_to_the_client() {
    let provider = FakeProvider::start().await;
    let app = TestApp::with(provider.setup()).await;
    let client = OAuthClient::register(&app).await;
    let mut browser = Browser::new(&app);
    let at_provider = to_provider(&app, &client, &mut browser).await;
    let back = browser.open(FakeProvider::refuse(&at_provider)).await;
    assert_refused(&app, &client, &back, "access_denied");
    assert!(!back.location().as_str().contains("not+today"), "the provider's words go to the operator");
}

#[tokio::test]
async fn an_answer_of_another_issuer_is_refused() {
    let provider = FakeProvider::start().await;
    let app = TestApp::with(provider.setup()).await;
    let client = OAuthClient::register(&app).await;
    let mut browser = Browser::new(&app);
    let mut callback = provider.sign_in(&to_provider(&app, &client, &mut browser).await);
    callback.query_pairs_mut().append_pair("iss", "https://evil.example");
    assert_refused(&app, &client, &browser.open(&callback).await, "server_error");
}

#[tokio::test]
async fn a_provider_that_is_down_is_told_to_the_client_and_to_a_visitor() {
    let (_socket, address) = dead_address();
    let app = TestApp::with(FakeProvider::setup_at(&format!("http://{address}"))).await;
    let client = OAuthClient::register(&app).await;
    let mut browser = Browser::new(&app);
    let consent = browser.open(client.authorize_url(&app, &[])).await;
    let back = browser.submit(&consent, "approve", &[]).await;
    assert_refused(&app, &client, &back, "temporarily_unavailable");
    browser.open(app.url("/")).await.assert_error_page(503);
    assert_eq!(app.get("/health").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_visitor_signs_in_at_the_provider_too() {
    let provider = FakeProvider::start().await;
    let app = TestApp::with(provider.setup()).await;
    let mut browser = Browser::new(&app);
    let at_provider = browser.open(app.url("/")).await.location();
    let back = browser.open(provider.sign_in(&at_provider)).await;
    assert_eq!(back.location().as_str(), app.url("/"));
    assert!(browser.open(app.url("/")).await.text().contains("ada@example.com"));
    let mut other = Browser::new(&app);
    let at_provider = other.open(app.url("/")).await.location();
    other.open(FakeProvider::refuse(&at_provider)).await.assert_error_page(403);
}

/// A visitor who has signed in at the provider.
async fn visit(app: &TestApp, provider: &FakeProvider) -> Browser {
    let mut browser = Browser::new(app);
    let at_provider = browser.open(app.url("/")).await.location();
    browser.open(provider.sign_in(&at_provider)).await;
    browser
}

async fn tokens(app: &TestApp, provider: &FakeProvider, client: &OAuthClient) -> Tokens {
    let mut browser = Browser::new(app);
    let at_provider = to_provider(app, client, &mut browser).await;
    let answer = client.answer(&browser.open(provider.sign_in(&at_provider)).await);
    Tokens::of(client.redeem(app, &answer["code"]).await).await
}

fn revocations(app: &TestApp) -> Vec<Value> {
    app.audit().into_iter().filter(|record| record["operation_name"] == "auth.upstream_revoked").collect()
}

#[tokio::test]
async fn signing_out_revokes_the_providers_token_once_at_the_provider() {
    let mut provider = FakeProvider::start().await;
    let mut app = TestApp::with(provider.setup()).await;
    let mut browser = visit(&app, &provider).await;
    let home = browser.open(app.url("/")).await;
    assert_eq!(browser.submit(&home, "", &[]).await.location().path(), "/signed-out");
    assert_eq!(provider.revocation().await, format!("token={UPSTREAM_TOKEN}&token_type_hint=access_token"));
    let stopping = app.begin_stop();
    tokio::task::spawn_blocking(|| stopping.wait()).await.unwrap();
    assert_eq!(provider.revocations_left(), 0);
    let records = revocations(&app);
    assert_eq!(records.len(), 1);
    assert_eq!(
        (&records[0]["operation_status"], &records[0]["input_data"]["provider"]),
        (&json!("success"), &json!("oidc"))
    );
    assert!(!records[0].to_string().contains(UPSTREAM_TOKEN), "{}", records[0]);
}

#[tokio::test]
async fn the_provider_is_left_alone_until_the_last_session_of_the_person_is_revoked() {
    let mut provider = FakeProvider::start().await;
    let mut app = TestApp::with(provider.setup()).await;
    let client = OAuthClient::register(&app).await;
    let (first, last) = (tokens(&app, &provider, &client).await, tokens(&app, &provider, &client).await);
    assert_eq!(client.revoke(&app, &first.refresh).await.status(), 200);
    assert!(app.whoami(&last.access).await.contains("ada"));
    assert_eq!(client.revoke(&app, &last.refresh).await.status(), 200);
    provider.revocation().await;
    let stopping = app.begin_stop();
    tokio::task::spawn_blocking(|| stopping.wait()).await.unwrap();
    assert_eq!((provider.revocations_left(), revocations(&app).len()), (0, 1));
}

#[tokio::test]
async fn a_provider_that_does_not_answer_holds_up_no_sign_out() {
    let silence = ResponseTemplate::new(200).set_delay(Duration::from_mins(10));
    let mut provider = FakeProvider::revoking_with(silence).await;
    let app = TestApp::with(provider.setup()).await;
    let mut browser = visit(&app, &provider).await;
    let home = browser.open(app.url("/")).await;
    assert_eq!(browser.submit(&home, "", &[]).await.location().path(), "/signed-out");
    provider.revocation().await;
    assert!(browser.open(app.url("/")).await.location().as_str().contains("/login?"), "the person signs in anew");
    assert_eq!(revocations(&app).len(), 0, "the provider has still not answered");
}

#[tokio::test]
async fn there_is_no_login_page_of_ours_beside_a_provider() {
    let provider = FakeProvider::start().await;
    let app = TestApp::with(provider.setup()).await;
    let form = crate::common::pairs(&[("username", "ada"), ("password", "x"), ("login", "x"), ("csrf", "x")]);
    Browser::new(&app).post(&app.url("/login"), &form).await.assert_error_page(400);
}

#[tokio::test]
async fn a_person_of_github_gets_to_a_call_and_an_outage_is_told() {
    let github = MockServer::start().await;
    let answer = async |verb: &str, at: &str, template: ResponseTemplate, times: u64| {
        Mock::given(method(verb)).and(path(at)).respond_with(template).up_to_n_times(times).mount(&github).await;
    };
    let tokens = json!({"access_token": UPSTREAM_TOKEN, "token_type": "bearer", "scope": "read:user"});
    answer("POST", "/login/oauth/access_token", ResponseTemplate::new(200).set_body_json(tokens), 1).await;
    answer("POST", "/login/oauth/access_token", ResponseTemplate::new(502), 1).await;
    let person = json!({"id": 583_231, "login": "octocat", "name": "The Octocat", "email": "octo@example.com"});
    answer("GET", "/api/v3/user", ResponseTemplate::new(200).set_body_json(person), 9).await;
    answer("GET", "/api/v3/user/emails", ResponseTemplate::new(200).set_body_json(json!([])), 9).await;
    let origin = github.uri();
    let auth = json!({"provider": "github", "github": {
        "client_id": "Ov23li", "client_secret": "secret-at-github", "callback_path": "/auth/callback",
        "auth_url": format!("{origin}/login/oauth/authorize"), "token_url": format!("{origin}/login/oauth/access_token"),
    }});
    let app = TestApp::with(Setup { auth, ..Setup::default() }).await;
    let client = OAuthClient::register(&app).await;
    let come_back = async |url: &Url, browser: &mut Browser| {
        let state = &query_of(url)["state"];
        let callback = app.url("/auth/callback");
        browser.open(Url::parse_with_params(&callback, [("code", "x"), ("state", state)]).unwrap()).await
    };
    let mut browser = Browser::new(&app);
    let at_github = to_provider(&app, &client, &mut browser).await;
    let answer = client.answer(&come_back(&at_github, &mut browser).await);
    let tokens = Tokens::of(client.redeem(&app, &answer["code"]).await).await;
    assert!(app.whoami(&tokens.access).await.contains("octocat"));
    let again = browser.open(client.authorize_url(&app, &[])).await.location();
    assert_refused(&app, &client, &come_back(&again, &mut browser).await, "temporarily_unavailable");
}

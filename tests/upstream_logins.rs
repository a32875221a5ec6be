//! People who sign in at GitHub, Atlassian and Salesforce through the whole daemon, up to a tool
//! that sees who they are and their token.
use crate::common::{Browser, OAuthClient, Setup, TestApp, Tokens, UPSTREAM_TOKEN, query_of, text_of};
use serde_json::{Value, json};
use url::Url;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const CALLBACK_PATH: &str = "/callback/provider";

async fn answer(server: &MockServer, verb: &str, at: &str, body: &Value) {
    let template = ResponseTemplate::new(200).set_body_json(body);
    Mock::given(method(verb)).and(path(at)).respond_with(template).mount(server).await;
}

/// A daemon at that provider with a tool that shows the person, behind a policy on their groups.
async fn daemon(provider: &str, origin: &str, [authorize, token]: [&str; 2], scope: &str, rule: &str) -> TestApp {
    let block = json!({
        "client_id": "app-at-the-provider", "client_secret": "secret-at-the-provider", "callback_path": CALLBACK_PATH,
        "auth_url": format!("{origin}{authorize}"), "token_url": format!("{origin}{token}"), "scope": scope,
    });
    let sql = "SELECT get_username() AS username, get_user_provider() AS provider, get_user_external_token() AS token";
    let mut setup = Setup { auth: json!({"provider": provider, provider: block}), ..Setup::default() };
    setup = setup.with_tool("person", sql).with_tool("members", "SELECT 'a member' AS who");
    let tool = setup.tools.get_mut("members").unwrap();
    tool["policies"] = json!({"input": [{"condition": rule, "action": "deny", "reason": "members only"}]});
    TestApp::with(setup).await
}

/// The provider's page, to which the browser is sent after consent.
async fn to_provider(app: &TestApp, client: &OAuthClient, browser: &mut Browser) -> Url {
    let consent = browser.open(client.authorize_url(app, &[])).await;
    browser.submit(&consent, "approve", &[]).await.location()
}

fn callback(app: &TestApp, at_provider: &Url, name: &str, value: &str) -> Url {
    let state = &query_of(at_provider)["state"];
    Url::parse_with_params(&app.url(CALLBACK_PATH), [(name, value), ("state", state)]).unwrap()
}

/// Signs in, and checks what tools see; then refuses, and checks what the client is told.
async fn assert_signs_in(app: &TestApp, provider: &str, username: &str) {
    let client = OAuthClient::register(app).await;
    let mut browser = Browser::new(app);
    let at_provider = to_provider(app, &client, &mut browser).await;
    assert_eq!(query_of(&at_provider)["redirect_uri"], format!("{}{CALLBACK_PATH}", app.issuer));
    assert_eq!(query_of(&at_provider)["code_challenge_method"], "S256");
    let back = browser.open(callback(app, &at_provider, "code", "a-code-of-the-provider")).await;
    let response = client.redeem(app, &client.answer(&back)["code"]).await;
    let tokens = Tokens::of(response).await;
    let shown = app.call(&tokens.access, "person").send().await.unwrap().json().await.unwrap();
    let shown: Value = serde_json::from_str(&text_of(&shown)).unwrap();
    assert_eq!(shown, json!({"username": username, "provider": provider, "token": UPSTREAM_TOKEN}));
    let members = app.call(&tokens.access, "members").send().await.unwrap().json().await.unwrap();
    assert!(text_of(&members).contains("a member"));
    assert!(app.audit().iter().all(|record| !record.to_string().contains("secret-at-the-provider")));

    let mut other = Browser::new(app);
    let at_provider = to_provider(app, &client, &mut other).await;
    let back = other.open(callback(app, &at_provider, "error", "access_denied")).await;
    assert_eq!(client.answer(&back)["error"], "access_denied");
}

#[tokio::test]
async fn a_person_of_github_gets_to_a_call_with_their_token() {
    let tokens = json!({"access_token": UPSTREAM_TOKEN, "token_type": "bearer", "scope": "read:org,read:user"});
    let acme = json!({"id": 9, "login": "acme"});
    let github = MockServer::start().await;
    answer(&github, "POST", "/login/oauth/access_token", &tokens).await;
    answer(&github, "GET", "/api/v3/user", &json!({"id": 583_231, "login": "octocat"})).await;
    answer(&github, "GET", "/api/v3/user/orgs", &json!([acme])).await;
    let team = json!({"id": 5, "slug": "release-team", "organization": acme});
    answer(&github, "GET", "/api/v3/user/teams", &json!([team])).await;
    let (authorize, token) = ("/login/oauth/authorize", "/login/oauth/access_token");
    let rule = "!('acme/release-team' in user.groups)";
    let app = daemon("github", &github.uri(), [authorize, token], "read:user read:org", rule).await;
    assert_signs_in(&app, "github", "octocat").await;
}

#[tokio::test]
async fn a_person_of_atlassian_gets_to_a_call_with_their_token() {
    let atlassian = MockServer::start().await;
    let tokens = json!({"access_token": UPSTREAM_TOKEN, "expires_in": 3600, "scope": "read:me"});
    answer(&atlassian, "POST", "/oauth/token", &tokens).await;
    let person = json!({"account_id": "712020:a1", "nickname": "mia", "email": "mia@example.com"});
    answer(&atlassian, "GET", "/me", &person).await;
    let site = json!({"id": "c1", "name": "Acme", "url": "https://acme.atlassian.net", "scopes": ["read:me"]});
    answer(&atlassian, "GET", "/oauth/token/accessible-resources", &json!([site])).await;
    let rule = "!('acme.atlassian.net' in user.groups)";
    let scope = "read:me offline_access";
    let app = daemon("atlassian", &atlassian.uri(), ["/authorize", "/oauth/token"], scope, rule).await;
    assert_signs_in(&app, "atlassian", "mia").await;
}

#[tokio::test]
async fn a_person_of_salesforce_gets_to_a_call_with_their_token() {
    let salesforce = MockServer::start().await;
    let tokens = json!({
        "access_token": UPSTREAM_TOKEN, "token_type": "Bearer", "instance_url": format!("{}/acme", salesforce.uri()),
        "id": format!("{}/id/00D5g000004AbCdEAK/0055g00000AbCdEAAV", salesforce.uri()), "issued_at": "1800000000123",
        "scope": "openid api",
    });
    answer(&salesforce, "POST", "/services/oauth2/token", &tokens).await;
    let person = json!({
        "user_id": "0055g00000AbCdEAAV", "organization_id": "00D5g000004AbCdEAK", "active": true,
        "preferred_username": "ada@acme.example", "custom_attributes": {"role": "manager"},
    });
    answer(&salesforce, "GET", "/acme/services/oauth2/userinfo", &person).await;
    let paths = ["/services/oauth2/authorize", "/services/oauth2/token"];
    let rule = "user.role != 'manager' || user.claims.organization_id != '00D5g000004AbCdEAK'";
    let app = daemon("salesforce", &salesforce.uri(), paths, "openid api", rule).await;
    assert_signs_in(&app, "salesforce", "ada@acme.example").await;
}

//! Several places to sign in: the person chooses, and nobody is taken for somebody else.

use crate::common::{Browser, FakeProvider, GitHubApp, OAuthClient, Page, Setup, TestApp, Tokens, give_password};
use serde_json::{Value, json};
use url::Url;

/// People sign in at GitHub, at an OpenID provider, or with a password.
struct Places {
    app: TestApp,
    oidc: FakeProvider,
    _github: GitHubApp,
}

impl Places {
    async fn start() -> Self {
        Self::with(json!({})).await
    }

    async fn with(more: Value) -> Self {
        let (github, oidc) = (GitHubApp::start().await, FakeProvider::start().await);
        let local = Setup::default().auth;
        let mut auth = oidc.setup().auth;
        auth["oidc"]["callback_path"] = json!("/callback/acme");
        auth["oidc"]["provider_name"] = json!("acme");
        auth.as_object_mut().unwrap().remove("provider");
        auth["providers"] = json!(["github", "oidc", "local"]);
        auth["github"] = github.block();
        auth["local"] = local["local"].clone();
        for (name, value) in more.as_object().unwrap() {
            auth[name] = value.clone();
        }
        let tool = "SELECT get_username() AS username, get_user_provider() AS provider";
        let app = TestApp::with(Setup { auth, ..Setup::default() }.with_tool("me", tool)).await;
        Self { app, oidc, _github: github }
    }

    /// The page with the choice, for a client's request.
    async fn choice(&self, client: &OAuthClient, browser: &mut Browser) -> Page {
        let page = browser.open(client.authorize_url(&self.app, &[])).await;
        if page.form().action == "/consent" { browser.submit(&page, "approve", &[]).await } else { page }
    }

    /// From a choice to the client's answer.
    async fn sign_in(&self, client: &OAuthClient, browser: &mut Browser, place: &str) -> Tokens {
        let choice = self.choice(client, browser).await;
        let next = browser.submit(&choice, place, &[]).await;
        let back = match place {
            "github" => browser.open(GitHubApp::sign_in(&next.location())).await,
            "acme" => browser.open(self.oidc.sign_in(&next.location())).await,
            _ => give_password(browser, &next, "ada").await,
        };
        Tokens::of(client.redeem(&self.app, &client.answer(&back)["code"]).await).await
    }
}

async fn me(app: &TestApp, tokens: &Tokens) -> String {
    let response = app.call(&tokens.access, "me").send().await.unwrap();
    crate::common::text_of(&response.json().await.unwrap())
}

#[tokio::test]
async fn a_person_chooses_where_to_sign_in() {
    let places = Places::start().await;
    let client = OAuthClient::register(&places.app).await;
    for (place, expected) in [("github", ["octocat", "github"]), ("acme", ["ada", "acme"]), ("local", ["ada", "local"])]
    {
        let tokens = places.sign_in(&client, &mut Browser::new(&places.app), place).await;
        let me = me(&places.app, &tokens).await;
        assert!(expected.iter().all(|text| me.contains(text)), "{place}: {me}");
    }
}

#[tokio::test]
async fn the_page_says_what_each_place_is_asked_for_and_which_was_used_before() {
    let places = Places::start().await;
    let client = OAuthClient::register(&places.app).await;
    let mut browser = Browser::new(&places.app);
    let consent = browser.open(client.authorize_url(&places.app, &[])).await;
    assert!(consent.text().contains("GitHub, acme or this server"), "{}", consent.body);
    let choice = browser.submit(&consent, "approve", &[]).await;
    for text in ["Continue with GitHub", "Continue with acme", "password of this server", "read:user", "Reading Room"] {
        assert!(choice.text().contains(text), "{text} is not in {}", choice.body);
    }
    assert!(!choice.text().contains("used this before"));
    assert_eq!(choice.form().buttons[0].1, "github");
    places.sign_in(&client, &mut browser, "acme").await;
    let choice = places.choice(&client, &mut browser).await;
    assert_eq!(choice.form().buttons[0].1, "acme", "what was used before comes first");
    assert_eq!(choice.text().matches("used this before").count(), 1);
}

#[tokio::test]
async fn accounts_with_one_address_are_two_people() {
    let places = Places::start().await;
    let client = OAuthClient::register(&places.app).await;
    // All three have the address ada@example.com, and two the name ada.
    let mut sessions = Vec::new();
    for place in ["github", "acme", "local"] {
        sessions.push(places.sign_in(&client, &mut Browser::new(&places.app), place).await);
    }
    let mut browser = Browser::new(&places.app);
    let choice = browser.open(places.app.url("/")).await;
    let password = browser.submit(&choice, "local", &[]).await;
    give_password(&mut browser, &password, "ada").await;
    let home = browser.open(places.app.url("/")).await;
    let out = browser.submit(&home, "yes", &[]).await;
    assert_eq!(out.location().path(), "/signed-out");
    let mut statuses = Vec::new();
    for tokens in &sessions {
        statuses.push(places.app.status_with(&tokens.access).await);
    }
    assert_eq!(statuses, [200, 200, 401], "signing out everywhere ends the sessions of one person");
}

#[tokio::test]
async fn whoever_approved_before_is_asked_again_when_somebody_else_signs_in() {
    let places = Places::start().await;
    let client = OAuthClient::register(&places.app).await;
    let mut browser = Browser::new(&places.app);
    places.sign_in(&client, &mut browser, "local").await;
    let choice = places.choice(&client, &mut browser).await;
    let at_acme = browser.submit(&choice, "acme", &[]).await.location();
    let page = browser.open(places.oidc.sign_in(&at_acme)).await;
    assert_eq!(page.form().action, "/consent", "ada of acme has approved nothing");
}

#[tokio::test]
async fn the_answer_of_one_provider_cannot_pass_for_that_of_another() {
    let places = Places::start().await;
    let client = OAuthClient::register(&places.app).await;
    let mut browser = Browser::new(&places.app);
    let choice = places.choice(&client, &mut browser).await;
    let at_acme = browser.submit(&choice, "acme", &[]).await.location();
    let mut crossed = places.oidc.sign_in(&at_acme);
    crossed.set_path("/callback/github");
    browser.open(crossed).await.assert_error_page(400);
    browser.open(places.oidc.sign_in(&at_acme)).await.assert_error_page(400);
    assert!(!places.oidc.received().await.contains("/token"), "no code went anywhere");
}

#[tokio::test]
async fn a_choice_can_be_made_again_and_only_from_the_page() {
    let places = Places::start().await;
    let client = OAuthClient::register(&places.app).await;
    let mut browser = Browser::new(&places.app);
    let choice = places.choice(&client, &mut browser).await;
    let first: Url = browser.submit(&choice, "github", &[]).await.location();
    assert_eq!(first.path(), "/login/oauth/authorize");
    // By the browser's own button back to the page, and on to another place.
    let at_acme = browser.submit(&choice, "acme", &[]).await.location();
    let back = browser.open(places.oidc.sign_in(&at_acme)).await;
    assert!(client.answer(&back).contains_key("code"));
    let mut form = choice.form().filled("local", &[]);
    crate::common::change(&mut form, "method", Some("elsewhere"));
    browser.post(&places.app.url("/login"), &form).await.assert_error_page(400);
    crate::common::change(&mut form, "method", Some("local"));
    Browser::new(&places.app).post(&places.app.url("/login"), &form).await.assert_error_page(403);
    crate::common::change(&mut form, "csrf", Some("guessed"));
    browser.post(&places.app.url("/login"), &form).await.assert_error_page(403);
}

#[tokio::test]
async fn the_operator_says_who_people_are_and_may_change_it() {
    let rules = json!({"user_mapping": [
        {"when": "user.provider == 'acme' && user.email_verified", "role": "employee", "groups": ["staff"]},
        {"when": "claims.login == 'octocat'", "role": "mascot", "permissions": ["wave"]},
    ]});
    let places = Places::with(rules).await;
    let mut home = Browser::new(&places.app);
    let choice = home.open(places.app.url("/")).await;
    let at_acme = home.submit(&choice, "acme", &[]).await.location();
    let back = home.open(places.oidc.sign_in(&at_acme)).await.location();
    let of_acme = home.open(back).await.text();
    assert!(of_acme.contains("employee") && of_acme.contains("staff") && !of_acme.contains("mascot"), "{of_acme}");
    let mut home = Browser::new(&places.app);
    let choice = home.open(places.app.url("/")).await;
    let at_github = home.submit(&choice, "github", &[]).await.location();
    let back = home.open(GitHubApp::sign_in(&at_github)).await.location();
    let of_github = home.open(back).await.text();
    assert!(of_github.contains("mascot") && of_github.contains("wave") && !of_github.contains("staff"), "{of_github}");
}

#[tokio::test]
async fn who_is_signed_in_is_judged_by_the_rules_of_now() {
    let github = GitHubApp::start().await;
    let setup = |role: &str| {
        let mut setup = github.setup().with_persistence("sqlite");
        setup.auth["user_mapping"] = json!([{"when": "claims.login == 'octocat'", "role": role}]);
        setup
    };
    let mut app = TestApp::with(setup("mascot")).await;
    let mut home = Browser::new(&app);
    let at_github = home.open(app.url("/")).await.location();
    home.open(GitHubApp::sign_in(&at_github)).await.location();
    assert!(home.open(app.url("/")).await.text().contains("mascot"));
    app.project().write("config.yml", &setup("retired").user_file());
    app.restart().await;
    let now = home.open(app.url("/")).await.text();
    assert!(now.contains("retired") && !now.contains("mascot"), "{now}");
}

#[tokio::test]
async fn rules_do_not_see_what_rules_gave_however_often_a_person_signs_in() {
    let mut setup = Setup::default();
    setup.auth["user_mapping"] = json!([
        {"when": "user.provider == 'local'", "groups": ["everyone"]},
        {"when": "'everyone' in user.groups", "role": "root"},
    ]);
    setup.tools.insert(
        "secret",
        json!({
            "description": "For root alone", "parameters": [], "source": {"code": "SELECT 'the secret'"},
            "policies": {"input": [{"condition": "user.role != 'root'", "action": "deny"}]},
        }),
    );
    let app = TestApp::with(setup).await;
    let client = OAuthClient::register(&app).await;
    let mut browser = Browser::new(&app);
    let login = browser.open(app.url("/")).await;
    give_password(&mut browser, &login, "ben").await;
    // Signed in on our own pages already, so nobody is asked for a password again.
    let consent = browser.open(client.authorize_url(&app, &[])).await;
    let back = browser.submit(&consent, "approve", &[]).await;
    let tokens = Tokens::of(client.redeem(&app, &client.answer(&back)["code"]).await).await;
    let body: Value = app.call(&tokens.access, "secret").send().await.unwrap().json().await.unwrap();
    assert!(body["result"]["isError"] == true && !body.to_string().contains("the secret"), "{body}");
}

#[tokio::test]
async fn a_callback_that_belongs_to_no_login_is_recorded() {
    let places = Places::start().await;
    let mut browser = Browser::new(&places.app);
    browser.open(places.app.url("/")).await;
    browser.open(places.app.url("/callback/acme?code=x&state=made-up")).await.assert_error_page(400);
    let audit = places.app.audit();
    let record = audit.iter().find(|record| record["operation_name"] == "auth.login_refused").unwrap();
    assert_eq!((&record["operation_status"], &record["input_data"]["provider"]), (&json!("error"), &json!("acme")));
    assert!(record["trace_id"].is_string() && !record.to_string().contains("made-up"), "{record}");
}

#[tokio::test]
async fn whom_an_old_callback_brings_here_is_told_so_on_a_page() {
    let places = Places::start().await;
    let page = Browser::new(&places.app).open(places.app.url("/callback?code=x&state=y")).await;
    page.assert_error_page(404);
    assert!(
        page.text().contains("the callback URL that is registered there is not one of this server"),
        "{}",
        page.body
    );
    let response = places.app.get("/callback").header("accept", "application/json").send().await.unwrap();
    assert_eq!(response.json::<Value>().await.unwrap()["error"], "not_found");
}

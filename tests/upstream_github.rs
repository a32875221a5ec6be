//! GitHub as the identity provider, against a simulator.
use crate::upstream_faults::{Answer, Simulator, assert_is};
use crate::upstream_support::{
    ACCESS_TOKEN, CLIENT_SECRET, CODE, Misbehaviour, NEW_REFRESH_TOKEN, REDIRECT_URI, REFRESH_TOKEN, STATE, SUBJECT,
    StandingClock, VERIFIER, assert_no_secret, authorization, dead_address, exchange, form_of, http_client,
    impatient_client, misbehaving_server, query_of, requests_to,
};
use mxcp::adapters::http_client::HttpClient;
use mxcp::adapters::upstream::github::GitHubIdp;
use mxcp::adapters::upstream::settings::UpstreamApp;
use mxcp_actors::model::grant::SignedIn;
use mxcp_actors::model::ids::UserId;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::model::token::UpstreamTokens;
use mxcp_actors::ports::upstream_idp::{UpstreamError, UpstreamIdp};
use serde_json::{Value, json};
use std::time::Duration;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

pub(crate) const TOKEN_PATH: &str = "/login/oauth/access_token";
const USER_PATH: &str = "/api/v3/user";
const EMAILS_PATH: &str = "/api/v3/user/emails";

pub(crate) fn settings(origin: &str) -> UpstreamApp {
    UpstreamApp {
        client_id: "Ov23li".to_owned(),
        client_secret: Secret::new(CLIENT_SECRET),
        auth_url: format!("{origin}/login/oauth/authorize"),
        token_url: format!("{origin}{TOKEN_PATH}"),
        scope: "read:user user:email".to_owned(),
        redirect_uri: REDIRECT_URI.to_owned(),
    }
}

fn idp_at(origin: &str, http: HttpClient) -> GitHubIdp {
    GitHubIdp::new(settings(origin), http, StandingClock::new()).unwrap()
}

pub(crate) fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

fn tokens() -> Value {
    json!({"access_token": ACCESS_TOKEN, "token_type": "bearer", "scope": "read:user,user:email"})
}

fn profile() -> Value {
    json!({"id": 583_231, "login": "octocat", "name": "The Octocat", "email": null, "company": "GitHub"})
}

/// A simulator that answers everything right, except for what is mounted before.
pub(crate) struct GitHub {
    pub(crate) server: MockServer,
}

impl Simulator for GitHub {
    fn answers(_: &str) -> Vec<Answer> {
        vec![("POST", TOKEN_PATH, tokens()), ("GET", USER_PATH, profile())]
    }

    fn idp(origin: &str, http: HttpClient) -> Box<dyn UpstreamIdp> {
        Box::new(idp_at(origin, http))
    }
}

impl GitHub {
    pub(crate) async fn start() -> Self {
        Self { server: MockServer::start().await }
    }

    pub(crate) async fn with(self, verb: &str, at: &str, answer: ResponseTemplate) -> Self {
        Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(&self.server).await;
        self
    }

    pub(crate) async fn with_defaults(self) -> Self {
        self.with("POST", TOKEN_PATH, ok(&tokens()))
            .await
            .with("GET", USER_PATH, ok(&profile()))
            .await
            .with("GET", EMAILS_PATH, ok(&json!([{"email": "octo@example.com", "primary": true, "verified": true}])))
            .await
    }

    pub(crate) fn idp(&self) -> GitHubIdp {
        idp_at(&self.server.uri(), http_client())
    }

    pub(crate) async fn sign_in(&self) -> Result<SignedIn, UpstreamError> {
        self.idp().exchange(exchange()).await
    }

    async fn refresh(&self) -> Result<UpstreamTokens, UpstreamError> {
        self.idp().refresh(Secret::new(REFRESH_TOKEN), SUBJECT.to_owned()).await
    }
}

#[tokio::test]
async fn the_browser_is_sent_to_github_with_pkce() {
    let idp = idp_at("https://github.com", http_client());
    let url = idp.authorization_url(authorization()).await.unwrap();
    assert!(url.starts_with("https://github.com/login/oauth/authorize?client_id=Ov23li&"), "{url}");
    let query = query_of(&url);
    assert_eq!(query["redirect_uri"], REDIRECT_URI);
    assert_eq!(query["response_type"], "code");
    assert_eq!(query["scope"], "read:user user:email");
    assert_eq!(query["state"], STATE);
    assert_eq!(query["code_challenge"], authorization().challenge.as_str());
    assert_eq!(query["code_challenge_method"], "S256");
    assert_eq!(query.len(), 7);
}

#[tokio::test]
async fn no_scope_is_asked_for_when_none_is_configured() {
    let settings = UpstreamApp { scope: String::new(), ..settings("https://github.com") };
    let idp = GitHubIdp::new(settings, http_client(), StandingClock::new()).unwrap();
    let url = idp.authorization_url(authorization()).await.unwrap();
    assert!(!query_of(&url).contains_key("scope"), "{url}");
    assert!(idp.requested_scopes().is_empty());
}

#[tokio::test]
async fn a_login_tells_who_it_is_and_keeps_the_token() {
    let github = GitHub::start().await.with_defaults().await;
    let signed_in = github.sign_in().await.unwrap();
    let user = signed_in.user;
    assert_eq!(user.id, UserId::of("github", "583231"));
    assert_eq!((user.provider.as_str(), user.subject.as_str()), ("github", "583231"));
    assert_eq!(user.username, "octocat");
    assert_eq!(user.name.as_deref(), Some("The Octocat"));
    assert_eq!(user.email.as_deref(), Some("octo@example.com"));
    assert!(user.email_verified);
    assert_eq!(user.claims["company"], "GitHub");
    let upstream = signed_in.upstream.unwrap();
    assert_eq!(upstream.access_token.expose(), ACCESS_TOKEN);
    assert_eq!(upstream.scope.to_string(), "read:user user:email");
    assert!(upstream.expires_at.is_none(), "an OAuth app's token names no end");
    assert!(upstream.refresh_token.is_none());
}

#[tokio::test]
async fn the_requests_are_those_that_github_asks_for() {
    let github = GitHub::start().await.with_defaults().await;
    github.sign_in().await.unwrap();
    let request = requests_to(&github.server, TOKEN_PATH).await.pop().unwrap();
    assert_eq!(request.headers["accept"], "application/json");
    assert!(!request.headers.contains_key("authorization"));
    let form = form_of(&request);
    assert_eq!(form["grant_type"], "authorization_code");
    assert_eq!(form["code"], CODE);
    assert_eq!(form["code_verifier"], VERIFIER);
    assert_eq!(form["client_id"], "Ov23li");
    assert_eq!(form["client_secret"], CLIENT_SECRET);
    assert_eq!(form["redirect_uri"], REDIRECT_URI);
    for api_path in [USER_PATH, EMAILS_PATH] {
        let request = requests_to(&github.server, api_path).await.pop().unwrap();
        assert_eq!(request.headers["authorization"], format!("Bearer {ACCESS_TOKEN}"));
        assert_eq!(request.headers["accept"], "application/vnd.github+json");
        assert_eq!(request.headers["x-github-api-version"], "2022-11-28");
        assert!(request.headers["user-agent"].to_str().unwrap().starts_with("mxcp/"));
    }
}

#[tokio::test]
async fn a_github_app_gives_tokens_that_end_and_can_be_refreshed() {
    let answer = json!({
        "access_token": ACCESS_TOKEN, "token_type": "bearer", "scope": "",
        "expires_in": 28_800, "refresh_token": REFRESH_TOKEN, "refresh_token_expires_in": 15_897_600,
    });
    let github = GitHub::start().await.with("POST", TOKEN_PATH, ok(&answer)).await.with_defaults().await;
    let upstream = github.sign_in().await.unwrap().upstream.unwrap();
    assert_eq!(upstream.expires_at, Some(StandingClock::START + Duration::from_hours(8)));
    assert_eq!(upstream.refresh_token.unwrap().expose(), REFRESH_TOKEN);
    assert!(upstream.scope.is_empty());
    assert!(github.sign_in().await.unwrap().missing_scopes.is_empty(), "its rights are set in the App");
}

#[tokio::test]
async fn scopes_that_a_wider_one_includes_are_not_missing() {
    for (granted, missing) in [("user", ""), ("user:email", "read:user"), ("repo", "read:user user:email")] {
        let answer = json!({"access_token": ACCESS_TOKEN, "token_type": "bearer", "scope": granted});
        let github = GitHub::start().await.with("POST", TOKEN_PATH, ok(&answer)).await.with_defaults().await;
        assert_eq!(github.sign_in().await.unwrap().missing_scopes.to_string(), missing, "{granted}");
    }
}

#[tokio::test]
async fn refreshing_replaces_both_tokens() {
    let answer = json!({
        "access_token": "new access", "token_type": "bearer", "scope": "", "expires_in": 60,
        "refresh_token": NEW_REFRESH_TOKEN,
    });
    let github = GitHub::start().await.with("POST", TOKEN_PATH, ok(&answer)).await;
    let tokens = github.refresh().await.unwrap();
    assert_eq!(tokens.access_token.expose(), "new access");
    assert_eq!(tokens.refresh_token.unwrap().expose(), NEW_REFRESH_TOKEN);
    assert_eq!(tokens.expires_at, Some(StandingClock::START + Duration::from_mins(1)));
    let form = form_of(&requests_to(&github.server, TOKEN_PATH).await.pop().unwrap());
    assert_eq!(form["grant_type"], "refresh_token");
    assert_eq!(form["refresh_token"], REFRESH_TOKEN);
    assert_eq!(form["client_secret"], CLIENT_SECRET);
}

#[tokio::test]
async fn an_address_that_may_not_be_seen_is_left_out() {
    for status in [401, 403, 404] {
        let github =
            GitHub::start().await.with("GET", EMAILS_PATH, ResponseTemplate::new(status)).await.with_defaults().await;
        let user = github.sign_in().await.unwrap().user;
        assert_eq!((user.email, user.email_verified), (None, false), "{status}");
    }
}

#[tokio::test]
async fn addresses_are_not_asked_for_without_the_scope() {
    let answer = json!({"access_token": ACCESS_TOKEN, "token_type": "bearer", "scope": "read:user"});
    let github = GitHub::start().await.with("POST", TOKEN_PATH, ok(&answer)).await.with_defaults().await;
    assert_eq!(github.sign_in().await.unwrap().user.email, None);
    assert!(requests_to(&github.server, EMAILS_PATH).await.is_empty());
}

#[tokio::test]
async fn a_public_address_is_used_and_its_verification_looked_up() {
    let public = json!({"id": 1, "login": "a", "email": "public@example.com"});
    for (list, verified) in [
        (json!([{"email": "public@example.com", "primary": false, "verified": true}]), true),
        (json!([{"email": "public@example.com", "primary": true, "verified": false}]), false),
        (json!([]), false),
    ] {
        let github = GitHub::start().await.with("GET", USER_PATH, ok(&public)).await;
        let github = github.with("GET", EMAILS_PATH, ok(&list)).await.with_defaults().await;
        let user = github.sign_in().await.unwrap().user;
        assert_eq!(user.email.as_deref(), Some("public@example.com"));
        assert_eq!(user.email_verified, verified, "{list}");
    }
}

#[tokio::test]
async fn an_outage_while_asking_for_addresses_fails_the_login_instead_of_dropping_the_address() {
    let github = GitHub::start().await.with("GET", EMAILS_PATH, ResponseTemplate::new(502)).await.with_defaults().await;
    assert!(matches!(github.sign_in().await, Err(UpstreamError::Faulty { status: 502, .. })));
}

#[tokio::test]
async fn tokens_of_a_github_app_are_replaced_in_pairs_and_the_old_pair_is_dead() {
    let pair = |generation: u32| {
        json!({
            "access_token": format!("ghu_{generation}"), "expires_in": 28_800, "scope": "", "token_type": "bearer",
            "refresh_token": format!("ghr_{generation}"), "refresh_token_expires_in": 15_897_600,
        })
    };
    let dead =
        json!({"error": "bad_refresh_token", "error_description": "The refresh token passed is incorrect or expired."});
    let github = GitHub::start().await;
    for (sent, answer) in [("ghr_1", pair(2)), ("ghr_2", pair(3))] {
        let mock = Mock::given(path(TOKEN_PATH)).and(wiremock::matchers::body_string_contains(sent));
        mock.respond_with(ok(&answer)).up_to_n_times(1).mount(&github.server).await;
    }
    let github = github.with("POST", TOKEN_PATH, ok(&dead)).await;
    let idp = github.idp();
    let second = idp.refresh(Secret::new("ghr_1"), SUBJECT.to_owned()).await.unwrap();
    let third = idp.refresh(second.refresh_token.unwrap(), SUBJECT.to_owned()).await.unwrap();
    assert_eq!((third.access_token.expose(), third.refresh_token.unwrap().expose()), ("ghu_3", "ghr_3"));
    assert!(third.scope.is_empty());
    assert_eq!(third.expires_at, Some(StandingClock::START + Duration::from_hours(8)));
    assert_is(
        "InvalidGrant",
        "a used token",
        &idp.refresh(Secret::new("ghr_1"), SUBJECT.to_owned()).await.unwrap_err(),
    );
    assert_eq!(idp.refresh_hint(), None, "whether tokens end is set up at GitHub");
}

#[tokio::test]
async fn a_used_code_and_a_dead_refresh_token_are_invalid_grants() {
    for error in ["bad_verification_code", "invalid_grant", "bad_refresh_token"] {
        let answer = json!({"error": error, "error_description": "It is incorrect or expired."});
        let github = GitHub::start().await.with("POST", TOKEN_PATH, ok(&answer)).await;
        for fault in [github.sign_in().await.unwrap_err(), github.refresh().await.unwrap_err()] {
            let expected = UpstreamError::InvalidGrant {
                provider: "github".to_owned(),
                detail: "It is incorrect or expired.".to_owned(),
            };
            assert_eq!(fault, expected);
        }
    }
}

#[tokio::test]
async fn an_error_in_a_good_status_is_an_error() {
    let answer = json!({"error": "incorrect_client_credentials", "access_token": ACCESS_TOKEN, "token_type": "bearer"});
    let github = GitHub::start().await.with("POST", TOKEN_PATH, ok(&answer)).await.with_defaults().await;
    let expected = UpstreamError::Refused {
        provider: "github".to_owned(),
        error: "incorrect_client_credentials".to_owned(),
        detail: None,
    };
    assert_eq!(github.sign_in().await.unwrap_err(), expected);
    assert!(requests_to(&github.server, USER_PATH).await.is_empty());
}

/// Each fault, the variant that it must become, and that no variant shows a secret.
#[tokio::test]
async fn every_fault_of_the_token_endpoint_is_told_apart_without_secrets() {
    let text =
        |status: u16, body: &str| ResponseTemplate::new(status).set_body_raw(body.to_owned(), "application/json");
    let echo = format!("code {CODE} verifier {VERIFIER} secret {CLIENT_SECRET}");
    let refresh_echo = format!("token {REFRESH_TOKEN} secret {CLIENT_SECRET}");
    let wrong_type =
        format!(r#"{{"access_token":"{ACCESS_TOKEN}","token_type":"bearer","expires_in":"{ACCESS_TOKEN}"}}"#);
    let no_type = format!(r#"{{"access_token":"{ACCESS_TOKEN}"}}"#);
    let mac = format!(r#"{{"access_token":"{ACCESS_TOKEN}","token_type":"{ACCESS_TOKEN}"}}"#);
    let broken = format!(r#"{{"access_token":"{ACCESS_TOKEN}","token_type":"bear"#);
    let huge = format!(r#"{{"access_token":"{ACCESS_TOKEN}","x":"{}"}}"#, "x".repeat(2 << 20));
    let form = format!("access_token={ACCESS_TOKEN}&scope=user&token_type=bearer");
    let cases = [
        ("500", text(500, &echo), "Faulty"),
        ("503", text(503, "{}"), "Faulty"),
        ("429", text(429, &echo), "Faulty"),
        ("redirect", ResponseTemplate::new(302).insert_header("location", "https://evil.example/"), "Unusable"),
        ("404", text(404, &echo), "Unusable"),
        ("empty", ResponseTemplate::new(200), "Unusable"),
        ("empty object", text(200, "{}"), "Unusable"),
        ("list", text(200, "[]"), "Unusable"),
        ("broken JSON", text(200, &broken), "Unusable"),
        ("wrong type of a field", text(200, &wrong_type), "Unusable"),
        ("no token type", text(200, &no_type), "Unusable"),
        ("not a bearer token", text(200, &mac), "Unusable"),
        ("empty token", text(200, r#"{"access_token":"","token_type":"bearer"}"#), "Unusable"),
        ("HTML", ResponseTemplate::new(200).set_body_raw(format!("<p>{ACCESS_TOKEN}"), "text/html"), "Unusable"),
        ("form", ResponseTemplate::new(200).set_body_raw(form, "application/x-www-form-urlencoded"), "Unusable"),
        ("oversized", text(200, &huge), "Unusable"),
        ("echo", ok(&json!({"error": "x", "error_description": echo})), "Refused"),
        ("echo as the code", ok(&json!({"error": echo, "error_uri": echo})), "Refused"),
        (
            "echo with 400",
            text(400, &json!({"error": "invalid_grant", "error_description": echo}).to_string()),
            "InvalidGrant",
        ),
        ("401", text(401, &json!({"error": "invalid_client", "error_description": echo}).to_string()), "Refused"),
    ];
    for (case, answer, variant) in cases {
        let github = GitHub::start().await.with("POST", TOKEN_PATH, answer).await.with_defaults().await;
        let fault = github.sign_in().await.unwrap_err();
        assert!(format!("{fault:?}").starts_with(variant), "{case}: {fault:?}");
        assert_no_secret(case, &fault);
    }
    let answer = ok(&json!({"error": "bad_refresh_token", "error_description": refresh_echo}));
    let github = GitHub::start().await.with("POST", TOKEN_PATH, answer).await;
    let fault = github.refresh().await.unwrap_err();
    assert!(
        matches!(&fault, UpstreamError::InvalidGrant { detail, .. } if detail == "token [redacted] secret [redacted]")
    );
    assert_no_secret("refresh", &fault);
}

#[tokio::test]
async fn every_fault_of_the_profile_is_told_apart_without_secrets() {
    let text =
        |status: u16, body: &str| ResponseTemplate::new(status).set_body_raw(body.to_owned(), "application/json");
    let cases = [
        ("500", text(500, ACCESS_TOKEN), "Faulty"),
        ("rate limit", text(403, "{}").insert_header("x-ratelimit-remaining", "0"), "Faulty"),
        ("401", text(401, ACCESS_TOKEN), "Unusable"),
        ("redirect", ResponseTemplate::new(301).insert_header("location", "https://evil.example/"), "Unusable"),
        ("empty", ResponseTemplate::new(200), "Unusable"),
        ("not JSON", text(200, &format!("<{ACCESS_TOKEN}>")), "Unusable"),
        ("no id", text(200, r#"{"login":"a"}"#), "Unusable"),
        ("id as text", text(200, r#"{"login":"a","id":"1"}"#), "Unusable"),
        ("negative id", text(200, r#"{"login":"a","id":-1}"#), "Unusable"),
        ("no login", text(200, r#"{"id":1}"#), "Unusable"),
    ];
    for (case, answer, variant) in cases {
        let github = GitHub::start().await.with("GET", USER_PATH, answer).await.with_defaults().await;
        let fault = github.sign_in().await.unwrap_err();
        assert!(format!("{fault:?}").starts_with(variant), "{case}: {fault:?}");
        assert_no_secret(case, &fault);
    }
}

#[tokio::test]
async fn a_github_that_does_not_answer_is_unreachable() {
    let github = GitHub::start().await.with("POST", TOKEN_PATH, ok(&tokens()).set_delay(Duration::from_mins(10))).await;
    let slow = idp_at(&github.server.uri(), impatient_client());
    let (_reserved, dead) = dead_address();
    let dead = idp_at(&format!("http://{dead}"), http_client());
    let reset = idp_at(&format!("http://{}", misbehaving_server(Misbehaviour::Reset).await), http_client());
    let cut = idp_at(&format!("http://{}", misbehaving_server(Misbehaviour::HangUp).await), http_client());
    for (idp, detail) in [
        (slow, "it did not answer within 0.1 s"),
        (dead, "the connection was refused"),
        (reset, "the connection broke off before the answer was complete"),
        (cut, "the connection broke off before the answer was complete"),
    ] {
        let expected =
            UpstreamError::Unreachable { provider: "github".to_owned(), what: "tokens", detail: detail.to_owned() };
        assert_eq!(idp.exchange(exchange()).await.unwrap_err(), expected);
        assert_eq!(idp.refresh(Secret::new(REFRESH_TOKEN), SUBJECT.to_owned()).await.unwrap_err(), expected);
    }
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let refused = |change: fn(&mut UpstreamApp)| {
        let mut settings = settings("https://github.com");
        change(&mut settings);
        GitHubIdp::new(settings, http_client(), StandingClock::new()).unwrap_err().field
    };
    assert_eq!(refused(|s| s.client_id.clear()), "client_id");
    assert_eq!(refused(|s| s.client_secret = Secret::default()), "client_secret");
    assert_eq!(refused(|s| "http://github.com/x".clone_into(&mut s.auth_url)), "auth_url");
    assert_eq!(refused(|s| "github.com".clone_into(&mut s.token_url)), "token_url");
}

#[test]
fn nothing_secret_is_printed() {
    let idp = idp_at("https://github.com", http_client());
    assert!(!format!("{idp:?}").contains("secret-"));
}

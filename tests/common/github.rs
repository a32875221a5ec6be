//! GitHub with a GitHub App, whose tokens expire and rotate, on this machine.

use super::{Browser, OAuthClient, Setup, TestApp, Tokens, query_of};
use dashmap::DashMap;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use url::Url;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// The simulator. Its first access token is `ghu_first` and ends at once; every refresh gives the
/// next of `ghu_1`, `ghu_2` and so on, which last for a day.
pub(crate) struct GitHubApp {
    server: MockServer,
    refreshes: Arc<Refreshes>,
}

/// What refreshes are answered with.
#[derive(Default)]
struct Refreshes {
    state: DashMap<(), State>,
}

#[derive(Default)]
struct State {
    /// The refresh tokens that were shown.
    shown: Vec<String>,
    /// Instead of tokens.
    fault: Option<(u16, Value)>,
}

impl Refreshes {
    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.entry(()).or_default())
    }

    fn answer(&self, token: &str) -> ResponseTemplate {
        self.with(|state| {
            state.shown.push(token.to_owned());
            let count = state.shown.len();
            match &state.fault {
                Some((status, body)) => ResponseTemplate::new(*status).set_body_json(body),
                None => ResponseTemplate::new(200)
                    .set_body_json(json!({
                        "access_token": format!("ghu_{count}"), "expires_in": 86_400, "refresh_token": format!("ghr_{count}"),
                        "refresh_token_expires_in": 15_897_600, "scope": "", "token_type": "bearer",
                    }))
                    .set_delay(Duration::from_millis(50)),
            }
        })
    }
}

struct TokenEndpoint {
    refreshes: Arc<Refreshes>,
    /// How long the first token lasts, in seconds.
    expires_in: u32,
}

/// An API that takes tokens of refreshes only, as if the first one had been taken back.
struct Repositories;

impl Respond for Repositories {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        match request.headers.get("authorization").and_then(|value| value.to_str().ok()) {
            Some(token) if token != "Bearer ghu_first" => {
                ResponseTemplate::new(200).set_body_json(json!([{"seen_with": token.replace("Bearer ", "token ")}]))
            }
            _ => ResponseTemplate::new(401).set_body_json(json!({"message": "Bad credentials"})),
        }
    }
}

impl Respond for TokenEndpoint {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let form: std::collections::BTreeMap<String, String> =
            url::form_urlencoded::parse(&request.body).into_owned().collect();
        match form.get("refresh_token") {
            Some(token) => self.refreshes.answer(token),
            None => ResponseTemplate::new(200).set_body_json(json!({
                "access_token": "ghu_first", "expires_in": self.expires_in, "refresh_token": "ghr_first",
                "refresh_token_expires_in": 15_897_600, "scope": "", "token_type": "bearer",
            })),
        }
    }
}

/// The page at which everybody agrees at once.
struct LoginPage;

impl Respond for LoginPage {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        if request.url.query().is_none() {
            return ResponseTemplate::new(200);
        }
        ResponseTemplate::new(302).insert_header("location", GitHubApp::sign_in(&request.url).as_str())
    }
}

impl GitHubApp {
    pub(crate) async fn start() -> Self {
        Self::giving_tokens_for(0).await
    }

    /// The same whose first token lasts for so many seconds.
    pub(crate) async fn giving_tokens_for(expires_in: u32) -> Self {
        let server = MockServer::start().await;
        let refreshes = Arc::new(Refreshes::default());
        let tokens = TokenEndpoint { refreshes: Arc::clone(&refreshes), expires_in };
        Mock::given(method("GET")).and(path("/user/repos")).respond_with(Repositories).mount(&server).await;
        Mock::given(method("POST")).and(path("/login/oauth/access_token")).respond_with(tokens).mount(&server).await;
        let page = path("/login/oauth/authorize");
        Mock::given(method("GET")).and(page).respond_with(LoginPage).mount(&server).await;
        for (at, body) in [
            (
                "/api/v3/user",
                json!({"id": 583_231, "login": "octocat", "name": "The Octocat", "email": "ada@example.com"}),
            ),
            ("/api/v3/user/emails", json!([{"email": "ada@example.com", "verified": true, "primary": true}])),
        ] {
            let answer = ResponseTemplate::new(200).set_body_json(body);
            Mock::given(method("GET")).and(path(at)).respond_with(answer).mount(&server).await;
        }
        Self { server, refreshes }
    }

    /// The block of the provider, with its own callback.
    pub(crate) fn block(&self) -> Value {
        let origin = self.server.uri();
        json!({
            "client_id": "Iv23li", "client_secret": "secret-at-github", "callback_path": "/callback/github",
            "auth_url": format!("{origin}/login/oauth/authorize"),
            "token_url": format!("{origin}/login/oauth/access_token"),
        })
    }

    /// The URL of an API that takes tokens of refreshes only.
    pub(crate) fn repositories(&self) -> String {
        format!("{}/user/repos", self.server.uri())
    }

    /// A daemon whose people sign in here, with a tool that shows the provider's token.
    pub(crate) fn setup(&self) -> Setup {
        let auth = json!({"provider": "github", "github": self.block()});
        Setup { auth, ..Setup::default() }.with_tool("token", "SELECT get_user_external_token() AS token")
    }

    /// The person agrees at the page at `url`: where the browser is sent.
    pub(crate) fn sign_in(url: &Url) -> Url {
        let query = query_of(url);
        Url::parse_with_params(&query["redirect_uri"], [("code", "code"), ("state", &query["state"])]).unwrap()
    }

    /// From the client's request to its tokens.
    pub(crate) async fn tokens(app: &TestApp, client: &OAuthClient) -> Tokens {
        let mut browser = Browser::new(app);
        let consent = browser.open(client.authorize_url(app, &[])).await;
        let at_github = browser.submit(&consent, "approve", &[]).await.location();
        let answer = client.answer(&browser.open(Self::sign_in(&at_github)).await);
        Tokens::of(client.redeem(app, &answer["code"]).await).await
    }

    /// Refreshes are answered with this from now on; with tokens again when there is nothing.
    pub(crate) fn answer_refreshes_with(&self, fault: Option<(u16, Value)>) {
        self.refreshes.with(|state| state.fault = fault);
    }

    /// The refresh tokens that were shown.
    pub(crate) fn shown(&self) -> Vec<String> {
        self.refreshes.with(|state| state.shown.clone())
    }
}

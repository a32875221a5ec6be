//! An OAuth client that keeps to the RFCs, and lets a test break each rule.

use super::{Browser, Page, Pairs, TestApp, change, header, pairs};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::Response;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use url::Url;

/// The PKCE verifier of every flow.
pub(crate) const VERIFIER: &str = "the-verifier-of-every-flow-0123456789-abcdefghij";
/// Where answers go; nobody listens there, the browser stops before.
pub(crate) const REDIRECT_URI: &str = "https://app.example.com/callback";

/// A client.
#[derive(Clone, Debug)]
pub(crate) struct OAuthClient {
    pub(crate) id: String,
    /// With a secret it proves itself by HTTP Basic.
    pub(crate) secret: Option<String>,
    pub(crate) redirect_uri: String,
}

/// What came back to the redirect URI.
pub(crate) type Answer = BTreeMap<String, String>;

/// What the token endpoint gave.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) scope: String,
}

/// The query of a URL, which must not name a parameter twice.
pub(crate) fn query_of(url: &Url) -> Answer {
    let mut query = Answer::new();
    for (name, value) in url.query_pairs() {
        assert!(query.insert(name.to_string(), value.into_owned()).is_none(), "{name} is there twice");
    }
    query
}

impl OAuthClient {
    /// Registers a public client that may refresh.
    pub(crate) async fn register(app: &TestApp) -> Self {
        Self::register_as(app, "Reading Room", REDIRECT_URI).await
    }

    /// Registers a public client by that name, whose answers go there.
    pub(crate) async fn register_as(app: &TestApp, name: &str, redirect_uri: &str) -> Self {
        let metadata = json!({
            "client_name": name, "redirect_uris": [redirect_uri], "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
        });
        Self::register_with(app, &metadata).await
    }

    /// Registers a client with that metadata.
    pub(crate) async fn register_with(app: &TestApp, metadata: &Value) -> Self {
        let response = app.post("/register").json(metadata).send().await.unwrap();
        assert_eq!(response.status(), 201);
        let body: Value = response.json().await.unwrap();
        Self {
            id: body["client_id"].as_str().unwrap().to_owned(),
            secret: body["client_secret"].as_str().map(str::to_owned),
            redirect_uri: body["redirect_uris"][0].as_str().unwrap().to_owned(),
        }
    }

    /// The parameters of an authorization request.
    pub(crate) fn request(&self) -> Pairs {
        pairs(&[
            ("response_type", "code"),
            ("client_id", &self.id),
            ("redirect_uri", &self.redirect_uri),
            ("state", "state of the client"),
            ("code_challenge", &URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER))),
            ("code_challenge_method", "S256"),
        ])
    }

    /// The authorization request as a URL, with some parameters changed.
    pub(crate) fn authorize_url(&self, app: &TestApp, changes: &[(&str, Option<&str>)]) -> String {
        let mut request = self.request();
        changes.iter().for_each(|(name, value)| change(&mut request, name, *value));
        Url::parse_with_params(&app.url("/authorize"), &request).unwrap().into()
    }

    /// The whole flow up to the redirect back, step by step: request, consent, password.
    pub(crate) async fn sign_in(&self, app: &TestApp, browser: &mut Browser, user: &str) -> Answer {
        self.sign_in_with(app, browser, user, &[]).await
    }

    /// The same with some parameters of the request changed.
    pub(crate) async fn sign_in_with(
        &self,
        app: &TestApp,
        browser: &mut Browser,
        user: &str,
        changes: &[(&str, Option<&str>)],
    ) -> Answer {
        let consent = browser.open(self.authorize_url(app, changes)).await;
        let password = browser.submit(&consent, "approve", &[]).await;
        let back = give_password(browser, &password, user).await;
        self.answer(&back)
    }

    /// What a redirect to the client says.
    pub(crate) fn answer(&self, page: &Page) -> Answer {
        let location = page.location();
        assert!(location.as_str().starts_with(&self.redirect_uri), "{location}");
        query_of(&location)
    }

    /// A code for `user`, from a browser that has never been here.
    pub(crate) async fn code(&self, app: &TestApp, user: &str) -> String {
        let mut answer = self.sign_in(app, &mut Browser::new(app), user).await;
        answer.remove("code").unwrap_or_else(|| panic!("{answer:?}"))
    }

    /// Tokens for `user`, from a browser that has never been here.
    pub(crate) async fn tokens(&self, app: &TestApp, user: &str) -> Tokens {
        let code = self.code(app, user).await;
        Tokens::of(self.redeem(app, &code).await).await
    }

    /// The form that redeems a code.
    pub(crate) fn redemption(&self, code: &str) -> Pairs {
        let redirect_uri = self.redirect_uri.as_str();
        self.form(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", VERIFIER),
        ])
    }

    /// The form that refreshes.
    pub(crate) fn refreshment(&self, token: &str) -> Pairs {
        self.form(&[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    fn form(&self, fields: &[(&str, &str)]) -> Pairs {
        let mut form = pairs(fields);
        if self.secret.is_none() {
            change(&mut form, "client_id", Some(&self.id));
        }
        form
    }

    pub(crate) async fn redeem(&self, app: &TestApp, code: &str) -> Response {
        self.post(app, "/token", &self.redemption(code)).await
    }

    pub(crate) async fn refresh(&self, app: &TestApp, token: &str) -> Response {
        self.post(app, "/token", &self.refreshment(token)).await
    }

    pub(crate) async fn revoke(&self, app: &TestApp, token: &str) -> Response {
        self.post(app, "/revoke", &self.form(&[("token", token)])).await
    }

    /// Posts a form and proves who the client is.
    pub(crate) async fn post(&self, app: &TestApp, path: &str, form: &Pairs) -> Response {
        let mut request = app.post(path).form(form);
        if let Some(secret) = &self.secret {
            request = request.header("authorization", basic(&self.id, secret));
        }
        request.send().await.unwrap()
    }
}

/// A header of HTTP Basic, both halves form-encoded (RFC 6749 section 2.3.1).
pub(crate) fn basic(id: &str, secret: &str) -> String {
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(id), encode(secret))))
}

/// Signs in at the login page of ours.
pub(crate) async fn give_password(browser: &mut Browser, page: &Page, user: &str) -> Page {
    let password = match user {
        "ada" => "analytical-engine",
        "ben" => "lightning-rod",
        other => panic!("nobody is called {other}"),
    };
    browser.submit(page, "", &[("username", user), ("password", password)]).await
}

impl Tokens {
    /// Reads a token response, which must be one (RFC 6749 section 5.1).
    pub(crate) async fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
        assert_eq!(header(&response, "cache-control"), "no-store");
        assert_eq!(header(&response, "content-type"), "application/json");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["token_type"], "Bearer");
        assert!(body["expires_in"].as_u64().unwrap() > 0, "{body}");
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token"), scope: text("scope") }
    }
}

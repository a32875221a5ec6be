//! The OpenID provider of the package, as a process of its own.

use crate::common::{Browser, OAuthClient, Setup, TestApp, Tokens};
use crate::daemon_process::repository;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use url::Url;

const CLIENT_ID: &str = "mxcp-server";
const CLIENT_SECRET: &str = "secret-at-the-real-provider";

/// Seconds that tokens work which every call finds nearly over.
pub(crate) const BRIEF: u32 = 20;
/// Seconds that tokens work which outlive the test.
pub(crate) const LASTING: u32 = 3600;

/// What the provider is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Plain,
    Google,
    Keycloak,
}

impl Shape {
    pub(crate) const ALL: [Self; 3] = [Self::Plain, Self::Google, Self::Keycloak];

    /// The name of its block in the configuration.
    pub(crate) const fn block(self) -> &'static str {
        match self {
            Self::Plain => "oidc",
            Self::Google => "google",
            Self::Keycloak => "keycloak",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            _ => self.block(),
        }
    }

    fn claims(self) -> Value {
        let mut claims = json!({
            "name": "Ada Falk", "preferred_username": "ada.falk", "email": "ada@example.com", "email_verified": true,
        });
        let more = match self {
            Self::Plain => json!({"role": "analyst", "groups": ["staff"], "permissions": ["editor"]}),
            Self::Google => json!({"hd": "example.com"}),
            Self::Keycloak => json!({"groups": ["/staff/readers"]}),
        };
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        claims
    }

    fn token_claims(self) -> Value {
        match self {
            Self::Keycloak => json!({
                "realm_access": {"roles": ["analyst", "offline_access", "default-roles-myrealm"]},
                "resource_access": {"account": {"roles": ["manage-account"]}},
            }),
            _ => json!({}),
        }
    }
}

/// The running provider.
pub(crate) struct RealProvider {
    process: Child,
    events: BufReader<ChildStdout>,
    shape: Shape,
    origin: String,
}

impl RealProvider {
    pub(crate) fn start(shape: Shape, access_token_seconds: u32) -> Self {
        let folder = std::env::var_os("MXCP_TEST_SDKS").map(PathBuf::from);
        let folder = folder.unwrap_or_else(|| panic!("MXCP_TEST_SDKS is not set: run `make test`"));
        let settings = json!({
            "shape": shape.name(), "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
            "claims": shape.claims(), "token_claims": shape.token_claims(),
            "access_token_seconds": access_token_seconds,
        });
        let mut node = Command::new("node");
        node.arg(repository().join("tests/clients/oidc_provider.mjs")).arg(folder.join("oidc-provider"));
        node.arg(settings.to_string()).env("NODE_NO_WARNINGS", "1");
        let mut process = node.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut events = BufReader::new(process.stdout.take().unwrap());
        let origin = next_line(&mut events)["origin"].as_str().unwrap().to_owned();
        Self { process, events, shape, origin }
    }

    /// The block of the configuration, at that origin of the provider.
    pub(crate) fn auth_at(&self, origin: &str) -> Value {
        let mut block = json!({
            "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "callback_path": "/callback",
            "scope": "openid profile email",
        });
        let more = match self.shape {
            Shape::Plain => json!({
                "config_url": format!("{origin}/.well-known/openid-configuration"),
                "scope": "openid profile email offline_access", "extra_authorize_params": {"prompt": "consent"},
            }),
            Shape::Google => json!({"auth_url": format!("{origin}/auth"), "token_url": format!("{origin}/token")}),
            Shape::Keycloak => json!({"server_url": origin, "realm": "myrealm"}),
        };
        block.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"provider": self.shape.block(), self.shape.block(): block})
    }

    /// A daemon whose people sign in here, with a tool that tells their token.
    pub(crate) fn setup(&self) -> Setup {
        Setup { auth: self.auth_at(&self.origin), ..Setup::default() }
            .with_tool("token", "SELECT get_user_external_token() AS token")
    }

    /// The same provider by another name of this machine.
    pub(crate) fn other_origin(&self) -> String {
        self.origin.replace("127.0.0.1", "localhost")
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Goes through the provider's own pages from `url` on, where the person answers `how`, back
    /// to the daemon.
    pub(crate) async fn visit(&self, browser: &mut Browser, url: Url, how: &str) -> Url {
        let mut at = url;
        while at.origin().ascii_serialization() == self.origin {
            if at.path().starts_with("/interaction/") {
                at.set_query(Some(how));
            }
            at = browser.open(&at).await.location();
        }
        at
    }

    /// Takes back whatever anybody has granted.
    pub(crate) async fn end_grants(&self, app: &TestApp) {
        let response = app.http.post(format!("{}/end-grants", self.origin)).send().await.unwrap();
        assert_eq!(response.status(), 204);
    }

    /// Whom the provider says that a token belongs to, while it works.
    pub(crate) async fn subject_of(&self, app: &TestApp, token: &str) -> Option<String> {
        let response = app.http.get(format!("{}/me", self.origin)).bearer_auth(token).send().await.unwrap();
        if response.status() == 401 {
            return None;
        }
        let body: Value = response.json().await.unwrap();
        body["sub"].as_str().map(str::to_owned)
    }

    /// Waits until the provider says that it has revoked tokens.
    pub(crate) async fn revocation(mut self) -> Self {
        let wait = move || {
            assert_eq!(next_line(&mut self.events)["event"], "revoked");
            self
        };
        tokio::task::spawn_blocking(wait).await.unwrap()
    }
}

impl Drop for RealProvider {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ended = self.process.kill().and_then(|()| self.process.wait());
    }
}

fn next_line(events: &mut BufReader<ChildStdout>) -> Value {
    let mut line = String::new();
    events.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|_| panic!("the provider does not run; it said {line:?}"))
}

/// A client's request up to what comes back to the client, with a person who answers `how`.
pub(crate) async fn come_back(
    app: &TestApp,
    provider: &RealProvider,
    client: &OAuthClient,
    how: &str,
) -> std::collections::BTreeMap<String, String> {
    let mut browser = Browser::new(app);
    let consent = browser.open(client.authorize_url(app, &[])).await;
    let at_provider = browser.submit(&consent, "approve", &[]).await.location();
    let callback = provider.visit(&mut browser, at_provider, how).await;
    let back = if callback.as_str().starts_with(&client.redirect_uri) {
        // The daemon gave up before anybody came to the provider.
        callback
    } else {
        browser.open(&callback).await.location()
    };
    crate::common::query_of(&back)
}

/// Tokens of ours for ada, who gives all that is asked for.
pub(crate) async fn tokens(app: &TestApp, provider: &RealProvider, client: &OAuthClient) -> Tokens {
    let answer = come_back(app, provider, client, "as=ada").await;
    let code = answer.get("code").unwrap_or_else(|| panic!("{answer:?}: {:?}", app.audit().last()));
    Tokens::of(client.redeem(app, code).await).await
}

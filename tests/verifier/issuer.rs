//! An issuer on this machine, and tokens as it makes them.

use crate::common::{Setup, TestApp};
use crate::upstream_keys::{RSA, signed};
use mxcp::adapters::system::SystemClock;
use mxcp_actors::ports::clock::Clock as _;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Respond, ResponseTemplate};

/// Who the server is at the introspection endpoint.
pub(super) const CLIENT_ID: &str = "mxcp resource";
pub(super) const CLIENT_SECRET: &str = "introspection-secret-4e8c";

/// The time in seconds.
pub(super) fn now() -> i64 {
    SystemClock.now().as_secs()
}

/// The issuer.
pub(super) struct Issuer {
    server: MockServer,
    slash: &'static str,
}

impl Issuer {
    /// An issuer that publishes the key `k1`, and whose introspection and userinfo endpoints say
    /// yes to everything.
    pub(super) async fn start() -> Self {
        Self::spelt_with("").await
    }

    /// The same, which writes `slash` behind its name.
    pub(super) async fn spelt_with(slash: &'static str) -> Self {
        let issuer = Self { server: MockServer::start().await, slash };
        issuer.publish(&json!([RSA.jwk("k1")])).await;
        issuer
    }

    /// Its name.
    pub(super) fn name(&self) -> String {
        format!("{}{}", self.server.uri(), self.slash)
    }

    /// Publishes other keys, and forgets what it was asked.
    pub(super) async fn publish(&self, keys: &Value) {
        self.forget().await;
        let uri = self.server.uri();
        let discovery = json!({
            "issuer": self.name(), "jwks_uri": format!("{uri}/jwks"),
            "authorization_endpoint": format!("{uri}/login"), "token_endpoint": format!("{uri}/token"),
            "introspection_endpoint": format!("{uri}/introspect"), "userinfo_endpoint": format!("{uri}/userinfo"),
        });
        self.answer("GET", "/.well-known/openid-configuration", ok(&discovery)).await;
        self.answer("GET", "/jwks", ok(&json!({ "keys": keys }))).await;
        let yes = ok(&json!({"active": true, "sub": "user-7", "exp": now() + 300}));
        self.answer("GET", "/userinfo", yes).await;
    }

    /// Answers requests to `at`; what was said first goes on.
    pub(super) async fn answer(&self, verb: &str, at: &str, answer: impl Respond + 'static) {
        Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(&self.server).await;
    }

    /// Has nothing to say any more, and forgets what it was asked.
    pub(super) async fn forget(&self) {
        self.server.reset().await;
    }

    /// Fails at everything.
    pub(super) async fn go_away(&self) {
        self.forget().await;
        let fault = ResponseTemplate::new(500);
        Mock::given(wiremock::matchers::any()).respond_with(fault).mount(&self.server).await;
    }

    /// How often it was asked at `at` since it published its keys.
    pub(super) async fn requests_to(&self, at: &str) -> usize {
        let all = self.server.received_requests().await.unwrap();
        all.iter().filter(|request| request.url.path() == at).count()
    }

    /// What the server needs to know of it.
    pub(super) fn oidc(&self) -> Value {
        json!({
            "config_url": format!("{}/.well-known/openid-configuration", self.server.uri()),
            "provider_name": "corp",
        })
    }

    /// A server that accepts its tokens.
    pub(super) fn setup(&self) -> Setup {
        Setup { auth: json!({"mode": "verifier", "provider": "oidc", "oidc": self.oidc()}), ..Setup::default() }
            .with_tool(
                "identity",
                "SELECT get_username() AS username, get_user_email() AS email, get_user_provider() AS provider, \
                 get_user_external_token() AS token",
            )
    }

    /// The same for tokens with scopes.
    pub(super) fn setup_with_scopes(&self, scopes: &[&str]) -> Setup {
        let mut setup = self.setup();
        setup.auth["oidc"]["scope"] = json!("openid mcp:read");
        setup.auth["authorization"] = json!({ "required_scopes": scopes });
        setup
    }

    /// The same that asks about each token.
    pub(super) fn setup_with_introspection(&self) -> Setup {
        let mut setup = self.setup();
        setup.auth["oidc"]["verification"] = json!("introspection");
        setup.auth["oidc"]["client_id"] = json!(CLIENT_ID);
        setup.auth["oidc"]["client_secret"] = json!(CLIENT_SECRET);
        setup
    }

    /// The claims of a token for `app`.
    pub(super) fn claims(&self, app: &TestApp) -> Value {
        json!({
            "iss": self.name(), "aud": app.resource(), "sub": "user-7", "iat": now(), "exp": now() + 300,
            "client_id": "agent", "scope": "openid mcp:read mcp:write",
            "preferred_username": "ada", "email": "ada@example.com", "email_verified": true,
        })
    }

    /// A good token for `app`.
    pub(super) fn token(&self, app: &TestApp) -> String {
        sign(&self.claims(app))
    }
}

/// A token of those claims, as the issuer signs it.
pub(super) fn sign(claims: &Value) -> String {
    signed(&RSA, &json!({"alg": "RS256", "kid": "k1", "typ": "at+jwt"}), claims)
}

/// A JSON answer.
pub(super) fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

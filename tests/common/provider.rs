//! An OpenID provider on this machine, which signs in whoever the test says.

use super::Setup;
use crate::upstream_keys::{RSA, signed};
use mxcp::adapters::system::SystemClock;
use mxcp_actors::ports::clock::Clock as _;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use url::Url;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// What we are called at the provider.
const CLIENT_ID: &str = "mxcp-at-the-provider";
/// The provider's token, which no client of ours may ever see.
pub(crate) const UPSTREAM_TOKEN: &str = "upstream-access-token-5d1f";

/// The provider.
pub(crate) struct FakeProvider {
    server: MockServer,
    nonce: watch::Sender<String>,
    revoked: mpsc::UnboundedReceiver<String>,
}

/// The token endpoint.
struct TokenEndpoint {
    issuer: String,
    nonce: watch::Receiver<String>,
}

impl Respond for TokenEndpoint {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let now = SystemClock.now().as_secs();
        let claims = json!({
            "iss": self.issuer, "aud": CLIENT_ID, "sub": "user-7", "nonce": *self.nonce.borrow(),
            "iat": now, "exp": now + 300, "preferred_username": "ada", "email": "ada@example.com", "email_verified": true,
        });
        ResponseTemplate::new(200).set_body_json(json!({
            "access_token": UPSTREAM_TOKEN, "token_type": "Bearer", "expires_in": 300,
            "id_token": signed(&RSA, &json!({"alg": "RS256", "kid": "k1"}), &claims),
        }))
    }
}

/// The revocation endpoint, which passes on what it was sent.
struct RevocationEndpoint {
    revoked: mpsc::UnboundedSender<String>,
    answer: ResponseTemplate,
}

impl Respond for RevocationEndpoint {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        self.revoked.send(String::from_utf8(request.body.clone()).unwrap()).unwrap();
        self.answer.clone()
    }
}

impl FakeProvider {
    pub(crate) async fn start() -> Self {
        Self::revoking_with(ResponseTemplate::new(200)).await
    }

    /// A provider whose revocation endpoint gives that answer.
    pub(crate) async fn revoking_with(revocation: ResponseTemplate) -> Self {
        let server = MockServer::start().await;
        let (nonce, receiver) = watch::channel(String::new());
        let issuer = server.uri();
        let discovery = json!({
            "issuer": issuer, "authorization_endpoint": format!("{issuer}/login"), "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"), "userinfo_endpoint": format!("{issuer}/userinfo"),
            "revocation_endpoint": format!("{issuer}/revoke"),
        });
        answer(&server, "GET", "/.well-known/openid-configuration", &discovery).await;
        answer(&server, "GET", "/jwks", &json!({"keys": [RSA.jwk("k1")]})).await;
        answer(&server, "GET", "/userinfo", &json!({"sub": "user-7", "preferred_username": "ada"})).await;
        let tokens = TokenEndpoint { issuer, nonce: receiver };
        Mock::given(method("POST")).and(path("/token")).respond_with(tokens).mount(&server).await;
        let (sender, revoked) = mpsc::unbounded_channel();
        let revocation = RevocationEndpoint { revoked: sender, answer: revocation };
        Mock::given(method("POST")).and(path("/revoke")).respond_with(revocation).mount(&server).await;
        Self { server, nonce, revoked }
    }

    /// A daemon whose people sign in here.
    pub(crate) fn setup(&self) -> Setup {
        Self::setup_at(&self.server.uri())
    }

    /// A daemon whose people sign in at a provider of that origin.
    pub(crate) fn setup_at(origin: &str) -> Setup {
        let oidc = json!({
            "config_url": format!("{origin}/.well-known/openid-configuration"),
            "client_id": CLIENT_ID, "client_secret": "secret-at-the-provider", "scope": "openid profile email",
            "callback_path": "/callback",
        });
        Setup { auth: json!({"provider": "oidc", "oidc": oidc}), ..Setup::default() }
    }

    /// The person signs in at the provider's page at `url`: what the provider answers with.
    pub(crate) fn sign_in(&self, url: &Url) -> Url {
        assert_eq!(url.origin().ascii_serialization(), self.server.uri());
        assert_eq!(url.path(), "/login");
        self.nonce.send_replace(super::query_of(url)["nonce"].clone());
        Self::answer_to(url, &[("code", "a-code-of-the-provider")])
    }

    /// The person refuses there.
    pub(crate) fn refuse(url: &Url) -> Url {
        Self::answer_to(url, &[("error", "access_denied"), ("error_description", "not today")])
    }

    fn answer_to(url: &Url, parameters: &[(&str, &str)]) -> Url {
        let query = super::query_of(url);
        let mut back = Url::parse(&query["redirect_uri"]).unwrap();
        back.query_pairs_mut().extend_pairs(parameters).append_pair("state", &query["state"]);
        back
    }

    /// The form of the next revocation that the provider is asked for.
    pub(crate) async fn revocation(&mut self) -> String {
        let next = tokio::time::timeout(Duration::from_secs(30), self.revoked.recv()).await;
        next.unwrap_or_else(|_| panic!("nothing was revoked")).unwrap()
    }

    /// How many revocations were asked for that [`Self::revocation`] has not given out.
    pub(crate) fn revocations_left(&self) -> usize {
        self.revoked.len()
    }

    /// Everything that the provider was sent, as text.
    pub(crate) async fn received(&self) -> String {
        let requests = self.server.received_requests().await.unwrap();
        let text = |request: &Request| {
            format!("{} {:?} {}\n", request.url, request.headers, String::from_utf8_lossy(&request.body))
        };
        requests.iter().map(text).collect()
    }
}

async fn answer(server: &MockServer, verb: &str, at: &str, body: &Value) {
    let template = ResponseTemplate::new(200).set_body_json(body);
    Mock::given(method(verb)).and(path(at)).respond_with(template).mount(server).await;
}

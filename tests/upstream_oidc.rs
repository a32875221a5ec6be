//! An OpenID Connect provider, against a simulator: discovery, endpoints, faults.
use crate::upstream_keys::{RSA, signed};
use crate::upstream_support::{
    ACCESS_TOKEN, CLIENT_SECRET, CODE, Misbehaviour, NEW_REFRESH_TOKEN, NONCE, REDIRECT_URI, REFRESH_TOKEN, STATE,
    SUBJECT, StandingClock, VERIFIER, assert_no_secret, authorization, dead_address, exchange, form_of, http_client,
    impatient_client, misbehaving_server, query_of, requests_to,
};
use mxcp::adapters::http_client::HttpClient;
use mxcp::adapters::upstream::oidc::{OidcIdp, OidcSettings};
use mxcp_actors::model::grant::SignedIn;
use mxcp_actors::model::ids::UserId;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::ports::upstream_idp::{UpstreamError, UpstreamExchange, UpstreamIdp as _};
use serde_json::{Value, json};
use std::time::Duration;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const DISCOVERY_PATH: &str = "/realm/.well-known/openid-configuration";
const JWKS_PATH: &str = "/realm/jwks";
const TOKEN_PATH: &str = "/realm/token";
const USERINFO_PATH: &str = "/realm/userinfo";
pub(crate) const CLIENT_ID: &str = "mxcp client";

pub(crate) fn settings(origin: &str) -> OidcSettings {
    OidcSettings {
        config_url: format!("{origin}{DISCOVERY_PATH}"),
        client_id: CLIENT_ID.to_owned(),
        client_secret: Secret::new(CLIENT_SECRET),
        scope: "openid profile email".to_owned(),
        redirect_uri: REDIRECT_URI.to_owned(),
        audience: None,
        extra_authorize_params: Vec::new(),
        provider_name: None,
    }
}

fn idp_with(settings: OidcSettings, http: HttpClient) -> OidcIdp {
    OidcIdp::new(settings, http, StandingClock::new()).unwrap()
}

pub(crate) fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

/// A simulator. What is mounted first wins over what is mounted later.
pub(crate) struct Provider {
    pub(crate) server: MockServer,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        Self { server: MockServer::start().await }
    }

    pub(crate) fn issuer(&self) -> String {
        format!("{}/realm", self.server.uri())
    }

    pub(crate) fn discovery(&self) -> Value {
        let issuer = self.issuer();
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
        })
    }

    pub(crate) fn claims(&self) -> Value {
        let now = StandingClock::START.as_secs();
        json!({
            "iss": self.issuer(), "aud": CLIENT_ID, "sub": "user-7", "nonce": NONCE, "iat": now, "exp": now + 300,
            "preferred_username": "ada", "email": "ada@example.com", "email_verified": true,
        })
    }

    pub(crate) fn tokens(&self) -> Value {
        json!({
            "access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 300,
            "refresh_token": REFRESH_TOKEN, "scope": "openid email",
            "id_token": signed(&RSA, &json!({"alg": "RS256", "kid": "k1"}), &self.claims()),
        })
    }

    pub(crate) async fn with(self, verb: &str, at: &str, answer: ResponseTemplate) -> Self {
        Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(&self.server).await;
        self
    }

    pub(crate) async fn with_discovery(self, change: impl FnOnce(&mut Value)) -> Self {
        let mut discovery = self.discovery();
        change(&mut discovery);
        self.with("GET", DISCOVERY_PATH, ok(&discovery)).await
    }

    pub(crate) async fn with_keys(self, keys: Value) -> Self {
        self.with("GET", JWKS_PATH, ok(&json!({ "keys": keys }))).await
    }

    pub(crate) async fn with_id_token(self, id_token: impl Into<String>) -> Self {
        let mut tokens = self.tokens();
        tokens["id_token"] = json!(id_token.into());
        self.with("POST", TOKEN_PATH, ok(&tokens)).await
    }

    pub(crate) async fn with_defaults(self) -> Self {
        let tokens = ok(&self.tokens());
        self.with_discovery(|_| ())
            .await
            .with_keys(json!([RSA.jwk("k1")]))
            .await
            .with("POST", TOKEN_PATH, tokens)
            .await
            .with("GET", USERINFO_PATH, ok(&json!({"sub": "user-7", "name": "Ada", "groups": ["staff"]})))
            .await
    }

    pub(crate) fn idp(&self) -> OidcIdp {
        idp_with(settings(&self.server.uri()), http_client())
    }

    pub(crate) async fn sign_in(&self) -> Result<SignedIn, UpstreamError> {
        self.idp().exchange(exchange()).await
    }

    pub(crate) async fn count(&self, at: &str) -> usize {
        requests_to(&self.server, at).await.len()
    }

    pub(crate) async fn key_fetches(&self) -> usize {
        self.count(JWKS_PATH).await
    }
}

pub(crate) fn unusable(detail: &str) -> UpstreamError {
    UpstreamError::Unusable { provider: "oidc".to_owned(), detail: detail.to_owned() }
}

#[tokio::test]
async fn the_browser_is_sent_to_the_provider_with_nonce_and_pkce() {
    let provider = Provider::start().await.with_defaults().await;
    let settings = OidcSettings {
        audience: Some("api".to_owned()),
        extra_authorize_params: vec![("prompt".to_owned(), "consent".to_owned())],
        ..settings(&provider.server.uri())
    };
    let url = idp_with(settings, http_client()).authorization_url(authorization()).await.unwrap();
    assert!(url.starts_with(&format!("{}/authorize?", provider.issuer())), "{url}");
    let query = query_of(&url);
    assert_eq!(query["client_id"], CLIENT_ID);
    assert_eq!(query["redirect_uri"], REDIRECT_URI);
    assert_eq!(query["response_type"], "code");
    assert_eq!(query["scope"], "openid profile email");
    assert_eq!(query["state"], STATE);
    assert_eq!(query["nonce"], NONCE);
    assert_eq!(query["code_challenge"], authorization().challenge.as_str());
    assert_eq!(query["code_challenge_method"], "S256");
    assert_eq!(query["audience"], "api");
    assert_eq!(query["prompt"], "consent");
}

#[tokio::test]
async fn a_provider_without_s256_gets_neither_challenge_nor_verifier() {
    let provider = Provider::start().await;
    let provider = provider
        .with_discovery(|d| d["code_challenge_methods_supported"] = json!(["plain"]))
        .await
        .with_defaults()
        .await;
    let url = provider.idp().authorization_url(authorization()).await.unwrap();
    assert!(!query_of(&url).contains_key("code_challenge"), "{url}");
    provider.sign_in().await.unwrap();
    assert!(!form_of(&requests_to(&provider.server, TOKEN_PATH).await[0]).contains_key("code_verifier"));
}

#[tokio::test]
async fn a_login_tells_who_it_is_and_keeps_the_tokens() {
    let provider = Provider::start().await.with_defaults().await;
    let signed_in = provider.sign_in().await.unwrap();
    let user = signed_in.user;
    assert_eq!(user.id, UserId::of("oidc", "user-7"));
    assert_eq!(user.username, "ada");
    assert_eq!(user.email.as_deref(), Some("ada@example.com"));
    assert!(user.email_verified);
    assert_eq!(user.name.as_deref(), Some("Ada"));
    assert_eq!(user.groups, ["staff"]);
    assert_eq!(user.claims["iss"], json!(provider.issuer()));
    assert!(user.claims.get("nonce").is_none());
    let upstream = signed_in.upstream.unwrap();
    assert_eq!(upstream.access_token.expose(), ACCESS_TOKEN);
    assert_eq!(upstream.refresh_token.unwrap().expose(), REFRESH_TOKEN);
    assert_eq!(upstream.expires_at, Some(StandingClock::START + Duration::from_mins(5)));
    assert_eq!(upstream.scope.to_string(), "openid email");
}

#[tokio::test]
async fn identity_and_secret_travel_in_the_header_form_encoded() {
    let provider = Provider::start().await.with_defaults().await;
    provider.sign_in().await.unwrap();
    let request = requests_to(&provider.server, TOKEN_PATH).await.pop().unwrap();
    // base64 of "mxcp+client:client-secret-3fa1"
    assert_eq!(request.headers["authorization"], "Basic bXhjcCtjbGllbnQ6Y2xpZW50LXNlY3JldC0zZmEx");
    let form = form_of(&request);
    assert!(!form.contains_key("client_secret") && !form.contains_key("client_id"));
    assert_eq!(form["grant_type"], "authorization_code");
    assert_eq!(form["code"], CODE);
    assert_eq!(form["code_verifier"], VERIFIER);
    assert_eq!(form["redirect_uri"], REDIRECT_URI);
    let userinfo = requests_to(&provider.server, USERINFO_PATH).await.pop().unwrap();
    assert_eq!(userinfo.headers["authorization"], format!("Bearer {ACCESS_TOKEN}"));
}

#[tokio::test]
async fn identity_and_secret_travel_in_the_body_where_the_provider_wants_that() {
    let provider = Provider::start().await;
    let post = |d: &mut Value| d["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
    let provider = provider.with_discovery(post).await.with_defaults().await;
    provider.sign_in().await.unwrap();
    let request = requests_to(&provider.server, TOKEN_PATH).await.pop().unwrap();
    assert!(!request.headers.contains_key("authorization"));
    let form = form_of(&request);
    assert_eq!((form["client_id"].as_str(), form["client_secret"].as_str()), (CLIENT_ID, CLIENT_SECRET));
}

#[tokio::test]
async fn discovery_and_keys_are_fetched_once() {
    let provider = Provider::start().await.with_defaults().await;
    let idp = provider.idp();
    idp.warm_up().await;
    assert_eq!((provider.count(DISCOVERY_PATH).await, provider.key_fetches().await), (1, 1));
    let logins = futures_util::future::join_all((0..10).map(|_| idp.exchange(exchange()))).await;
    assert!(logins.iter().all(Result::is_ok));
    assert_eq!((provider.count(DISCOVERY_PATH).await, provider.key_fetches().await), (1, 1));
}

#[tokio::test]
async fn a_provider_that_is_down_at_start_is_found_later() {
    let provider = Provider::start().await.with("GET", DISCOVERY_PATH, ResponseTemplate::new(503)).await;
    let idp = provider.idp();
    idp.warm_up().await;
    let down = UpstreamError::Faulty { provider: "oidc".to_owned(), what: "its discovery document", status: 503 };
    assert_eq!(idp.authorization_url(authorization()).await.unwrap_err(), down);
    provider.server.reset().await;
    let provider = provider.with_defaults().await;
    assert_eq!(idp.exchange(exchange()).await.unwrap_err(), down, "a failure is not repeated at once");
    assert_eq!(provider.count(DISCOVERY_PATH).await, 0);
    pass(Duration::from_secs(5)).await;
    assert!(idp.exchange(exchange()).await.is_ok());
}

/// Lets time pass for the caches, and for nothing that has to do with sockets.
pub(crate) async fn pass(span: Duration) {
    tokio::time::pause();
    tokio::time::advance(span).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_discovery_document_that_is_not_to_be_trusted_is_refused() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 6] = [
        ("its issuer is https://evil.example/realm", |d| d["issuer"] = json!("https://evil.example/realm")),
        ("token_endpoint must use https", |d| d["token_endpoint"] = json!("http://idp.example.com/token")),
        ("jwks_uri must use https", |d| d["jwks_uri"] = json!("ftp://idp.example.com/jwks")),
        ("authorization_endpoint is not a URL", |d| d["authorization_endpoint"] = json!("/authorize")),
        ("missing field `token_endpoint`", |d| drop(d.as_object_mut().unwrap().remove("token_endpoint"))),
        ("neither client_secret_basic nor", |d| {
            d["token_endpoint_auth_methods_supported"] = json!(["tls_client_auth"]);
        }),
    ];
    for (part, change) in changes {
        let provider = Provider::start().await.with_discovery(change).await.with_defaults().await;
        let fault = provider.sign_in().await.unwrap_err();
        assert!(matches!(&fault, UpstreamError::Unusable { detail, .. } if detail.contains(part)), "{part}: {fault}");
        assert_eq!(provider.count(TOKEN_PATH).await, 0, "{part}: the code must not leave us");
    }
}

#[tokio::test]
async fn the_callbacks_issuer_is_checked_before_the_code_is_sent() {
    let provider = Provider::start().await.with_defaults().await;
    let with = |issuer: Option<String>| UpstreamExchange { issuer, ..exchange() };
    let wrong = provider.idp().exchange(with(Some("https://evil.example".to_owned()))).await;
    assert_eq!(wrong.unwrap_err(), unusable("the callback names another issuer"));
    assert_eq!(provider.count(TOKEN_PATH).await, 0);
    assert!(provider.idp().exchange(with(Some(provider.issuer()))).await.is_ok());

    let promised = Provider::start().await;
    let promise = |d: &mut Value| d["authorization_response_iss_parameter_supported"] = json!(true);
    let promised = promised.with_discovery(promise).await.with_defaults().await;
    let missing = promised.idp().exchange(with(None)).await;
    assert_eq!(missing.unwrap_err(), unusable("the callback does not name its issuer"));
    assert!(promised.idp().exchange(with(Some(promised.issuer()))).await.is_ok());
}

#[tokio::test]
async fn userinfo_about_somebody_else_is_refused() {
    for answer in [json!({"sub": "user-8", "name": "Eve"}), json!({"name": "Eve"}), json!({"sub": 7}), json!(["x"])] {
        let provider = Provider::start().await.with("GET", USERINFO_PATH, ok(&answer)).await.with_defaults().await;
        let fault = provider.sign_in().await.unwrap_err();
        assert!(matches!(fault, UpstreamError::Unusable { .. }), "{answer}: {fault:?}");
    }
}

#[tokio::test]
async fn a_provider_without_userinfo_is_enough() {
    let provider = Provider::start().await;
    let provider = provider
        .with_discovery(|d| drop(d.as_object_mut().unwrap().remove("userinfo_endpoint")))
        .await
        .with_defaults()
        .await;
    let user = provider.sign_in().await.unwrap().user;
    assert_eq!((user.username.as_str(), user.name), ("ada", None));
    assert_eq!(provider.count(USERINFO_PATH).await, 0);
}

#[tokio::test]
async fn refreshing_keeps_the_old_refresh_token_when_there_is_no_new_one() {
    for (new, kept) in [(None, REFRESH_TOKEN), (Some(""), REFRESH_TOKEN), (Some(NEW_REFRESH_TOKEN), NEW_REFRESH_TOKEN)]
    {
        let answer = json!({"access_token": "new", "token_type": "bearer", "refresh_token": new});
        let provider = Provider::start().await.with("POST", TOKEN_PATH, ok(&answer)).await.with_defaults().await;
        let tokens = provider.idp().refresh(Secret::new(REFRESH_TOKEN), SUBJECT.to_owned()).await.unwrap();
        assert_eq!(tokens.access_token.expose(), "new");
        assert_eq!(tokens.refresh_token.unwrap().expose(), kept, "{new:?}");
        assert_eq!(tokens.expires_at, None);
        assert_eq!(tokens.scope.to_string(), "openid profile email", "left out, it is what was asked for");
        let form = form_of(&requests_to(&provider.server, TOKEN_PATH).await[0]);
        assert_eq!((form["grant_type"].as_str(), form["refresh_token"].as_str()), ("refresh_token", REFRESH_TOKEN));
    }
}

#[tokio::test]
async fn a_refresh_that_brings_tokens_of_somebody_else_is_refused() {
    let refreshed = async |change: &dyn Fn(&mut Value)| {
        let provider = Provider::start().await;
        let mut claims = provider.claims();
        claims.as_object_mut().unwrap().remove("nonce");
        change(&mut claims);
        let id_token = signed(&RSA, &json!({"alg": "RS256", "kid": "k1"}), &claims);
        let provider = provider.with_id_token(id_token).await.with_defaults().await;
        provider.idp().refresh(Secret::new(REFRESH_TOKEN), SUBJECT.to_owned()).await.map(|tokens| tokens.access_token)
    };
    assert!(refreshed(&|_| ()).await.unwrap().matches(ACCESS_TOKEN), "without a nonce, as most send it");
    for (name, value) in [("sub", "user-8"), ("iss", "https://elsewhere.example.com"), ("aud", "another client")] {
        let fault = refreshed(&|claims| claims[name] = json!(value)).await.unwrap_err();
        assert!(matches!(fault, UpstreamError::Unusable { .. }), "{name}: {fault:?}");
        assert_no_secret(name, &fault);
    }
}

#[tokio::test]
async fn only_invalid_grant_ends_a_session() {
    let answer = |status: u16, error: &str| ResponseTemplate::new(status).set_body_json(json!({ "error": error }));
    for (answer, variant) in [
        (answer(400, "invalid_grant"), "InvalidGrant"),
        (answer(401, "invalid_client"), "Refused"),
        (answer(400, "invalid_request"), "Refused"),
        (answer(400, "bad_refresh_token"), "Refused"),
        (answer(500, "invalid_grant"), "Faulty"),
        (answer(503, "temporarily_unavailable"), "Faulty"),
        (ResponseTemplate::new(400), "Unusable"),
        (ResponseTemplate::new(200), "Unusable"),
    ] {
        let provider = Provider::start().await.with("POST", TOKEN_PATH, answer).await.with_defaults().await;
        let fault = provider.idp().refresh(Secret::new(REFRESH_TOKEN), SUBJECT.to_owned()).await.unwrap_err();
        assert!(format!("{fault:?}").starts_with(variant), "{variant}: {fault:?}");
    }
}

#[tokio::test]
async fn every_fault_of_every_endpoint_is_told_apart_without_secrets() {
    let text =
        |status: u16, body: &str| ResponseTemplate::new(status).set_body_raw(body.to_owned(), "application/json");
    let echo = format!("{CODE} {VERIFIER} {CLIENT_SECRET} {ACCESS_TOKEN} {NONCE}");
    let faults = || {
        [
            ("500", text(500, &echo), "Faulty"),
            ("429", text(429, &echo), "Faulty"),
            ("404", text(404, &echo), "Unusable"),
            ("redirect", ResponseTemplate::new(307).insert_header("location", "https://evil.example"), "Unusable"),
            ("empty", ResponseTemplate::new(200), "Unusable"),
            ("not JSON", text(200, &echo), "Unusable"),
            ("wrong shape", text(200, &json!([echo]).to_string()), "Unusable"),
            (
                "wrong types",
                text(200, &json!({"issuer": 1, "keys": echo, "sub": 1, "access_token": 1}).to_string()),
                "Unusable",
            ),
            ("oversized", text(200, &"x".repeat(2 << 20)), "Unusable"),
        ]
    };
    for (verb, at) in [("GET", DISCOVERY_PATH), ("GET", JWKS_PATH), ("POST", TOKEN_PATH), ("GET", USERINFO_PATH)] {
        for (case, answer, variant) in faults() {
            let provider = Provider::start().await.with(verb, at, answer).await.with_defaults().await;
            let fault = provider.sign_in().await.unwrap_err();
            assert!(format!("{fault:?}").starts_with(variant), "{at} {case}: {fault:?}");
            assert_no_secret(&format!("{at} {case}"), &fault);
        }
    }
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_unreachable() {
    let provider = Provider::start().await;
    let slow = ok(&json!({})).set_delay(Duration::from_mins(10));
    let provider = provider.with("GET", DISCOVERY_PATH, slow).await;
    let slow = idp_with(settings(&provider.server.uri()), impatient_client());
    let (_reserved, dead) = dead_address();
    let dead = idp_with(settings(&format!("http://{dead}")), http_client());
    let cut = misbehaving_server(Misbehaviour::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{")).await;
    let cut = idp_with(settings(&format!("http://{cut}")), http_client());
    for idp in [slow, dead, cut] {
        let fault = idp.exchange(exchange()).await.unwrap_err();
        assert!(matches!(fault, UpstreamError::Unreachable { .. }), "{fault:?}");
        assert_no_secret("unreachable", &fault);
    }
}

#[tokio::test]
async fn a_provider_with_a_scope_for_refreshing_is_to_be_asked_for_it() {
    let hint = async |scopes: Value, asked: &str| {
        let provider = Provider::start().await.with_discovery(|d| d["scopes_supported"] = scopes).await;
        let settings = OidcSettings { scope: asked.to_owned(), ..settings(&provider.server.uri()) };
        let idp = idp_with(settings, http_client());
        assert_eq!(idp.refresh_hint(), None, "nothing is known yet");
        idp.warm_up().await;
        idp.refresh_hint()
    };
    let offered = json!(["openid", "offline_access"]);
    let told = "oidc offers refresh tokens for the scope offline_access; add it to scope".to_owned();
    assert_eq!(hint(offered.clone(), "openid").await, Some(told));
    assert_eq!(hint(offered, "openid offline_access").await, None);
    assert_eq!(hint(json!(["openid"]), "openid").await, None);
    assert_eq!(hint(Value::Null, "openid").await, None);
}

#[tokio::test]
async fn scopes_that_were_not_granted_are_missing() {
    let missing = async |change: fn(&mut Value)| {
        let provider = Provider::start().await;
        let mut tokens = provider.tokens();
        change(&mut tokens);
        let provider = provider.with("POST", TOKEN_PATH, ok(&tokens)).await.with_defaults().await;
        provider.sign_in().await.unwrap().missing_scopes.to_string()
    };
    assert_eq!(missing(|tokens| tokens["scope"] = json!("openid email")).await, "profile");
    assert_eq!(missing(|tokens| tokens["scope"] = json!("profile email")).await, "", "there is an id_token");
    assert_eq!(missing(|tokens| drop(tokens.as_object_mut().unwrap().remove("scope"))).await, "");
}

#[test]
fn nothing_secret_is_printed() {
    let idp = idp_with(settings("https://idp.example.com"), http_client());
    assert!(!format!("{idp:?}").contains("secret-"));
}

//! What the tests of providers share whose addresses the configuration names: a simulator, and the
//! faults that each of them must tell apart.
use crate::upstream_support::{
    ACCESS_TOKEN, CLIENT_SECRET, CODE, Misbehaviour, REDIRECT_URI, REFRESH_TOKEN, VERIFIER, assert_no_secret,
    dead_address, exchange, http_client, impatient_client, misbehaving_server, tls_server,
};
use mxcp::adapters::http_client::HttpClient;
use mxcp::adapters::upstream::settings::UpstreamApp;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::ports::upstream_idp::{UpstreamError, UpstreamIdp};
use serde_json::{Value, json};
use std::time::Duration;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// An answer that is a fault, and how the error that it becomes begins.
type Fault = (&'static str, ResponseTemplate, &'static str);

/// A provider on this machine. What is mounted first goes first.
pub(crate) struct Simulator {
    pub(crate) server: MockServer,
}

impl Simulator {
    pub(crate) async fn start() -> Self {
        Self { server: MockServer::start().await }
    }

    pub(crate) async fn with(self, verb: &str, at: &str, answer: ResponseTemplate) -> Self {
        Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(&self.server).await;
        self
    }

    pub(crate) fn uri(&self) -> String {
        self.server.uri()
    }
}

pub(crate) fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

/// An app at that provider.
pub(crate) fn app_at(auth_url: String, token_url: String, scope: &str) -> UpstreamApp {
    UpstreamApp {
        client_id: "app-at-the-provider".to_owned(),
        client_secret: Secret::new(CLIENT_SECRET),
        auth_url,
        token_url,
        scope: scope.to_owned(),
        redirect_uri: REDIRECT_URI.to_owned(),
    }
}

pub(crate) async fn refresh(idp: &dyn UpstreamIdp) -> Result<(), UpstreamError> {
    idp.refresh(Secret::new(REFRESH_TOKEN)).await.map(drop)
}

/// Fails unless the error is of that kind and shows no secret.
pub(crate) fn assert_fault(case: &str, fault: &UpstreamError, kind: &str) {
    assert!(format!("{fault:?}").starts_with(kind), "{case}: {fault:?}");
    assert_no_secret(case, fault);
}

fn raw(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(body.to_owned(), "application/json")
}

fn typed(body: &str, content_type: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body.to_owned(), content_type)
}

/// Fails unless every faulty answer to a request for tokens is told apart without secrets, at login
/// and at refresh. Many answers repeat what they were sent.
pub(crate) async fn assert_token_faults_are_told_apart(
    token_path: &str,
    idp_at: impl Fn(&str) -> Box<dyn UpstreamIdp>,
) {
    let login = format!("code {CODE} verifier {VERIFIER} secret {CLIENT_SECRET}");
    for (case, answer, kind) in token_faults(&login) {
        let provider = Simulator::start().await.with("POST", token_path, answer).await;
        let outcome = idp_at(&provider.uri()).exchange(exchange()).await;
        assert_fault(case, &outcome.map(drop).unwrap_err(), kind);
        let requests = provider.server.received_requests().await.unwrap();
        assert_eq!(requests.len(), 1, "{case}: the person was asked for");
    }
    for (case, answer, kind) in token_faults(&format!("token {REFRESH_TOKEN} secret {CLIENT_SECRET}")) {
        let provider = Simulator::start().await.with("POST", token_path, answer).await;
        assert_fault(case, &refresh(&*idp_at(&provider.uri())).await.unwrap_err(), kind);
    }
}

fn token_faults(echo: &str) -> Vec<Fault> {
    let good = format!(r#"{{"access_token":"{ACCESS_TOKEN}","token_type":"Bearer"}}"#);
    let refusal = |error: &str| json!({"error": error, "error_description": echo}).to_string();
    vec![
        ("500", raw(500, echo), "Faulty"),
        ("503", raw(503, echo), "Faulty"),
        ("429", raw(429, echo), "Faulty"),
        ("redirect", ResponseTemplate::new(302).insert_header("location", "https://evil.example/"), "Unusable"),
        ("404", raw(404, echo), "Unusable"),
        ("empty", ResponseTemplate::new(200), "Unusable"),
        ("empty object", raw(200, "{}"), "Unusable"),
        ("list", raw(200, "[]"), "Unusable"),
        ("broken JSON", raw(200, &format!(r#"{{"access_token":"{ACCESS_TOKEN}","#)), "Unusable"),
        ("a token that is no text", raw(200, r#"{"access_token":{"a":1},"token_type":"Bearer"}"#), "Unusable"),
        ("an empty token", raw(200, r#"{"access_token":"","token_type":"Bearer"}"#), "Unusable"),
        ("another type of token", raw(200, &good.replace("Bearer", "mac")), "Unusable"),
        ("HTML", typed(&format!("<p>{ACCESS_TOKEN}</p>"), "text/html"), "Unusable"),
        ("JSON that says it is HTML", typed(&good, "text/html"), "Unusable"),
        ("form", typed(&format!("access_token={ACCESS_TOKEN}"), "application/x-www-form-urlencoded"), "Unusable"),
        ("oversized", raw(200, &format!("{good}{}", " ".repeat(2 << 20))), "Unusable"),
        ("error in a 200", raw(200, &refusal("invalid_request")), "Refused"),
        ("error without a proper code", raw(400, &refusal(echo)), "Refused"),
        ("wrong client", raw(401, &refusal("invalid_client")), "Refused"),
        ("dead grant", raw(400, &refusal("invalid_grant")), "InvalidGrant"),
        ("dead grant with 403", raw(403, &refusal("invalid_grant")), "InvalidGrant"),
        ("dead grant in a 200", raw(200, &refusal("invalid_grant")), "InvalidGrant"),
    ]
}

/// Faulty answers to a request for the profile.
pub(crate) fn profile_faults() -> Vec<Fault> {
    vec![
        ("500", raw(500, ACCESS_TOKEN), "Faulty"),
        ("429", raw(429, ACCESS_TOKEN), "Faulty"),
        ("401", raw(401, ACCESS_TOKEN), "Unusable"),
        ("403", raw(403, ACCESS_TOKEN), "Unusable"),
        ("redirect", ResponseTemplate::new(301).insert_header("location", "https://evil.example/"), "Unusable"),
        ("empty", ResponseTemplate::new(200), "Unusable"),
        ("empty object", raw(200, "{}"), "Unusable"),
        ("list", raw(200, "[]"), "Unusable"),
        ("broken JSON", raw(200, &format!(r#"{{"name":"{ACCESS_TOKEN}"#)), "Unusable"),
        ("HTML", typed(&format!("<p>{ACCESS_TOKEN}</p>"), "text/html"), "Unusable"),
        ("oversized", raw(200, &" ".repeat(2 << 20)), "Unusable"),
    ]
}

/// Fails unless each way of not answering is told apart, at login and at refresh, without secrets.
pub(crate) async fn assert_silence_is_told_apart(idp_at: impl Fn(&str, HttpClient) -> Box<dyn UpstreamIdp>) {
    let slow = MockServer::start().await;
    let never = ResponseTemplate::new(200).set_delay(Duration::from_mins(10));
    Mock::given(method("POST")).respond_with(never).mount(&slow).await;
    let (_reserved, dead) = dead_address();
    let reset = misbehaving_server(Misbehaviour::Reset).await;
    let cut = misbehaving_server(Misbehaviour::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{")).await;
    let stranger = tls_server(|_| "{}".to_owned()).await;
    for (origin, http, detail) in [
        (slow.uri(), impatient_client(), "it did not answer within 0.1 s"),
        (format!("http://{dead}"), http_client(), "the connection was refused"),
        (format!("http://{reset}"), http_client(), "the connection broke off before the answer was complete"),
        (format!("http://{cut}"), http_client(), "the connection broke off before the answer was complete"),
        ("https://nobody.invalid".to_owned(), http_client(), "the host name could not be resolved"),
        (
            format!("https://localhost:{}", stranger.port()),
            http_client(),
            "the TLS handshake failed: invalid peer certificate: UnknownIssuer",
        ),
    ] {
        let idp = idp_at(&origin, http);
        let login = idp.exchange(exchange()).await.map(drop);
        for fault in [login.unwrap_err(), refresh(&*idp).await.unwrap_err()] {
            let expected = UpstreamError::Unreachable { provider: idp.name().to_owned(), detail: detail.to_owned() };
            assert_eq!(fault, expected);
            assert_no_secret(detail, &fault);
        }
    }
}

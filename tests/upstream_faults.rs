//! Providers as simulators that can go wrong at each request of a login, and what must become of
//! every fault: the right kind of error, and no secret in it.
//!
//! A provider takes part with one test here and a [`Simulator`] in its own module.

use crate::upstream_atlassian::Atlassian;
use crate::upstream_github::GitHub;
use crate::upstream_google::Google;
use crate::upstream_keycloak::Keycloak;
use crate::upstream_salesforce::Salesforce;
use crate::upstream_support::{
    ACCESS_TOKEN, CLIENT_SECRET, CODE, Misbehaviour, NONCE, REFRESH_TOKEN, SUBJECT, VERIFIER, assert_no_secret,
    dead_address, exchange, http_client, impatient_client, misbehaving_server, tls_server,
};
use mxcp::adapters::http_client::HttpClient;
use mxcp_actors::model::grant::SignedIn;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::model::token::UpstreamTokens;
use mxcp_actors::ports::upstream_idp::{UpstreamError, UpstreamExchange, UpstreamIdp};
use serde_json::{Value, json};
use std::marker::PhantomData;
use std::time::Duration;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A request of a login, by verb and path, and its right answer.
pub(crate) type Answer = (&'static str, &'static str, Value);

/// What a provider answers.
pub(crate) trait Simulator {
    /// Who signs in.
    const SUBJECT: &str = SUBJECT;

    /// The requests of a login at a provider of that origin, each needed for its success.
    fn answers(origin: &str) -> Vec<Answer>;

    /// The issuer that comes back to the callback, from a provider that sends it.
    fn issuer(_origin: &str) -> Option<String> {
        None
    }

    /// Our side of it, for a provider whose every address is at that origin.
    fn idp(origin: &str, http: HttpClient) -> Box<dyn UpstreamIdp>;
}

/// A running simulator. What is mounted first wins over what is mounted later.
pub(crate) struct Simulated<S> {
    pub(crate) server: MockServer,
    simulator: PhantomData<S>,
}

impl<S: Simulator> Simulated<S> {
    pub(crate) async fn start() -> Self {
        Self { server: MockServer::start().await, simulator: PhantomData }
    }

    pub(crate) async fn with(self, verb: &str, at: &str, answer: ResponseTemplate) -> Self {
        Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(&self.server).await;
        self
    }

    /// With the right answer to a request, changed.
    pub(crate) async fn with_changed(self, at: &str, change: impl FnOnce(&mut Value)) -> Self {
        let answers = S::answers(&self.server.uri());
        let (verb, _, mut body) = answers.into_iter().find(|(_, path, _)| *path == at).unwrap();
        change(&mut body);
        self.with(verb, at, ResponseTemplate::new(200).set_body_json(body)).await
    }

    pub(crate) async fn with_defaults(mut self) -> Self {
        for (verb, at, body) in S::answers(&self.server.uri()) {
            self = self.with(verb, at, ResponseTemplate::new(200).set_body_json(body)).await;
        }
        self
    }

    pub(crate) fn idp(&self) -> Box<dyn UpstreamIdp> {
        S::idp(&self.server.uri(), http_client())
    }

    pub(crate) async fn sign_in(&self) -> Result<SignedIn, UpstreamError> {
        self.sign_in_with(&*self.idp()).await
    }

    pub(crate) async fn sign_in_with(&self, idp: &dyn UpstreamIdp) -> Result<SignedIn, UpstreamError> {
        let issuer = S::issuer(&self.server.uri());
        idp.exchange(UpstreamExchange { issuer, ..exchange() }).await
    }

    pub(crate) async fn refresh(&self) -> Result<UpstreamTokens, UpstreamError> {
        self.idp().refresh(Secret::new(REFRESH_TOKEN), S::SUBJECT.to_owned()).await
    }
}

/// A fault of one request, by name, and the error that it must become.
type Fault = (&'static str, ResponseTemplate, &'static str);

/// Faults that mean the same at every request.
fn faults() -> Vec<Fault> {
    let echo = format!("{CODE} {VERIFIER} {CLIENT_SECRET} {ACCESS_TOKEN} {NONCE} {REFRESH_TOKEN}");
    let text = |status: u16, body: &str| ResponseTemplate::new(status).set_body_raw(body, "application/json");
    let wrong_types = json!({
        "issuer": 1, "keys": echo, "sub": 1, "id": echo, "access_token": 1, "token_type": echo, "expires_in": echo,
    });
    vec![
        ("500", text(500, &echo), "Faulty"),
        ("503", text(503, "{}"), "Faulty"),
        ("429", text(429, &echo), "Faulty"),
        ("404", text(404, &echo), "Unusable"),
        ("redirect", ResponseTemplate::new(307).insert_header("location", "https://evil.example"), "Unusable"),
        ("no body", ResponseTemplate::new(200), "Unusable"),
        ("no content", ResponseTemplate::new(204), "Unusable"),
        ("an empty object", text(200, "{}"), "Unusable"),
        ("null", text(200, "null"), "Unusable"),
        ("not JSON", text(200, &echo), "Unusable"),
        ("half a document", text(200, r#"{"access_token": "half"#), "Unusable"),
        ("a list", text(200, &json!([echo]).to_string()), "Unusable"),
        ("wrong types", text(200, &wrong_types.to_string()), "Unusable"),
        ("HTML", ResponseTemplate::new(200).set_body_raw(format!("<p>{echo}"), "text/html"), "Unusable"),
        ("too much", text(200, &"x".repeat(2 << 20)), "Unusable"),
    ]
}

/// Answers that only a token endpoint gives, and in which it repeats what it was sent.
fn refusals(echo: &str) -> Vec<Fault> {
    let refusal = |status: u16, error: &str| {
        ResponseTemplate::new(status).set_body_json(json!({"error": error, "error_description": echo}))
    };
    vec![
        ("a used code", refusal(400, "invalid_grant"), "InvalidGrant"),
        ("a wrong secret", refusal(401, "invalid_client"), "Refused"),
        ("an error in a good status", refusal(200, "access_denied"), "Refused"),
        ("an error that is none", refusal(400, echo), "Refused"),
    ]
}

/// Fails unless the error is of that kind and shows no secret.
pub(crate) fn assert_is(variant: &str, case: &str, fault: &UpstreamError) {
    assert!(format!("{fault:?}").starts_with(variant), "{case}: {fault:?}");
    assert_no_secret(case, fault);
}

/// Lets every request of a login go wrong in every way.
async fn assert_faults_are_told_apart<S: Simulator>() {
    let whole = Simulated::<S>::start().await.with_defaults().await;
    whole.sign_in().await.unwrap();
    let http = http_client();
    for (verb, at, _) in S::answers("http://127.0.0.1") {
        let redeemed = format!("{CODE} {VERIFIER} {CLIENT_SECRET}");
        let more = if verb == "POST" { refusals(&redeemed) } else { Vec::new() };
        for (name, answer, variant) in [faults(), more].concat() {
            let provider = Simulated::<S>::start().await.with(verb, at, answer).await.with_defaults().await;
            let fault = provider.sign_in_with(&*S::idp(&provider.server.uri(), http.clone())).await.unwrap_err();
            assert_is(variant, &format!("{at}: {name}"), &fault);
        }
        let never = ResponseTemplate::new(200).set_delay(Duration::from_mins(10));
        let provider = Simulated::<S>::start().await.with(verb, at, never).await.with_defaults().await;
        let impatient = S::idp(&provider.server.uri(), impatient_client());
        let fault = provider.sign_in_with(&*impatient).await.unwrap_err();
        assert_is("Unreachable", &format!("{at}: no answer"), &fault);
    }
}

/// Lets a refresh go wrong in every way.
async fn assert_refreshes_may_fail<S: Simulator>() {
    let answers = S::answers("http://127.0.0.1");
    let (verb, at, _) = answers.iter().find(|(verb, ..)| *verb == "POST").unwrap();
    let http = http_client();
    for (name, answer, variant) in [faults(), refusals(&format!("{REFRESH_TOKEN} {CLIENT_SECRET}"))].concat() {
        let provider = Simulated::<S>::start().await.with(verb, at, answer).await.with_defaults().await;
        let idp = S::idp(&provider.server.uri(), http.clone());
        assert_is(
            variant,
            &format!("refresh: {name}"),
            &idp.refresh(Secret::new(REFRESH_TOKEN), SUBJECT.to_owned()).await.unwrap_err(),
        );
    }
}

/// Lets the connection itself go wrong.
async fn assert_connections_may_fail<S: Simulator>() {
    let cut = Misbehaviour::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{");
    let (_reserved, dead) = dead_address();
    let origins = [
        ("nobody listens", format!("http://{dead}")),
        ("hangs up", format!("http://{}", misbehaving_server(Misbehaviour::HangUp).await)),
        ("resets", format!("http://{}", misbehaving_server(Misbehaviour::Reset).await)),
        ("is cut off", format!("http://{}", misbehaving_server(cut).await)),
        ("has no name", format!("https://{}.invalid", "x".repeat(64))),
        ("has a certificate of nobody", format!("https://localhost:{}", tls_server(|_| String::new()).await.port())),
        ("speaks no TLS", format!("https://{}", misbehaving_server(cut).await)),
    ];
    let http = http_client();
    for (case, origin) in origins {
        let idp = S::idp(&origin, http.clone());
        assert_is("Unreachable", case, &idp.exchange(exchange()).await.unwrap_err());
        assert_is("Unreachable", case, &idp.refresh(Secret::new(REFRESH_TOKEN), SUBJECT.to_owned()).await.unwrap_err());
    }
}

async fn assert_faults<S: Simulator>() {
    assert_faults_are_told_apart::<S>().await;
    assert_refreshes_may_fail::<S>().await;
    assert_connections_may_fail::<S>().await;
}

#[tokio::test]
async fn faults_of_github_are_told_apart_without_secrets() {
    assert_faults::<GitHub>().await;
}

#[tokio::test]
async fn faults_of_google_are_told_apart_without_secrets() {
    assert_faults::<Google>().await;
}

#[tokio::test]
async fn faults_of_keycloak_are_told_apart_without_secrets() {
    assert_faults::<Keycloak>().await;
}

#[tokio::test]
async fn faults_of_atlassian_are_told_apart_without_secrets() {
    assert_faults::<Atlassian>().await;
}

#[tokio::test]
async fn faults_of_salesforce_are_told_apart_without_secrets() {
    assert_faults::<Salesforce>().await;
}

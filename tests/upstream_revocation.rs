//! Revoking tokens at a provider, against simulators of both kinds.
use crate::upstream_github::GitHub;
use crate::upstream_oidc::{CLIENT_ID, Provider};
use crate::upstream_support::{
    ACCESS_TOKEN, CLIENT_SECRET, REFRESH_TOKEN, StandingClock, assert_no_secret, dead_address, form_of, http_client,
    requests_to,
};
use mxcp::adapters::upstream::oidc::OidcIdp;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::model::token::UpstreamTokens;
use mxcp_actors::ports::upstream_idp::{RevocationReach, RevocationResult, UpstreamError, UpstreamIdp};
use serde_json::{Value, json};
use wiremock::matchers::{body_string_contains, method, path};
use wiremock::{Mock, ResponseTemplate};

const OIDC_PATH: &str = "/realm/revoke";
const GITHUB_PATH: &str = "/api/v3/applications/Ov23li/token";

fn tokens(refresh_token: Option<&str>) -> UpstreamTokens {
    UpstreamTokens {
        access_token: Secret::new(ACCESS_TOKEN),
        refresh_token: refresh_token.map(Secret::new),
        expires_at: None,
        scope: ScopeSet::default(),
    }
}

async fn oidc() -> Provider {
    oidc_with(|_| ()).await
}

async fn oidc_with(change: impl FnOnce(&mut Value)) -> Provider {
    let provider = Provider::start().await;
    let endpoint = format!("{}/revoke", provider.issuer());
    let discovery = |discovery: &mut Value| {
        discovery["revocation_endpoint"] = json!(endpoint);
        change(discovery);
    };
    provider.with_discovery(discovery).await
}

fn refusal(status: u16, error: &str) -> ResponseTemplate {
    let echo = format!("{ACCESS_TOKEN} {CLIENT_SECRET}");
    ResponseTemplate::new(status).set_body_json(json!({"error": error, "error_description": echo}))
}

async fn revoke(idp: &dyn UpstreamIdp) -> Result<RevocationResult, UpstreamError> {
    idp.revoke(tokens(None)).await
}

#[tokio::test]
async fn the_refresh_token_goes_first_and_the_access_token_after_it() {
    let provider = oidc().await.with("POST", OIDC_PATH, ResponseTemplate::new(200)).await;
    let idp = provider.idp();
    assert_eq!(idp.revocation_reach(), RevocationReach::Grant);
    assert_eq!(idp.revoke(tokens(Some(REFRESH_TOKEN))).await, Ok(RevocationResult::Revoked));
    let requests = requests_to(&provider.server, OIDC_PATH).await;
    let sent: Vec<_> = requests.iter().map(form_of).collect();
    assert_eq!(sent.len(), 2);
    for (form, token, hint) in [(&sent[0], REFRESH_TOKEN, "refresh_token"), (&sent[1], ACCESS_TOKEN, "access_token")] {
        assert_eq!((form["token"].as_str(), form["token_type_hint"].as_str(), form.len()), (token, hint, 2));
    }
    // base64 of "mxcp+client:client-secret-3fa1", as at the token endpoint
    assert_eq!(requests[0].headers["authorization"], "Basic bXhjcCtjbGllbnQ6Y2xpZW50LXNlY3JldC0zZmEx");
}

#[tokio::test]
async fn identity_and_secret_travel_in_the_body_where_the_token_endpoint_wants_that() {
    let post = |d: &mut Value| d["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
    let provider = oidc_with(post).await.with("POST", OIDC_PATH, ResponseTemplate::new(200)).await;
    let public = crate::upstream_oidc::settings(&provider.server.uri());
    let public = mxcp::adapters::upstream::oidc::OidcSettings { client_secret: Secret::default(), ..public };
    let public = OidcIdp::new(public, http_client(), StandingClock::new()).unwrap();
    for (idp, secret) in [(provider.idp(), Some(CLIENT_SECRET)), (public, None)] {
        revoke(&idp).await.unwrap();
        let request = requests_to(&provider.server, OIDC_PATH).await.pop().unwrap();
        assert!(!request.headers.contains_key("authorization"));
        let form = form_of(&request);
        assert_eq!((form["client_id"].as_str(), form.get("client_secret").map(String::as_str)), (CLIENT_ID, secret));
    }
}

#[tokio::test]
async fn a_provider_without_the_endpoint_says_so() {
    let provider = Provider::start().await.with_discovery(|_| ()).await;
    assert_eq!(revoke(&provider.idp()).await, Ok(RevocationResult::NotOffered));
}

#[tokio::test]
async fn an_endpoint_without_tls_is_shown_no_token() {
    let provider = oidc_with(|d| d["revocation_endpoint"] = json!("http://idp.example.com/revoke")).await;
    let fault = revoke(&provider.idp()).await.unwrap_err();
    assert!(fault.to_string().contains("revocation_endpoint must use https"), "{fault}");
}

#[tokio::test]
async fn every_answer_of_the_revocation_endpoint_is_told_apart_without_secrets() {
    for (answer, expected) in [
        (ResponseTemplate::new(200).set_body_string("{}"), "Ok(Revoked)"),
        (ResponseTemplate::new(204), "Ok(Revoked)"),
        (refusal(400, "invalid_token"), "Ok(Revoked)"),
        (refusal(400, "invalid_grant"), "Ok(Revoked)"),
        (refusal(400, "unsupported_token_type"), "Ok(NotOffered)"),
        (refusal(401, "invalid_client"), "Err(Refused"),
        (refusal(400, ACCESS_TOKEN), "Err(Refused"),
        (refusal(503, "temporarily_unavailable"), "Err(Faulty"),
        (ResponseTemplate::new(429), "Err(Faulty"),
        (ResponseTemplate::new(404).set_body_string(ACCESS_TOKEN), "Err(Unusable"),
        (ResponseTemplate::new(302).insert_header("location", "https://evil.example"), "Err(Unusable"),
    ] {
        let provider = oidc().await.with("POST", OIDC_PATH, answer).await;
        let outcome = revoke(&provider.idp()).await;
        assert!(format!("{outcome:?}").starts_with(expected), "{expected}: {outcome:?}");
        if let Err(fault) = outcome {
            assert_no_secret(expected, &fault);
        }
    }
}

#[tokio::test]
async fn one_of_both_tokens_is_enough_where_the_other_cannot_be_revoked() {
    for refused in [REFRESH_TOKEN, ACCESS_TOKEN] {
        let provider = oidc().await;
        let refusal = refusal(400, "unsupported_token_type");
        let refuse = Mock::given(method("POST")).and(path(OIDC_PATH)).and(body_string_contains(refused));
        refuse.respond_with(refusal).mount(&provider.server).await;
        let provider = provider.with("POST", OIDC_PATH, ResponseTemplate::new(200)).await;
        assert_eq!(provider.idp().revoke(tokens(Some(REFRESH_TOKEN))).await, Ok(RevocationResult::Revoked));
        assert_eq!(provider.count(OIDC_PATH).await, 2);
    }
}

#[tokio::test]
async fn a_provider_that_is_away_may_be_asked_again() {
    let (_reserved, dead) = dead_address();
    let settings = crate::upstream_oidc::settings(&format!("http://{dead}"));
    let idp = OidcIdp::new(settings, http_client(), StandingClock::new()).unwrap();
    assert!(revoke(&idp).await.unwrap_err().is_passing());
}

#[tokio::test]
async fn github_is_told_by_the_app_itself_which_token_to_end() {
    let github = GitHub::start().await.with("DELETE", GITHUB_PATH, ResponseTemplate::new(204)).await;
    let idp = github.idp();
    assert_eq!(idp.revocation_reach(), RevocationReach::Tokens);
    assert_eq!(idp.revoke(tokens(Some(REFRESH_TOKEN))).await, Ok(RevocationResult::Revoked));
    let requests = requests_to(&github.server, GITHUB_PATH).await;
    assert_eq!(requests.len(), 1);
    let headers = &requests[0].headers;
    // base64 of "Ov23li:client-secret-3fa1"
    assert_eq!(headers["authorization"], "Basic T3YyM2xpOmNsaWVudC1zZWNyZXQtM2ZhMQ==");
    assert_eq!(
        (&headers["accept"], &headers["x-github-api-version"]),
        (&"application/vnd.github+json".parse().unwrap(), &"2022-11-28".parse().unwrap())
    );
    assert_eq!(requests[0].body_json::<Value>().unwrap(), json!({"access_token": ACCESS_TOKEN}));
}

#[tokio::test]
async fn every_answer_of_github_is_told_apart_without_secrets() {
    for (answer, expected) in [
        (ResponseTemplate::new(404).set_body_string("{}"), "Ok(Revoked)"),
        (ResponseTemplate::new(422).set_body_string("{}"), "Ok(Revoked)"),
        (ResponseTemplate::new(401).set_body_string(CLIENT_SECRET), "Err(Unusable"),
        (ResponseTemplate::new(403).insert_header("x-ratelimit-remaining", "0"), "Err(Faulty"),
        (ResponseTemplate::new(502), "Err(Faulty"),
        (ResponseTemplate::new(307).insert_header("location", "https://evil.example"), "Err(Unusable"),
    ] {
        let github = GitHub::start().await.with("DELETE", GITHUB_PATH, answer).await;
        let outcome = revoke(&github.idp()).await;
        assert!(format!("{outcome:?}").starts_with(expected), "{expected}: {outcome:?}");
        if let Err(fault) = outcome {
            assert_no_secret(expected, &fault);
        }
    }
}

//! Atlassian as the identity provider, against a simulator.
use crate::upstream_faults::{Answer, Simulated, Simulator, assert_is};
use crate::upstream_support::{
    ACCESS_TOKEN, CLIENT_SECRET, CODE, NEW_REFRESH_TOKEN, REDIRECT_URI, REFRESH_TOKEN, STATE, SUBJECT, StandingClock,
    VERIFIER, authorization, form_of, http_client, requests_to,
};
use mxcp::adapters::http_client::HttpClient;
use mxcp::adapters::upstream::atlassian::AtlassianIdp;
use mxcp::adapters::upstream::settings::UpstreamApp;
use mxcp_actors::model::ids::UserId;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::model::token::UpstreamTokens;
use mxcp_actors::ports::upstream_idp::{RevocationResult, UpstreamIdp};
use serde_json::{Value, json};
use std::time::Duration;
use wiremock::ResponseTemplate;

const TOKEN_PATH: &str = "/oauth/token";
const ME_PATH: &str = "/me";
const SITES_PATH: &str = "/oauth/token/accessible-resources";
const SCOPE: &str = "read:me read:jira-work offline_access";

/// Atlassian.
pub(crate) struct Atlassian;

fn settings(origin: &str) -> UpstreamApp {
    UpstreamApp {
        client_id: "app-at-the-provider".to_owned(),
        client_secret: Secret::new(CLIENT_SECRET),
        auth_url: format!("{origin}/authorize"),
        token_url: format!("{origin}{TOKEN_PATH}"),
        scope: SCOPE.to_owned(),
        redirect_uri: REDIRECT_URI.to_owned(),
    }
}

fn idp_at(origin: &str, http: HttpClient) -> AtlassianIdp {
    AtlassianIdp::new(settings(origin), http, StandingClock::new()).unwrap()
}

fn tokens() -> Value {
    json!({
        "access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 3600, "refresh_token": REFRESH_TOKEN,
        "scope": "offline_access read:jira-work read:me",
    })
}

fn profile() -> Value {
    json!({
        "account_type": "atlassian", "account_id": "112233aa-bb11-cc22-33dd-445566abcabc", "email": "mia@example.com",
        "email_verified": true, "name": "Mia Krystof", "picture": "https://avatars.example.com/mia.png",
        "account_status": "active", "nickname": "mkrystof", "zoneinfo": "Australia/Sydney", "locale": "en-US",
        "extended_profile": {"job_title": "Designer", "department": "Design team"},
    })
}

fn site(host: &str, scope: &str) -> Value {
    json!({
        "id": "11223344-a1b2-3b33-c444-def123456789", "name": "Acme", "url": format!("https://{host}"),
        "scopes": [scope], "avatarUrl": "https://avatars.example.com/240/site.png",
    })
}

fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

impl Simulator for Atlassian {
    fn answers(_: &str) -> Vec<Answer> {
        vec![("POST", TOKEN_PATH, tokens()), ("GET", ME_PATH, profile())]
    }

    fn idp(origin: &str, http: HttpClient) -> Box<dyn UpstreamIdp> {
        Box::new(idp_at(origin, http))
    }
}

async fn start() -> Simulated<Atlassian> {
    Simulated::start().await
}

/// With the sites of a person, two products on one of them.
async fn with_sites() -> Simulated<Atlassian> {
    let sites = json!([
        site("acme.atlassian.net", "read:jira-work"),
        site("acme.atlassian.net", "read:confluence-content.all"),
        site("beta.atlassian.net", "read:jira-work"),
    ]);
    start().await.with("GET", SITES_PATH, ok(&sites)).await.with_defaults().await
}

#[tokio::test]
async fn the_browser_is_sent_with_the_audience_the_prompt_and_pkce() {
    let idp = idp_at("https://auth.atlassian.com", http_client());
    let url = idp.authorization_url(authorization()).await.unwrap();
    let challenge = authorization().challenge;
    assert_eq!(
        url,
        format!(
            "https://auth.atlassian.com/authorize?audience=api.atlassian.com&client_id=app-at-the-provider\
             &redirect_uri=http%3A%2F%2Flocalhost%3A8000%2Fcallback&response_type=code\
             &scope=read%3Ame+read%3Ajira-work+offline_access&state={STATE}\
             &code_challenge={}&code_challenge_method=S256&prompt=consent",
            challenge.as_str()
        )
    );
    assert_eq!((idp.name(), idp.title()), ("atlassian", "Atlassian"));
    assert_eq!(idp.requested_scopes(), ["read:me", "read:jira-work", "offline_access"]);
}

#[tokio::test]
async fn a_login_tells_who_it_is_and_keeps_the_tokens() {
    let atlassian = with_sites().await;
    let signed_in = atlassian.sign_in().await.unwrap();
    let user = signed_in.user;
    assert_eq!(user.id, UserId::of("atlassian", "112233aa-bb11-cc22-33dd-445566abcabc"));
    assert_eq!(user.subject, "112233aa-bb11-cc22-33dd-445566abcabc");
    assert_eq!((user.provider.as_str(), user.username.as_str()), ("atlassian", "mkrystof"));
    assert_eq!(user.name.as_deref(), Some("Mia Krystof"));
    assert_eq!((user.email.as_deref(), user.email_verified), (Some("mia@example.com"), true));
    assert_eq!(user.claims["picture"], "https://avatars.example.com/mia.png");
    assert_eq!((user.role, user.permissions), (None, Vec::new()));
    let upstream = signed_in.upstream.unwrap();
    assert_eq!(upstream.access_token.expose(), ACCESS_TOKEN);
    assert_eq!(upstream.refresh_token.unwrap().expose(), REFRESH_TOKEN);
    assert_eq!(upstream.expires_at, Some(StandingClock::START + Duration::from_hours(1)));
    assert_eq!(upstream.scope.to_string(), "offline_access read:jira-work read:me");
}

#[tokio::test]
async fn the_sites_of_a_person_are_groups_by_their_hosts_and_claims() {
    let atlassian = with_sites().await;
    let user = atlassian.sign_in().await.unwrap().user;
    assert_eq!(user.groups, ["acme.atlassian.net", "beta.atlassian.net"]);
    let sites = &user.claims["accessible_resources"];
    assert_eq!(sites.as_array().unwrap().len(), 3);
    let expected = json!({
        "id": "11223344-a1b2-3b33-c444-def123456789", "name": "Acme", "url": "https://acme.atlassian.net",
        "scopes": ["read:jira-work"],
    });
    assert_eq!(sites[0], expected);
}

#[tokio::test]
async fn a_person_whose_sites_are_not_to_be_had_signs_in_without_groups() {
    for answer in [
        ResponseTemplate::new(500),
        ResponseTemplate::new(403),
        ResponseTemplate::new(200),
        ok(&json!({"sites": []})),
        ok(&json!([{"id": 7}])),
        ok(&json!([])),
    ] {
        let atlassian = start().await.with("GET", SITES_PATH, answer).await.with_defaults().await;
        let user = atlassian.sign_in().await.unwrap().user;
        assert_eq!(user.groups, [""; 0]);
        assert_eq!(user.claims["accessible_resources"], json!([]));
    }
}

#[tokio::test]
async fn the_requests_are_those_that_atlassian_asks_for() {
    let atlassian = with_sites().await;
    atlassian.sign_in().await.unwrap();
    let request = requests_to(&atlassian.server, TOKEN_PATH).await.pop().unwrap();
    assert!(!request.headers.contains_key("authorization"), "the secret travels in the body");
    let form = form_of(&request);
    assert_eq!((form["grant_type"].as_str(), form["code"].as_str()), ("authorization_code", CODE));
    assert_eq!((form["client_secret"].as_str(), form["code_verifier"].as_str()), (CLIENT_SECRET, VERIFIER));
    assert_eq!((form["client_id"].as_str(), form["redirect_uri"].as_str()), ("app-at-the-provider", REDIRECT_URI));
    for path in [ME_PATH, SITES_PATH] {
        let request = requests_to(&atlassian.server, path).await.pop().unwrap();
        assert_eq!(request.headers["authorization"], format!("Bearer {ACCESS_TOKEN}"));
        assert_eq!(request.headers["accept"], "application/json");
    }
}

#[tokio::test]
async fn a_token_answer_may_leave_out_its_type() {
    let answer = json!({"access_token": ACCESS_TOKEN, "expires_in": 3600, "scope": "read:me"});
    let atlassian = start().await.with("POST", TOKEN_PATH, ok(&answer)).await.with_defaults().await;
    let upstream = atlassian.sign_in().await.unwrap().upstream.unwrap();
    assert_eq!(upstream.access_token.expose(), ACCESS_TOKEN);
}

#[tokio::test]
async fn fewer_scopes_than_were_asked_for_are_what_is_kept() {
    let answer = json!({"access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 3600, "scope": "read:me"});
    let atlassian = start().await.with("POST", TOKEN_PATH, ok(&answer)).await.with_defaults().await;
    let signed_in = atlassian.sign_in().await.unwrap();
    assert_eq!(signed_in.missing_scopes.to_string(), "read:jira-work offline_access");
    let upstream = signed_in.upstream.unwrap();
    assert_eq!(upstream.scope.to_string(), "read:me");
    assert!(upstream.refresh_token.is_none(), "nobody granted offline access");
}

#[tokio::test]
async fn refreshing_replaces_both_tokens() {
    let answer = json!({
        "access_token": "new access", "token_type": "Bearer", "expires_in": 3600, "refresh_token": NEW_REFRESH_TOKEN,
        "scope": SCOPE,
    });
    let atlassian = start().await.with("POST", TOKEN_PATH, ok(&answer)).await;
    let tokens = atlassian.idp().refresh(Secret::new(REFRESH_TOKEN), SUBJECT.to_owned()).await.unwrap();
    assert_eq!(tokens.access_token.expose(), "new access");
    assert_eq!(tokens.refresh_token.unwrap().expose(), NEW_REFRESH_TOKEN);
    assert_eq!(tokens.expires_at, Some(StandingClock::START + Duration::from_hours(1)));
    let form = form_of(&requests_to(&atlassian.server, TOKEN_PATH).await.pop().unwrap());
    assert_eq!((form["grant_type"].as_str(), form["refresh_token"].as_str()), ("refresh_token", REFRESH_TOKEN));
    assert_eq!((form["client_id"].as_str(), form["client_secret"].as_str()), ("app-at-the-provider", CLIENT_SECRET));
}

#[tokio::test]
async fn a_dead_refresh_token_is_told_from_a_wrong_client() {
    for (error, description, kind) in [
        ("invalid_grant", "Unknown or invalid refresh token.", "InvalidGrant"),
        ("unauthorized_client", "refresh_token is invalid", "InvalidGrant"),
        ("unauthorized_client", "client is not allowed to do that", "Refused"),
        ("access_denied", "Unauthorized", "Refused"),
    ] {
        let answer =
            ResponseTemplate::new(403).set_body_json(json!({"error": error, "error_description": description}));
        let atlassian = start().await.with("POST", TOKEN_PATH, answer).await;
        assert_is(kind, description, &atlassian.refresh().await.unwrap_err());
    }
}

#[tokio::test]
async fn there_is_nothing_to_revoke_with() {
    let atlassian = start().await;
    let tokens = UpstreamTokens {
        access_token: Secret::new(ACCESS_TOKEN),
        refresh_token: Some(Secret::new(REFRESH_TOKEN)),
        expires_at: None,
        scope: ScopeSet::default(),
    };
    assert_eq!(atlassian.idp().revoke(tokens).await, Ok(RevocationResult::NotOffered));
    assert!(atlassian.server.received_requests().await.unwrap().is_empty());
}

#[test]
fn the_operator_is_told_what_refreshing_needs() {
    let hint = |scope: &str| {
        let settings = UpstreamApp { scope: scope.to_owned(), ..settings("https://auth.atlassian.com") };
        AtlassianIdp::new(settings, http_client(), StandingClock::new()).unwrap().refresh_hint()
    };
    let expected = "tokens cannot be refreshed and end after an hour; add offline_access to auth.atlassian.scope";
    assert_eq!(hint("read:me read:jira-work write:jira-work").as_deref(), Some(expected));
    assert_eq!(hint("read:me offline_access"), None);
}

#[test]
fn settings_that_cannot_work_are_refused_and_secrets_are_not_printed() {
    let plain =
        UpstreamApp { token_url: "http://auth.atlassian.com/oauth/token".to_owned(), ..settings("https://a.example") };
    assert_eq!(AtlassianIdp::new(plain, http_client(), StandingClock::new()).unwrap_err().field, "token_url");
    let idp = idp_at("https://auth.atlassian.com", http_client());
    assert!(!format!("{idp:?}").contains("secret-"));
}

//! Salesforce as the identity provider, against a simulator.
use crate::upstream_faults::{Answer, Simulated, Simulator, assert_is};
use crate::upstream_support::{
    ACCESS_TOKEN, CLIENT_SECRET, CODE, NEW_REFRESH_TOKEN, REDIRECT_URI, REFRESH_TOKEN, STATE, SUBJECT, StandingClock,
    VERIFIER, authorization, form_of, http_client, requests_to,
};
use mxcp::adapters::http_client::HttpClient;
use mxcp::adapters::upstream::salesforce::SalesforceIdp;
use mxcp::adapters::upstream::settings::UpstreamApp;
use mxcp_actors::model::ids::UserId;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::model::token::UpstreamTokens;
use mxcp_actors::ports::upstream_idp::{RevocationReach, RevocationResult, UpstreamIdp};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

const TOKEN_PATH: &str = "/services/oauth2/token";
const REVOKE_PATH: &str = "/services/oauth2/revoke";
/// The organization is somewhere else than people sign in.
const USERINFO_PATH: &str = "/instance/services/oauth2/userinfo";
const SCOPE: &str = "openid profile email api refresh_token";
const ORGANIZATION: &str = "00D5g000004AbCdEAK";
const PERSON: &str = "0055g00000AbCdEAAV";

/// Salesforce.
pub(crate) struct Salesforce;

fn settings(origin: &str) -> UpstreamApp {
    UpstreamApp {
        client_id: "app-at-the-provider".to_owned(),
        client_secret: Secret::new(CLIENT_SECRET),
        auth_url: format!("{origin}/services/oauth2/authorize"),
        token_url: format!("{origin}{TOKEN_PATH}"),
        scope: SCOPE.to_owned(),
        redirect_uri: REDIRECT_URI.to_owned(),
    }
}

fn idp_at(origin: &str, http: HttpClient) -> SalesforceIdp {
    SalesforceIdp::new(settings(origin), http, StandingClock::new()).unwrap()
}

/// An answer with the names and shapes that Salesforce uses.
fn tokens(origin: &str) -> Value {
    json!({
        "access_token": ACCESS_TOKEN, "refresh_token": REFRESH_TOKEN, "token_type": "Bearer",
        "signature": "ytz1dCgn4aCp6dWkYzKbXjZ5mF6Zb2m0oB5nOq1Yk7A=", "scope": "refresh_token openid api profile email",
        "id_token": "eyJraWQiOiIyNjAiLCJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.e30.c2ln",
        "instance_url": format!("{origin}/instance"), "issued_at": "1800000000123",
        "id": format!("{origin}/id/{ORGANIZATION}/{PERSON}"),
    })
}

fn profile() -> Value {
    json!({
        "sub": format!("https://login.salesforce.com/id/{ORGANIZATION}/{PERSON}"), "user_id": PERSON,
        "organization_id": ORGANIZATION, "preferred_username": "ada@acme.example.crm", "nickname": "ada",
        "name": "Ada Falk", "email": "ada@acme.example", "email_verified": true, "given_name": "Ada",
        "family_name": "Falk", "zoneinfo": "Europe/London", "active": true, "user_type": "STANDARD",
        "language": "en_US", "locale": "en_GB", "utcOffset": 0, "updated_at": "2026-02-03T04:05:06Z",
        "photos": {"picture": "https://acme.my.salesforce.com/profilephoto/005/F"},
        "urls": {"rest": "https://acme.my.salesforce.com/services/data/v{version}/"},
        "custom_attributes": {"role": "Sales Manager", "groups": "sales;emea", "permissions": "reports.read"},
    })
}

fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

impl Simulator for Salesforce {
    fn answers(origin: &str) -> Vec<Answer> {
        vec![("POST", TOKEN_PATH, tokens(origin)), ("GET", USERINFO_PATH, profile())]
    }

    fn idp(origin: &str, http: HttpClient) -> Box<dyn UpstreamIdp> {
        Box::new(idp_at(origin, http))
    }
}

async fn start() -> Simulated<Salesforce> {
    Simulated::start().await
}

/// With another token answer.
async fn with_tokens(change: impl FnOnce(&mut Value)) -> Simulated<Salesforce> {
    start().await.with_changed(TOKEN_PATH, change).await
}

#[tokio::test]
async fn the_browser_is_sent_with_pkce_to_production_a_sandbox_or_a_domain_of_ones_own() {
    for origin in
        ["https://login.salesforce.com", "https://test.salesforce.com", "https://acme--dev.sandbox.my.salesforce.com"]
    {
        let idp = idp_at(origin, http_client());
        let url = idp.authorization_url(authorization()).await.unwrap();
        let challenge = authorization().challenge;
        assert_eq!(
            url,
            format!(
                "{origin}/services/oauth2/authorize?client_id=app-at-the-provider\
                 &redirect_uri=http%3A%2F%2Flocalhost%3A8000%2Fcallback&response_type=code\
                 &scope=openid+profile+email+api+refresh_token&state={STATE}\
                 &code_challenge={}&code_challenge_method=S256",
                challenge.as_str()
            )
        );
        assert_eq!((idp.name(), idp.title()), ("salesforce", "Salesforce"));
    }
}

#[tokio::test]
async fn a_login_tells_who_it_is_in_which_organization_and_keeps_the_tokens() {
    let salesforce = start().await.with_defaults().await;
    let signed_in = salesforce.sign_in().await.unwrap();
    let user = signed_in.user;
    assert_eq!(user.subject, format!("{ORGANIZATION}/{PERSON}"));
    assert_eq!(user.id, UserId::of("salesforce", &user.subject));
    assert_eq!(user.username, "ada@acme.example.crm");
    assert_eq!(user.name.as_deref(), Some("Ada Falk"));
    assert_eq!((user.email.as_deref(), user.email_verified), (Some("ada@acme.example"), true));
    assert_eq!(user.role.as_deref(), Some("Sales Manager"));
    assert_eq!((user.groups, user.permissions), (vec!["sales".into(), "emea".into()], vec!["reports.read".into()]));
    assert_eq!(user.claims, profile());
    assert!(signed_in.missing_scopes.is_empty());
    let upstream = signed_in.upstream.unwrap();
    assert_eq!(upstream.access_token.expose(), ACCESS_TOKEN);
    assert_eq!(upstream.refresh_token.unwrap().expose(), REFRESH_TOKEN);
    assert_eq!(upstream.expires_at, None, "how long it lasts is a matter of the organization");
    assert_eq!(upstream.scope.to_string(), "refresh_token openid api profile email");
}

#[tokio::test]
async fn the_requests_are_those_that_salesforce_asks_for() {
    let salesforce = start().await.with_defaults().await;
    salesforce.sign_in().await.unwrap();
    let form = form_of(&requests_to(&salesforce.server, TOKEN_PATH).await.pop().unwrap());
    assert_eq!((form["grant_type"].as_str(), form["code"].as_str()), ("authorization_code", CODE));
    assert_eq!((form["client_secret"].as_str(), form["code_verifier"].as_str()), (CLIENT_SECRET, VERIFIER));
    assert_eq!((form["client_id"].as_str(), form["redirect_uri"].as_str()), ("app-at-the-provider", REDIRECT_URI));
    let request = requests_to(&salesforce.server, USERINFO_PATH).await.pop().unwrap();
    assert_eq!(request.headers["authorization"], format!("Bearer {ACCESS_TOKEN}"));
    assert_eq!(request.headers["accept"], "application/json");
}

#[tokio::test]
async fn the_person_is_asked_for_beside_the_identity_url_where_no_instance_is_named() {
    let without_instance = |answer: &mut Value| answer["instance_url"] = Value::Null;
    let salesforce = with_tokens(without_instance).await;
    let salesforce = salesforce.with("GET", "/services/oauth2/userinfo", ok(&profile())).await;
    assert_eq!(salesforce.sign_in().await.unwrap().user.name.as_deref(), Some("Ada Falk"));
}

#[tokio::test]
async fn the_token_goes_nowhere_but_to_start() {
    let elsewhere = start().await.with("GET", "/services/oauth2/userinfo", ok(&profile())).await;
    let here = elsewhere.server.uri();
    for server in [here.replace("127.0.0.1", "localhost"), here, "https://evil.example".to_owned()] {
        let misled = |answer: &mut Value| answer["instance_url"] = json!(server);
        let salesforce = with_tokens(misled).await;
        let fault = salesforce.sign_in().await.unwrap_err();
        assert_is("Unusable", &server, &fault);
        assert!(fault.to_string().ends_with("names a server that is not known to be Salesforce's"), "{fault}");
    }
    assert!(elsewhere.server.received_requests().await.unwrap().is_empty());
    let lost = |answer: &mut Value| {
        answer["instance_url"] = json!(7);
        answer["id"] = json!({});
    };
    let salesforce = with_tokens(lost).await;
    let fault = salesforce.sign_in().await.unwrap_err().to_string();
    assert!(fault.ends_with("the token answer does not say where the organization is"), "{fault}");
}

#[tokio::test]
async fn a_profile_of_somebody_else_than_the_token_answer_names_is_refused() {
    let other = |answer: &mut Value| {
        answer["id"] = json!(format!("https://login.salesforce.com/id/{ORGANIZATION}/0055g00000ZZZZZ"));
    };
    let salesforce = with_tokens(other).await.with_defaults().await;
    assert_is("Unusable", "somebody else", &salesforce.sign_in().await.unwrap_err());
}

#[tokio::test]
async fn one_user_of_two_sandboxes_is_two_people() {
    let mut subjects = Vec::new();
    for organization in ["00D5g000004AbCdEAK", "00D7h000004XyZaEAK"] {
        let mut person = profile();
        person["organization_id"] = json!(organization);
        let identity = format!("https://test.salesforce.com/id/{organization}/{PERSON}");
        let salesforce = start().await.with("GET", USERINFO_PATH, ok(&person)).await;
        let salesforce = salesforce.with_changed(TOKEN_PATH, |answer| answer["id"] = json!(identity)).await;
        subjects.push(salesforce.sign_in().await.unwrap().user.id);
    }
    assert_ne!(subjects[0], subjects[1]);
}

#[tokio::test]
async fn fewer_scopes_than_were_asked_for_are_what_is_kept() {
    let narrow = |answer: &mut Value| {
        answer["scope"] = json!("openid api");
        answer["refresh_token"] = Value::Null;
    };
    let salesforce = with_tokens(narrow).await.with_defaults().await;
    let signed_in = salesforce.sign_in().await.unwrap();
    assert_eq!(signed_in.missing_scopes.to_string(), "profile email refresh_token");
    let upstream = signed_in.upstream.unwrap();
    assert_eq!(upstream.scope, ScopeSet::parse("openid api").unwrap());
    assert!(upstream.refresh_token.is_none());
}

#[tokio::test]
async fn a_refresh_token_is_kept_until_salesforce_gives_a_new_one() {
    for (given, kept) in [(None, REFRESH_TOKEN), (Some(NEW_REFRESH_TOKEN), NEW_REFRESH_TOKEN)] {
        let answer = |answer: &mut Value| {
            answer["access_token"] = json!("new access");
            answer["refresh_token"] = json!(given);
        };
        let salesforce = with_tokens(answer).await;
        let tokens = salesforce.idp().refresh(Secret::new(REFRESH_TOKEN), SUBJECT.to_owned()).await.unwrap();
        assert_eq!(tokens.access_token.expose(), "new access");
        assert_eq!(tokens.refresh_token.unwrap().expose(), kept);
        assert_eq!(tokens.expires_at, None);
        let form = form_of(&requests_to(&salesforce.server, TOKEN_PATH).await.pop().unwrap());
        assert_eq!((form["grant_type"].as_str(), form["refresh_token"].as_str()), ("refresh_token", REFRESH_TOKEN));
        assert_eq!(form["client_secret"], CLIENT_SECRET);
    }
}

#[tokio::test]
async fn a_grant_of_somebody_who_has_left_is_dead() {
    for (error, description) in [
        ("invalid_grant", "expired access/refresh token"),
        ("inactive_user", "user is inactive"),
        ("inactive_org", "organization is inactive"),
    ] {
        let answer =
            ResponseTemplate::new(400).set_body_json(json!({"error": error, "error_description": description}));
        let salesforce = start().await.with("POST", TOKEN_PATH, answer).await;
        assert_is("InvalidGrant", error, &salesforce.refresh().await.unwrap_err());
    }
}

#[tokio::test]
async fn scopes_that_come_with_others_are_not_missed() {
    for granted in ["refresh_token full openid", "offline_access openid api id"] {
        let salesforce = with_tokens(|answer| answer["scope"] = json!(granted)).await;
        let signed_in = salesforce.with_defaults().await.sign_in().await.unwrap();
        assert_eq!(signed_in.missing_scopes.to_string(), "", "{granted}");
    }
}

fn held() -> UpstreamTokens {
    UpstreamTokens {
        access_token: Secret::new(ACCESS_TOKEN),
        refresh_token: Some(Secret::new(REFRESH_TOKEN)),
        expires_at: None,
        scope: ScopeSet::default(),
    }
}

#[tokio::test]
async fn both_tokens_are_revoked_beside_the_token_endpoint() {
    let salesforce = start().await.with("POST", REVOKE_PATH, ResponseTemplate::new(200)).await;
    let idp = salesforce.idp();
    assert_eq!(idp.revocation_reach(), RevocationReach::Grant);
    assert_eq!(idp.revoke(held()).await, Ok(RevocationResult::Revoked));
    let requests = requests_to(&salesforce.server, REVOKE_PATH).await;
    let sent: Vec<_> = requests.iter().map(form_of).collect();
    assert_eq!(sent.iter().map(|form| form["token"].as_str()).collect::<Vec<_>>(), [REFRESH_TOKEN, ACCESS_TOKEN]);
    assert!(sent.iter().all(|form| form["client_secret"] == CLIENT_SECRET));
}

#[tokio::test]
async fn a_token_that_had_ended_is_as_good_as_revoked_and_faults_show_no_secret() {
    let echo = format!("{REFRESH_TOKEN} {CLIENT_SECRET}");
    let refusal = |error: &str| json!({"error": error, "error_description": echo});
    let ended = ResponseTemplate::new(400).set_body_json(refusal("invalid_token"));
    let salesforce = start().await.with("POST", REVOKE_PATH, ended).await;
    assert_eq!(salesforce.idp().revoke(held()).await, Ok(RevocationResult::Revoked));
    for (status, kind) in [(500, "Faulty"), (400, "Refused")] {
        let answer = ResponseTemplate::new(status).set_body_json(refusal("invalid_client"));
        let salesforce = start().await.with("POST", REVOKE_PATH, answer).await;
        assert_is(kind, "revocation", &salesforce.idp().revoke(held()).await.unwrap_err());
    }
}

#[test]
fn the_operator_is_told_what_refreshing_needs() {
    let hint = |scope: &str| {
        let settings = UpstreamApp { scope: scope.to_owned(), ..settings("https://login.salesforce.com") };
        SalesforceIdp::new(settings, http_client(), StandingClock::new()).unwrap().refresh_hint()
    };
    let expected = "tokens cannot be refreshed and end with the organization's sessions; add refresh_token to auth.salesforce.scope";
    assert_eq!(hint("openid profile email api").as_deref(), Some(expected));
    assert_eq!(hint("openid refresh_token"), None);
    assert_eq!(hint("openid offline_access"), None);
}

#[test]
fn settings_that_cannot_work_are_refused_and_secrets_are_not_printed() {
    for token_url in ["http://login.salesforce.com/services/oauth2/token", "https://login.salesforce.com/"] {
        let wrong = UpstreamApp { token_url: token_url.to_owned(), ..settings("https://login.salesforce.com") };
        assert_eq!(SalesforceIdp::new(wrong, http_client(), StandingClock::new()).unwrap_err().field, "token_url");
    }
    let idp = idp_at("https://login.salesforce.com", http_client());
    assert!(!format!("{idp:?}").contains("secret-"));
}

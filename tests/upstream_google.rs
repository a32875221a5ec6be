//! Google as the identity provider, against a simulator with answers of Google's shape.

use crate::upstream_faults::{Answer, Simulated, Simulator};
use crate::upstream_keys::{RSA, signed};
use crate::upstream_support::{
    ACCESS_TOKEN, CLIENT_SECRET, NONCE, REDIRECT_URI, REFRESH_TOKEN, STATE, StandingClock, authorization, form_of,
    http_client, query_of, requests_to,
};
use mxcp::adapters::http_client::HttpClient;
use mxcp::adapters::upstream::google::google;
use mxcp::adapters::upstream::settings::UpstreamApp;
use mxcp_actors::model::ids::UserId;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::model::token::UpstreamTokens;
use mxcp_actors::ports::upstream_idp::{RevocationReach, RevocationResult, UpstreamError, UpstreamIdp};
use serde_json::{Value, json};
use std::time::Duration;
use wiremock::ResponseTemplate;

const CLIENT_ID: &str = "1234-abcd.apps.googleusercontent.com";
const SUBJECT: &str = "110169484474386276334";
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";
const TOKEN_PATH: &str = "/token";
const USERINFO_PATH: &str = "/v1/userinfo";
const REVOCATION_PATH: &str = "/revoke";
const LONG_SCOPE: &str =
    "openid https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/userinfo.profile";

/// Google.
pub(crate) struct Google;

fn app(origin: &str) -> UpstreamApp {
    UpstreamApp {
        client_id: CLIENT_ID.to_owned(),
        client_secret: Secret::new(CLIENT_SECRET),
        auth_url: format!("{origin}/o/oauth2/v2/auth"),
        token_url: format!("{origin}{TOKEN_PATH}"),
        scope: "openid email profile".to_owned(),
        redirect_uri: REDIRECT_URI.to_owned(),
    }
}

fn discovery(origin: &str) -> Value {
    json!({
        "issuer": origin,
        "authorization_endpoint": format!("{origin}/o/oauth2/v2/auth"),
        "device_authorization_endpoint": format!("{origin}/device/code"),
        "token_endpoint": format!("{origin}{TOKEN_PATH}"),
        "userinfo_endpoint": format!("{origin}{USERINFO_PATH}"),
        "revocation_endpoint": format!("{origin}{REVOCATION_PATH}"),
        "jwks_uri": format!("{origin}/oauth2/v3/certs"),
        "response_types_supported": ["code", "token", "id_token", "code token", "none"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "email", "profile"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "code_challenge_methods_supported": ["plain", "S256"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
    })
}

fn claims(issuer: &str) -> Value {
    let now = StandingClock::START.as_secs();
    json!({
        "iss": issuer, "azp": CLIENT_ID, "aud": CLIENT_ID, "sub": SUBJECT, "hd": "example.com",
        "email": "ada@example.com", "email_verified": true, "nonce": NONCE, "name": "Ada Falk",
        "picture": "https://lh3.googleusercontent.com/a/x=s96-c", "given_name": "Ada", "family_name": "Falk",
        "iat": now, "exp": now + 3599,
    })
}

fn id_token(claims: &Value) -> String {
    signed(&RSA, &json!({"alg": "RS256", "kid": "k1", "typ": "JWT"}), claims)
}

impl Simulator for Google {
    const SUBJECT: &str = SUBJECT;

    fn answers(origin: &str) -> Vec<Answer> {
        let tokens = json!({
            "access_token": ACCESS_TOKEN, "expires_in": 3599, "refresh_token": REFRESH_TOKEN, "scope": LONG_SCOPE,
            "token_type": "Bearer", "id_token": id_token(&claims(origin)),
        });
        let profile = json!({
            "sub": SUBJECT, "name": "Ada Falk", "given_name": "Ada", "family_name": "Falk", "hd": "example.com",
            "email": "ada@example.com", "email_verified": true,
        });
        vec![
            ("GET", DISCOVERY_PATH, discovery(origin)),
            ("POST", TOKEN_PATH, tokens),
            ("GET", "/oauth2/v3/certs", json!({"keys": [RSA.jwk("k1")]})),
            ("GET", USERINFO_PATH, profile),
        ]
    }

    fn idp(origin: &str, http: HttpClient) -> Box<dyn UpstreamIdp> {
        Box::new(google(app(origin), http, StandingClock::new()).unwrap())
    }
}

async fn simulator() -> Simulated<Google> {
    Simulated::start().await
}

#[tokio::test]
async fn the_browser_is_sent_where_the_configuration_says_and_offline_access_is_asked_for() {
    let google =
        simulator().await.with_changed(DISCOVERY_PATH, |d| d["token_endpoint"] = json!("https://other.example/t"));
    let google = google.await.with_defaults().await;
    let url = google.idp().authorization_url(authorization()).await.unwrap();
    assert!(url.starts_with(&format!("{}/o/oauth2/v2/auth?", google.server.uri())), "{url}");
    let query = query_of(&url);
    assert_eq!((query["access_type"].as_str(), query["prompt"].as_str()), ("offline", "consent"));
    assert_eq!(query["scope"], "openid email profile");
    assert_eq!((query["state"].as_str(), query["nonce"].as_str()), (STATE, NONCE));
    assert_eq!(query["code_challenge_method"], "S256");
    assert!(!query.contains_key("hd") && !query.contains_key("resource"), "{url}");
    google.sign_in().await.unwrap();
    assert_eq!(requests_to(&google.server, TOKEN_PATH).await.len(), 1, "token_url counts");
}

#[tokio::test]
async fn a_member_of_an_organization_is_in_the_group_of_its_domain() {
    let google = simulator().await.with_defaults().await;
    let signed_in = google.sign_in().await.unwrap();
    let user = signed_in.user;
    assert_eq!(user.id, UserId::of("google", SUBJECT));
    assert_eq!((user.username.as_str(), user.name.as_deref()), ("ada", Some("Ada Falk")));
    assert_eq!((user.email.as_deref(), user.email_verified), (Some("ada@example.com"), true));
    assert_eq!(user.groups, ["example.com"]);
    assert_eq!((user.role, user.permissions), (None, Vec::new()));
    assert_eq!(user.claims["hd"], "example.com");
    let tokens = signed_in.upstream.unwrap();
    assert_eq!(tokens.refresh_token.unwrap().expose(), REFRESH_TOKEN);
    assert_eq!(tokens.expires_at, Some(StandingClock::START + Duration::from_secs(3599)));
}

#[tokio::test]
async fn a_personal_account_is_in_no_group_whatever_its_address() {
    let google = simulator().await;
    let mut personal = claims(&google.server.uri());
    personal.as_object_mut().unwrap().remove("hd");
    let google = google
        .with_changed(TOKEN_PATH, |tokens| tokens["id_token"] = json!(id_token(&personal)))
        .await
        .with_changed(USERINFO_PATH, |profile| drop(profile.as_object_mut().unwrap().remove("hd")))
        .await
        .with_defaults()
        .await;
    let user = google.sign_in().await.unwrap().user;
    assert_eq!((user.groups, user.email.as_deref()), (Vec::new(), Some("ada@example.com")));
}

#[tokio::test]
async fn google_may_leave_the_scheme_out_of_its_name_and_nobody_else_may() {
    let issued_by = async |name: fn(&str) -> String| {
        let google = simulator().await;
        let token = id_token(&claims(&name(&google.server.uri())));
        let google = google.with_changed(TOKEN_PATH, |tokens| tokens["id_token"] = json!(token)).await;
        google.with_defaults().await.sign_in().await.map(drop)
    };
    assert_eq!(issued_by(|origin| origin.replace("http://", "")).await, Ok(()));
    let detail = "the id_token was issued by somebody else".to_owned();
    let refused = Err(UpstreamError::Unusable { provider: "google".to_owned(), detail });
    assert_eq!(issued_by(|_| "accounts.evil.example".to_owned()).await, refused);
    assert_eq!(issued_by(|origin| format!("{origin}/")).await, refused);
    assert_eq!(issued_by(|_| String::new()).await, refused);
}

#[tokio::test]
async fn long_names_of_scopes_are_the_scopes_and_unticked_ones_are_missing() {
    let missing = async |granted: &str| {
        let google = simulator().await.with_changed(TOKEN_PATH, |tokens| tokens["scope"] = json!(granted)).await;
        google.with_defaults().await.sign_in().await.unwrap().missing_scopes.to_string()
    };
    assert_eq!(missing(LONG_SCOPE).await, "");
    assert_eq!(missing("openid email profile").await, "");
    assert_eq!(missing("openid https://www.googleapis.com/auth/userinfo.profile").await, "email");
}

#[tokio::test]
async fn a_refresh_without_a_new_refresh_token_keeps_the_old_one() {
    let google = simulator().await;
    let changed = |tokens: &mut Value| {
        tokens["access_token"] = json!("new access");
        tokens.as_object_mut().unwrap().remove("refresh_token");
    };
    let google = google.with_changed(TOKEN_PATH, changed).await.with_defaults().await;
    let tokens = google.refresh().await.unwrap();
    assert_eq!(tokens.access_token.expose(), "new access");
    assert_eq!(tokens.refresh_token.unwrap().expose(), REFRESH_TOKEN);
    assert_eq!(form_of(&requests_to(&google.server, TOKEN_PATH).await[0])["refresh_token"], REFRESH_TOKEN);
}

#[tokio::test]
async fn revoking_ends_the_whole_grant_and_a_token_that_went_with_it_is_as_good_as_revoked() {
    let gone = json!({"error": "invalid_token", "error_description": "Token expired or revoked"});
    for answer in [ResponseTemplate::new(200), ResponseTemplate::new(400).set_body_json(gone)] {
        let google = simulator().await.with("POST", REVOCATION_PATH, answer).await.with_defaults().await;
        let idp = google.idp();
        assert_eq!(idp.revocation_reach(), RevocationReach::Grant);
        let tokens = UpstreamTokens {
            access_token: Secret::new(ACCESS_TOKEN),
            refresh_token: Some(Secret::new(REFRESH_TOKEN)),
            expires_at: None,
            scope: ScopeSet::default(),
        };
        assert_eq!(idp.revoke(tokens).await, Ok(RevocationResult::Revoked));
        assert_eq!(form_of(&requests_to(&google.server, REVOCATION_PATH).await[0])["token"], REFRESH_TOKEN);
    }
}

#[tokio::test]
async fn there_is_nothing_to_add_for_refreshing() {
    let offline = |d: &mut Value| d["scopes_supported"] = json!(["openid", "offline_access"]);
    let google = simulator().await.with_changed(DISCOVERY_PATH, offline).await.with_defaults().await;
    let idp = google.idp();
    google.sign_in_with(&*idp).await.unwrap();
    assert_eq!((idp.refresh_hint(), idp.title()), (None, "Google"));
}

#[test]
fn settings_that_cannot_work_are_named() {
    let field = |change: fn(&mut UpstreamApp)| {
        let mut app = app("https://accounts.google.com");
        change(&mut app);
        google(app, http_client(), StandingClock::new()).err().map(|error| error.field)
    };
    assert_eq!(field(|_| ()), None);
    assert_eq!(field(|app| app.client_id.clear()), Some("client_id"));
    assert_eq!(field(|app| app.client_secret = Secret::default()), Some("client_secret"));
    assert_eq!(field(|app| app.scope = "email".to_owned()), Some("scope"));
    assert_eq!(field(|app| app.auth_url = "http://accounts.google.com".to_owned()), Some("auth_url"));
    assert_eq!(field(|app| app.token_url = "oauth2.googleapis.com".to_owned()), Some("token_url"));
}

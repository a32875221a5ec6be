//! Keycloak as the identity provider, against a simulator with answers of Keycloak's shape.

use crate::upstream_faults::{Answer, Simulated, Simulator};
use crate::upstream_keys::{OTHER_RSA, P256, RSA, signed, unsigned};
use crate::upstream_support::{
    ACCESS_TOKEN, CLIENT_SECRET, NEW_REFRESH_TOKEN, NONCE, REDIRECT_URI, REFRESH_TOKEN, StandingClock, authorization,
    http_client, query_of,
};
use mxcp::adapters::http_client::HttpClient;
use mxcp::adapters::upstream::keycloak::{KeycloakSettings, keycloak};
use mxcp_actors::model::ids::UserId;
use mxcp_actors::model::principal::User;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::ports::upstream_idp::{RevocationReach, UpstreamError, UpstreamIdp};
use serde_json::{Value, json};
use std::time::Duration;

const CLIENT_ID: &str = "mxcp-server";
const SUBJECT: &str = "f1888f4d-5172-4359-be0c-af338505d86c";
const DISCOVERY_PATH: &str = "/auth/realms/myrealm/.well-known/openid-configuration";
const TOKEN_PATH: &str = "/auth/realms/myrealm/protocol/openid-connect/token";
const CERTS_PATH: &str = "/auth/realms/myrealm/protocol/openid-connect/certs";
const USERINFO_PATH: &str = "/auth/realms/myrealm/protocol/openid-connect/userinfo";

/// A Keycloak of the kind whose paths begin with `/auth`.
pub(crate) struct Keycloak;

fn settings(server_url: &str) -> KeycloakSettings {
    KeycloakSettings {
        server_url: server_url.to_owned(),
        realm: "myrealm".to_owned(),
        client_id: CLIENT_ID.to_owned(),
        client_secret: Secret::new(CLIENT_SECRET),
        scope: "openid profile email".to_owned(),
        redirect_uri: REDIRECT_URI.to_owned(),
    }
}

fn issuer(origin: &str) -> String {
    format!("{origin}/auth/realms/myrealm")
}

fn discovery(origin: &str) -> Value {
    let issuer = issuer(origin);
    let endpoint = |name: &str| format!("{issuer}/protocol/openid-connect/{name}");
    json!({
        "issuer": issuer,
        "authorization_endpoint": endpoint("auth"),
        "token_endpoint": endpoint("token"),
        "introspection_endpoint": endpoint("token/introspect"),
        "userinfo_endpoint": endpoint("userinfo"),
        "end_session_endpoint": endpoint("logout"),
        "jwks_uri": endpoint("certs"),
        "revocation_endpoint": endpoint("revoke"),
        "frontchannel_logout_supported": true,
        "grant_types_supported": ["authorization_code", "client_credentials", "implicit", "password", "refresh_token"],
        "id_token_signing_alg_values_supported": ["PS384", "RS384", "EdDSA", "ES384", "HS256", "HS512", "ES256", "RS256"],
        "token_endpoint_auth_methods_supported":
            ["private_key_jwt", "client_secret_basic", "client_secret_post", "tls_client_auth", "client_secret_jwt"],
        "scopes_supported": ["openid", "offline_access", "roles", "profile", "basic", "acr", "email", "web-origins"],
        "code_challenge_methods_supported": ["plain", "S256"],
        "authorization_response_iss_parameter_supported": true,
        "mtls_endpoint_aliases": {"token_endpoint": endpoint("token")},
    })
}

fn id_claims(origin: &str) -> Value {
    let now = StandingClock::START.as_secs();
    json!({
        "exp": now + 300, "iat": now, "auth_time": now, "jti": "onrtac:7ac8", "iss": issuer(origin), "aud": CLIENT_ID,
        "sub": SUBJECT, "typ": "ID", "azp": CLIENT_ID, "nonce": NONCE, "sid": "3b1c", "acr": "1",
        "email_verified": true, "name": "Ada Falk", "preferred_username": "ada", "email": "ada@example.com",
    })
}

fn access_claims(origin: &str) -> Value {
    let now = StandingClock::START.as_secs();
    json!({
        "exp": now + 300, "iat": now, "jti": "onrtac:8fe9", "iss": issuer(origin), "aud": "account", "sub": SUBJECT,
        "typ": "Bearer", "azp": CLIENT_ID, "sid": "3b1c", "acr": "1", "allowed-origins": ["http://localhost:8000"],
        "realm_access": {"roles": ["analyst", "default-roles-myrealm", "offline_access", "uma_authorization"]},
        "resource_access": {
            CLIENT_ID: {"roles": ["editor"]},
            "account": {"roles": ["manage-account", "manage-account-links", "view-profile"]},
        },
        "scope": "openid email profile", "groups": ["/staff/readers"], "preferred_username": "ada",
    })
}

fn jwt(claims: &Value) -> String {
    signed(&RSA, &json!({"alg": "RS256", "typ": "JWT", "kid": "k1"}), claims)
}

impl Simulator for Keycloak {
    const SUBJECT: &str = SUBJECT;

    fn answers(origin: &str) -> Vec<Answer> {
        let tokens = json!({
            "access_token": jwt(&access_claims(origin)), "expires_in": 300, "refresh_expires_in": 1800,
            "refresh_token": REFRESH_TOKEN, "token_type": "Bearer", "id_token": jwt(&id_claims(origin)),
            "not-before-policy": 0, "session_state": "3b1c", "scope": "openid email profile",
        });
        let mut encryption = OTHER_RSA.jwk("k0");
        encryption["use"] = json!("enc");
        encryption["alg"] = json!("RSA-OAEP");
        let mut key = RSA.jwk("k1");
        key["alg"] = json!("RS256");
        let profile = json!({
            "sub": SUBJECT, "email_verified": true, "name": "Ada Falk", "preferred_username": "ada",
            "email": "ada@example.com",
        });
        vec![
            ("GET", DISCOVERY_PATH, discovery(origin)),
            ("POST", TOKEN_PATH, tokens),
            ("GET", CERTS_PATH, json!({"keys": [encryption, key]})),
            ("GET", USERINFO_PATH, profile),
        ]
    }

    fn issuer(origin: &str) -> Option<String> {
        Some(issuer(origin))
    }

    fn idp(origin: &str, http: HttpClient) -> Box<dyn UpstreamIdp> {
        Box::new(keycloak(settings(&format!("{origin}/auth/")), http, StandingClock::new()).unwrap())
    }
}

async fn sign_in(realm: &Simulated<Keycloak>) -> Result<User, UpstreamError> {
    realm.sign_in().await.map(|signed_in| signed_in.user)
}

/// Ada, with an access token that is made otherwise.
async fn ada_with(access_token: impl FnOnce(&str) -> String) -> User {
    let realm = Simulated::<Keycloak>::start().await;
    let token = access_token(&realm.server.uri());
    let realm = realm.with_changed(TOKEN_PATH, |tokens| tokens["access_token"] = json!(token)).await;
    sign_in(&realm.with_defaults().await).await.unwrap()
}

#[tokio::test]
async fn the_browser_is_sent_to_the_realm() {
    let realm = Simulated::<Keycloak>::start().await.with_defaults().await;
    let url = realm.idp().authorization_url(authorization()).await.unwrap();
    let page = format!("{}/protocol/openid-connect/auth?", issuer(&realm.server.uri()));
    assert!(url.starts_with(&page), "{url}");
    let query = query_of(&url);
    assert_eq!((query["scope"].as_str(), query["nonce"].as_str()), ("openid profile email", NONCE));
    assert_eq!(query["code_challenge_method"], "S256");
    assert!(!query.contains_key("resource") && !query.contains_key("prompt"), "{url}");
}

#[tokio::test]
async fn rights_come_from_the_access_token() {
    let realm = Simulated::<Keycloak>::start().await.with_defaults().await;
    let user = sign_in(&realm).await.unwrap();
    assert_eq!(user.id, UserId::of("keycloak", SUBJECT));
    assert_eq!((user.username.as_str(), user.email.as_deref()), ("ada", Some("ada@example.com")));
    assert_eq!(user.role, None, "there is a role of the realm and one of the client");
    assert_eq!(user.permissions, ["analyst", "default-roles-myrealm", "offline_access", "uma_authorization", "editor"]);
    assert_eq!(user.groups, ["staff/readers"]);
    assert_eq!(user.claims["resource_access"]["account"]["roles"][2], "view-profile");
    assert_eq!(user.claims["aud"], CLIENT_ID, "who the access token is for says nothing about the person");
}

#[tokio::test]
async fn rights_that_were_mapped_elsewhere_are_joined_with_those_of_the_access_token() {
    let realm = Simulated::<Keycloak>::start().await;
    let mut access = access_claims(&realm.server.uri());
    access["realm_access"] = json!({"roles": ["analyst"]});
    access["role"] = json!("of the access token");
    let (id, access) = (id_claims(&realm.server.uri()), jwt(&access));
    let mapped = |profile: &mut Value| {
        profile["realm_access"] = json!({"roles": ["admin", "analyst"]});
        profile["groups"] = json!(["/board"]);
        profile["role"] = json!("of the profile");
    };
    let realm = realm
        .with_changed(TOKEN_PATH, |tokens| {
            (tokens["id_token"], tokens["access_token"]) = (json!(jwt(&id)), json!(access));
        })
        .await
        .with_changed(USERINFO_PATH, mapped)
        .await
        .with_defaults()
        .await;
    let user = sign_in(&realm).await.unwrap();
    assert_eq!(user.permissions, ["admin", "analyst", "editor"]);
    assert_eq!(user.groups, ["board", "staff/readers"]);
    assert_eq!(user.role.as_deref(), Some("of the profile"));
    assert_eq!(user.claims["realm_access"], json!({"roles": ["admin", "analyst"]}));
}

#[tokio::test]
async fn an_access_token_that_cannot_be_checked_gives_no_rights_and_does_not_fail_the_login() {
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": "k1"});
    let changed = |origin: &str, name: &str, value: Value| {
        let mut claims = access_claims(origin);
        claims[name] = value;
        jwt(&claims)
    };
    let now = StandingClock::START.as_secs();
    let cases = [
        ("opaque", ada_with(|_| ACCESS_TOKEN.to_owned()).await),
        ("signed by somebody else", ada_with(|origin| signed(&OTHER_RSA, &header, &access_claims(origin))).await),
        (
            "not signed",
            ada_with(|origin| format!("{}.", unsigned(&json!({"alg": "none"}), &access_claims(origin)))).await,
        ),
        ("of another issuer", ada_with(|origin| changed(origin, "iss", json!("https://evil.example"))).await),
        ("of another person", ada_with(|origin| changed(origin, "sub", json!("somebody"))).await),
        ("of another client", ada_with(|origin| changed(origin, "azp", json!("other"))).await),
        ("over", ada_with(|origin| changed(origin, "exp", json!(now - 60))).await),
        (
            "of another kind",
            ada_with(|origin| {
                signed(&RSA, &json!({"alg": "RS256", "typ": "logout+jwt", "kid": "k1"}), &access_claims(origin))
            })
            .await,
        ),
    ];
    for (case, user) in cases {
        assert_eq!((user.role, user.permissions, user.groups), (None, Vec::new(), Vec::new()), "{case}");
        assert!(user.claims.get("realm_access").is_none(), "{case}");
        assert_eq!(user.email.as_deref(), Some("ada@example.com"), "{case}");
    }
}

#[tokio::test]
async fn an_access_token_may_call_itself_one_and_leave_the_subject_out() {
    let typed = json!({"alg": "RS256", "typ": "at+jwt", "kid": "k1"});
    let user = ada_with(|origin| signed(&RSA, &typed, &access_claims(origin))).await;
    assert!(user.permissions.contains(&"editor".to_owned()));
    let user = ada_with(|origin| {
        let mut claims = access_claims(origin);
        claims.as_object_mut().unwrap().remove("sub");
        jwt(&claims)
    })
    .await;
    assert!(user.permissions.contains(&"editor".to_owned()));
}

#[tokio::test]
async fn a_new_key_of_access_tokens_is_fetched_when_it_is_first_seen() {
    let realm = Simulated::<Keycloak>::start().await.with_defaults().await;
    let idp = realm.idp();
    let origin = realm.server.uri();
    realm.sign_in_with(&*idp).await.unwrap();
    realm.server.reset().await;
    let rotated = signed(&P256, &json!({"alg": "ES256", "typ": "JWT", "kid": "k2"}), &access_claims(&origin));
    let realm = realm
        .with_changed(CERTS_PATH, |keys| keys["keys"].as_array_mut().unwrap().push(P256.jwk("k2")))
        .await
        .with_changed(TOKEN_PATH, |tokens| tokens["access_token"] = json!(rotated))
        .await
        .with_defaults()
        .await;
    let user = realm.sign_in_with(&*idp).await.unwrap().user;
    assert!(user.permissions.contains(&"editor".to_owned()));
}

#[tokio::test]
async fn both_tokens_are_replaced_by_a_refresh() {
    let realm = Simulated::<Keycloak>::start().await;
    let rotated = |tokens: &mut Value| {
        tokens["access_token"] = json!("new access");
        tokens["refresh_token"] = json!(NEW_REFRESH_TOKEN);
    };
    let realm = realm.with_changed(TOKEN_PATH, rotated).await.with_defaults().await;
    let tokens = realm.refresh().await.unwrap();
    assert_eq!(tokens.access_token.expose(), "new access");
    assert_eq!(tokens.refresh_token.unwrap().expose(), NEW_REFRESH_TOKEN);
    assert_eq!(tokens.expires_at, Some(StandingClock::START + Duration::from_mins(5)));
    assert_eq!(realm.idp().revocation_reach(), RevocationReach::Grant);
}

#[tokio::test]
async fn an_issuer_by_another_name_says_what_to_set() {
    let realm = Simulated::<Keycloak>::start().await;
    let front = "https://id.example.com/auth/realms/myrealm";
    let realm = realm.with_changed(DISCOVERY_PATH, |d| d["issuer"] = json!(front)).await.with_defaults().await;
    let detail =
        format!("its discovery document: its issuer is {front}; set server_url to https://id.example.com/auth");
    assert_eq!(sign_in(&realm).await, Err(UpstreamError::Unusable { provider: "keycloak".to_owned(), detail }));
}

#[tokio::test]
async fn there_is_nothing_to_add_for_refreshing() {
    let realm = Simulated::<Keycloak>::start().await.with_defaults().await;
    let idp = realm.idp();
    idp.authorization_url(authorization()).await.unwrap();
    assert_eq!((idp.refresh_hint(), idp.title()), (None, "Keycloak"));
}

#[test]
fn settings_that_cannot_work_are_named() {
    let field = |change: fn(&mut KeycloakSettings)| {
        let mut settings = settings("https://id.example.com");
        change(&mut settings);
        keycloak(settings, http_client(), StandingClock::new()).err().map(|error| error.field)
    };
    assert_eq!(field(|_| ()), None);
    assert_eq!(field(|settings| settings.server_url = "http://id.example.com".to_owned()), Some("server_url"));
    assert_eq!(field(|settings| settings.realm.clear()), Some("realm"));
    assert_eq!(field(|settings| settings.client_id.clear()), Some("client_id"));
    assert_eq!(field(|settings| settings.client_secret = Secret::default()), Some("client_secret"));
    assert_eq!(field(|settings| settings.scope = "profile".to_owned()), Some("scope"));
}

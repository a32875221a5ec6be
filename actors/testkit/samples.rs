//! Ordinary values, for tests that need one and do not care which.

use crate::model::client::{AuthMethod, Client, ClientOrigin, GrantType};
use crate::model::grant::{AuthorizationCode, AuthorizationRequest, Consent, LoginPurpose, LoginStage, PendingLogin};
use crate::model::ids::{ClientId, SessionId, UserId};
use crate::model::pkce::CodeChallenge;
use crate::model::principal::{Principal, User};
use crate::model::redirect_uri::RedirectUri;
use crate::model::resource::Resource;
use crate::model::scope::ScopeSet;
use crate::model::scope_hierarchy::Reach;
use crate::model::secret::{Secret, TokenHash};
use crate::model::session::{Session, SessionKind};
use crate::model::timestamp::Timestamp;
use crate::model::token::{AccessTokenRecord, RefreshTokenRecord, UpstreamTokens};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// A PKCE verifier of the right shape.
pub const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more";
/// Where the sample client gets its answers.
pub const REDIRECT_URI: &str = "https://app.example.com/callback";
/// The audience of everything.
pub const RESOURCE: &str = "https://mxcp.example.com/mcp";

/// Scopes from a space-separated list.
#[must_use]
pub fn scopes(text: &str) -> ScopeSet {
    ScopeSet::parse(text).unwrap()
}

/// A person of the provider `fake`.
#[must_use]
pub fn user(username: &str) -> User {
    User {
        id: UserId::of("fake", username),
        provider: "fake".to_owned(),
        subject: username.to_owned(),
        username: username.to_owned(),
        email: Some(format!("{username}@example.com")),
        email_verified: true,
        name: None,
        role: None,
        permissions: Vec::new(),
        groups: Vec::new(),
        capabilities: Vec::new(),
        claims: json!({}),
    }
}

/// A person who calls through a client, in a session.
#[must_use]
pub fn principal(username: &str, session: &SessionId) -> Principal {
    Principal {
        user: Some(Arc::new(user(username))),
        client_id: Some(ClientId::new("app")),
        session_id: Some(session.clone()),
        scopes: scopes("mxcp:access"),
        reach: Reach::Everything,
    }
}

/// A public client that registered itself.
#[must_use]
pub fn client(id: &str) -> Client {
    Client {
        id: ClientId::new(id),
        name: format!("Application {id}"),
        secret_hash: None,
        keys: None,
        auth_method: AuthMethod::None,
        redirect_uris: vec![RedirectUri::parse(REDIRECT_URI).unwrap()],
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        scope: scopes("mxcp:access read write"),
        issued_at: Timestamp::from_secs(0),
        origin: ClientOrigin::Registered,
    }
}

/// A request of that client for `mxcp:access`.
#[must_use]
pub fn request(client: &str) -> AuthorizationRequest {
    AuthorizationRequest {
        client_id: ClientId::new(client),
        redirect_uri: RedirectUri::parse(REDIRECT_URI).unwrap(),
        state: Some("client state".to_owned()),
        challenge: CodeChallenge::of(&Secret::new(VERIFIER)),
        scopes: scopes("mxcp:access"),
        resource: Resource::parse(RESOURCE).unwrap(),
    }
}

/// A login under way, on the consent page of browser `browser`.
#[must_use]
pub fn pending_login(handle: &str, expires_at: Timestamp) -> PendingLogin {
    PendingLogin {
        handle_hash: TokenHash::of(handle),
        browser_hash: TokenHash::of("browser"),
        purpose: LoginPurpose::Client(Box::new(request("app"))),
        stage: LoginStage::AwaitingConsent,
        expected_user: None,
        trace_id: Some("trace".to_owned()),
        expires_at,
    }
}

/// A code that opens `session`.
#[must_use]
pub fn code(text: &str, session: &str, expires_at: Timestamp) -> AuthorizationCode {
    AuthorizationCode {
        hash: TokenHash::of(text),
        session_id: SessionId::new(session),
        request: request("app"),
        trace_id: Some("trace".to_owned()),
        expires_at,
    }
}

/// What `username` approved in browser `browser` for client `app`.
#[must_use]
pub fn consent(username: &str, expires_at: Timestamp) -> Consent {
    Consent {
        browser_hash: TokenHash::of("browser"),
        client_id: ClientId::new("app"),
        user_id: UserId::of("fake", username),
        redirect_destination: "app.example.com".to_owned(),
        scopes: scopes("mxcp:access"),
        expires_at,
    }
}

/// A session of client `app`, opened at `now` for an hour without use and a day at most.
#[must_use]
pub fn session(id: &str, username: &str, now: Timestamp) -> Session {
    Session {
        id: SessionId::new(id),
        kind: SessionKind::Client { client_id: ClientId::new("app") },
        user: user(username),
        scopes: scopes("mxcp:access read"),
        resource: Resource::parse(RESOURCE).unwrap(),
        upstream: None,
        created_at: now,
        idle_expires_at: now + Duration::from_secs(3_600),
        expires_at: now + Duration::from_secs(86_400),
    }
}

/// The same for a browser with cookie `cookie`.
#[must_use]
pub fn browser_session(id: &str, username: &str, cookie: &str, now: Timestamp) -> Session {
    Session { kind: SessionKind::Browser { cookie_hash: TokenHash::of(cookie) }, ..session(id, username, now) }
}

/// An access token of `session`.
#[must_use]
pub fn access_token(text: &str, session: &str, expires_at: Timestamp) -> AccessTokenRecord {
    AccessTokenRecord {
        hash: TokenHash::of(text),
        session_id: SessionId::new(session),
        scopes: scopes("mxcp:access read"),
        expires_at,
    }
}

/// A refresh token of `session` that was not used yet.
#[must_use]
pub fn refresh_token(text: &str, session: &str, expires_at: Timestamp) -> RefreshTokenRecord {
    RefreshTokenRecord { hash: TokenHash::of(text), session_id: SessionId::new(session), expires_at, rotation: None }
}

/// A provider's tokens; without `refresh` they cannot be renewed.
#[must_use]
pub fn upstream_tokens(access: &str, refresh: Option<&str>, expires_at: Option<Timestamp>) -> UpstreamTokens {
    UpstreamTokens {
        access_token: Secret::new(access),
        refresh_token: refresh.map(Secret::new),
        expires_at,
        scope: ScopeSet::default(),
    }
}

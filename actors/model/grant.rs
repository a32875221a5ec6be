//! The stages of a login, from a client's request to the code that it redeems.

use super::ids::{ClientId, SessionId};
use super::pkce::CodeChallenge;
use super::principal::User;
use super::redirect_uri::RedirectUri;
use super::resource::Resource;
use super::scope::ScopeSet;
use super::secret::{Secret, TokenHash};
use super::timestamp::Timestamp;
use super::token::UpstreamTokens;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An authorization request after every check (RFC 6749 section 4.1.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// The client that asks.
    pub client_id: ClientId,
    /// Where the answer goes: verified against the registration.
    pub redirect_uri: RedirectUri,
    /// The client's own state, returned byte for byte.
    pub state: Option<String>,
    /// The PKCE challenge.
    pub challenge: CodeChallenge,
    /// What would be granted.
    pub scopes: ScopeSet,
    /// The audience.
    pub resource: Resource,
}

/// What a login is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginPurpose {
    /// A client wants a code.
    Client(Box<AuthorizationRequest>),
    /// A person visits the server's own pages.
    Visit,
}

impl LoginPurpose {
    /// The client's request, if it is for a client.
    #[must_use]
    pub fn request(&self) -> Option<&AuthorizationRequest> {
        match self {
            Self::Client(request) => Some(request),
            Self::Visit => None,
        }
    }
}

/// How far a login has come. A stage holds just what that stage has.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginStage {
    /// The consent page is shown; nobody is known yet.
    AwaitingConsent,
    /// The page is shown on which a person chooses where to sign in.
    AwaitingChoice,
    /// The person is at a provider.
    AwaitingProvider {
        /// Which one: no other may answer (RFC 9700 section 4.4).
        #[serde(default)]
        provider: String,
        /// Verifier of our own PKCE towards the provider.
        verifier: Secret,
        /// The nonce that the `id_token` must repeat.
        nonce: Secret,
    },
    /// The person is at our own login page.
    AwaitingPassword,
    /// Somebody else than expected signed in, or the client asks for more than before: the
    /// consent page is shown again, now with the person's name.
    AwaitingUserConsent(Box<SignedIn>),
}

/// Somebody who has just proved who they are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignedIn {
    /// Who.
    pub user: User,
    /// The provider's tokens.
    pub upstream: Option<UpstreamTokens>,
    /// What we asked of the provider and did not get; some let people choose.
    #[serde(default)]
    pub missing_scopes: ScopeSet,
}

/// A login under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PendingLogin {
    /// Hash of its handle: the hidden field of our pages, or the `state` at the provider.
    pub handle_hash: TokenHash,
    /// Hash of the browser's cookie; another browser may not go on with it.
    pub browser_hash: TokenHash,
    /// What it is for.
    pub purpose: LoginPurpose,
    /// How far it has come.
    pub stage: LoginStage,
    /// The person whose earlier approval let the consent page be left out.
    pub expected_user: Option<super::ids::UserId>,
    /// The trace that all its records carry: the id of the request that began it. No secret.
    #[serde(default)]
    pub trace_id: Option<String>,
    /// When it is over.
    pub expires_at: Timestamp,
}

/// An authorization code as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationCode {
    /// Hash of the code.
    pub hash: TokenHash,
    /// The session that it opens.
    pub session_id: SessionId,
    /// What was asked.
    pub request: AuthorizationRequest,
    /// The trace of the login that it ends.
    #[serde(default)]
    pub trace_id: Option<String>,
    /// When it stops working.
    pub expires_at: Timestamp,
}

impl AuthorizationCode {
    /// Until when a second attempt to redeem it must be recognised: as long as the first could
    /// have happened, and as long again.
    #[must_use]
    pub fn forget_at(&self) -> Timestamp {
        self.expires_at + CODE_MEMORY
    }
}

/// How much longer than it works a code is remembered.
const CODE_MEMORY: Duration = Duration::from_secs(10 * 60);

/// That a person let a client act for them, from one browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Hash of the browser's cookie.
    pub browser_hash: TokenHash,
    /// The client.
    pub client_id: ClientId,
    /// The person.
    pub user_id: super::ids::UserId,
    /// Where answers went.
    pub redirect_destination: String,
    /// What was approved.
    pub scopes: ScopeSet,
    /// When it must be asked again.
    pub expires_at: Timestamp,
}

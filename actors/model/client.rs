//! OAuth clients and what they say of themselves (RFC 7591 section 2).

use super::client_assertion::ClientAssertion;
use super::client_id_url::host_of;
use super::client_keys::ClientKeys;
use super::ids::ClientId;
use super::redirect_uri::RedirectUri;
use super::scope::ScopeSet;
use super::secret::{Secret, TokenHash};
use super::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// How a client proves itself at the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// A public client: only PKCE and the redirect URI protect it.
    None,
    /// HTTP Basic with the secret.
    ClientSecretBasic,
    /// The secret in the form.
    ClientSecretPost,
    /// A JWT that the client signs with its own key (RFC 7523).
    PrivateKeyJwt,
}

impl AuthMethod {
    /// Every method that the token endpoint takes, as published in the metadata.
    pub const ALL: [Self; 4] = [Self::None, Self::ClientSecretBasic, Self::ClientSecretPost, Self::PrivateKeyJwt];

    /// The registered name (RFC 7591 section 2).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }

    /// Whether a client that proves itself so has a secret, of which we keep the hash.
    #[must_use]
    pub const fn has_secret(self) -> bool {
        match self {
            Self::ClientSecretBasic | Self::ClientSecretPost => true,
            Self::None | Self::PrivateKeyJwt => false,
        }
    }
}

/// What a client may exchange for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// An authorization code (RFC 6749 section 4.1).
    AuthorizationCode,
    /// A refresh token (RFC 6749 section 6).
    RefreshToken,
}

impl GrantType {
    /// Every grant type that the token endpoint takes.
    pub const ALL: [Self; 2] = [Self::AuthorizationCode, Self::RefreshToken];

    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
        }
    }
}

/// Where a client comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientOrigin {
    /// Written in the configuration.
    Configured,
    /// Registered itself at run time (RFC 7591).
    Registered,
    /// Described by the document that its identifier is the URL of.
    Document,
}

/// A client that may ask for authorization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its identifier.
    pub id: ClientId,
    /// Its name as a person is shown it.
    pub name: String,
    /// The hash of its secret; `None` for a client without one.
    pub secret_hash: Option<TokenHash>,
    /// Its public keys, when it proves itself by signatures.
    pub keys: Option<ClientKeys>,
    /// How it proves itself.
    pub auth_method: AuthMethod,
    /// Where answers may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// What it may exchange.
    pub grant_types: Vec<GrantType>,
    /// What it may ask for.
    pub scope: ScopeSet,
    /// When it was registered.
    pub issued_at: Timestamp,
    /// Where it comes from.
    pub origin: ClientOrigin,
}

impl Client {
    /// The registered redirect URI on whose strength `presented` may be used, if any.
    ///
    /// What comes back is the presented text, which is where the answer goes.
    #[must_use]
    pub fn resolve_redirect(&self, presented: Option<&str>) -> Option<RedirectUri> {
        match presented {
            Some(text) if self.redirect_uris.iter().any(|uri| uri.accepts(text)) => RedirectUri::parse(text).ok(),
            Some(_) => None,
            // It may be left out when exactly one is registered (RFC 6749 section 3.1.2.3).
            None => match self.redirect_uris.as_slice() {
                [only] => Some(only.clone()),
                _ => None,
            },
        }
    }

    /// The host of the document that describes the client, if one does: the only thing about the
    /// client that is proven.
    #[must_use]
    pub fn document_host(&self) -> Option<String> {
        (self.origin == ClientOrigin::Document).then(|| host_of(self.id.as_str())).flatten()
    }

    /// Whether answers can only go to programs on the person's own machine, where any program
    /// could say that it is this client.
    #[must_use]
    pub fn is_only_local(&self) -> bool {
        self.redirect_uris.iter().all(RedirectUri::is_local)
    }

    /// Whether the client may use `grant`.
    #[must_use]
    pub fn may_use(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }
}

/// What a client asks to be registered with (RFC 7591 section 2), already parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientMetadata {
    /// `client_name`, cleaned for showing.
    pub name: Option<String>,
    /// `redirect_uris`, at least one.
    pub redirect_uris: Vec<RedirectUri>,
    /// `grant_types`; the default is `authorization_code` alone.
    pub grant_types: Vec<GrantType>,
    /// `token_endpoint_auth_method`; the default is `client_secret_basic`.
    pub auth_method: AuthMethod,
    /// `jwks` or `jwks_uri`, when the method needs them.
    pub keys: Option<ClientKeys>,
    /// `scope`, when given.
    pub scope: Option<ScopeSet>,
}

/// What a caller of the token endpoint shows to prove which client it is.
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    /// The client that it says it is.
    pub client_id: ClientId,
    /// How it tries to prove it.
    pub proof: ClientProof,
}

/// What a client shows. Only one at a time (OAuth 2.1 section 2.4).
#[derive(Clone, Debug)]
pub enum ClientProof {
    /// Nothing.
    None,
    /// Its secret, in the header or in the form.
    Secret(Secret),
    /// A JWT that it signed.
    Assertion(Box<ClientAssertion>),
}

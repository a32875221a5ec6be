//! The identity provider that people log in at.

use super::PortFuture;
use crate::model::grant::SignedIn;
use crate::model::pkce::CodeChallenge;
use crate::model::secret::Secret;
use crate::model::token::UpstreamTokens;

/// What our redirect to the provider carries.
#[derive(Clone, Debug)]
pub struct UpstreamAuthorization {
    /// The handle of the pending login, returned to us at the callback.
    pub state: Secret,
    /// Repeated in the `id_token`, where there is one.
    pub nonce: Secret,
    /// Challenge of our own PKCE.
    pub challenge: CodeChallenge,
}

/// What we exchange for the provider's tokens.
#[derive(Clone, Debug)]
pub struct UpstreamExchange {
    /// The provider's code.
    pub code: Secret,
    /// Verifier of our own PKCE.
    pub verifier: Secret,
    /// The nonce that was sent.
    pub nonce: Secret,
    /// The `iss` parameter of the callback, when there was one (RFC 9207).
    pub issuer: Option<String>,
}

/// Why the provider's step failed. No variant carries a token, a code or a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// It could not be reached, or did not answer in time.
    #[error("{provider} could not be reached for {what}: {detail}")]
    Unreachable {
        /// Which provider.
        provider: String,
        /// What it was asked for, such as `tokens`.
        what: &'static str,
        /// What happened.
        detail: String,
    },
    /// It answered with a server fault; trying again may help.
    #[error("{provider}, asked for {what}, answered with status {status}")]
    Faulty {
        /// Which provider.
        provider: String,
        /// What it was asked for.
        what: &'static str,
        /// Its HTTP status.
        status: u16,
    },
    /// It says that our grant is not valid (any more).
    #[error("{provider} says that the grant is not valid: {detail}")]
    InvalidGrant {
        /// Which provider.
        provider: String,
        /// Its description.
        detail: String,
    },
    /// It refused with an OAuth error.
    #[error("{provider} refused: {error}{}", .detail.as_deref().map(|text| format!(": {text}")).unwrap_or_default())]
    Refused {
        /// Which provider.
        provider: String,
        /// Its error code.
        error: String,
        /// Its description.
        detail: Option<String>,
    },
    /// Its answer makes no sense or is not to be trusted.
    #[error("{provider} gave an answer that cannot be used: {detail}")]
    Unusable {
        /// Which provider.
        provider: String,
        /// What is wrong with it.
        detail: String,
    },
}

impl UpstreamError {
    /// Which provider.
    #[must_use]
    pub fn provider(&self) -> &str {
        match self {
            Self::Unreachable { provider, .. }
            | Self::Faulty { provider, .. }
            | Self::InvalidGrant { provider, .. }
            | Self::Refused { provider, .. }
            | Self::Unusable { provider, .. } => provider,
        }
    }

    /// Whether trying again may help.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Faulty { .. } => true,
            Self::InvalidGrant { .. } | Self::Refused { .. } | Self::Unusable { .. } => false,
        }
    }
}

/// How far it reaches when a provider revokes the tokens of one login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationReach {
    /// Those tokens end and no others.
    Tokens,
    /// Perhaps everything that the person has granted us, other logins included: RFC 7009
    /// section 2.1 leaves that to the provider.
    Grant,
}

/// What became of tokens that a provider was to revoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationResult {
    /// They do not work any more, or had ended before.
    Revoked,
    /// The provider has no endpoint for that, or not for tokens of this kind.
    NotOffered,
}

/// One of a provider's endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderEndpoint {
    /// What it is, such as `token endpoint`.
    pub what: &'static str,
    /// Where it is.
    pub url: String,
}

impl ProviderEndpoint {
    /// The endpoint of that name.
    pub fn new(what: &'static str, url: impl Into<String>) -> Self {
        Self { what, url: url.into() }
    }
}

/// A provider as an OAuth authorization server that we are a client of.
pub trait UpstreamIdp: Send + Sync + std::fmt::Debug {
    /// The provider's name, such as `github`.
    fn name(&self) -> &str;

    /// The name for people, such as `GitHub`.
    fn title(&self) -> &str;

    /// The scopes that we ask of it, for the consent page.
    fn requested_scopes(&self) -> Vec<String>;

    /// The endpoints that this server and its people need, looked up where the provider publishes
    /// them. For an operator who wants to know whether they can be reached.
    fn endpoints(&self) -> PortFuture<'_, Result<Vec<ProviderEndpoint>, UpstreamError>>;

    /// The URL to send the browser to.
    fn authorization_url(&self, request: UpstreamAuthorization) -> PortFuture<'_, Result<String, UpstreamError>>;

    /// Exchanges the code, checks everything that can be checked, and tells who it is.
    fn exchange(&self, request: UpstreamExchange) -> PortFuture<'_, Result<SignedIn, UpstreamError>>;

    /// Gets new tokens of the person whose subject that is. When the provider gives no new refresh
    /// token the old one is kept.
    fn refresh(&self, refresh_token: Secret, subject: String) -> PortFuture<'_, Result<UpstreamTokens, UpstreamError>>;

    /// What to add to the configuration so that the provider's tokens can be refreshed, where it is
    /// known that with the present one they cannot. People would have to sign in again each time
    /// the provider's token ends.
    fn refresh_hint(&self) -> Option<String> {
        None
    }

    /// How far [`Self::revoke`] may reach, so that nobody else's session ends by it.
    fn revocation_reach(&self) -> RevocationReach;

    /// Revokes the tokens of one login. Safe to repeat.
    fn revoke(&self, tokens: UpstreamTokens) -> PortFuture<'_, Result<RevocationResult, UpstreamError>>;
}

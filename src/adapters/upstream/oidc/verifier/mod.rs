//! Access tokens of an OpenID Connect provider or OAuth 2.0 authorization server that this server
//! trusts: it has issued them, its clients show them here.
//!
//! Tokens are checked in one way, which the operator has chosen: as JWTs with the issuer's keys
//! (RFC 9068), or by asking the issuer (RFC 7662). What that way refuses is refused; nothing else
//! is tried. What was found out is remembered for a short while, so that a token which is shown
//! with every call costs a lookup.

mod claims;
mod introspection;
mod memory;
mod metadata;
mod settings;

pub use settings::{IntrospectionClient, VerifierSettings};

use super::jwks::{KeySource, PublishedKeys};
use super::signed_token::{ALGORITHMS, SignedToken};
use crate::adapters::cached_document::CachedDocument;
use crate::adapters::http_client::HttpClient;
use crate::adapters::upstream::error::unusable;
use crate::adapters::upstream::settings::UpstreamSettingsError;
use claims::{AccessTokenFault, Expected};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use introspection::{Endpoint, Introspection};
use memory::Memory;
use metadata::{CheckPlace, IssuerMetadata};
use mxcp_actors::model::secret::{Secret, TokenHash};
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::model::token::AccessGrant;
use mxcp_actors::ports::PortFuture;
use mxcp_actors::ports::clock::Clock;
use mxcp_actors::ports::token_verifier::{TokenVerifier, VerifyError};
use mxcp_actors::ports::upstream_idp::{ProviderEndpoint, UpstreamError};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The longest token. Those of issuers that write out every group of a person have some thousand
/// bytes.
const TOKEN_BYTES_MAX: usize = 16 * 1_024;
/// How many tokens are remembered: the good ones, and apart from them the bad ones, so that those
/// who make tokens up push nobody out.
const REMEMBERED_MAX: usize = 10_000;
/// How long a signature counts as checked, and how long keys are used before they are looked at
/// again. A key that the issuer takes back is trusted no longer than both together.
const SIGNATURE_AGE_MAX: Duration = Duration::from_mins(5);
const KEYS_AGE_MAX: Duration = Duration::from_mins(5);
/// How long the issuer's word counts that a token is active: so long may a token go on that it has
/// revoked.
const ACTIVE_AGE_MAX: Duration = Duration::from_secs(30);
/// How long its word counts that a token is not.
const INACTIVE_AGE_MAX: Duration = Duration::from_secs(5);
/// How often the token behind an open stream is looked at again.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);
/// How many refused tokens are written to the log within a minute.
const COMPLAINTS_PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);

/// Checks the tokens of one issuer.
#[derive(Debug)]
pub struct OidcVerifier {
    settings: VerifierSettings,
    title: String,
    http: HttpClient,
    clock: Arc<dyn Clock>,
    metadata: CachedDocument<IssuerMetadata, UpstreamError>,
    keys: PublishedKeys,
    introspection: Option<Introspection>,
    good: Memory<Arc<AccessGrant>>,
    bad: Memory<AccessTokenFault>,
    /// For those who waited while the issuer was asked in vain.
    unanswered: Memory<UpstreamError>,
    complaints: DefaultDirectRateLimiter,
}

/// Why there is no grant.
enum Trouble {
    /// Something is wrong with the token.
    Fault(AccessTokenFault),
    /// Something is wrong with the issuer.
    Issuer(UpstreamError),
}

impl<F: Into<AccessTokenFault>> From<F> for Trouble {
    fn from(fault: F) -> Self {
        Self::Fault(fault.into())
    }
}

impl OidcVerifier {
    /// Checks the settings. Nothing is fetched yet.
    ///
    /// # Errors
    /// When a setting is missing or cannot work.
    pub fn new(
        settings: VerifierSettings,
        http: HttpClient,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, UpstreamSettingsError> {
        settings.check()?;
        let good_age_max = if settings.introspection.is_some() { ACTIVE_AGE_MAX } else { SIGNATURE_AGE_MAX };
        Ok(Self {
            title: settings.config_url.strip_suffix(super::discovery::SUFFIX).unwrap_or_default().to_owned(),
            introspection: settings.introspection.clone().map(Introspection::new),
            settings,
            http,
            clock,
            metadata: CachedDocument::new("discovery document"),
            keys: PublishedKeys::new(CachedDocument::new("keys").looked_at_after(KEYS_AGE_MAX)),
            good: Memory::new(good_age_max, REMEMBERED_MAX),
            bad: Memory::new(INACTIVE_AGE_MAX, REMEMBERED_MAX),
            unanswered: Memory::new(Duration::ZERO, REMEMBERED_MAX),
            complaints: RateLimiter::direct(Quota::per_minute(COMPLAINTS_PER_MINUTE)),
        })
    }

    /// Fetches metadata and keys ahead of the first call.
    ///
    /// An issuer that cannot be reached is no reason not to start: the log says so, and the first
    /// call tries again.
    pub async fn warm_up(&self) {
        let provider = self.name();
        match self.endpoints().await {
            Ok(_) => tracing::info!(provider, "the issuer of access tokens is ready"),
            Err(error) => {
                tracing::warn!(provider, %error, "the issuer of access tokens is not ready; calls fail until it is");
            }
        }
    }

    /// The issuer's endpoints that tokens are checked with. Fetches its metadata, and its keys
    /// where they are needed.
    ///
    /// # Errors
    /// When the issuer cannot be reached, or what it publishes cannot be used.
    pub async fn endpoints(&self) -> Result<Vec<ProviderEndpoint>, UpstreamError> {
        let metadata = self.metadata().await?;
        let place = match &metadata.check {
            CheckPlace::Keys(url) => {
                self.keys.get(self.key_source(url)).await?;
                ProviderEndpoint::new("keys", url.as_str())
            }
            CheckPlace::Introspection(url, _) => ProviderEndpoint::new("introspection endpoint", url.as_str()),
        };
        Ok(vec![ProviderEndpoint::new("discovery document", &self.settings.config_url), place])
    }

    fn name(&self) -> &str {
        &self.settings.provider_name
    }

    async fn metadata(&self) -> Result<Arc<IssuerMetadata>, UpstreamError> {
        let is_asked = self.introspection.is_some();
        self.metadata.get(metadata::fetch(&self.http, self.name(), &self.settings.config_url, is_asked)).await
    }

    fn key_source<'a>(&'a self, url: &'a url::Url) -> KeySource<'a> {
        KeySource { http: &self.http, provider: self.name(), url }
    }

    /// What `token` stands for, remembered or found out.
    async fn judge(&self, token: &Secret) -> Result<Arc<AccessGrant>, Trouble> {
        if token.expose().len() > TOKEN_BYTES_MAX {
            return Err(AccessTokenFault::TooLong.into());
        }
        let hash = token.hash();
        if let Some(grant) = self.recall(&hash) {
            return Ok(grant);
        }
        match &self.introspection {
            None => self.check_signed(token, hash).await,
            Some(introspection) => self.ask_issuer(introspection, token, hash).await,
        }
    }

    fn recall(&self, token: &TokenHash) -> Option<Arc<AccessGrant>> {
        self.good.recall(token).filter(|grant| self.clock.now() < grant.expires_at)
    }

    /// Checks a JWT. What looks like none costs no request and no arithmetic.
    async fn check_signed(&self, text: &Secret, hash: TokenHash) -> Result<Arc<AccessGrant>, Trouble> {
        let token = SignedToken::read(text, ALGORITHMS)?;
        let metadata = self.metadata().await.map_err(Trouble::Issuer)?;
        let CheckPlace::Keys(url) = &metadata.check else { return Err(self.no_way()) };
        let claims = self.keys.verify(self.key_source(url), &token).await.map_err(Trouble::Issuer)??;
        let end = claims::check_token(&token, &claims, self.expected(&metadata))?;
        self.admit(hash, claims, end)
    }

    /// Asks the issuer about a token, unless somebody else has just done so.
    async fn ask_issuer(
        &self,
        introspection: &Introspection,
        token: &Secret,
        hash: TokenHash,
    ) -> Result<Arc<AccessGrant>, Trouble> {
        let arrived_at = Instant::now();
        if let Some(fault) = self.bad.recall(&hash) {
            return Err(fault.into());
        }
        let busy = || Trouble::Issuer(unusable(self.name(), "too many calls wait for its introspection endpoint"));
        let _turn = introspection.take_turn(&hash).await.ok_or_else(busy)?;
        if let Some(grant) = self.recall(&hash) {
            return Ok(grant);
        }
        if let Some(fault) = self.bad.recall(&hash) {
            return Err(fault.into());
        }
        if let Some(error) = self.unanswered.recall_since(&hash, arrived_at) {
            return Err(Trouble::Issuer(error));
        }
        let outcome = self.ask(introspection, token, hash).await;
        match &outcome {
            Ok(_) => {}
            Err(Trouble::Fault(fault)) => self.bad.note(hash, fault.clone()),
            Err(Trouble::Issuer(error)) => self.unanswered.note(hash, error.clone()),
        }
        outcome
    }

    async fn ask(
        &self,
        introspection: &Introspection,
        token: &Secret,
        hash: TokenHash,
    ) -> Result<Arc<AccessGrant>, Trouble> {
        let metadata = self.metadata().await.map_err(Trouble::Issuer)?;
        let CheckPlace::Introspection(url, auth_type) = &metadata.check else { return Err(self.no_way()) };
        let endpoint = Endpoint { http: &self.http, provider: self.name(), url, auth_type };
        let answer = introspection.ask(endpoint, token).await.map_err(Trouble::Issuer)?;
        let claims = answer.ok_or(AccessTokenFault::Inactive)?;
        let end = claims::check_answer(&claims, self.expected(&metadata))?;
        // Without an end of its own a token is good for as long as the issuer's word is.
        let end = end.unwrap_or_else(|| self.clock.now() + ACTIVE_AGE_MAX);
        self.admit(hash, claims, end)
    }

    fn admit(
        &self,
        hash: TokenHash,
        claims: super::signed_token::Claims,
        expires_at: Timestamp,
    ) -> Result<Arc<AccessGrant>, Trouble> {
        let mut principal = claims::principal(self.name(), claims)?;
        if let Some(user) = principal.user.take() {
            let user = self.settings.user_mapping.apply(user);
            let rules = &self.settings.scope_rules;
            principal.reach = rules.reach(&user, None);
            principal.scopes = rules.rights(&principal.scopes, &principal.reach);
            principal.user = Some(user);
        }
        let principal = Arc::new(principal);
        let grant = Arc::new(AccessGrant { principal, resource: self.settings.resource.clone(), expires_at });
        self.good.note(hash, Arc::clone(&grant));
        Ok(grant)
    }

    fn expected<'a>(&'a self, metadata: &'a IssuerMetadata) -> Expected<'a> {
        Expected { issuer: &metadata.issuer, audiences: &self.settings.audiences, now: self.clock.now() }
    }

    /// The metadata are read for the way that was chosen, so this is not met.
    fn no_way(&self) -> Trouble {
        Trouble::Issuer(unusable(self.name(), "its discovery document does not say how its tokens are checked"))
    }

    /// Tells the operator, who alone may know, and whoever showed the token no more than needed.
    fn complain(&self, trouble: &Trouble) -> VerifyError {
        let is_heard = self.complaints.check().is_ok();
        let provider = self.name();
        match trouble {
            Trouble::Fault(fault) if is_heard => tracing::info!(provider, %fault, "a token was refused"),
            Trouble::Issuer(error) if is_heard => tracing::warn!(provider, %error, "a token could not be checked"),
            Trouble::Fault(_) | Trouble::Issuer(_) => {}
        }
        match trouble {
            Trouble::Fault(_) => VerifyError::Refused,
            Trouble::Issuer(_) => VerifyError::Unavailable,
        }
    }
}

impl TokenVerifier for OidcVerifier {
    fn issuer(&self) -> PortFuture<'_, Result<String, VerifyError>> {
        Box::pin(async {
            let metadata = self.metadata().await.map_err(|error| self.complain(&Trouble::Issuer(error)))?;
            Ok(metadata.issuer.clone())
        })
    }

    fn title(&self) -> &str {
        &self.title
    }

    fn verify<'a>(&'a self, token: &'a Secret) -> PortFuture<'a, Result<Arc<AccessGrant>, VerifyError>> {
        Box::pin(async { self.judge(token).await.map_err(|trouble| self.complain(&trouble)) })
    }

    /// Looks at the token again and again. While nobody can tell whether it is good, it is not
    /// accepted for a call either.
    fn wait_for_end<'a>(&'a self, token: &'a Secret) -> PortFuture<'a, ()> {
        Box::pin(async {
            while let Ok(grant) = self.judge(token).await {
                sleep(grant.expires_at.since(self.clock.now()).min(LOOK_INTERVAL)).await;
            }
        })
    }
}

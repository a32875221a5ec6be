//! Any OpenID Connect provider, found by its discovery document.
//!
//! The provider need not be reachable when the daemon starts: its metadata and keys are fetched
//! when they are first needed, kept, and looked at again from time to time.
//!
//! What single providers do otherwise is their `Flavour`, each in a module beside this one; here is
//! what they all do.

mod access_token;
mod discovery;
mod flavour;
mod id_token;
mod identify;
mod jwks;
mod profile;
mod settings;
mod signed_token;
pub mod verifier;

pub(super) use discovery::{Metadata, SUFFIX as DISCOVERY_SUFFIX};
pub(super) use flavour::Flavour;
pub(in crate::adapters) use profile::user as user_of_claims;
pub use settings::OidcSettings;

use super::error::unusable;
use super::revocation::RevocationEndpoint;
use super::settings::UpstreamSettingsError;
use super::token::{TokenClientSettings, TokenEndpoint};
use super::url::AuthorizationUrl;
use crate::adapters::cached_document::CachedDocument;
use crate::adapters::http_client::HttpClient;
use discovery::OFFLINE_ACCESS;
use flavour::Plain;
use jwks::{KeySet, KeySource, PublishedKeys};
use mxcp_actors::model::grant::SignedIn;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::model::token::UpstreamTokens;
use mxcp_actors::ports::PortFuture;
use mxcp_actors::ports::clock::Clock;
use mxcp_actors::ports::upstream_idp::{
    ProviderEndpoint, RevocationReach, RevocationResult, UpstreamAuthorization, UpstreamError, UpstreamExchange,
    UpstreamIdp,
};
use std::sync::Arc;

/// An OpenID Connect provider.
#[derive(Debug)]
pub struct OidcIdp {
    name: String,
    title: String,
    settings: OidcSettings,
    flavour: Box<dyn Flavour>,
    http: HttpClient,
    clock: Arc<dyn Clock>,
    metadata: CachedDocument<Metadata, UpstreamError>,
    keys: PublishedKeys,
}

impl OidcIdp {
    /// Checks the settings. Nothing is fetched yet.
    ///
    /// # Errors
    /// When a setting is missing or cannot work.
    pub fn new(settings: OidcSettings, http: HttpClient, clock: Arc<dyn Clock>) -> Result<Self, UpstreamSettingsError> {
        Self::with_flavour(settings, Box::new(Plain), http, clock)
    }

    /// The same for a provider with peculiarities.
    ///
    /// # Errors
    /// When a setting is missing or cannot work.
    pub(super) fn with_flavour(
        settings: OidcSettings,
        flavour: Box<dyn Flavour>,
        http: HttpClient,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, UpstreamSettingsError> {
        settings.check()?;
        Ok(Self {
            name: settings.name(),
            title: flavour.title().map_or_else(|| settings.title(), str::to_owned),
            settings,
            flavour,
            http,
            clock,
            metadata: CachedDocument::new("discovery document"),
            keys: PublishedKeys::new(CachedDocument::new("keys")),
        })
    }

    /// Fetches metadata and keys ahead of the first login.
    ///
    /// A provider that cannot be reached is no reason not to start: the log says so, and the
    /// first login tries again.
    pub async fn warm_up(&self) {
        let outcome = match self.metadata().await {
            Ok(metadata) => self.keys(&metadata).await.map(drop),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => tracing::info!(provider = self.name, "the identity provider is ready"),
            Err(error) => tracing::warn!(
                provider = self.name,
                %error,
                "the identity provider is not ready; logins fail until it is"
            ),
        }
    }

    async fn metadata(&self) -> Result<Arc<Metadata>, UpstreamError> {
        let (provider, config_url) = (self.name.as_str(), self.settings.config_url.as_str());
        let source = discovery::Source { provider, config_url, flavour: &*self.flavour };
        self.metadata.get(discovery::fetch(&self.http, source)).await
    }

    async fn keys(&self, metadata: &Metadata) -> Result<Arc<KeySet>, UpstreamError> {
        self.keys.get(self.key_source(metadata)).await
    }

    fn key_source<'a>(&'a self, metadata: &'a Metadata) -> KeySource<'a> {
        KeySource { http: &self.http, provider: &self.name, url: &metadata.jwks_uri }
    }

    fn token_endpoint<'a>(&'a self, metadata: &'a Metadata) -> Result<TokenEndpoint<'a>, UpstreamError> {
        TokenEndpoint::new(
            &self.http,
            TokenClientSettings {
                provider: &self.name,
                token_url: &metadata.token_endpoint,
                client_id: &self.settings.client_id,
                client_secret: &self.settings.client_secret,
                auth_type: metadata.auth_type.clone(),
                redirect_uri: &self.settings.redirect_uri,
                requested_scope: &self.settings.scope,
                dialect: self.flavour.dialect(),
            },
        )
    }

    async fn revoke_both(&self, tokens: UpstreamTokens) -> Result<RevocationResult, UpstreamError> {
        let metadata = self.metadata().await?;
        let Some(url) = &metadata.revocation_endpoint else { return Ok(RevocationResult::NotOffered) };
        let endpoint = RevocationEndpoint {
            http: &self.http,
            provider: &self.name,
            url,
            client_id: &self.settings.client_id,
            client_secret: &self.settings.client_secret,
            auth_type: &metadata.auth_type,
        };
        endpoint.revoke_both(&tokens).await
    }

    async fn write_url(&self, request: UpstreamAuthorization) -> Result<String, UpstreamError> {
        let metadata = self.metadata().await?;
        let settings = &self.settings;
        let mut url =
            AuthorizationUrl::new(&metadata.authorization_endpoint, &settings.client_id, &settings.redirect_uri)
                .with("scope", &settings.scope)
                .with("state", request.state.expose())
                .with("nonce", request.nonce.expose())
                .with_nonempty("audience", settings.audience.as_deref().unwrap_or_default());
        if metadata.takes_challenge {
            url = url.with_challenge(&request.challenge);
        }
        for (name, value) in &settings.extra_authorize_params {
            url = url.with(name, value);
        }
        Ok(url.into_string())
    }

    async fn sign_in(&self, request: UpstreamExchange) -> Result<SignedIn, UpstreamError> {
        let metadata = self.metadata().await?;
        self.check_callback_issuer(&metadata, request.issuer.as_deref())?;
        let verifier = metadata.takes_challenge.then_some(&request.verifier);
        let answer = self.token_endpoint(&metadata)?.redeem(&request.code, verifier).await?;
        let received_at = self.clock.now();
        let user = self.identify(&metadata, &answer, &request.nonce).await?;
        Ok(answer.into_signed_in(user, received_at))
    }

    /// Refuses an answer that another provider sent us (RFC 9207 section 2.4), before the code
    /// goes anywhere.
    fn check_callback_issuer(&self, metadata: &Metadata, issuer: Option<&str>) -> Result<(), UpstreamError> {
        match issuer {
            Some(issuer) if issuer == metadata.issuer => Ok(()),
            Some(_) => Err(unusable(&self.name, "the callback names another issuer")),
            None if metadata.sends_issuer => Err(unusable(&self.name, "the callback does not name its issuer")),
            None => Ok(()),
        }
    }
}

impl UpstreamIdp for OidcIdp {
    fn name(&self) -> &str {
        &self.name
    }

    fn title(&self) -> &str {
        &self.title
    }

    fn requested_scopes(&self) -> Vec<String> {
        self.settings.scope.split_ascii_whitespace().map(str::to_owned).collect()
    }

    /// Fetches the discovery document and the keys: without them nobody can sign in.
    fn endpoints(&self) -> PortFuture<'_, Result<Vec<ProviderEndpoint>, UpstreamError>> {
        Box::pin(async move {
            let metadata = self.metadata().await?;
            self.keys(&metadata).await?;
            let mut endpoints = vec![
                ProviderEndpoint::new("discovery document", &self.settings.config_url),
                ProviderEndpoint::new("keys", metadata.jwks_uri.as_str()),
                ProviderEndpoint::new("authorization endpoint", metadata.authorization_endpoint.as_str()),
                ProviderEndpoint::new("token endpoint", metadata.token_endpoint.as_str()),
            ];
            let more = [
                ("userinfo endpoint", &metadata.userinfo_endpoint),
                ("revocation endpoint", &metadata.revocation_endpoint),
            ];
            endpoints.extend(
                more.into_iter()
                    .filter_map(|(what, url)| url.as_ref().map(|url| ProviderEndpoint::new(what, url.as_str()))),
            );
            Ok(endpoints)
        })
    }

    fn authorization_url(&self, request: UpstreamAuthorization) -> PortFuture<'_, Result<String, UpstreamError>> {
        Box::pin(self.write_url(request))
    }

    fn exchange(&self, request: UpstreamExchange) -> PortFuture<'_, Result<SignedIn, UpstreamError>> {
        Box::pin(self.sign_in(request))
    }

    /// Gets new tokens. An `id_token` that comes with them must be about the same person (OpenID
    /// Connect Core section 12.2); nothing else is read from it.
    fn refresh(&self, refresh_token: Secret, subject: String) -> PortFuture<'_, Result<UpstreamTokens, UpstreamError>> {
        Box::pin(async move {
            let metadata = self.metadata().await?;
            let answer = self.token_endpoint(&metadata)?.refresh(refresh_token).await?;
            self.check_refreshed(&metadata, &answer, &subject).await?;
            Ok(answer.into_tokens(self.clock.now()))
        })
    }

    /// Known once the discovery document is there.
    fn refresh_hint(&self) -> Option<String> {
        let is_left_out = self.flavour.needs_offline_access()
            && self.metadata.held()?.offers_offline_access
            && !self.settings.scope.split_ascii_whitespace().any(|scope| scope == OFFLINE_ACCESS);
        is_left_out
            .then(|| format!("{} offers refresh tokens for the scope {OFFLINE_ACCESS}; add it to scope", self.name))
    }

    /// Some providers take back all that a person has granted us, whichever token is named, and
    /// the discovery document does not tell which ones do.
    fn revocation_reach(&self) -> RevocationReach {
        RevocationReach::Grant
    }

    fn revoke(&self, tokens: UpstreamTokens) -> PortFuture<'_, Result<RevocationResult, UpstreamError>> {
        Box::pin(self.revoke_both(tokens))
    }
}

//! Who is let in: everybody, those whom this server gave a token, or those who bring a token of
//! another issuer (`mode: verifier`).

use crate::adapters::http_client::{HttpClient, HttpClientSettings};
use crate::adapters::system::SystemClock;
use crate::adapters::upstream::oidc::verifier::{IntrospectionClient, OidcVerifier, VerifierSettings};
use crate::config::{Configuration, VerifierConfiguration};
use crate::http::TokenSource;
use crate::http::auth::ResourceGuard;
use mxcp_actors::handles::Handles;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::settings::Settings;
use mxcp_actors::supervisor::Definitions;
use std::sync::Arc;
use std::time::Duration;

/// How long the issuer may take to answer: calls wait for it.
const ISSUER_WITHIN: Duration = Duration::from_secs(5);

/// Where tokens come from, who guards the door with them, and the scopes that clients are told to
/// ask for.
///
/// # Errors
/// When a setting cannot work.
pub(super) fn door(
    configuration: &Configuration,
    settings: &Settings,
    definitions: &Definitions,
    handles: &Handles,
) -> anyhow::Result<(TokenSource, ResourceGuard, ScopeSet)> {
    if let Some(issuer) = &configuration.auth.verifier {
        let scopes = issuer.scope.union(&settings.required_scopes);
        let verifier = verifier(issuer, settings, definitions)?;
        // Its keys are fetched ahead of the first call.
        let early = Arc::clone(&verifier);
        actix_rt::spawn(async move { early.warm_up().await });
        let guard = ResourceGuard::verifying(Arc::clone(&verifier) as _, handles.sessions.clone(), settings, &scopes)?;
        return Ok((TokenSource::OtherIssuer(verifier), guard, scopes));
    }
    let scopes = settings.default_scopes();
    if configuration.auth.is_enabled() {
        let guard = ResourceGuard::closed(handles.sessions.clone(), settings)?;
        return Ok((TokenSource::ThisServer, guard, scopes));
    }
    Ok((TokenSource::NotNeeded, ResourceGuard::open(), scopes))
}

/// Checks the tokens of `issuer`.
fn verifier(
    issuer: &VerifierConfiguration,
    settings: &Settings,
    definitions: &Definitions,
) -> anyhow::Result<Arc<OidcVerifier>> {
    let client = issuer.introspection.as_ref();
    let http =
        HttpClientSettings { connect_timeout: ISSUER_WITHIN, total_timeout: ISSUER_WITHIN, ..Default::default() };
    let verifier = OidcVerifier::new(
        VerifierSettings {
            config_url: issuer.config_url.to_string(),
            provider_name: issuer.provider_name.clone(),
            audiences: issuer.audience.clone().map_or_else(|| own_names(settings), |audience| vec![audience]),
            resource: settings.resource.clone(),
            user_mapping: Arc::clone(&definitions.user_mapping),
            scope_rules: Arc::clone(&definitions.scope_rules),
            introspection: client.map(|client| IntrospectionClient {
                client_id: client.client_id.clone(),
                client_secret: client.client_secret.clone(),
            }),
        },
        HttpClient::new(&http)?,
        Arc::new(SystemClock),
    )?;
    Ok(Arc::new(verifier))
}

/// The issuer whose tokens are accepted, of which nothing is fetched yet; `None` when this server
/// issues tokens itself.
///
/// # Errors
/// When a setting cannot work.
pub fn trusted_issuer(configuration: &Configuration) -> anyhow::Result<Option<Arc<OidcVerifier>>> {
    let Some(issuer) = &configuration.auth.verifier else { return Ok(None) };
    let settings = super::settings(configuration, &configuration.http.base_url(None))?;
    verifier(issuer, &settings, &Definitions::default()).map(Some)
}

/// The URLs of the MCP endpoint: a client asks the issuer for a token for the one that it was given.
fn own_names(settings: &Settings) -> Vec<String> {
    let aliases = settings.alias_origins.iter().map(|origin| format!("{origin}/mcp"));
    std::iter::once(settings.resource.as_str().to_owned()).chain(aliases).collect()
}

//! From the blocks of the identity providers to where people sign in.

use crate::adapters::http_client::{HttpClient, HttpClientSettings};
use crate::adapters::local_users::{LocalUser, LocalUsers};
use crate::adapters::system::SystemClock;
use crate::adapters::upstream::atlassian::AtlassianIdp;
use crate::adapters::upstream::github::GitHubIdp;
use crate::adapters::upstream::google::google;
use crate::adapters::upstream::keycloak::{KeycloakSettings as KeycloakIdpSettings, keycloak};
use crate::adapters::upstream::oidc::{OidcIdp, OidcSettings as OidcIdpSettings};
use crate::adapters::upstream::salesforce::SalesforceIdp;
use crate::adapters::upstream::settings::UpstreamApp;
use crate::config::{AppSettings, KeycloakSettings, LocalSettings, OidcSettings, ProviderKind, ProviderSettings};
use crate::http::routes::CallbackRoute;
use anyhow::{Context as _, anyhow};
use mxcp_actors::authorization::{LoginMethod, LoginMethods};
use mxcp_actors::ports::clock::Clock;
use mxcp_actors::ports::upstream_idp::UpstreamIdp;
use std::sync::Arc;

/// What people of `auth.oidc` are called by when the file does not say.
const DEFAULT_NAME: &str = "oidc";

/// Everything that a provider is made from, beside its own settings.
struct Surroundings<'a> {
    base_url: &'a str,
    http: HttpClient,
    clock: &'a Arc<dyn Clock>,
}

/// Where people sign in, in the order of the configuration.
pub(super) fn login_methods(providers: &[ProviderSettings], base_url: &str) -> anyhow::Result<LoginMethods> {
    if providers.is_empty() {
        return Ok(LoginMethods::default());
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let surroundings = Surroundings { base_url, http: HttpClient::new(&HttpClientSettings::default())?, clock: &clock };
    let method = |provider| login_method(provider, &surroundings);
    Ok(LoginMethods::new(providers.iter().map(method).collect::<anyhow::Result<_>>()?))
}

/// The routes that providers send people back to.
pub(super) fn callbacks(providers: &[ProviderSettings]) -> Vec<CallbackRoute> {
    let callback = |provider: &ProviderSettings| {
        let path = provider.callback_path()?.to_owned();
        Some(CallbackRoute { path, provider: provider.name.clone() })
    };
    providers.iter().filter_map(callback).collect()
}

/// The identity providers alone, of which nothing is fetched yet.
///
/// # Errors
/// When a setting cannot work.
pub fn identity_providers(providers: &[ProviderSettings], base_url: &str) -> anyhow::Result<Vec<Arc<dyn UpstreamIdp>>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let surroundings = Surroundings { base_url, http: HttpClient::new(&HttpClientSettings::default())?, clock: &clock };
    let mut found = Vec::new();
    for provider in providers {
        found.extend(identity_provider(provider, &surroundings)?.map(Provider::into_port));
    }
    Ok(found)
}

fn login_method(provider: &ProviderSettings, surroundings: &Surroundings<'_>) -> anyhow::Result<LoginMethod> {
    if let ProviderKind::Local(local) = &provider.kind {
        return local_users(local);
    }
    let idp = identity_provider(provider, surroundings)?;
    let idp = idp.ok_or_else(|| anyhow!("auth.{}: people do not sign in there", provider.name))?;
    match &idp {
        Provider::Described(idp) => tell_refresh_hint(&**idp),
        Provider::OpenId(idp) => discover(Arc::clone(idp)),
    }
    Ok(LoginMethod::Provider(idp.into_port()))
}

/// An identity provider.
enum Provider {
    /// The configuration says all about it.
    Described(Arc<dyn UpstreamIdp>),
    /// It says the rest itself.
    OpenId(Arc<OidcIdp>),
}

impl Provider {
    fn into_port(self) -> Arc<dyn UpstreamIdp> {
        match self {
            Self::Described(idp) => idp,
            Self::OpenId(idp) => idp,
        }
    }
}

/// The provider; `None` for local users.
fn identity_provider(provider: &ProviderSettings, surroundings: &Surroundings<'_>) -> anyhow::Result<Option<Provider>> {
    let (http, clock) = (surroundings.http.clone(), Arc::clone(surroundings.clock));
    let app = |app| upstream_app(app, surroundings);
    let name = &provider.name;
    let context = || name_of(name);
    Ok(Some(match &provider.kind {
        ProviderKind::Local(_) => return Ok(None),
        ProviderKind::Github(settings) => {
            Provider::Described(Arc::new(GitHubIdp::new(app(settings), http, clock).with_context(context)?))
        }
        ProviderKind::Atlassian(settings) => {
            Provider::Described(Arc::new(AtlassianIdp::new(app(settings), http, clock).with_context(context)?))
        }
        ProviderKind::Salesforce(settings) => {
            Provider::Described(Arc::new(SalesforceIdp::new(app(settings), http, clock).with_context(context)?))
        }
        ProviderKind::Google(settings) => {
            Provider::OpenId(Arc::new(google(app(settings), http, clock).with_context(context)?))
        }
        ProviderKind::Keycloak(settings) => {
            Provider::OpenId(Arc::new(keycloak(realm(settings, surroundings), http, clock).with_context(context)?))
        }
        ProviderKind::Oidc(settings) => {
            // Its people may go by another name than the block.
            let settings = open_id(name, settings, surroundings);
            Provider::OpenId(Arc::new(OidcIdp::new(settings, http, clock).context("auth.oidc")?))
        }
    }))
}

/// Tells the operator when a provider's tokens can never be refreshed with this configuration.
fn tell_refresh_hint(idp: &dyn UpstreamIdp) {
    if let Some(hint) = idp.refresh_hint() {
        tracing::warn!(provider = idp.name(), hint, "people may have to sign in each time the provider's token ends");
    }
}

fn name_of(provider: &str) -> String {
    format!("auth.{provider}")
}

fn upstream_app(app: &AppSettings, surroundings: &Surroundings<'_>) -> UpstreamApp {
    UpstreamApp {
        client_id: app.client_id.clone(),
        client_secret: app.client_secret.clone(),
        auth_url: app.auth_url.to_string(),
        token_url: app.token_url.to_string(),
        scope: app.scope.to_string(),
        redirect_uri: format!("{}{}", surroundings.base_url, app.callback_path),
    }
}

fn open_id(name: &str, oidc: &OidcSettings, surroundings: &Surroundings<'_>) -> OidcIdpSettings {
    OidcIdpSettings {
        config_url: oidc.config_url.to_string(),
        client_id: oidc.client_id.clone(),
        client_secret: oidc.client_secret.clone(),
        scope: oidc.scope.to_string(),
        redirect_uri: format!("{}{}", surroundings.base_url, oidc.callback_path),
        audience: oidc.audience.clone(),
        extra_authorize_params: oidc.extra_authorize_params.clone(),
        // A name that nobody chose is shown to nobody: the provider's host says more.
        provider_name: (name != DEFAULT_NAME).then(|| name.to_owned()),
    }
}

fn realm(keycloak: &KeycloakSettings, surroundings: &Surroundings<'_>) -> KeycloakIdpSettings {
    KeycloakIdpSettings {
        server_url: keycloak.server_url.to_string(),
        realm: keycloak.realm.clone(),
        client_id: keycloak.client_id.clone(),
        client_secret: keycloak.client_secret.clone(),
        scope: keycloak.scope.to_string(),
        redirect_uri: format!("{}{}", surroundings.base_url, keycloak.callback_path),
    }
}

/// Asks the provider who it is, while the daemon goes on starting.
fn discover(idp: Arc<OidcIdp>) {
    actix_rt::spawn(async move {
        idp.warm_up().await;
        tell_refresh_hint(&*idp);
    });
}

fn local_users(local: &LocalSettings) -> anyhow::Result<LoginMethod> {
    let users = local.users.iter().map(|user| LocalUser {
        username: user.username.clone(),
        password_hash: user.password_hash.expose().to_owned(),
        email: user.email.clone(),
        name: user.name.clone(),
        role: user.role.clone(),
        permissions: user.permissions.clone(),
        groups: user.groups.clone(),
    });
    Ok(LoginMethod::Password(Arc::new(LocalUsers::new(users.collect())?)))
}

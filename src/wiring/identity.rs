//! From the blocks of the identity providers to where people sign in.

use crate::adapters::http_client::{HttpClient, HttpClientSettings};
use crate::adapters::local_users::{LocalUser, LocalUsers};
use crate::adapters::upstream::github::GitHubIdp;
use crate::adapters::upstream::oidc::{OidcIdp, OidcSettings as OidcIdpSettings};
use crate::adapters::upstream::settings::UpstreamApp;
use crate::config::{AppSettings, LocalSettings, OidcSettings, ProviderKind, ProviderSettings};
use crate::http::routes::CallbackRoute;
use anyhow::{Context as _, anyhow};
use mxcp_actors::authorization::{LoginMethod, LoginMethods};
use mxcp_actors::ports::clock::Clock;
use std::sync::Arc;

/// Everything that a provider is made from, beside its own settings.
struct Surroundings<'a> {
    base_url: &'a str,
    http: HttpClient,
    clock: &'a Arc<dyn Clock>,
}

/// Where people sign in, in the order of the configuration.
pub(super) fn login_methods(
    providers: &[ProviderSettings],
    base_url: &str,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<LoginMethods> {
    if providers.is_empty() {
        return Ok(LoginMethods::default());
    }
    let surroundings = Surroundings { base_url, http: HttpClient::new(&HttpClientSettings::default())?, clock };
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

fn login_method(provider: &ProviderSettings, surroundings: &Surroundings<'_>) -> anyhow::Result<LoginMethod> {
    let (http, clock) = (surroundings.http.clone(), Arc::clone(surroundings.clock));
    let name = &provider.name;
    let method = match &provider.kind {
        ProviderKind::Local(local) => return local_users(local),
        ProviderKind::Github(app) => LoginMethod::Provider(Arc::new(
            GitHubIdp::new(upstream_app(app, surroundings), http, clock).context(name_of(name))?,
        )),
        ProviderKind::Oidc(oidc) => return open_id(name, oidc, surroundings),
        ProviderKind::Google(_)
        | ProviderKind::Atlassian(_)
        | ProviderKind::Salesforce(_)
        | ProviderKind::Keycloak(_) => {
            return Err(anyhow!("auth.{name}: is not supported yet by this version"));
        }
    };
    Ok(method)
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

fn open_id(name: &str, oidc: &OidcSettings, surroundings: &Surroundings<'_>) -> anyhow::Result<LoginMethod> {
    let settings = OidcIdpSettings {
        config_url: oidc.config_url.to_string(),
        client_id: oidc.client_id.clone(),
        client_secret: oidc.client_secret.clone(),
        scope: oidc.scope.to_string(),
        redirect_uri: format!("{}{}", surroundings.base_url, oidc.callback_path),
        audience: oidc.audience.clone(),
        extra_authorize_params: oidc.extra_authorize_params.clone(),
        provider_name: Some(name.to_owned()),
    };
    let idp = OidcIdp::new(settings, surroundings.http.clone(), Arc::clone(surroundings.clock)).context("auth.oidc")?;
    let idp = Arc::new(idp);
    let early = Arc::clone(&idp);
    actix_rt::spawn(async move { early.warm_up().await });
    Ok(LoginMethod::Provider(idp))
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

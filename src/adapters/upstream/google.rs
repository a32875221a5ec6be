//! Google as the identity provider, for personal accounts and for Workspace organizations.
//!
//! What is peculiar to it: refresh tokens come only when they are asked for in its own words, its
//! scopes have long names in answers, it may name itself without `https://` in an `id_token`
//! (see Google's page on OpenID Connect), and the claim `hd` says which organization an account
//! belongs to.

use super::oidc::{DISCOVERY_SUFFIX, Flavour, Metadata, OidcIdp, OidcSettings};
use super::scopes::Included;
use super::settings::{UpstreamApp, UpstreamSettingsError};
use super::token::{Dialect, STANDARD};
use crate::adapters::http_client::HttpClient;
use mxcp_actors::model::principal::User;
use mxcp_actors::ports::clock::Clock;
use serde_json::Value;
use std::sync::Arc;
use url::Url;

const NAME: &str = "google";

/// Asks for a refresh token: Google gives one for offline access only, and after the first time
/// only when the person is asked again. Without it every login would end within the hour.
const OFFLINE: [(&str, &str); 2] = [("access_type", "offline"), ("prompt", "consent")];

/// Scopes that are asked for by one name and granted by another.
const INCLUDED_SCOPES: &[Included] = &[
    ("https://www.googleapis.com/auth/userinfo.email", "email"),
    ("https://www.googleapis.com/auth/userinfo.profile", "profile"),
    ("email", "https://www.googleapis.com/auth/userinfo.email"),
    ("profile", "https://www.googleapis.com/auth/userinfo.profile"),
];

/// Google, with an app whose addresses the configuration names. Keys, profile and revocation are
/// found by the discovery document at the origin of `auth_url`, which is Google's issuer.
///
/// # Errors
/// When a setting is missing or an endpoint could not be trusted with a secret.
pub fn google(app: UpstreamApp, http: HttpClient, clock: Arc<dyn Clock>) -> Result<OidcIdp, UpstreamSettingsError> {
    let (auth_url, token_url) = app.check()?;
    let settings = OidcSettings {
        config_url: format!("{}{DISCOVERY_SUFFIX}", auth_url.origin().ascii_serialization()),
        client_id: app.client_id,
        client_secret: app.client_secret,
        scope: app.scope,
        redirect_uri: app.redirect_uri,
        audience: None,
        extra_authorize_params: OFFLINE.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        provider_name: Some(NAME.to_owned()),
    };
    OidcIdp::with_flavour(settings, Box::new(Google { auth_url, token_url }), http, clock)
}

#[derive(Debug)]
struct Google {
    auth_url: Url,
    token_url: Url,
}

impl Flavour for Google {
    fn title(&self) -> Option<&'static str> {
        Some("Google")
    }

    fn dialect(&self) -> Dialect {
        Dialect { included_scopes: INCLUDED_SCOPES, ..STANDARD }
    }

    fn adjust(&self, metadata: &mut Metadata) {
        metadata.authorization_endpoint.clone_from(&self.auth_url);
        metadata.token_endpoint.clone_from(&self.token_url);
    }

    fn issuer_alias<'a>(&self, issuer: &'a str) -> Option<&'a str> {
        issuer.split_once("://").map(|(_, name)| name)
    }

    fn explain_issuer(&self, issuer: &str, expected: &str) -> String {
        format!("its issuer is {issuer}, but auth_url is at {expected}")
    }

    fn needs_offline_access(&self) -> bool {
        false
    }

    /// Puts members of an organization into the group of its domain. The claim counts, which
    /// Google signs; a parameter of the same name in a request would only be a wish, and an
    /// address of that domain may belong to a personal account.
    fn complete(&self, user: &mut User) {
        let domain = user.claims.get("hd").and_then(Value::as_str).filter(|domain| !domain.is_empty());
        if let Some(domain) = domain
            && !user.groups.iter().any(|group| group == domain)
        {
            user.groups.push(domain.to_owned());
        }
    }
}

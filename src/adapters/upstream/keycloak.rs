//! A realm of a Keycloak server as the identity provider.
//!
//! What is peculiar to it: everything follows from the server's address and the realm, roles stand
//! in the access token unless somebody mapped them elsewhere, and groups may be paths.

use super::oidc::{DISCOVERY_SUFFIX, Flavour, OidcIdp, OidcSettings};
use super::settings::{UpstreamSettingsError, endpoint, required};
use crate::adapters::http_client::HttpClient;
use mxcp_actors::model::principal::User;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::ports::clock::Clock;
use serde_json::Value;
use std::sync::Arc;

const NAME: &str = "keycloak";

/// What a token of Keycloak's may say about rights.
const CLAIMS_OF_RIGHTS: &[&str] = &["realm_access", "resource_access", "groups", "role", "permissions"];

/// Roles that every person has by default and that say nothing about them; there is also one for
/// each realm.
const ROLES_OF_EVERYBODY: [&str; 2] = ["offline_access", "uma_authorization"];

/// How many roles of a person count. Real people have a few dozen.
const ROLES_MAX: usize = 1_000;

/// How we are known at a realm.
#[derive(Clone, Debug)]
pub struct KeycloakSettings {
    /// The server, with `/auth` at the end where it has that.
    pub server_url: String,
    /// The realm's name.
    pub realm: String,
    /// Our client id.
    pub client_id: String,
    /// Our client secret.
    pub client_secret: Secret,
    /// Scopes to ask for, separated by spaces; `openid` must be among them.
    pub scope: String,
    /// Our callback, as registered with the client.
    pub redirect_uri: String,
}

/// A realm of a Keycloak server.
///
/// # Errors
/// When a setting is missing or cannot work.
pub fn keycloak(
    settings: KeycloakSettings,
    http: HttpClient,
    clock: Arc<dyn Clock>,
) -> Result<OidcIdp, UpstreamSettingsError> {
    required("client_secret", settings.client_secret.expose())?;
    required("realm", &settings.realm)?;
    let flavour = Keycloak { realm: settings.realm.clone(), client_id: settings.client_id.clone() };
    let settings = OidcSettings {
        config_url: config_url(&settings.server_url, &settings.realm)?,
        client_id: settings.client_id,
        client_secret: settings.client_secret,
        scope: settings.scope,
        redirect_uri: settings.redirect_uri,
        audience: None,
        extra_authorize_params: Vec::new(),
        provider_name: Some(NAME.to_owned()),
    };
    OidcIdp::with_flavour(settings, Box::new(flavour), http, clock)
}

/// Where the realm's discovery document is.
fn config_url(server_url: &str, realm: &str) -> Result<String, UpstreamSettingsError> {
    let refuse = |problem: &str| UpstreamSettingsError::new("server_url", problem);
    let mut url = endpoint("server_url", server_url)?;
    if url.query().is_some() {
        return Err(refuse("must not have a query"));
    }
    url.path_segments_mut().map_err(|()| refuse("must have a path"))?.pop_if_empty().extend(["realms", realm]);
    Ok(format!("{url}{DISCOVERY_SUFFIX}"))
}

#[derive(Debug)]
struct Keycloak {
    realm: String,
    client_id: String,
}

impl Flavour for Keycloak {
    fn title(&self) -> Option<&'static str> {
        Some("Keycloak")
    }

    /// The server goes by one name outside and perhaps by another inside; its tokens carry the
    /// outer one.
    fn explain_issuer(&self, issuer: &str, expected: &str) -> String {
        let suffix = expected.rfind("/realms/").and_then(|at| expected.get(at..)).unwrap_or_default();
        match issuer.strip_suffix(suffix).filter(|_| !suffix.is_empty()) {
            Some(server) => format!("its issuer is {issuer}; set server_url to {server}"),
            None => format!("its issuer is {issuer}, but server_url and realm are those of {expected}"),
        }
    }

    fn access_token_claims(&self) -> &'static [&'static str] {
        CLAIMS_OF_RIGHTS
    }

    /// A session at Keycloak has a refresh token anyway; `offline_access` makes it outlive the
    /// session.
    fn needs_offline_access(&self) -> bool {
        false
    }

    /// Permissions are the roles in the realm and in our client, beside the claim of that name. The
    /// role is the claim `role`, else the only role that not everybody has: of several none is
    /// more the person's role than the others.
    fn complete(&self, user: &mut User) {
        let roles = self.roles(&user.claims);
        if user.role.is_none() {
            let mut telling = roles.iter().filter(|role| !self.is_of_everybody(role));
            user.role = telling.next().filter(|_| telling.next().is_none()).cloned();
        }
        for role in roles {
            if !user.permissions.contains(&role) {
                user.permissions.push(role);
            }
        }
        for group in &mut user.groups {
            if let Some(path) = group.strip_prefix('/') {
                *group = path.to_owned();
            }
        }
    }
}

impl Keycloak {
    /// The roles in the realm and in our client, each once.
    fn roles(&self, claims: &Value) -> Vec<String> {
        let in_realm = claims.get("realm_access");
        let in_client = claims.get("resource_access").and_then(|clients| clients.get(&self.client_id));
        let mut roles: Vec<String> = Vec::new();
        let lists = [in_realm, in_client].into_iter().flatten().filter_map(|access| access.get("roles")?.as_array());
        for name in lists.flatten().filter_map(Value::as_str).filter(|name| !name.is_empty()) {
            if roles.len() < ROLES_MAX && !roles.iter().any(|known| known == name) {
                roles.push(name.to_owned());
            }
        }
        roles
    }

    fn is_of_everybody(&self, role: &str) -> bool {
        // Keycloak writes the realm's name there in lower case.
        let of_realm = role.strip_prefix("default-roles-").is_some_and(|realm| realm.eq_ignore_ascii_case(&self.realm));
        of_realm || ROLES_OF_EVERYBODY.contains(&role)
    }
}

#[cfg(test)]
mod tests;

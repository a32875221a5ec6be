//! Whose tokens are accepted, and how they are checked.

use super::super::settings::{check_config_url, check_provider_name};
use crate::adapters::upstream::settings::{UpstreamSettingsError, required};
use mxcp_actors::model::resource::Resource;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::scope_rules::ScopeRules;
use mxcp_actors::user_mapping::UserMapping;
use std::sync::Arc;

/// Whose tokens are accepted, and how they are checked.
#[derive(Clone, Debug)]
pub struct VerifierSettings {
    /// Address of the issuer's discovery document; ends with `/.well-known/openid-configuration`.
    pub config_url: String,
    /// The name under which the issuer's people are known here.
    pub provider_name: String,
    /// The names of this server in `aud`; a token must be meant for one of them.
    pub audiences: Vec<String>,
    /// This server, as its tokens are bound to it.
    pub resource: Resource,
    /// What the operator says about people, beyond what the issuer does.
    pub user_mapping: Arc<UserMapping>,
    /// What the operator lets them have of what their tokens say.
    pub scope_rules: Arc<ScopeRules>,
    /// Who this server is at the issuer's introspection endpoint (RFC 7662); without it tokens are
    /// JWTs and are checked here (RFC 9068).
    pub introspection: Option<IntrospectionClient>,
}

/// Who this server is at an introspection endpoint.
#[derive(Clone, Debug)]
pub struct IntrospectionClient {
    /// Its identifier.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
}

impl VerifierSettings {
    /// Refuses what cannot work.
    pub(super) fn check(&self) -> Result<(), UpstreamSettingsError> {
        check_config_url(&self.config_url)?;
        check_provider_name(&self.provider_name)?;
        if self.audiences.is_empty() || self.audiences.iter().any(|name| name.trim().is_empty()) {
            return Err(UpstreamSettingsError::new("audience", "must not be empty"));
        }
        if let Some(client) = &self.introspection {
            required("client_id", &client.client_id)?;
            required("client_secret", client.client_secret.expose())?;
        }
        Ok(())
    }
}

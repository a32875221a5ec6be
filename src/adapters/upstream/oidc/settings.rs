//! How we are known at an OpenID Connect provider.

use super::discovery::SUFFIX;
use crate::adapters::upstream::settings::{UpstreamSettingsError, endpoint, required};
use mxcp_actors::model::secret::Secret;
use url::Url;

/// Parameters of the authorization request that are ours to set: another value would switch a
/// check off.
const OWN_PARAMETERS: &[&str] = &[
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "request",
    "request_uri",
];

/// How we are known at a provider.
#[derive(Clone, Debug)]
pub struct OidcSettings {
    /// Address of the discovery document; ends with `/.well-known/openid-configuration`.
    pub config_url: String,
    /// Our client id.
    pub client_id: String,
    /// Our client secret; empty when the provider gave none.
    pub client_secret: Secret,
    /// Scopes to ask for, separated by spaces; `openid` must be among them.
    pub scope: String,
    /// Our callback, as registered with the provider.
    pub redirect_uri: String,
    /// The API that the access token is for, where the provider wants to know.
    pub audience: Option<String>,
    /// More parameters for the authorization request, such as `prompt`.
    pub extra_authorize_params: Vec<(String, String)>,
    /// What to call the provider; `oidc` when it is not set.
    pub provider_name: Option<String>,
}

impl OidcSettings {
    /// Refuses what cannot work.
    pub(super) fn check(&self) -> Result<(), UpstreamSettingsError> {
        required("client_id", &self.client_id)?;
        endpoint("callback_path", &self.redirect_uri)?;
        check_config_url(&self.config_url)?;
        if !self.scope.split_ascii_whitespace().any(|scope| scope == "openid") {
            return Err(UpstreamSettingsError::new("scope", "must contain openid"));
        }
        self.check_extra_params()?;
        self.provider_name.as_deref().map_or(Ok(()), check_provider_name)
    }

    fn check_extra_params(&self) -> Result<(), UpstreamSettingsError> {
        let refuse = |problem: String| Err(UpstreamSettingsError::new("extra_authorize_params", problem));
        for (name, _) in &self.extra_authorize_params {
            if OWN_PARAMETERS.contains(&name.as_str()) {
                return refuse(format!("must not set {name}"));
            }
            if name == "audience" && self.audience.is_some() {
                return refuse("must not set audience, which has a setting of its own".to_owned());
            }
        }
        Ok(())
    }

    /// The provider's name.
    pub(super) fn name(&self) -> String {
        self.provider_name.clone().unwrap_or_else(|| "oidc".to_owned())
    }

    /// What people are shown: the name that the operator chose, else the host that they will see
    /// in their browser.
    pub(super) fn title(&self) -> String {
        let host = || Url::parse(&self.config_url).ok()?.host_str().map(str::to_owned);
        self.provider_name.clone().or_else(host).unwrap_or_else(|| self.name())
    }
}

/// Refuses an address at which there is no discovery document.
pub(super) fn check_config_url(text: &str) -> Result<(), UpstreamSettingsError> {
    let url = endpoint("config_url", text)?;
    if !text.ends_with(SUFFIX) || url.query().is_some() {
        return Err(UpstreamSettingsError::new("config_url", format!("must end with {SUFFIX}")));
    }
    Ok(())
}

/// Refuses a name that could make two people one: it is the first half of every user's identity.
pub(super) fn check_provider_name(name: &str) -> Result<(), UpstreamSettingsError> {
    if name.is_empty() || name.contains(':') || name == "local" {
        return Err(UpstreamSettingsError::new("provider_name", "must not be empty, contain a colon or be `local`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> OidcSettings {
        OidcSettings {
            config_url: "https://idp.example.com/realm/.well-known/openid-configuration".to_owned(),
            client_id: "id".to_owned(),
            client_secret: Secret::new("secret"),
            scope: "openid email".to_owned(),
            redirect_uri: "http://localhost:8000/callback".to_owned(),
            audience: None,
            extra_authorize_params: Vec::new(),
            provider_name: None,
        }
    }

    fn problem(change: impl FnOnce(&mut OidcSettings)) -> Option<String> {
        let mut settings = settings();
        change(&mut settings);
        settings.check().err().map(|error| error.to_string())
    }

    #[test]
    fn good_settings_pass() {
        assert_eq!(problem(|_| ()), None);
        assert_eq!(problem(|s| s.extra_authorize_params = vec![("prompt".to_owned(), "login".to_owned())]), None);
        assert_eq!(problem(|s| s.client_secret = Secret::default()), None);
    }

    #[test]
    fn what_cannot_work_is_named() {
        assert_eq!(problem(|s| s.client_id.clear()).unwrap(), "client_id: must not be empty");
        assert_eq!(problem(|s| "profile openidx".clone_into(&mut s.scope)).unwrap(), "scope: must contain openid");
        for bad in [
            "https://idp.example.com",
            "https://idp.example.com/.well-known/oauth-authorization-server",
            "https://idp.example.com/.well-known/openid-configuration?p=x/.well-known/openid-configuration",
            "http://idp.example.com/.well-known/openid-configuration",
        ] {
            assert!(problem(|s| bad.clone_into(&mut s.config_url)).unwrap().starts_with("config_url: "), "{bad}");
        }
        for bad in ["", "a:b", "local"] {
            assert!(problem(|s| s.provider_name = Some(bad.to_owned())).unwrap().starts_with("provider_name: "));
        }
    }

    #[test]
    fn extra_parameters_may_not_switch_checks_off() {
        for name in OWN_PARAMETERS {
            let set = |s: &mut OidcSettings| s.extra_authorize_params = vec![((*name).to_owned(), "x".to_owned())];
            assert_eq!(problem(set).unwrap(), format!("extra_authorize_params: must not set {name}"));
        }
    }

    #[test]
    fn people_see_the_configured_name_or_the_host() {
        assert_eq!((settings().name().as_str(), settings().title().as_str()), ("oidc", "idp.example.com"));
        let named = OidcSettings { provider_name: Some("Okta".to_owned()), ..settings() };
        assert_eq!((named.name().as_str(), named.title().as_str()), ("Okta", "Okta"));
    }
}

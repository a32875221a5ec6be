//! What the settings of every provider have in common.

use mxcp_actors::model::loopback::is_this_machine;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::ports::upstream_idp::ProviderEndpoint;
use url::Url;

/// A provider's settings that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct UpstreamSettingsError {
    /// The setting's name in the configuration.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl UpstreamSettingsError {
    /// Says what is wrong with `field`.
    pub(super) fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, problem: problem.into() }
    }
}

/// How we are known at a provider whose addresses the configuration names.
#[derive(Clone, Debug)]
pub struct UpstreamApp {
    /// The app's client id.
    pub client_id: String,
    /// The app's client secret.
    pub client_secret: Secret,
    /// Where people log in, such as `https://github.com/login/oauth/authorize`.
    pub auth_url: String,
    /// Where codes are redeemed, such as `https://github.com/login/oauth/access_token`.
    pub token_url: String,
    /// Scopes to ask for, separated by spaces; may be empty.
    pub scope: String,
    /// Our callback, as registered with the app.
    pub redirect_uri: String,
}

impl UpstreamApp {
    /// Checks what every provider needs, and reads the two endpoints: where people log in, and
    /// where codes are redeemed.
    ///
    /// # Errors
    /// When a setting is missing or an endpoint could not be trusted with a secret.
    pub(super) fn check(&self) -> Result<(Url, Url), UpstreamSettingsError> {
        required("client_id", &self.client_id)?;
        required("client_secret", self.client_secret.expose())?;
        endpoint("callback_path", &self.redirect_uri)?;
        Ok((endpoint("auth_url", &self.auth_url)?, endpoint("token_url", &self.token_url)?))
    }

    /// The endpoints that the configuration names.
    pub(super) fn endpoints(&self) -> Vec<ProviderEndpoint> {
        vec![
            ProviderEndpoint::new("authorization endpoint", &self.auth_url),
            ProviderEndpoint::new("token endpoint", &self.token_url),
        ]
    }

    /// The scopes to ask for, one by one.
    pub(super) fn scopes(&self) -> Vec<String> {
        self.scope.split_ascii_whitespace().map(str::to_owned).collect()
    }
}

/// Reads a setting that is an endpoint.
pub(super) fn endpoint(field: &'static str, text: &str) -> Result<Url, UpstreamSettingsError> {
    parse_endpoint(text).map_err(|problem| UpstreamSettingsError::new(field, problem))
}

/// Refuses a setting that is empty.
pub(super) fn required(field: &'static str, text: &str) -> Result<(), UpstreamSettingsError> {
    if text.trim().is_empty() {
        return Err(UpstreamSettingsError::new(field, "must not be empty"));
    }
    Ok(())
}

/// Reads the URL of an endpoint: https, or http on this machine, without user information or
/// fragment. Codes, tokens and secrets are sent there (RFC 6749 section 3.1 and 3.2).
pub(super) fn parse_endpoint(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not carry a user name or password".to_owned());
    }
    if url.fragment().is_some() {
        return Err("must not have a fragment".to_owned());
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_this_machine(&url) => Ok(url),
        "http" => Err("must use https unless the host is this machine".to_owned()),
        other => Err(format!("must use https, not {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_https_or_on_this_machine() {
        for good in ["https://idp.example.com/token", "http://127.0.0.1:8080/t", "http://[::1]/t", "http://localhost/t"]
        {
            assert!(parse_endpoint(good).is_ok(), "{good}");
        }
        for bad in [
            "http://idp.example.com/token",
            "http://localhost.example.com/token",
            "ftp://127.0.0.1/t",
            "https://user:pass@idp.example.com/",
            "https://idp.example.com/#part",
            "/token",
            "",
        ] {
            assert!(parse_endpoint(bad).is_err(), "{bad}");
        }
    }
}

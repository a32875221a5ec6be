//! Salesforce as the identity provider: production, sandboxes, and organizations under a domain of
//! their own (My Domain).
//!
//! What differs from RFC 6749: a token answer names no lifetime, because that is a matter of the
//! organization's session policy, and says where the person's organization is. The person is asked
//! for there, with the access token. The `id_token` is not read: the profile says all that it does,
//! comes straight from Salesforce as well, and is about the owner of the token in any case, while
//! the issuer in the `id_token` is at times another host of Salesforce than people sign in at.

mod instance;
mod person;

pub(in crate::adapters) use person::described_before;

use super::api::{JsonRequest, get_json};
use super::revocation::RevocationEndpoint;
use super::scopes::Included;
use super::settings::{UpstreamApp, UpstreamSettingsError};
use super::token::{Dialect, STANDARD, TokenAnswer, TokenEndpoint};
use super::url::AuthorizationUrl;
use crate::adapters::http_client::HttpClient;
use instance::{is_of_one_organization, userinfo_url};
use mxcp_actors::model::grant::SignedIn;
use mxcp_actors::model::principal::User;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::model::token::UpstreamTokens;
use mxcp_actors::ports::PortFuture;
use mxcp_actors::ports::clock::Clock;
use mxcp_actors::ports::upstream_idp::{
    ProviderEndpoint, RevocationReach, RevocationResult, UpstreamAuthorization, UpstreamError, UpstreamExchange,
    UpstreamIdp,
};
use oauth2::AuthType;
use person::Attributes;
use std::sync::Arc;
use url::Url;

pub(in crate::adapters) const NAME: &str = "salesforce";

/// The scopes that each bring refresh tokens.
const REFRESH_SCOPES: [&str; 2] = ["refresh_token", "offline_access"];

/// Scopes that Salesforce has under two names, or within wider ones.
const INCLUDED_SCOPES: &[Included] = &[
    ("offline_access", "refresh_token"),
    ("refresh_token", "offline_access"),
    ("id", "profile"),
    ("id", "email"),
    ("id", "address"),
    ("id", "phone"),
    ("full", "api"),
    ("full", "id"),
    ("full", "profile"),
    ("full", "email"),
];

/// A refresh token of somebody who has left does not work again.
const DIALECT: Dialect =
    Dialect { invalid_grant_codes: &["inactive_user", "inactive_org"], included_scopes: INCLUDED_SCOPES, ..STANDARD };

/// Salesforce as an identity provider.
#[derive(Debug)]
pub struct SalesforceIdp {
    settings: UpstreamApp,
    auth_url: Url,
    token_url: Url,
    revocation_url: Url,
    attributes: Attributes,
    http: HttpClient,
    clock: Arc<dyn Clock>,
}

impl SalesforceIdp {
    /// Checks the settings.
    ///
    /// # Errors
    /// When a setting is missing or an endpoint could not be trusted with a secret.
    pub fn new(settings: UpstreamApp, http: HttpClient, clock: Arc<dyn Clock>) -> Result<Self, UpstreamSettingsError> {
        let (auth_url, token_url) = settings.check()?;
        let revocation_url = revocation_url(&token_url).ok_or_else(|| {
            UpstreamSettingsError::new("token_url", "must end with a path such as /services/oauth2/token")
        })?;
        let attributes = if is_of_one_organization(&auth_url) && is_of_one_organization(&token_url) {
            Attributes::Granting
        } else {
            Attributes::Ignored
        };
        Ok(Self { settings, auth_url, token_url, revocation_url, attributes, http, clock })
    }

    fn token_endpoint(&self) -> Result<TokenEndpoint<'_>, UpstreamError> {
        TokenEndpoint::of_app(&self.http, NAME, &self.settings, &self.token_url, DIALECT)
    }

    async fn sign_in(&self, request: UpstreamExchange) -> Result<SignedIn, UpstreamError> {
        let answer = self.token_endpoint()?.redeem(&request.code, Some(&request.verifier)).await?;
        let received_at = self.clock.now();
        let user = self.fetch_user(&answer).await?;
        Ok(answer.into_signed_in(user, received_at))
    }

    async fn fetch_user(&self, answer: &TokenAnswer) -> Result<User, UpstreamError> {
        let url = userinfo_url(answer.instance_url.as_deref(), answer.identity_url.as_deref(), &self.token_url)?;
        let request = JsonRequest {
            provider: NAME,
            what: "the user's profile",
            url: url.as_str(),
            bearer: Some(answer.access_token()),
            headers: &[],
        };
        let profile = get_json(&self.http, &request).await?;
        person::user(profile, answer.identity_url.as_deref(), self.attributes)
    }
}

impl UpstreamIdp for SalesforceIdp {
    fn name(&self) -> &str {
        NAME
    }

    fn title(&self) -> &'static str {
        "Salesforce"
    }

    fn requested_scopes(&self) -> Vec<String> {
        self.settings.scopes()
    }

    fn endpoints(&self) -> PortFuture<'_, Result<Vec<ProviderEndpoint>, UpstreamError>> {
        Box::pin(std::future::ready(Ok(self.settings.endpoints())))
    }

    fn authorization_url(&self, request: UpstreamAuthorization) -> PortFuture<'_, Result<String, UpstreamError>> {
        let url = AuthorizationUrl::new(&self.auth_url, &self.settings.client_id, &self.settings.redirect_uri)
            .with_nonempty("scope", &self.settings.scope)
            .with("state", request.state.expose())
            .with_challenge(&request.challenge)
            .into_string();
        Box::pin(std::future::ready(Ok(url)))
    }

    fn exchange(&self, request: UpstreamExchange) -> PortFuture<'_, Result<SignedIn, UpstreamError>> {
        Box::pin(self.sign_in(request))
    }

    /// Gets new tokens. Salesforce gives a new refresh token only where the app is set up to rotate
    /// them.
    fn refresh(
        &self,
        refresh_token: Secret,
        _subject: String,
    ) -> PortFuture<'_, Result<UpstreamTokens, UpstreamError>> {
        Box::pin(async move {
            let answer = self.token_endpoint()?.refresh(refresh_token).await?;
            Ok(answer.into_tokens(self.clock.now()))
        })
    }

    fn refresh_hint(&self) -> Option<String> {
        let is_missing = !self.settings.scopes().iter().any(|scope| REFRESH_SCOPES.contains(&scope.as_str()));
        let [scope, _] = REFRESH_SCOPES;
        is_missing.then(|| {
            format!(
                "tokens cannot be refreshed and end with the organization's sessions; add {scope} to auth.{NAME}.scope"
            )
        })
    }

    /// Salesforce ends a refresh token and the access tokens that belong to it, and logins that
    /// are close together may hold one access token between them.
    fn revocation_reach(&self) -> RevocationReach {
        RevocationReach::Grant
    }

    fn revoke(&self, tokens: UpstreamTokens) -> PortFuture<'_, Result<RevocationResult, UpstreamError>> {
        Box::pin(async move {
            let endpoint = RevocationEndpoint {
                http: &self.http,
                provider: NAME,
                url: &self.revocation_url,
                client_id: &self.settings.client_id,
                client_secret: &self.settings.client_secret,
                auth_type: &AuthType::RequestBody,
            };
            endpoint.revoke_both(&tokens).await
        })
    }
}

/// Where tokens are revoked: beside the token endpoint.
fn revocation_url(token_url: &Url) -> Option<Url> {
    let mut url = token_url.clone();
    let last = token_url.path_segments()?.next_back()?;
    if last.is_empty() {
        return None;
    }
    url.path_segments_mut().ok()?.pop().push("revoke");
    url.set_query(None);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_revoked_beside_the_token_endpoint() {
        let found = |url: &str| revocation_url(&Url::parse(url).unwrap()).map(String::from);
        for (token_url, expected) in [
            (
                "https://login.salesforce.com/services/oauth2/token",
                "https://login.salesforce.com/services/oauth2/revoke",
            ),
            (
                "https://acme.my.site.com/shop/services/oauth2/token?a=b",
                "https://acme.my.site.com/shop/services/oauth2/revoke",
            ),
        ] {
            assert_eq!(found(token_url).as_deref(), Some(expected));
        }
        assert_eq!(found("https://login.salesforce.com/"), None);
        assert_eq!(found("https://login.salesforce.com/services/"), None);
    }
}

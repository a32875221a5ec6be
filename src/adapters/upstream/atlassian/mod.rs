//! Atlassian as the identity provider, with an app of its developer console (3LO), for Jira and
//! Confluence.
//!
//! What differs from RFC 6749: the login page must be told the audience, a token answer may leave
//! out its type, and refresh tokens are replaced at each use. There is no `id_token`; the person
//! is asked for at the API, and so are the sites that the token is good for.

mod sites;

use super::api::{JsonRequest, get_json, in_good_time, local_part, text};
use super::error::unusable;
use super::settings::{UpstreamApp, UpstreamSettingsError};
use super::token::{Dialect, STANDARD, TokenAnswer, TokenEndpoint};
use super::url::AuthorizationUrl;
use crate::adapters::http_client::HttpClient;
use mxcp_actors::model::grant::SignedIn;
use mxcp_actors::model::ids::UserId;
use mxcp_actors::model::principal::User;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::model::token::UpstreamTokens;
use mxcp_actors::ports::PortFuture;
use mxcp_actors::ports::clock::Clock;
use mxcp_actors::ports::upstream_idp::{
    ProviderEndpoint, RevocationReach, RevocationResult, UpstreamAuthorization, UpstreamError, UpstreamExchange,
    UpstreamIdp,
};
use serde_json::Value;
use sites::Site;
use std::sync::Arc;
use url::Url;

const NAME: &str = "atlassian";

/// Whose tokens are asked for.
const AUDIENCE: (&str, &str) = ("audience", "api.atlassian.com");

/// The scope without which there are no refresh tokens.
const REFRESH_SCOPE: &str = "offline_access";

/// A refresh token that was used or is over is reported as `invalid_grant`, and at times as an
/// `unauthorized_client` with a description that tells it from a client that really is none.
const DIALECT: Dialect =
    Dialect { invalid_grant_descriptions: &["refresh_token is invalid"], may_omit_token_type: true, ..STANDARD };

/// Atlassian as an identity provider.
#[derive(Debug)]
pub struct AtlassianIdp {
    settings: UpstreamApp,
    auth_url: Url,
    token_url: Url,
    me_url: String,
    sites_url: String,
    http: HttpClient,
    clock: Arc<dyn Clock>,
}

impl AtlassianIdp {
    /// Checks the settings.
    ///
    /// # Errors
    /// When a setting is missing or an endpoint could not be trusted with a secret.
    pub fn new(settings: UpstreamApp, http: HttpClient, clock: Arc<dyn Clock>) -> Result<Self, UpstreamSettingsError> {
        let (mut auth_url, token_url) = settings.check()?;
        if !auth_url.query_pairs().any(|(name, _)| name == AUDIENCE.0) {
            auth_url.query_pairs_mut().append_pair(AUDIENCE.0, AUDIENCE.1);
        }
        let api = api_base(&token_url);
        let (me_url, sites_url) = (format!("{api}/me"), format!("{api}/oauth/token/accessible-resources"));
        Ok(Self { settings, auth_url, token_url, me_url, sites_url, http, clock })
    }

    fn token_endpoint(&self) -> Result<TokenEndpoint<'_>, UpstreamError> {
        TokenEndpoint::of_app(&self.http, NAME, &self.settings, &self.token_url, DIALECT)
    }

    async fn sign_in(&self, request: UpstreamExchange) -> Result<SignedIn, UpstreamError> {
        let answer = self.token_endpoint()?.redeem(&request.code, Some(&request.verifier)).await?;
        let received_at = self.clock.now();
        let profile = get_json(&self.http, &api_request(&self.me_url, "the user's profile", &answer)).await?;
        let sites = self.fetch_sites(&answer).await;
        Ok(answer.into_signed_in(user(profile, &sites)?, received_at))
    }

    /// The sites that the token is good for. Without them the person is in no group, which grants
    /// nothing; who it is, is known all the same.
    async fn fetch_sites(&self, answer: &TokenAnswer) -> Vec<Site> {
        let request = api_request(&self.sites_url, "the user's sites", answer);
        let read = |list: Value| sites::read(&list).ok_or_else(|| unusable(NAME, "the user's sites are not a list"));
        let outcome = in_good_time(NAME, get_json(&self.http, &request)).await.and_then(read);
        outcome.unwrap_or_else(|error| {
            tracing::debug!(%error, "the sites of a person at Atlassian are not known");
            Vec::new()
        })
    }
}

impl UpstreamIdp for AtlassianIdp {
    fn name(&self) -> &str {
        NAME
    }

    fn title(&self) -> &'static str {
        "Atlassian"
    }

    fn requested_scopes(&self) -> Vec<String> {
        self.settings.scopes()
    }

    fn endpoints(&self) -> PortFuture<'_, Result<Vec<ProviderEndpoint>, UpstreamError>> {
        Box::pin(std::future::ready(Ok(self.settings.endpoints())))
    }

    /// Where to send the browser. Consent is asked for each time: without that prompt nobody who
    /// has agreed before could choose other sites.
    fn authorization_url(&self, request: UpstreamAuthorization) -> PortFuture<'_, Result<String, UpstreamError>> {
        let url = AuthorizationUrl::new(&self.auth_url, &self.settings.client_id, &self.settings.redirect_uri)
            .with_nonempty("scope", &self.settings.scope)
            .with("state", request.state.expose())
            .with_challenge(&request.challenge)
            .with("prompt", "consent")
            .into_string();
        Box::pin(std::future::ready(Ok(url)))
    }

    fn exchange(&self, request: UpstreamExchange) -> PortFuture<'_, Result<SignedIn, UpstreamError>> {
        Box::pin(self.sign_in(request))
    }

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
        let is_missing = !self.settings.scopes().iter().any(|scope| scope == REFRESH_SCOPE);
        is_missing.then(|| {
            format!("tokens cannot be refreshed and end after an hour; add {REFRESH_SCOPE} to auth.{NAME}.scope")
        })
    }

    /// Nothing is revoked, so nothing else can end by it.
    fn revocation_reach(&self) -> RevocationReach {
        RevocationReach::Tokens
    }

    /// Atlassian documents no way for an app to revoke a token; people do that in their account.
    fn revoke(&self, _: UpstreamTokens) -> PortFuture<'_, Result<RevocationResult, UpstreamError>> {
        Box::pin(std::future::ready(Ok(RevocationResult::NotOffered)))
    }
}

/// Where the API is: for Atlassian itself at a host of its own, elsewhere beside the token endpoint.
fn api_base(token_url: &Url) -> String {
    match token_url.host_str() {
        Some("auth.atlassian.com") => "https://api.atlassian.com".to_owned(),
        _ => token_url.origin().ascii_serialization(),
    }
}

fn api_request<'a>(url: &'a str, what: &'static str, answer: &'a TokenAnswer) -> JsonRequest<'a> {
    JsonRequest { provider: NAME, what, url, bearer: Some(answer.access_token()), headers: &[] }
}

/// Describes the person of a profile, who is in the groups of their sites.
fn user(mut profile: Value, sites: &[Site]) -> Result<User, UpstreamError> {
    let Some(subject) = text(&profile, "account_id") else {
        return Err(unusable(NAME, "the user's profile has no account_id"));
    };
    let written = text(&profile, "email");
    let username = text(&profile, "nickname").or_else(|| written.as_deref().and_then(local_part));
    let verified = profile.get("email_verified").and_then(Value::as_bool);
    // Anybody may have an account, and enter any address: one that Atlassian does not vouch for says
    // nothing. It stays among the claims.
    let email = written.filter(|_| verified != Some(false));
    let name = text(&profile, "name");
    if let Value::Object(claims) = &mut profile {
        claims.insert("accessible_resources".to_owned(), sites::claim(sites));
    }
    Ok(User {
        id: UserId::of(NAME, &subject),
        provider: NAME.to_owned(),
        username: username.unwrap_or_else(|| subject.clone()),
        subject,
        email_verified: email.is_some() && verified == Some(true),
        email,
        name,
        role: None,
        permissions: Vec::new(),
        groups: sites::groups(sites),
        capabilities: Vec::new(),
        claims: profile,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_api_is_found_from_the_token_endpoint() {
        for (token_url, api) in [
            ("https://auth.atlassian.com/oauth/token", "https://api.atlassian.com"),
            ("https://atlassian.example.com/oauth/token", "https://atlassian.example.com"),
            ("http://127.0.0.1:4321/oauth/token", "http://127.0.0.1:4321"),
        ] {
            assert_eq!(api_base(&Url::parse(token_url).unwrap()), api);
        }
    }

    #[test]
    fn a_person_is_called_by_nickname_or_address_or_account() {
        let username = |profile: Value| user(profile, &[]).unwrap().username;
        assert_eq!(username(json!({"account_id": "a1", "nickname": "mia", "email": "m@x"})), "mia");
        assert_eq!(username(json!({"account_id": "a1", "nickname": "", "email": "m@x"})), "m");
        assert_eq!(username(json!({"account_id": "a1", "email": "@x"})), "a1");
        assert_eq!(username(json!({"account_id": "a1"})), "a1");
    }

    #[test]
    fn an_address_is_verified_only_if_the_profile_says_so() {
        for (claim, expected) in
            [(json!(true), true), (json!(false), false), (json!("true"), false), (json!(null), false)]
        {
            let profile = json!({"account_id": "a1", "email": "m@x", "email_verified": claim});
            assert_eq!(user(profile, &[]).unwrap().email_verified, expected);
        }
        assert!(!user(json!({"account_id": "a1", "email_verified": true}), &[]).unwrap().email_verified);
    }
}

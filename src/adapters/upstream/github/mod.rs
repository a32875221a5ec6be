//! GitHub as the identity provider, with an OAuth app or a GitHub App, on github.com or on a
//! server of one's own.
//!
//! What differs from RFC 6749: errors come with status 200, granted scopes are separated by
//! commas, and there is no `id_token`; the person is asked for at the API.

mod emails;
mod memberships;
mod revocation;

use super::api::{JsonRequest, get_json, get_json_if_allowed, in_good_time, text};
use super::error::unusable;
use super::scopes::Included;
use super::settings::{UpstreamApp, UpstreamSettingsError};
use super::token::{Dialect, STANDARD, TokenAnswer, TokenEndpoint};
use super::url::AuthorizationUrl;
use crate::adapters::http_client::HttpClient;
use emails::{Address, choose};
use memberships::Memberships;
use mxcp_actors::model::grant::SignedIn;
use mxcp_actors::model::ids::UserId;
use mxcp_actors::model::principal::User;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::model::token::UpstreamTokens;
use mxcp_actors::ports::PortFuture;
use mxcp_actors::ports::clock::Clock;
use mxcp_actors::ports::upstream_idp::{
    ProviderEndpoint, RevocationReach, RevocationResult, UpstreamAuthorization, UpstreamError, UpstreamExchange,
    UpstreamIdp,
};
use serde_json::Value;
use std::sync::Arc;
use url::Url;

const NAME: &str = "github";

/// GitHub leaves scopes out of its answer that a wider one includes.
const INCLUDED_SCOPES: &[Included] = &[
    ("user", "read:user"),
    ("user", "user:email"),
    ("user", "user:follow"),
    ("repo", "public_repo"),
    ("repo", "repo:status"),
    ("repo", "repo_deployment"),
    ("repo", "repo:invite"),
    ("repo", "security_events"),
    ("admin:org", "write:org"),
    ("admin:org", "read:org"),
    ("write:org", "read:org"),
    ("project", "read:project"),
    ("write:packages", "read:packages"),
];

const DIALECT: Dialect = Dialect {
    scope_separators: &[',', ' '],
    invalid_grant_codes: &["bad_verification_code", "bad_refresh_token"],
    included_scopes: INCLUDED_SCOPES,
    ..STANDARD
};

const API_HEADERS: &[(&str, &str)] =
    &[("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")];

/// GitHub as an identity provider.
#[derive(Debug)]
pub struct GitHubIdp {
    settings: UpstreamApp,
    auth_url: Url,
    token_url: Url,
    api: String,
    user_url: String,
    emails_url: String,
    revocation_url: Url,
    http: HttpClient,
    clock: Arc<dyn Clock>,
}

impl GitHubIdp {
    /// Checks the settings.
    ///
    /// # Errors
    /// When a setting is missing or an endpoint could not be trusted with a secret.
    pub fn new(settings: UpstreamApp, http: HttpClient, clock: Arc<dyn Clock>) -> Result<Self, UpstreamSettingsError> {
        let (auth_url, token_url) = settings.check()?;
        let api = api_base(&token_url);
        let (user_url, emails_url) = (format!("{api}/user"), format!("{api}/user/emails"));
        let revocation_url = revocation::url(&api, &settings.client_id)
            .ok_or_else(|| UpstreamSettingsError::new("token_url", "has no API beside it"))?;
        Ok(Self { settings, auth_url, token_url, api, user_url, emails_url, revocation_url, http, clock })
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
        let mut profile = get_json(&self.http, &api_request(&self.user_url, "the user's profile", answer)).await?;
        let subject = match profile.get("id") {
            Some(Value::Number(id)) if id.is_u64() => id.to_string(),
            _ => return Err(unusable(NAME, "the user's profile has no numeric id")),
        };
        let Some(username) = text(&profile, "login") else {
            return Err(unusable(NAME, "the user's profile has no login"));
        };
        let address = self.fetch_address(&profile, answer).await?;
        let memberships = self.fetch_memberships(answer).await;
        if let (Value::Object(claims), Some(memberships)) = (&mut profile, &memberships) {
            claims.extend(memberships.claims());
        }
        Ok(User {
            id: UserId::of(NAME, &subject),
            provider: NAME.to_owned(),
            subject,
            username,
            email_verified: address.as_ref().is_some_and(|address| address.verified),
            email: address.map(|address| address.email),
            name: text(&profile, "name"),
            role: None,
            permissions: Vec::new(),
            groups: memberships.map(|memberships| memberships.groups()).unwrap_or_default(),
            capabilities: Vec::new(),
            claims: profile,
        })
    }

    /// The person's address, and whether GitHub vouches for it.
    ///
    /// The profile holds the address that the person shows in public, if any, and does not say
    /// whether it is verified; the list of addresses does, when the token may see it.
    async fn fetch_address(&self, profile: &Value, answer: &TokenAnswer) -> Result<Option<Address>, UpstreamError> {
        let public = text(profile, "email");
        let list = if may_see_emails(answer.scope()) {
            get_json_if_allowed(&self.http, &api_request(&self.emails_url, "the user's addresses", answer)).await?
        } else {
            None
        };
        Ok(choose(public, list))
    }

    /// The person's organizations and teams, when the token may see them. Without them the person
    /// is in no group, which grants nothing; who it is, is known all the same.
    async fn fetch_memberships(&self, answer: &TokenAnswer) -> Option<Memberships> {
        if !may_see_memberships(answer.scope(), &self.settings.scopes().into_iter().collect()) {
            return None;
        }
        let outcome = in_good_time(NAME, memberships::fetch(&self.http, &self.api, answer)).await;
        outcome.inspect_err(|error| tracing::warn!(%error, "the organizations of a person are not known")).ok()
    }
}

impl UpstreamIdp for GitHubIdp {
    fn name(&self) -> &str {
        NAME
    }

    fn title(&self) -> &'static str {
        "GitHub"
    }

    fn requested_scopes(&self) -> Vec<String> {
        self.settings.scopes()
    }

    fn endpoints(&self) -> PortFuture<'_, Result<Vec<ProviderEndpoint>, UpstreamError>> {
        Box::pin(std::future::ready(Ok(self.settings.endpoints())))
    }

    fn authorization_url(&self, request: UpstreamAuthorization) -> PortFuture<'_, Result<String, UpstreamError>> {
        // GitHub has no id_token that could repeat the nonce.
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

    /// GitHub ends the one token that is named; each login has its own.
    fn revocation_reach(&self) -> RevocationReach {
        RevocationReach::Tokens
    }

    fn revoke(&self, tokens: UpstreamTokens) -> PortFuture<'_, Result<RevocationResult, UpstreamError>> {
        Box::pin(async move {
            let (id, secret) = (&self.settings.client_id, &self.settings.client_secret);
            revocation::revoke(&self.http, &self.revocation_url, (id, secret), &tokens.access_token).await
        })
    }
}

/// Where the API is: beside github.com and its enterprise clouds at a host of its own, on
/// one's own server below a path.
fn api_base(token_url: &Url) -> String {
    let host = token_url.host_str().unwrap_or_default();
    if host == "github.com" || host.ends_with(".ghe.com") {
        format!("https://api.{host}")
    } else {
        format!("{}/api/v3", token_url.origin().ascii_serialization())
    }
}

fn api_request<'a>(url: &'a str, what: &'static str, answer: &'a TokenAnswer) -> JsonRequest<'a> {
    JsonRequest { provider: NAME, what, url, bearer: Some(answer.access_token()), headers: API_HEADERS }
}

/// Whether asking for the addresses can succeed. A GitHub App's token names no scopes: its
/// rights are set in the App, so only trying tells.
fn may_see_emails(scope: &ScopeSet) -> bool {
    scope.is_empty() || scope.contains("user:email") || scope.contains("user")
}

/// Whether organizations and teams are asked for: the token has a scope that shows them, or, being
/// that of a GitHub App, names none while the configuration asks for it.
fn may_see_memberships(granted: &ScopeSet, requested: &ScopeSet) -> bool {
    let scope = if granted.is_empty() { requested } else { granted };
    ["read:org", "write:org", "admin:org"].iter().any(|name| scope.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_is_found_from_the_token_endpoint() {
        for (token_url, api) in [
            ("https://github.com/login/oauth/access_token", "https://api.github.com"),
            ("https://octo.ghe.com/login/oauth/access_token", "https://api.octo.ghe.com"),
            ("https://git.example.com/login/oauth/access_token", "https://git.example.com/api/v3"),
            ("http://127.0.0.1:4321/login/oauth/access_token", "http://127.0.0.1:4321/api/v3"),
        ] {
            assert_eq!(api_base(&Url::parse(token_url).unwrap()), api);
        }
    }

    #[test]
    fn addresses_are_asked_for_when_the_token_may_see_them() {
        assert!(may_see_emails(&ScopeSet::default()));
        assert!(may_see_emails(&ScopeSet::parse("read:user user:email").unwrap()));
        assert!(may_see_emails(&ScopeSet::parse("user").unwrap()));
        assert!(!may_see_emails(&ScopeSet::parse("read:user repo").unwrap()));
    }
    #[test]
    fn memberships_are_asked_for_only_with_the_scope() {
        let may = |granted: &str, requested: &str| {
            may_see_memberships(&ScopeSet::parse(granted).unwrap(), &ScopeSet::parse(requested).unwrap())
        };
        assert!(may("read:user read:org", "read:user"));
        assert!(may("admin:org", ""));
        assert!(may("", "read:user read:org"));
        assert!(!may("", "read:user"));
        assert!(!may("read:user user:email repo", "read:org"), "it was asked for and not granted");
    }
}

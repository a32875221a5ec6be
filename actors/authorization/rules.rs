//! The rules of an authorization request, without any asking.

use super::messages::AuthorizeParameters;
use crate::model::client::Client;
use crate::model::grant::AuthorizationRequest;
use crate::model::oauth_error::{OAuthError, OAuthErrorCode};
use crate::model::pkce::CodeChallenge;
use crate::model::redirect_uri::RedirectUri;
use crate::model::resource::Resource;
use crate::model::scope::ScopeSet;
use crate::model::secret::Secret;
use crate::scope_rules::ScopeRules;
use crate::settings::Settings;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub(super) fn invalid_request(description: impl Into<String>) -> OAuthError {
    OAuthError::new(OAuthErrorCode::InvalidRequest, description)
}

pub(super) fn invalid_grant(description: impl Into<String>) -> OAuthError {
    OAuthError::new(OAuthErrorCode::InvalidGrant, description)
}

/// What must be right before anything may be sent to the redirect URI.
pub(super) fn check_unverified(parameters: &AuthorizeParameters) -> Result<&str, OAuthError> {
    if let Some(name) = parameters.repeated.iter().find(|name| matches!(name.as_str(), "client_id" | "redirect_uri")) {
        return Err(invalid_request(format!("{name} was given more than once")));
    }
    parameters.client_id.as_deref().ok_or_else(|| invalid_request("client_id is missing"))
}

/// The verified redirect URI (RFC 9700 section 4.1).
pub(super) fn verify_redirect(client: &Client, presented: Option<&str>) -> Result<RedirectUri, OAuthError> {
    client.resolve_redirect(presented).ok_or_else(|| match presented {
        Some(_) => invalid_request(
            "Invalid redirect_uri: it is not registered for this client; check for a trailing slash or another port or path",
        ),
        None => invalid_request("redirect_uri is missing, and the client has not registered exactly one"),
    })
}

/// Everything else about the request; errors go to the redirect URI.
pub(super) fn check_request(
    parameters: &AuthorizeParameters,
    client: &Client,
    redirect_uri: RedirectUri,
    (settings, scope_rules): (&Settings, &ScopeRules),
) -> Result<AuthorizationRequest, OAuthError> {
    if let Some(name) = parameters.repeated.first() {
        return Err(invalid_request(format!("{name} was given more than once")));
    }
    if parameters.has_request_object {
        return Err(invalid_request("request objects are not supported; send the parameters themselves"));
    }
    match parameters.response_type.as_deref() {
        Some("code") => {}
        Some(_) => {
            let code = OAuthErrorCode::UnsupportedResponseType;
            return Err(OAuthError::new(code, "only response_type=code is supported"));
        }
        None => return Err(invalid_request("response_type is missing")),
    }
    if !matches!(parameters.response_mode.as_deref(), None | Some("query")) {
        return Err(invalid_request("only response_mode=query is supported"));
    }
    Ok(AuthorizationRequest {
        challenge: check_challenge(parameters)?,
        scopes: grantable_scopes(parameters.scope.as_deref(), client, settings, scope_rules)?,
        resource: check_resource(&parameters.resource, settings)?,
        client_id: client.id.clone(),
        redirect_uri,
        state: parameters.state.clone(),
    })
}

/// PKCE is required of every client, and only S256 (OAuth 2.1 section 7.5.2).
fn check_challenge(parameters: &AuthorizeParameters) -> Result<CodeChallenge, OAuthError> {
    let challenge = parameters.code_challenge.as_deref();
    let challenge = challenge.ok_or_else(|| invalid_request("code_challenge is missing: PKCE is required"))?;
    match parameters.code_challenge_method.as_deref() {
        Some("S256") => {}
        // Without a method the challenge would be plain (RFC 7636 section 4.3).
        Some(_) | None => return Err(invalid_request("code_challenge_method must be S256")),
    }
    CodeChallenge::parse(challenge).ok_or_else(|| invalid_request("code_challenge is not 32 bytes in base64url"))
}

/// What may be granted of what is asked, before anybody knows who will sign in: what exists, and
/// what the operator lets the client have. Other scopes are left out, which the token response
/// says; when nothing is left the request fails. A client that asks for nothing in particular asks
/// for what it is registered with.
fn grantable_scopes(
    asked: Option<&str>,
    client: &Client,
    settings: &Settings,
    scope_rules: &ScopeRules,
) -> Result<ScopeSet, OAuthError> {
    let invalid = |text: String| OAuthError::new(OAuthErrorCode::InvalidScope, text);
    let parsed = ScopeSet::parse(asked.unwrap_or_default());
    let asked = parsed.ok_or_else(|| invalid("scope holds a forbidden character".to_owned()))?;
    let catalogue = settings.scope_catalogue();
    let limit = scope_rules.client_limit(&client.id);
    if asked.is_empty() {
        let own = client.scope.narrow(&catalogue);
        // Registered in other times, for nothing that exists today.
        let is_outdated = own.is_empty() && !client.scope.is_empty();
        return Ok(if is_outdated { settings.default_scopes() } else { own });
    }
    let granted = scope_rules.grant(&asked.narrow(&catalogue), &limit);
    if granted.is_empty() {
        let open = scope_rules.grant(&catalogue, &limit);
        return Err(invalid(format!("none of the scopes may be granted; this client may ask for: {open}")));
    }
    Ok(granted)
}

/// The audience: ours, whatever spelling was used, and nothing else (RFC 8707 section 2). It
/// is ours as well when none was named.
pub(super) fn check_resource(asked: &[String], settings: &Settings) -> Result<Resource, OAuthError> {
    let own = &settings.resource;
    let aliases = settings.alias_origins.iter().filter_map(|origin| Resource::parse(&format!("{origin}/mcp")));
    let spellings: Vec<Resource> = std::iter::once(own.clone()).chain(aliases).collect();
    let is_ours = |asked: &String| spellings.iter().any(|own| own.is_meant_by(asked, settings.is_origin_an_alias));
    if asked.iter().all(is_ours) {
        return Ok(own.clone());
    }
    let text = format!("tokens are issued for {} only", own.as_str());
    Err(OAuthError::new(OAuthErrorCode::InvalidTarget, text))
}

/// The token of a form, made of what only this browser and this form know.
pub(super) fn csrf_token(cookie: &Secret, form: &str) -> Secret {
    // An HMAC takes a key of any length, so this cannot fail; nothing matches an empty token.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(cookie.expose().as_bytes()) else { return Secret::default() };
    mac.update(form.as_bytes());
    Secret::new(URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// Where an error goes (RFC 6749 section 4.1.2.1, RFC 9207 section 2).
pub(super) fn error_redirect(uri: &RedirectUri, state: Option<&str>, error: &OAuthError, issuer: &str) -> String {
    let mut query = vec![("error", error.code.as_str()), ("error_description", error.description.as_str())];
    query.extend(state.map(|state| ("state", state)));
    query.push(("iss", issuer));
    uri.with_query(&query)
}

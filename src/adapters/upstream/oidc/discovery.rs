//! A provider's metadata (OpenID Connect Discovery 1.0 section 3 and RFC 8414).

use super::flavour::Flavour;
use super::signed_token::ALGORITHMS;
use crate::adapters::http_client::HttpClient;
use crate::adapters::upstream::api::{JsonRequest, get_json};
use crate::adapters::upstream::error::{clean_text, unusable};
use crate::adapters::upstream::settings::parse_endpoint;
use jsonwebtoken::Algorithm;
use mxcp_actors::ports::upstream_idp::UpstreamError;
use oauth2::AuthType;
use serde::Deserialize;
use serde_json::Value;
use std::str::FromStr;
use url::Url;

/// What the address of the metadata ends with (section 4).
pub(in crate::adapters::upstream) const SUFFIX: &str = "/.well-known/openid-configuration";

/// The scope for tokens that outlive the person's visit.
pub(super) const OFFLINE_ACCESS: &str = "offline_access";

/// The metadata as the provider sends it.
#[derive(Deserialize)]
struct RawMetadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    id_token_signing_alg_values_supported: Option<Vec<String>>,
    authorization_response_iss_parameter_supported: Option<bool>,
    scopes_supported: Option<Vec<String>>,
}

/// The metadata after every check.
#[derive(Clone, Debug)]
pub(in crate::adapters::upstream) struct Metadata {
    /// The provider's identity, as it must stand in every `id_token`.
    pub(super) issuer: String,
    /// Where people log in.
    pub(in crate::adapters::upstream) authorization_endpoint: Url,
    /// Where codes are redeemed.
    pub(in crate::adapters::upstream) token_endpoint: Url,
    /// Where the keys are.
    pub(super) jwks_uri: Url,
    /// Where the person's profile is.
    pub(super) userinfo_endpoint: Option<Url>,
    /// Where tokens are revoked.
    pub(super) revocation_endpoint: Option<Url>,
    /// How we authenticate at the token endpoint, and where tokens are revoked.
    pub(super) auth_type: AuthType,
    /// Whether the provider takes PKCE with S256.
    pub(super) takes_challenge: bool,
    /// Algorithms that its `id_token` may be signed with.
    pub(super) algorithms: Vec<Algorithm>,
    /// Whether every callback carries `iss` (RFC 9207 section 3).
    pub(super) sends_issuer: bool,
    /// Whether there is a scope for tokens that outlive the person's visit (OpenID Connect Core section 11).
    pub(super) offers_offline_access: bool,
}

/// Whose metadata it must be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    /// The provider's name, for errors.
    pub(super) provider: &'a str,
    /// Where the document is.
    pub(super) config_url: &'a str,
    /// What is peculiar to the provider.
    pub(super) flavour: &'a dyn Flavour,
}

/// Fetches and checks the metadata of a provider that people sign in at.
pub(super) async fn fetch(http: &HttpClient, source: Source<'_>) -> Result<Metadata, UpstreamError> {
    fetch_as(http, source.provider, source.config_url, |document| read(document, source)).await
}

/// Fetches the metadata and reads of it with `read` what is needed.
pub(super) async fn fetch_as<T>(
    http: &HttpClient,
    provider: &str,
    config_url: &str,
    read: impl FnOnce(&Value) -> Result<T, String>,
) -> Result<T, UpstreamError> {
    let request = JsonRequest { provider, what: "its discovery document", url: config_url, bearer: None, headers: &[] };
    let document = get_json(http, &request).await?;
    read(&document).map_err(|problem| unusable(provider, format!("its discovery document: {problem}")))
}

/// The members of the document that `T` names.
pub(super) fn members<'a, T: Deserialize<'a>>(document: &'a Value) -> Result<T, String> {
    if !document.is_object() {
        return Err("it is not a JSON object".to_owned());
    }
    T::deserialize(document).map_err(|error| clean_text(&error.to_string(), &[]))
}

fn read(document: &Value, source: Source<'_>) -> Result<Metadata, String> {
    let raw: RawMetadata = members(document)?;
    check_issuer(&raw.issuer, source.config_url, source.flavour)?;
    let mut metadata = check(raw)?;
    source.flavour.adjust(&mut metadata);
    Ok(metadata)
}

fn check(raw: RawMetadata) -> Result<Metadata, String> {
    Ok(Metadata {
        authorization_endpoint: endpoint("authorization_endpoint", &raw.authorization_endpoint)?,
        token_endpoint: endpoint("token_endpoint", &raw.token_endpoint)?,
        jwks_uri: endpoint("jwks_uri", &raw.jwks_uri)?,
        userinfo_endpoint: raw.userinfo_endpoint.map(|url| endpoint("userinfo_endpoint", &url)).transpose()?,
        revocation_endpoint: raw.revocation_endpoint.map(|url| endpoint("revocation_endpoint", &url)).transpose()?,
        auth_type: auth_type("token endpoint", raw.token_endpoint_auth_methods_supported.as_deref())?,
        // A provider that does not say may still take it, and one that does not ignores it.
        takes_challenge: raw.code_challenge_methods_supported.is_none_or(|methods| methods.iter().any(|m| m == "S256")),
        algorithms: algorithms(raw.id_token_signing_alg_values_supported.as_deref())?,
        sends_issuer: raw.authorization_response_iss_parameter_supported.unwrap_or(false),
        offers_offline_access: raw.scopes_supported.is_some_and(|scopes| scopes.iter().any(|s| s == OFFLINE_ACCESS)),
        issuer: raw.issuer,
    })
}

/// The issuer must be the prefix of the address that the document came from, so that nobody
/// else's document can pass for it (section 4.3). A slash at the end of the issuer is left out
/// of that address (section 4.1), so both forms are the same place.
pub(super) fn check_issuer(issuer: &str, config_url: &str, flavour: &dyn Flavour) -> Result<(), String> {
    let expected = config_url.strip_suffix(SUFFIX).unwrap_or(config_url);
    if issuer.strip_suffix('/').unwrap_or(issuer) == expected {
        return Ok(());
    }
    Err(flavour.explain_issuer(&clean_text(issuer, &[]), expected))
}

pub(super) fn endpoint(name: &str, text: &str) -> Result<Url, String> {
    parse_endpoint(text).map_err(|problem| format!("{name} {problem}"))
}

/// Chooses how we authenticate at an endpoint; the header is the default (section 3).
pub(super) fn auth_type(place: &str, supported: Option<&[String]>) -> Result<AuthType, String> {
    let Some(supported) = supported else {
        return Ok(AuthType::BasicAuth);
    };
    let has = |method: &str| supported.iter().any(|known| known == method);
    if has("client_secret_basic") {
        Ok(AuthType::BasicAuth)
    } else if has("client_secret_post") || has("none") {
        Ok(AuthType::RequestBody)
    } else {
        Err(format!("its {place} takes neither client_secret_basic nor client_secret_post"))
    }
}

/// What both the provider and we accept, so that a weaker or unexpected algorithm of its keys
/// cannot be chosen by whoever writes the token (RFC 8725 section 3.1).
fn algorithms(supported: Option<&[String]>) -> Result<Vec<Algorithm>, String> {
    let Some(supported) = supported else {
        return Ok(ALGORITHMS.to_vec());
    };
    let named: Vec<Algorithm> = supported.iter().filter_map(|name| Algorithm::from_str(name).ok()).collect();
    let both: Vec<Algorithm> = ALGORITHMS.iter().filter(|algorithm| named.contains(algorithm)).copied().collect();
    if both.is_empty() {
        return Err("it signs id_tokens with no algorithm that is safe and known".to_owned());
    }
    Ok(both)
}

#[cfg(test)]
mod tests;

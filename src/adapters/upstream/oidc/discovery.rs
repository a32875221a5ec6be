//! A provider's metadata (OpenID Connect Discovery 1.0 section 3 and RFC 8414).

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
pub(super) const SUFFIX: &str = "/.well-known/openid-configuration";

/// Algorithms that an `id_token` may be signed with: asymmetric ones only.
///
/// `none` is no signature, and with `HS256` a public key or our own client secret would do as
/// the key. ES512 is missing because the library does not have it; no large provider uses it.
const ALGORITHMS: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

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
}

/// The metadata after every check.
#[derive(Clone, Debug)]
pub(super) struct Metadata {
    /// The provider's identity, as it must stand in every `id_token`.
    pub(super) issuer: String,
    /// Where people log in.
    pub(super) authorization_endpoint: Url,
    /// Where codes are redeemed.
    pub(super) token_endpoint: Url,
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
}

/// Fetches and checks the metadata.
pub(super) async fn fetch(http: &HttpClient, provider: &str, config_url: &str) -> Result<Metadata, UpstreamError> {
    let request = JsonRequest { provider, what: "its discovery document", url: config_url, bearer: None, headers: &[] };
    let document = get_json(http, &request).await?;
    read(&document, config_url).map_err(|problem| unusable(provider, format!("its discovery document: {problem}")))
}

fn read(document: &Value, config_url: &str) -> Result<Metadata, String> {
    if !document.is_object() {
        return Err("it is not a JSON object".to_owned());
    }
    let raw = RawMetadata::deserialize(document).map_err(|error| clean_text(&error.to_string(), &[]))?;
    check(raw, config_url)
}

fn check(raw: RawMetadata, config_url: &str) -> Result<Metadata, String> {
    check_issuer(&raw.issuer, config_url)?;
    Ok(Metadata {
        authorization_endpoint: endpoint("authorization_endpoint", &raw.authorization_endpoint)?,
        token_endpoint: endpoint("token_endpoint", &raw.token_endpoint)?,
        jwks_uri: endpoint("jwks_uri", &raw.jwks_uri)?,
        userinfo_endpoint: raw.userinfo_endpoint.map(|url| endpoint("userinfo_endpoint", &url)).transpose()?,
        revocation_endpoint: raw.revocation_endpoint.map(|url| endpoint("revocation_endpoint", &url)).transpose()?,
        auth_type: auth_type(raw.token_endpoint_auth_methods_supported.as_deref())?,
        // A provider that does not say may still take it, and one that does not ignores it.
        takes_challenge: raw.code_challenge_methods_supported.is_none_or(|methods| methods.iter().any(|m| m == "S256")),
        algorithms: algorithms(raw.id_token_signing_alg_values_supported.as_deref())?,
        sends_issuer: raw.authorization_response_iss_parameter_supported.unwrap_or(false),
        issuer: raw.issuer,
    })
}

/// The issuer must be the prefix of the address that the document came from, so that nobody
/// else's document can pass for it (section 4.3). A slash at the end of the issuer is left out
/// of that address (section 4.1), so both forms are the same place.
fn check_issuer(issuer: &str, config_url: &str) -> Result<(), String> {
    let expected = config_url.strip_suffix(SUFFIX).unwrap_or(config_url);
    if issuer.strip_suffix('/').unwrap_or(issuer) == expected {
        return Ok(());
    }
    let issuer = clean_text(issuer, &[]);
    Err(format!("its issuer is {issuer}, but config_url is that of {expected}"))
}

fn endpoint(name: &str, text: &str) -> Result<Url, String> {
    parse_endpoint(text).map_err(|problem| format!("{name} {problem}"))
}

/// Chooses how we authenticate; the header is the default (section 3).
fn auth_type(supported: Option<&[String]>) -> Result<AuthType, String> {
    let Some(supported) = supported else {
        return Ok(AuthType::BasicAuth);
    };
    let has = |method: &str| supported.iter().any(|known| known == method);
    if has("client_secret_basic") {
        Ok(AuthType::BasicAuth)
    } else if has("client_secret_post") || has("none") {
        Ok(AuthType::RequestBody)
    } else {
        Err("its token endpoint takes neither client_secret_basic nor client_secret_post".to_owned())
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

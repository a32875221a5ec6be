//! What is needed of an issuer's metadata when it is trusted for its tokens alone: an issuer at
//! which nobody signs in through this server may lack the rest.

use super::super::discovery::{auth_type, check_issuer, endpoint, fetch_as, members};
use super::super::flavour::Plain;
use crate::adapters::http_client::HttpClient;
use mxcp_actors::ports::upstream_idp::UpstreamError;
use oauth2::AuthType;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

/// The metadata as the issuer sends it.
#[derive(Deserialize)]
struct RawMetadata {
    issuer: String,
    jwks_uri: Option<String>,
    introspection_endpoint: Option<String>,
    introspection_endpoint_auth_methods_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// The metadata after every check.
#[derive(Debug)]
pub(super) struct IssuerMetadata {
    /// The issuer's identity, as it must stand in every token.
    pub(super) issuer: String,
    /// How its tokens are checked.
    pub(super) check: CheckPlace,
}

/// Where that is found which tokens are checked with.
#[derive(Debug)]
pub(super) enum CheckPlace {
    /// Its keys.
    Keys(Url),
    /// Its introspection endpoint, and how we authenticate there.
    Introspection(Url, AuthType),
}

/// Fetches and checks the metadata; `is_asked` says that tokens are shown to the issuer.
pub(super) async fn fetch(
    http: &HttpClient,
    provider: &str,
    config_url: &str,
    is_asked: bool,
) -> Result<IssuerMetadata, UpstreamError> {
    fetch_as(http, provider, config_url, |document| read(document, config_url, is_asked)).await
}

fn read(document: &Value, config_url: &str, is_asked: bool) -> Result<IssuerMetadata, String> {
    let raw: RawMetadata = members(document)?;
    check_issuer(&raw.issuer, config_url, &Plain)?;
    let check = if is_asked {
        let url = raw.introspection_endpoint.ok_or("it has no introspection_endpoint; use verification: jwt")?;
        // Who does not say takes at one endpoint what it takes at the other, as a rule.
        let methods = raw.introspection_endpoint_auth_methods_supported.or(raw.token_endpoint_auth_methods_supported);
        let url = endpoint("introspection_endpoint", &url)?;
        CheckPlace::Introspection(url, auth_type("introspection endpoint", methods.as_deref())?)
    } else {
        CheckPlace::Keys(endpoint("jwks_uri", &raw.jwks_uri.ok_or("it has no jwks_uri")?)?)
    };
    Ok(IssuerMetadata { issuer: raw.issuer, check })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn checked(is_asked: bool, change: impl FnOnce(&mut Value)) -> Result<IssuerMetadata, String> {
        let mut document = json!({
            "issuer": "https://idp.example.com/",
            "jwks_uri": "https://idp.example.com/jwks",
            "introspection_endpoint": "https://idp.example.com/introspect",
        });
        change(&mut document);
        read(&document, "https://idp.example.com/.well-known/openid-configuration", is_asked)
    }

    #[test]
    fn an_issuer_needs_just_what_its_tokens_are_checked_with() {
        let keys = checked(false, |document| drop(document.as_object_mut().unwrap().remove("introspection_endpoint")));
        assert!(matches!(keys.unwrap().check, CheckPlace::Keys(_)));
        let asked = checked(true, |document| drop(document.as_object_mut().unwrap().remove("jwks_uri"))).unwrap();
        assert!(matches!(asked.check, CheckPlace::Introspection(_, AuthType::BasicAuth)));
        assert_eq!(asked.issuer, "https://idp.example.com/", "the issuer is kept as it is written");
        assert!(checked(false, |document| document["jwks_uri"] = json!(null)).unwrap_err().contains("jwks_uri"));
        let missing = checked(true, |document| document["introspection_endpoint"] = json!(null)).unwrap_err();
        assert!(missing.contains("introspection_endpoint"), "{missing}");
    }

    #[test]
    fn we_authenticate_as_the_introspection_endpoint_has_it_or_else_the_token_endpoint() {
        let with = |own: Value, other: Value| {
            checked(true, |document| {
                document["introspection_endpoint_auth_methods_supported"] = own;
                document["token_endpoint_auth_methods_supported"] = other;
            })
        };
        let is_post =
            |metadata: IssuerMetadata| matches!(metadata.check, CheckPlace::Introspection(_, AuthType::RequestBody));
        assert!(is_post(with(json!(["client_secret_post"]), json!(["client_secret_basic"])).unwrap()));
        assert!(is_post(with(json!(null), json!(["client_secret_post"])).unwrap()));
        assert!(!is_post(with(json!(["client_secret_basic"]), json!(["client_secret_post"])).unwrap()));
        let unknown = with(json!(["private_key_jwt"]), json!(["client_secret_basic"])).unwrap_err();
        assert!(unknown.contains("introspection endpoint takes neither"), "{unknown}");
    }

    #[test]
    fn the_document_of_another_issuer_is_refused() {
        for issuer in ["https://idp.example.com/realm", "https://evil.example"] {
            assert!(checked(false, |document| document["issuer"] = json!(issuer)).is_err(), "{issuer}");
        }
    }
}

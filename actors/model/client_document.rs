//! What a client's metadata document says (OAuth Client ID Metadata Document, section 4).

use super::client::{AuthMethod, ClientMetadata, GrantType};
use super::client_id_url::ClientIdUrl;
use super::client_keys::{ClientKeys, ClientKeysFault};
use super::redirect_uri::{RedirectUri, RedirectUriError};
use super::scope::ScopeSet;
use serde_json::{Map, Value};

/// The most redirect URIs that one document may list.
const REDIRECT_URIS_MAX: usize = 20;

/// What is wrong with a document, in words for whoever wrote it. Nothing of the document is
/// repeated, since whoever asks may not be the one who may read it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientDocumentError {
    /// It is not JSON, or no object.
    #[error("it is not a JSON object")]
    NotAnObject,
    /// A field is missing that every document must have.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field is of another kind.
    #[error("{0} must be {1}")]
    WrongKind(&'static str, &'static str),
    /// It speaks of another client: whoever copies a document does not become the client.
    #[error("its client_id is not the URL at which it is")]
    OtherClient,
    /// It carries a secret, which everybody could read.
    #[error("it must not have {0}: a secret that everybody can read is none")]
    Secret(&'static str),
    /// The client means to prove itself by a secret, which there cannot be.
    #[error(
        "its token_endpoint_auth_method must be none or private_key_jwt: a client with a metadata document has no secret"
    )]
    SharedSecret,
    /// The client means to prove itself by a signature, and its keys cannot be used.
    #[error(transparent)]
    Keys(#[from] ClientKeysFault),
    /// The client means to prove itself in another way.
    #[error("its token_endpoint_auth_method is not supported by this server; use none or private_key_jwt")]
    OtherMethod,
    /// There is no redirect URI.
    #[error("redirect_uris must hold at least one URI")]
    NoRedirectUris,
    /// There are too many.
    #[error("redirect_uris may hold at most {REDIRECT_URIS_MAX} URIs")]
    TooManyRedirectUris,
    /// One of them cannot be used.
    #[error("redirect_uris, entry {0}, {1}")]
    RedirectUri(usize, RedirectUriError),
    /// The client does not ask for codes, and there is nothing else.
    #[error("response_types must include code")]
    NoCode,
    /// The client does not exchange codes, and nothing else gives a first token.
    #[error("grant_types must include authorization_code")]
    NoCodeGrant,
    /// A scope holds a character that no scope has.
    #[error("scope holds a forbidden character")]
    Scope,
}

/// Reads the document that was found at `url`.
///
/// Fields that are not known are ignored (RFC 7591 section 2).
///
/// # Errors
/// What is wrong with it.
pub fn read(body: &[u8], url: &ClientIdUrl) -> Result<ClientMetadata, ClientDocumentError> {
    let Ok(Value::Object(fields)) = serde_json::from_slice(body) else { return Err(ClientDocumentError::NotAnObject) };
    let fields = Fields(fields);
    // Character by character: two spellings of a URL are two clients.
    if fields.text("client_id")?.ok_or(ClientDocumentError::Missing("client_id"))? != url.as_str() {
        return Err(ClientDocumentError::OtherClient);
    }
    if let Some(name) = ["client_secret", "client_secret_expires_at"].into_iter().find(|name| fields.has(name)) {
        return Err(ClientDocumentError::Secret(name));
    }
    check_response_types(&fields)?;
    let name = fields.text("client_name")?.ok_or(ClientDocumentError::Missing("client_name"))?;
    let auth_method = read_auth_method(&fields)?;
    let is_signing = auth_method == AuthMethod::PrivateKeyJwt;
    Ok(ClientMetadata {
        name: Some(name.to_owned()),
        redirect_uris: read_redirect_uris(&fields)?,
        grant_types: read_grant_types(&fields)?,
        auth_method,
        keys: is_signing.then(|| ClientKeys::read(&fields.0)).transpose()?,
        scope: fields
            .text("scope")?
            .map(|scope| ScopeSet::parse(scope).ok_or(ClientDocumentError::Scope))
            .transpose()?,
    })
}

/// The document's members.
struct Fields(Map<String, Value>);

impl Fields {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn text(&self, name: &'static str) -> Result<Option<&str>, ClientDocumentError> {
        let wrong = ClientDocumentError::WrongKind(name, "a string");
        self.get(name).map(|value| value.as_str().ok_or(wrong)).transpose()
    }

    fn texts(&self, name: &'static str) -> Result<Option<Vec<&str>>, ClientDocumentError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let texts = value.as_array().and_then(|items| items.iter().map(Value::as_str).collect());
        texts.map(Some).ok_or(ClientDocumentError::WrongKind(name, "a list of strings"))
    }
}

fn check_response_types(fields: &Fields) -> Result<(), ClientDocumentError> {
    match fields.texts("response_types")? {
        Some(types) if !types.contains(&"code") => Err(ClientDocumentError::NoCode),
        Some(_) | None => Ok(()),
    }
}

fn read_redirect_uris(fields: &Fields) -> Result<Vec<RedirectUri>, ClientDocumentError> {
    let uris = fields.texts("redirect_uris")?.ok_or(ClientDocumentError::Missing("redirect_uris"))?;
    if uris.is_empty() {
        return Err(ClientDocumentError::NoRedirectUris);
    }
    if uris.len() > REDIRECT_URIS_MAX {
        return Err(ClientDocumentError::TooManyRedirectUris);
    }
    let parse = |(at, uri): (usize, &str)| {
        RedirectUri::parse(uri).map_err(|error| ClientDocumentError::RedirectUri(at + 1, error))
    };
    uris.into_iter().enumerate().map(parse).collect()
}

/// Grant types that do not exist here are left out.
fn read_grant_types(fields: &Fields) -> Result<Vec<GrantType>, ClientDocumentError> {
    let Some(asked) = fields.texts("grant_types")? else { return Ok(vec![GrantType::AuthorizationCode]) };
    let known: Vec<_> = GrantType::ALL.into_iter().filter(|grant| asked.contains(&grant.as_str())).collect();
    if known.contains(&GrantType::AuthorizationCode) { Ok(known) } else { Err(ClientDocumentError::NoCodeGrant) }
}

/// A document that names no method means `none`: the usual default needs a secret, which there
/// cannot be.
fn read_auth_method(fields: &Fields) -> Result<AuthMethod, ClientDocumentError> {
    match fields.text("token_endpoint_auth_method")? {
        None | Some("none") => Ok(AuthMethod::None),
        Some("private_key_jwt") => Ok(AuthMethod::PrivateKeyJwt),
        Some(method) if method.starts_with("client_secret_") => Err(ClientDocumentError::SharedSecret),
        Some(_) => Err(ClientDocumentError::OtherMethod),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::signing_key::KeyFault;
    use proptest::prelude::*;
    use serde_json::json;

    const URL: &str = "https://app.example.com/client.json";

    fn url() -> ClientIdUrl {
        ClientIdUrl::parse(URL, false).unwrap()
    }

    /// An ordinary document with some fields changed; null removes one.
    fn document(changes: &Value) -> Vec<u8> {
        let mut document = json!({
            "client_id": URL, "client_name": "Editor", "redirect_uris": ["http://localhost/callback"],
        });
        for (name, value) in changes.as_object().unwrap() {
            document[name] = value.clone();
        }
        document.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        document.to_string().into_bytes()
    }

    #[test]
    fn the_document_of_a_client_in_the_wild_is_read() {
        let changes = json!({
            "client_name": "Claude Code", "client_uri": "https://claude.ai", "application_type": "native",
            "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
            "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
            "response_types": ["code"], "token_endpoint_auth_method": "none", "scope": "mxcp:access",
        });
        let metadata = read(&document(&changes), &url()).unwrap();
        assert_eq!(metadata.name.as_deref(), Some("Claude Code"));
        assert_eq!(metadata.redirect_uris.len(), 2);
        assert_eq!(metadata.grant_types, GrantType::ALL);
        assert_eq!(metadata.auth_method, AuthMethod::None);
        assert_eq!(metadata.scope.unwrap().to_string(), "mxcp:access");
    }

    #[test]
    fn the_least_document_is_of_a_public_client_that_may_use_codes() {
        let metadata = read(&document(&json!({})), &url()).unwrap();
        assert_eq!(metadata.grant_types, [GrantType::AuthorizationCode]);
        assert_eq!((metadata.auth_method, metadata.scope), (AuthMethod::None, None));
    }

    #[test]
    fn a_client_that_signs_has_its_keys_in_its_document_or_says_where_they_are() {
        let signing = |name: &str, keys: &Value| {
            let mut changes = json!({"token_endpoint_auth_method": "private_key_jwt"});
            changes[name] = keys.clone();
            read(&document(&changes), &url())
        };
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let inline = signing("jwks", &json!({"keys": [key]})).unwrap();
        assert!(matches!(inline.keys, Some(ClientKeys::Set(_))));
        let published = signing("jwks_uri", &json!("https://app.example.com/keys.json")).unwrap();
        assert!(matches!(published.keys, Some(ClientKeys::Published(_))));
        let mut private = key.clone();
        private["d"] = json!("AQAB");
        let fault = ClientKeysFault::Set(KeyFault::Private);
        assert_eq!(signing("jwks", &json!({"keys": [private]})), Err(ClientDocumentError::Keys(fault)));
        let unused = read(&document(&json!({"jwks": {"keys": [key]}})), &url()).unwrap();
        assert_eq!((unused.auth_method, unused.keys), (AuthMethod::None, None));
    }

    #[test]
    fn what_is_wrong_with_a_document_is_named() {
        use ClientDocumentError as E;
        for (changes, error) in [
            (json!({"client_id": null}), E::Missing("client_id")),
            (json!({"client_id": 7}), E::WrongKind("client_id", "a string")),
            (json!({"client_id": "https://app.example.com/Client.json"}), E::OtherClient),
            (json!({"client_id": "https://app.example.com/client.json/"}), E::OtherClient),
            (json!({"client_id": "https://app.example.com:443/client.json"}), E::OtherClient),
            (json!({"client_name": null}), E::Missing("client_name")),
            (json!({"client_name": ["Editor"]}), E::WrongKind("client_name", "a string")),
            (json!({"redirect_uris": null}), E::Missing("redirect_uris")),
            (json!({"redirect_uris": []}), E::NoRedirectUris),
            (json!({"redirect_uris": "http://localhost/"}), E::WrongKind("redirect_uris", "a list of strings")),
            (json!({"redirect_uris": [1]}), E::WrongKind("redirect_uris", "a list of strings")),
            (json!({"redirect_uris": vec!["http://localhost/"; 21]}), E::TooManyRedirectUris),
            (
                json!({"redirect_uris": ["http://localhost/", "http://app.example.com/cb"]}),
                E::RedirectUri(2, RedirectUriError::InsecureHost),
            ),
            (json!({"redirect_uris": ["javascript:alert(1)"]}), E::RedirectUri(1, RedirectUriError::ForbiddenScheme)),
            (json!({"client_secret": "s3cret"}), E::Secret("client_secret")),
            (json!({"client_secret_expires_at": 0}), E::Secret("client_secret_expires_at")),
            (json!({"token_endpoint_auth_method": "client_secret_basic"}), E::SharedSecret),
            (json!({"token_endpoint_auth_method": "client_secret_post"}), E::SharedSecret),
            (json!({"token_endpoint_auth_method": "client_secret_jwt"}), E::SharedSecret),
            (json!({"token_endpoint_auth_method": "private_key_jwt"}), E::Keys(ClientKeysFault::Missing)),
            (json!({"token_endpoint_auth_method": "tls_client_auth"}), E::OtherMethod),
            (json!({"response_types": ["token"]}), E::NoCode),
            (json!({"grant_types": "authorization_code"}), E::WrongKind("grant_types", "a list of strings")),
            (json!({"grant_types": ["refresh_token"]}), E::NoCodeGrant),
            (json!({"scope": "a\"b"}), E::Scope),
        ] {
            assert_eq!(read(&document(&changes), &url()), Err(error), "{changes}");
        }
        let secret = br#"{"client_id": "https://app.example.com/client.json", "client_secret": null}"#;
        assert_eq!(read(secret, &url()), Err(E::Secret("client_secret")));
        for body in ["", "null", "[]", "<!doctype html>", "\"text\"", "{", "{\"client_id\": }"] {
            assert_eq!(read(body.as_bytes(), &url()), Err(E::NotAnObject), "{body}");
        }
    }

    proptest! {
        #[test]
        fn reading_any_bytes_never_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _outcome = read(&body, &url());
        }
    }
}

//! What a client's metadata document says (OAuth Client ID Metadata Document, section 4).

use super::client::{AuthMethod, ClientMetadata, GrantType};
use super::client_id_url::ClientIdUrl;
use super::client_keys::{ClientKeys, ClientKeysFault};
use super::client_metadata::{MetadataFault, MetadataFields};

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
    /// A field cannot be used.
    #[error(transparent)]
    Field(#[from] MetadataFault),
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
    /// The client does not exchange codes, and nothing else gives a first token.
    #[error("grant_types must include authorization_code")]
    NoCodeGrant,
}

/// Reads the document that was found at `url`.
///
/// # Errors
/// What is wrong with it.
pub fn read(body: &[u8], url: &ClientIdUrl) -> Result<ClientMetadata, ClientDocumentError> {
    let fields = MetadataFields::parse(body).ok_or(ClientDocumentError::NotAnObject)?;
    // Character by character: two spellings of a URL are two clients.
    if required(&fields, "client_id")? != url.as_str() {
        return Err(ClientDocumentError::OtherClient);
    }
    let secrets = ["client_secret", "client_secret_expires_at"];
    if let Some(name) = secrets.into_iter().find(|name| fields.as_map().contains_key(*name)) {
        return Err(ClientDocumentError::Secret(name));
    }
    fields.check_response_types()?;
    let name = required(&fields, "client_name")?.to_owned();
    let auth_method = read_auth_method(&fields)?;
    let is_signing = auth_method == AuthMethod::PrivateKeyJwt;
    let grant_types = fields.grant_types()?;
    if !grant_types.contains(&GrantType::AuthorizationCode) {
        return Err(ClientDocumentError::NoCodeGrant);
    }
    Ok(ClientMetadata {
        name: Some(name),
        redirect_uris: fields.redirect_uris()?,
        grant_types,
        auth_method,
        keys: is_signing.then(|| ClientKeys::read(fields.as_map())).transpose()?,
        scope: fields.scope()?,
    })
}

fn required<'a>(fields: &'a MetadataFields, name: &'static str) -> Result<&'a str, ClientDocumentError> {
    fields.text(name)?.ok_or(ClientDocumentError::Missing(name))
}

/// A document that names no method means `none`: the usual default needs a secret, which there
/// cannot be.
fn read_auth_method(fields: &MetadataFields) -> Result<AuthMethod, ClientDocumentError> {
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
    use crate::model::redirect_uri::RedirectUriError;
    use crate::model::signing_key::KeyFault;
    use proptest::prelude::*;
    use serde_json::{Value, json};

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
        use MetadataFault as F;
        for (changes, error) in [
            (json!({"client_id": null}), E::Missing("client_id")),
            (json!({"client_id": 7}), E::Field(F::WrongKind("client_id", "a string"))),
            (json!({"client_id": "https://app.example.com/Client.json"}), E::OtherClient),
            (json!({"client_id": "https://app.example.com/client.json/"}), E::OtherClient),
            (json!({"client_id": "https://app.example.com:443/client.json"}), E::OtherClient),
            (json!({"client_name": null}), E::Missing("client_name")),
            (json!({"client_name": "E".repeat(2_001)}), E::Field(F::TooLong("client_name"))),
            (json!({"client_name": ["Editor"]}), E::Field(F::WrongKind("client_name", "a string"))),
            (json!({"redirect_uris": null}), E::Field(F::NoRedirectUris)),
            (json!({"redirect_uris": []}), E::Field(F::NoRedirectUris)),
            (
                json!({"redirect_uris": "http://localhost/"}),
                E::Field(F::WrongKind("redirect_uris", "a list of strings")),
            ),
            (json!({"redirect_uris": [1]}), E::Field(F::WrongKind("redirect_uris", "a list of strings"))),
            (json!({"redirect_uris": vec!["http://localhost/"; 21]}), E::Field(F::TooManyRedirectUris)),
            (
                json!({"redirect_uris": ["http://localhost/", "http://app.example.com/cb"]}),
                E::Field(F::RedirectUri(2, RedirectUriError::InsecureHost)),
            ),
            (
                json!({"redirect_uris": ["javascript:alert(1)"]}),
                E::Field(F::RedirectUri(1, RedirectUriError::ForbiddenScheme)),
            ),
            (json!({"client_secret": "s3cret"}), E::Secret("client_secret")),
            (json!({"client_secret_expires_at": 0}), E::Secret("client_secret_expires_at")),
            (json!({"token_endpoint_auth_method": "client_secret_basic"}), E::SharedSecret),
            (json!({"token_endpoint_auth_method": "client_secret_post"}), E::SharedSecret),
            (json!({"token_endpoint_auth_method": "client_secret_jwt"}), E::SharedSecret),
            (json!({"token_endpoint_auth_method": "private_key_jwt"}), E::Keys(ClientKeysFault::Missing)),
            (json!({"token_endpoint_auth_method": "tls_client_auth"}), E::OtherMethod),
            (json!({"response_types": ["token"]}), E::Field(F::NoCode)),
            (json!({"grant_types": "authorization_code"}), E::Field(F::WrongKind("grant_types", "a list of strings"))),
            (json!({"grant_types": ["refresh_token"]}), E::NoCodeGrant),
            (json!({"scope": "a\"b"}), E::Field(F::Scope)),
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

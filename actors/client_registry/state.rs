//! The rules of registering and proving.

use super::messages::{RegisteredClient, RegistrationError};
use crate::model::client::{AuthMethod, Client, ClientMetadata, ClientOrigin, ClientProof, GrantType};
use crate::model::client_id_url::ClientIdUrl;
use crate::model::client_keys::ClientKeysFault;
use crate::model::ids::ClientId;
use crate::model::scope::ScopeSet;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;

/// The longest name that a person is shown.
const NAME_CHARS_MAX: usize = 80;

/// A client from its metadata. `scopes` are those that exist, of which it gets what it asks for, and
/// those that it gets when it asks for none that does.
///
/// # Errors
/// When the metadata lacks what every client needs.
pub fn register(
    metadata: ClientMetadata,
    id: ClientId,
    secret: Secret,
    scopes: (&ScopeSet, &ScopeSet),
    now: Timestamp,
) -> Result<RegisteredClient, RegistrationError> {
    if metadata.redirect_uris.is_empty() {
        return Err(RegistrationError::InvalidMetadata("redirect_uris must hold at least one URI".to_owned()));
    }
    if !metadata.grant_types.contains(&GrantType::AuthorizationCode) {
        let text = "grant_types must include authorization_code; nothing else gives a first token";
        return Err(RegistrationError::InvalidMetadata(text.to_owned()));
    }
    if metadata.auth_method == AuthMethod::PrivateKeyJwt && metadata.keys.is_none() {
        return Err(RegistrationError::InvalidMetadata(ClientKeysFault::Missing.to_string()));
    }
    let has_secret = metadata.auth_method.has_secret();
    let client = Client {
        secret_hash: has_secret.then(|| secret.hash()),
        ..describe(metadata, id, scopes, (now, ClientOrigin::Registered))
    };
    Ok(RegisteredClient { client, secret: has_secret.then_some(secret) })
}

/// The client that the document at `url` describes; it has no secret and never will.
pub(super) fn from_document(
    metadata: ClientMetadata,
    url: &ClientIdUrl,
    scopes: (&ScopeSet, &ScopeSet),
    now: Timestamp,
) -> Client {
    describe(metadata, url.to_client_id(), scopes, (now, ClientOrigin::Document))
}

/// A client without a secret.
fn describe(
    metadata: ClientMetadata,
    id: ClientId,
    (catalogue, default_scope): (&ScopeSet, &ScopeSet),
    (issued_at, origin): (Timestamp, ClientOrigin),
) -> Client {
    let asked = metadata.scope.map(|scope| scope.narrow(catalogue)).filter(|scope| !scope.is_empty());
    Client {
        name: metadata.name.as_deref().and_then(display_name).unwrap_or_else(|| "Unnamed application".to_owned()),
        id,
        secret_hash: None,
        // Keys that nothing is checked with are not kept.
        keys: metadata.keys.filter(|_| metadata.auth_method == AuthMethod::PrivateKeyJwt),
        auth_method: metadata.auth_method,
        redirect_uris: metadata.redirect_uris,
        grant_types: metadata.grant_types,
        scope: asked.unwrap_or_else(|| default_scope.clone()),
        issued_at,
        origin,
    }
}

/// A name that cannot pass for something else: no control or direction characters, not too
/// long. `None` when nothing is left.
fn display_name(name: &str) -> Option<String> {
    let is_shown = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{061c}')
    };
    let name: String = name.chars().filter(is_shown).take(NAME_CHARS_MAX).collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// Whether a secret, or that there is none, proves that the caller is `client`.
///
/// A secret may come either way, in the header or in the form, since client libraries choose
/// for themselves; a client with a secret must show it, and one without must not. A client that
/// signs proves nothing without a signature.
pub(super) fn proves(client: &Client, proof: &ClientProof) -> bool {
    match (client.auth_method, &client.secret_hash, proof) {
        (AuthMethod::None, None, ClientProof::None) => true,
        (AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost, Some(hash), ClientProof::Secret(secret)) => {
            hash.matches(&secret.hash())
        }
        _ => false,
    }
}

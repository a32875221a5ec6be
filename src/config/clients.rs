//! `auth.clients`: clients that need not register themselves.

use super::reader::{Field, Table};
use super::settings::ConfiguredClient;
use mxcp_actors::model::client::{AuthMethod, GrantType};
use mxcp_actors::model::client_keys::ClientKeys;
use mxcp_actors::model::ids::ClientId;
use mxcp_actors::model::redirect_uri::RedirectUri;
use mxcp_actors::model::scope::ScopeSet;
use serde_json::{Map, Value};

/// What a client may ask for when the file does not say.
const DEFAULT_SCOPE: &str = "mxcp:access";

/// Reads the list of clients.
pub(super) fn read(field: &Field<'_>) -> Option<Vec<ConfiguredClient>> {
    let mut ids: Vec<String> = Vec::new();
    field.list(|item| item.table(|table| read_client(table, &mut ids)))
}

fn read_client(table: &mut Table<'_, '_>, ids: &mut Vec<String>) -> Option<ConfiguredClient> {
    let id = table.require("client_id").and_then(|field| {
        let id = field.nonempty_text()?;
        if ids.contains(&id) {
            field.fault("another client has the same client_id");
            return None;
        }
        ids.push(id.clone());
        Some(id)
    });
    let name = table.require("name").and_then(|field| field.nonempty_text());
    // A secret that was left blank must not make the client a public one.
    let secret = table.get_or_null("client_secret").map(|field| field.secret());
    let proof = read_proof(table, secret.is_some());
    let redirect_uris = table.get("redirect_uris").and_then(|field| field.list(|item| read_redirect_uri(&item)));
    let kinds = GrantType::ALL.map(|grant| (grant.as_str(), grant));
    let grant_types = table.get("grant_types").and_then(|field| field.list(|item| item.choice(&kinds)));
    let scopes = table.get("scopes").and_then(|field| read_scopes(&field));
    let (auth_method, keys) = proof?;
    Some(ConfiguredClient {
        id: ClientId::new(id?),
        name: name?,
        auth_method,
        keys,
        secret: secret.map_or(Some(None), |secret| secret.map(Some))?,
        redirect_uris: redirect_uris.unwrap_or_default(),
        grant_types: grant_types.unwrap_or_else(|| vec![GrantType::AuthorizationCode]),
        scopes: scopes.unwrap_or_else(|| ScopeSet::from_iter([DEFAULT_SCOPE])),
    })
}

/// Reads how the client proves itself, and the keys that this may need. A secret and keys must
/// be there exactly when the method needs them, or the file says something that is not done.
fn read_proof(table: &mut Table<'_, '_>, has_secret: bool) -> Option<(AuthMethod, Option<ClientKeys>)> {
    let kinds = AuthMethod::ALL.map(|method| (method.as_str(), method));
    let named = table.get("token_endpoint_auth_method").map(|field| field.choice(&kinds));
    let keys = read_keys(table).ok()?;
    let by_itself = match (&keys, has_secret) {
        (Some(_), false) => AuthMethod::PrivateKeyJwt,
        (_, true) => AuthMethod::ClientSecretBasic,
        (None, false) => AuthMethod::None,
    };
    let method = named.unwrap_or(Some(by_itself))?;
    let fault = if method.has_secret() != has_secret {
        if has_secret { "has a client_secret, which this method does not use" } else { "needs a client_secret" }
    } else if (method == AuthMethod::PrivateKeyJwt) != keys.is_some() {
        if keys.is_some() { "has jwks or jwks_uri, which this method does not use" } else { "needs jwks or jwks_uri" }
    } else {
        return Some((method, keys));
    };
    table.field().fault(format!("a client with token_endpoint_auth_method {} {fault}", method.as_str()));
    None
}

/// Something is wrong, which was noted where it stands.
struct Faulty;

/// Reads `jwks` or `jwks_uri`, if one of them is there.
fn read_keys(table: &mut Table<'_, '_>) -> Result<Option<ClientKeys>, Faulty> {
    let (inline, published) = (table.get("jwks"), table.get("jwks_uri"));
    let mut metadata = Map::new();
    if let Some(field) = &inline {
        metadata.insert("jwks".to_owned(), read_key_set(field).ok_or(Faulty)?);
    }
    if let Some(field) = &published {
        metadata.insert("jwks_uri".to_owned(), Value::String(field.text().ok_or(Faulty)?));
    }
    match (ClientKeys::read(&metadata), inline.or(published)) {
        (Ok(keys), _) => Ok(Some(keys)),
        (Err(_), None) => Ok(None),
        (Err(fault), Some(field)) => {
            field.fault(fault.to_string());
            Err(Faulty)
        }
    }
}

/// A set of keys may be written out, or be JSON that comes from a file.
fn read_key_set(field: &Field<'_>) -> Option<Value> {
    if !field.is_text() {
        return Some(field.json());
    }
    let set = serde_json::from_str(&field.text()?);
    if set.is_err() {
        field.fault("expected a table with a list of keys, or the same as JSON");
    }
    set.ok()
}

fn read_redirect_uri(field: &Field<'_>) -> Option<RedirectUri> {
    match RedirectUri::parse(&field.text()?) {
        Ok(uri) => Some(uri),
        Err(error) => {
            field.fault(error.to_string());
            None
        }
    }
}

/// Reads a list of scopes.
pub(super) fn read_scopes(field: &Field<'_>) -> Option<ScopeSet> {
    let scopes = field.list(|item| {
        let text = item.nonempty_text()?;
        if text.contains(' ') || ScopeSet::parse(&text).is_none() {
            item.fault("expected one scope, without spaces, quotes, backslashes and letters beyond ASCII");
            return None;
        }
        Some(text)
    })?;
    Some(scopes.into_iter().collect())
}

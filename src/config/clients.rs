//! `auth.clients`: clients that need not register themselves.

use super::reader::{Field, Table};
use super::settings::ConfiguredClient;
use mxcp_actors::model::client::GrantType;
use mxcp_actors::model::ids::ClientId;
use mxcp_actors::model::redirect_uri::RedirectUri;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::secret::Secret;

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
    let secret = table.get_or_null("client_secret").map(|field| field.nonempty_text());
    let redirect_uris = table.get("redirect_uris").and_then(|field| field.list(|item| read_redirect_uri(&item)));
    let kinds = GrantType::ALL.map(|grant| (grant.as_str(), grant));
    let grant_types = table.get("grant_types").and_then(|field| field.list(|item| item.choice(&kinds)));
    let scopes = table.get("scopes").and_then(|field| read_scopes(&field));
    Some(ConfiguredClient {
        id: ClientId::new(id?),
        name: name?,
        secret: secret.map(|secret| secret.map(Secret::new)).map_or(Some(None), |secret| secret.map(Some))?,
        redirect_uris: redirect_uris.unwrap_or_default(),
        grant_types: grant_types.unwrap_or_else(|| vec![GrantType::AuthorizationCode]),
        scopes: scopes.unwrap_or_else(|| ScopeSet::from_iter([DEFAULT_SCOPE])),
    })
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

//! Which of the old clients are registered here, and as what.

use super::old::{Field, OldClient};
use super::sessions::timestamp;
use super::{LeftOut, NewHome, left_out};
use mxcp_actors::client_registry::register;
use mxcp_actors::model::client::{AuthMethod, Client, ClientMetadata, GrantType};
use mxcp_actors::model::redirect_uri::RedirectUri;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::model::timestamp::Timestamp;

/// Clients as they are to be registered, and what of the old ones is not.
#[derive(Debug, Default)]
pub(super) struct MovedClients {
    pub(super) clients: Vec<Client>,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) redirect_uris_left_out: Vec<LeftOut>,
}

/// Registers what can be registered. Names are cleaned and scopes narrowed as at `/register`.
pub(super) fn convert(old: Vec<OldClient>, home: &NewHome, now: Timestamp) -> MovedClients {
    let mut moved = MovedClients::default();
    for client in old {
        let (id, name) = (client.id.clone(), client.name.clone().unwrap_or_default());
        match convert_one(client, home, now) {
            Ok((client, refused)) => {
                let refused = refused.into_iter().map(|reason| left_out(&id, &client.name, reason));
                moved.redirect_uris_left_out.extend(refused);
                moved.clients.push(client);
            }
            Err(reason) => moved.left_out.push(left_out(&id, &name, reason)),
        }
    }
    moved
}

/// The client, and why which of its redirect URIs were refused.
fn convert_one(old: OldClient, home: &NewHome, now: Timestamp) -> Result<(Client, Vec<String>), String> {
    if home.configured_clients.iter().any(|client| client.id == old.id) {
        return Err("it stands in the configuration, which is what counts".to_owned());
    }
    // Who registered got a UUID; every other name was written into the configuration by hand.
    if uuid::Uuid::try_parse(old.id.as_str()).is_err() {
        let text = "it did not register itself but stood in the configuration; if it is still wanted, list it \
                    under auth.clients";
        return Err(text.to_owned());
    }
    let response_types: Vec<String> = list(&old.response_types, "response_types")?;
    if !response_types.iter().any(|kind| kind == "code") {
        return Err("it does not use the response type code".to_owned());
    }
    let (redirect_uris, refused) = redirect_uris(&old.redirect_uris)?;
    let (auth_method, secret) = proof(old.auth_method.as_deref(), old.secret)?;
    let grant_types: Vec<String> = list(&old.grant_types, "grant_types")?;
    let metadata = ClientMetadata {
        name: old.name,
        redirect_uris,
        grant_types: GrantType::ALL
            .into_iter()
            .filter(|grant| grant_types.iter().any(|name| name == grant.as_str()))
            .collect(),
        auth_method,
        keys: None,
        scope: old.scope.as_deref().and_then(ScopeSet::parse),
    };
    let issued_at = timestamp(old.created_at).ok_or("its time of registration makes no sense")?.min(now);
    let scopes = (&home.scope_catalogue, &home.default_scopes);
    let registered = register(metadata, old.id, secret, scopes, issued_at).map_err(|error| error.to_string())?;
    Ok((registered.client, refused))
}

/// Those that may be registered, and what is wrong with the others.
fn redirect_uris(json: &str) -> Result<(Vec<RedirectUri>, Vec<String>), String> {
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    for text in list(json, "redirect_uris")? {
        match RedirectUri::parse(&text) {
            Ok(uri) => accepted.push(uri),
            Err(error) => refused.push(format!("{text} {error}")),
        }
    }
    match (accepted.is_empty(), refused.first()) {
        (true, Some(_)) => Err(format!("none of its redirect URIs is allowed: {}", refused.join("; "))),
        _ => Ok((accepted, refused)),
    }
}

/// How it proves itself, and with what.
fn proof(method: Option<&str>, secret: Field) -> Result<(AuthMethod, Secret), String> {
    let method = match (method, &secret) {
        (Some("none"), _) | (None, Field::Absent) => AuthMethod::None,
        (Some("client_secret_basic"), _) => AuthMethod::ClientSecretBasic,
        (Some("client_secret_post") | None, _) => AuthMethod::ClientSecretPost,
        (Some(_), _) => return Err("it proves itself in a way that is not known here".to_owned()),
    };
    match (method, secret) {
        (AuthMethod::None, _) => Ok((method, Secret::default())),
        (_, Field::Present(secret)) => Ok((method, secret)),
        (_, Field::Absent) => Err("it has no secret, and needs one".to_owned()),
        (_, Field::Locked) => Err("its secret cannot be decrypted".to_owned()),
    }
}

fn list(json: &str, name: &str) -> Result<Vec<String>, String> {
    serde_json::from_str(json).map_err(|_| format!("its {name} are not a list of texts"))
}

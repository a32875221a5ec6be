//! The registration endpoint (RFC 7591).

use super::error::{refuse, registration_refused};
use crate::http::AppState;
use actix_web::http::header::{CACHE_CONTROL, PRAGMA};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use mxcp_actors::authorization::Visitor;
use mxcp_actors::client_registry::RegisteredClient;
use mxcp_actors::model::client::{AuthMethod, ClientMetadata, GrantType};
use mxcp_actors::model::client_keys::ClientKeys;
use mxcp_actors::model::oauth_error::{OAuthError, OAuthErrorCode};
use mxcp_actors::model::redirect_uri::RedirectUri;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::signing_key::{KeyFault, KeySet};
use serde_json::{Map, Value, json};

/// The most redirect URIs that one client may register.
const REDIRECT_URIS_MAX: usize = 20;
/// The longest name or scope that is read.
const TEXT_BYTES_MAX: usize = 2_000;

pub(in crate::http) async fn post(state: Data<AppState>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let asked = match check_content_type(&request).and_then(|()| Asked::read(&body)) {
        Ok(asked) => asked,
        Err(error) => return refuse(&request, &error),
    };
    let Visitor { peer, trace_id, .. } = state.visitor(&request);
    match state.handles.client_registry.register_client(asked.metadata, peer, trace_id).await {
        Ok(registered) => render(&registered, asked.application_type),
        Err(error) => registration_refused(&request, &error),
    }
}

/// JSON by name only: a page of another site could send anything else without asking first.
fn check_content_type(request: &HttpRequest) -> Result<(), OAuthError> {
    let is_json = request.content_type().eq_ignore_ascii_case("application/json");
    if is_json { Ok(()) } else { Err(invalid("the body must be sent as application/json")) }
}

/// What a client asks for, parsed.
struct Asked {
    metadata: ClientMetadata,
    application_type: Option<String>,
}

fn invalid(text: impl Into<String>) -> OAuthError {
    OAuthError::new(OAuthErrorCode::InvalidClientMetadata, text)
}

impl Asked {
    /// Fields that are not known are ignored (RFC 7591 section 2).
    fn read(body: &[u8]) -> Result<Self, OAuthError> {
        let body: Value = serde_json::from_slice(body).map_err(|_| invalid("the body is not JSON"))?;
        let Value::Object(fields) = body else { return Err(invalid("the body is not a JSON object")) };
        check_response_types(&fields)?;
        let auth_method = read_auth_method(&fields)?;
        let metadata = ClientMetadata {
            name: text(&fields, "client_name")?,
            redirect_uris: read_redirect_uris(&fields)?,
            grant_types: read_grant_types(&fields)?,
            auth_method,
            keys: read_keys(&fields, auth_method)?,
            scope: text(&fields, "scope")?
                .map(|scope| ScopeSet::parse(&scope).ok_or_else(|| invalid("scope holds a forbidden character")))
                .transpose()?,
        };
        Ok(Self { metadata, application_type: read_application_type(&fields)? })
    }
}

fn text(fields: &Map<String, Value>, name: &str) -> Result<Option<String>, OAuthError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= TEXT_BYTES_MAX => Ok(Some(text.clone())),
        Some(Value::String(_)) => Err(invalid(format!("{name} is too long"))),
        Some(_) => Err(invalid(format!("{name} must be a string"))),
    }
}

fn texts<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<Vec<&'a str>>, OAuthError> {
    let wrong = || invalid(format!("{name} must be a list of strings"));
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(items)) => {
            items.iter().map(|item| item.as_str().ok_or_else(wrong)).collect::<Result<_, _>>().map(Some)
        }
        Some(_) => Err(wrong()),
    }
}

fn read_redirect_uris(fields: &Map<String, Value>) -> Result<Vec<RedirectUri>, OAuthError> {
    let uris = texts(fields, "redirect_uris")?.unwrap_or_default();
    let refuse = |text: String| OAuthError::new(OAuthErrorCode::InvalidRedirectUri, text);
    if uris.is_empty() {
        return Err(refuse("redirect_uris must hold at least one URI".to_owned()));
    }
    if uris.len() > REDIRECT_URIS_MAX {
        return Err(refuse(format!("redirect_uris may hold at most {REDIRECT_URIS_MAX} URIs")));
    }
    let parse = |(at, uri): (usize, &str)| {
        RedirectUri::parse(uri).map_err(|error| refuse(format!("redirect_uris, entry {}, {error}", at + 1)))
    };
    uris.into_iter().enumerate().map(parse).collect()
}

/// Only codes: a client that also asks for something else gets codes, one that does not ask for
/// codes is refused.
fn check_response_types(fields: &Map<String, Value>) -> Result<(), OAuthError> {
    match texts(fields, "response_types")? {
        Some(types) if !types.contains(&"code") => Err(invalid("response_types must include code")),
        _ => Ok(()),
    }
}

/// Grant types that do not exist here are left out, which the answer shows.
fn read_grant_types(fields: &Map<String, Value>) -> Result<Vec<GrantType>, OAuthError> {
    let Some(asked) = texts(fields, "grant_types")? else { return Ok(vec![GrantType::AuthorizationCode]) };
    Ok(GrantType::ALL.into_iter().filter(|grant| asked.contains(&grant.as_str())).collect())
}

fn read_auth_method(fields: &Map<String, Value>) -> Result<AuthMethod, OAuthError> {
    let Some(asked) = text(fields, "token_endpoint_auth_method")? else { return Ok(AuthMethod::ClientSecretBasic) };
    let known = AuthMethod::ALL.into_iter().find(|method| method.as_str() == asked);
    known.ok_or_else(|| {
        let names: Vec<&str> = AuthMethod::ALL.iter().map(|method| method.as_str()).collect();
        invalid(format!("token_endpoint_auth_method must be one of: {}", names.join(", ")))
    })
}

/// The keys of a client that signs. Other clients may publish keys for other purposes, which are
/// no business of ours; that somebody sends us a private key by mistake, we do tell.
fn read_keys(fields: &Map<String, Value>, method: AuthMethod) -> Result<Option<ClientKeys>, OAuthError> {
    if fields.get("jwks").is_some_and(KeySet::is_private) {
        return Err(invalid(KeyFault::Private.to_string()));
    }
    if method != AuthMethod::PrivateKeyJwt {
        return Ok(None);
    }
    ClientKeys::read(fields).map(Some).map_err(|fault| invalid(fault.to_string()))
}

fn read_application_type(fields: &Map<String, Value>) -> Result<Option<String>, OAuthError> {
    match text(fields, "application_type")? {
        Some(kind) if kind != "web" && kind != "native" => Err(invalid("application_type must be web or native")),
        kind => Ok(kind),
    }
}

/// The registration, everything that was registered included (RFC 7591 section 3.2.1).
fn render(registered: &RegisteredClient, application_type: Option<String>) -> HttpResponse {
    let client = &registered.client;
    let grant_types: Vec<&str> = client.grant_types.iter().map(|grant| grant.as_str()).collect();
    let mut body = Map::new();
    body.insert("client_id".to_owned(), json!(client.id));
    if let Some(secret) = &registered.secret {
        body.insert("client_secret".to_owned(), json!(secret.expose()));
    }
    body.insert("client_id_issued_at".to_owned(), json!(client.issued_at.as_secs()));
    if registered.secret.is_some() {
        // Never.
        body.insert("client_secret_expires_at".to_owned(), json!(0));
    }
    body.insert("client_name".to_owned(), json!(client.name));
    body.insert("redirect_uris".to_owned(), json!(client.redirect_uris));
    body.insert("grant_types".to_owned(), json!(grant_types));
    body.insert("response_types".to_owned(), json!(["code"]));
    body.insert("token_endpoint_auth_method".to_owned(), json!(client.auth_method.as_str()));
    match &client.keys {
        None => {}
        Some(ClientKeys::Set(keys)) => drop(body.insert("jwks".to_owned(), json!(keys))),
        Some(ClientKeys::Published(uri)) => drop(body.insert("jwks_uri".to_owned(), json!(uri))),
    }
    body.insert("scope".to_owned(), json!(client.scope.to_string()));
    if let Some(kind) = application_type {
        body.insert("application_type".to_owned(), json!(kind));
    }
    HttpResponse::Created()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((PRAGMA, "no-cache"))
        .json(Value::Object(body))
}

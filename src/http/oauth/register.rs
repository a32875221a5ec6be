//! The registration endpoint (RFC 7591).

use super::error::{refuse, registration_refused};
use crate::http::AppState;
use actix_web::http::header::{CACHE_CONTROL, PRAGMA};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use mxcp_actors::authorization::Visitor;
use mxcp_actors::client_registry::RegisteredClient;
use mxcp_actors::model::audit_event::{AuditCaller, AuditEvent, OperationStatus};
use mxcp_actors::model::client::{AuthMethod, ClientMetadata};
use mxcp_actors::model::client_keys::ClientKeys;
use mxcp_actors::model::client_metadata::{MetadataFault, MetadataFields};
use mxcp_actors::model::oauth_error::{OAuthError, OAuthErrorCode};
use mxcp_actors::model::signing_key::{KeyFault, KeySet};
use serde_json::{Map, Value, json};

pub(in crate::http) async fn post(state: Data<AppState>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let Visitor { peer, trace_id, .. } = state.visitor(&request);
    let asked = match check_content_type(&request).and_then(|()| Asked::read(&body)) {
        Ok(asked) => asked,
        Err(error) => {
            record_unreadable(&state, &error, &peer, trace_id);
            return refuse(&request, &error);
        }
    };
    match state.handles.client_registry.register_client(asked.metadata, peer, trace_id).await {
        Ok(registered) => render(&registered, asked.application_type),
        Err(error) => registration_refused(&request, &error),
    }
}

/// Records a request that never came as far as the registry; of many, the number.
fn record_unreadable(state: &AppState, error: &OAuthError, peer: &str, trace_id: Option<String>) {
    let caller = AuditCaller { caller_type: "http".to_owned(), trace_id, ..AuditCaller::default() };
    let event = AuditEvent::auth("auth.registration_refused", OperationStatus::Error, caller);
    let event = event.with_error(error.to_string()).with_details(json!({"peer": peer}));
    state.handles.audit_log.record_repeated(event);
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

/// RFC 7591 section 3.2.2.
fn refused(fault: &MetadataFault) -> OAuthError {
    let code = match fault {
        MetadataFault::NoRedirectUris | MetadataFault::TooManyRedirectUris | MetadataFault::RedirectUri(..) => {
            OAuthErrorCode::InvalidRedirectUri
        }
        MetadataFault::WrongKind(..) | MetadataFault::TooLong(_) | MetadataFault::NoCode | MetadataFault::Scope => {
            OAuthErrorCode::InvalidClientMetadata
        }
    };
    OAuthError::new(code, fault.to_string())
}

impl Asked {
    fn read(body: &[u8]) -> Result<Self, OAuthError> {
        let fields = MetadataFields::parse(body).ok_or_else(|| invalid("the body is not a JSON object"))?;
        fields.check_response_types().map_err(|fault| refused(&fault))?;
        let auth_method = read_auth_method(&fields)?;
        let metadata = ClientMetadata {
            name: text(&fields, "client_name")?.map(str::to_owned),
            redirect_uris: fields.redirect_uris().map_err(|fault| refused(&fault))?,
            grant_types: fields.grant_types().map_err(|fault| refused(&fault))?,
            auth_method,
            keys: read_keys(&fields, auth_method)?,
            scope: fields.scope().map_err(|fault| refused(&fault))?,
        };
        Ok(Self { metadata, application_type: read_application_type(&fields)? })
    }
}

fn text<'a>(fields: &'a MetadataFields, name: &'static str) -> Result<Option<&'a str>, OAuthError> {
    fields.text(name).map_err(|fault| refused(&fault))
}

fn read_auth_method(fields: &MetadataFields) -> Result<AuthMethod, OAuthError> {
    let Some(asked) = text(fields, "token_endpoint_auth_method")? else { return Ok(AuthMethod::ClientSecretBasic) };
    let known = AuthMethod::ALL.into_iter().find(|method| method.as_str() == asked);
    known.ok_or_else(|| {
        let names: Vec<&str> = AuthMethod::ALL.iter().map(|method| method.as_str()).collect();
        invalid(format!("token_endpoint_auth_method must be one of: {}", names.join(", ")))
    })
}

/// The keys of a client that signs. Other clients may publish keys for other purposes, which are
/// no business of ours; that somebody sends us a private key by mistake, we do tell.
fn read_keys(fields: &MetadataFields, method: AuthMethod) -> Result<Option<ClientKeys>, OAuthError> {
    if fields.as_map().get("jwks").is_some_and(KeySet::is_private) {
        return Err(invalid(KeyFault::Private.to_string()));
    }
    if method != AuthMethod::PrivateKeyJwt {
        return Ok(None);
    }
    ClientKeys::read(fields.as_map()).map(Some).map_err(|fault| invalid(fault.to_string()))
}

fn read_application_type(fields: &MetadataFields) -> Result<Option<String>, OAuthError> {
    match text(fields, "application_type")? {
        Some(kind) if kind != "web" && kind != "native" => Err(invalid("application_type must be web or native")),
        kind => Ok(kind.map(str::to_owned)),
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

//! What the server says of itself: RFC 8414 and RFC 9728.

use super::error::unavailable;
use crate::http::{AppState, TokenSource};
use actix_web::http::header::{CACHE_CONTROL, ContentType, HOST};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use mxcp_actors::model::client::{AuthMethod, GrantType};
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::signing_key::SigningAlgorithm;
use mxcp_actors::settings::Settings;
use serde_json::{Value, json};

/// Clients may keep the documents for this long.
const CACHE: &str = "public, max-age=300";

/// What the documents are made from.
#[derive(Debug)]
pub struct MetadataOptions<'a> {
    /// Names, scopes and what is open.
    pub settings: &'a Settings,
    /// The scopes that clients are told to ask for: the small set to start with, not all that
    /// there are.
    pub scopes: ScopeSet,
    /// The project's name.
    pub project: &'a str,
}

/// What the documents say.
#[derive(Clone, Debug)]
pub struct MetadataDocuments {
    authorization_server: Bytes,
    issuer: String,
    scopes: ScopeSet,
    resource_name: String,
    resource: String,
    /// The resource under the server's other names, by Host header.
    aliases: Vec<(String, String)>,
}

impl MetadataDocuments {
    /// Collects what there is to say.
    #[must_use]
    pub fn new(options: &MetadataOptions<'_>) -> Self {
        let settings = options.settings;
        Self {
            authorization_server: Bytes::from(describe_server(settings).to_string()),
            issuer: settings.issuer.clone(),
            scopes: options.scopes.clone(),
            resource_name: format!("mxcp: {}", options.project),
            resource: settings.resource.as_str().to_owned(),
            aliases: settings.alias_origins.iter().map(|origin| alias(origin)).collect(),
        }
    }

    /// RFC 9728, under the name by which the caller reached the server; `issuer` is whose tokens
    /// are accepted.
    fn describe_resource(&self, request: &HttpRequest, issuer: &str) -> Value {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let named = self.aliases.iter().find(|(name, _)| name.eq_ignore_ascii_case(host));
        let mut document = json!({
            "resource": named.map_or(&self.resource, |(_, resource)| resource),
            "authorization_servers": [issuer],
        });
        if let Some(fields) = document.as_object_mut() {
            if !self.scopes.is_empty() {
                fields.insert("scopes_supported".to_owned(), json!(self.scopes));
            }
            fields.insert("bearer_methods_supported".to_owned(), json!(["header"]));
            fields.insert("resource_name".to_owned(), json!(self.resource_name));
        }
        document
    }
}

/// RFC 8414; the same document stands at the places of OpenID Connect discovery.
pub(in crate::http) async fn authorization_server(state: Data<AppState>) -> HttpResponse {
    answer(state.metadata.authorization_server.clone())
}

/// RFC 9728. Another issuer is named as it names itself, which its own metadata alone tell: until
/// they could be fetched nobody is sent anywhere.
pub(in crate::http) async fn protected_resource(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let metadata = &state.metadata;
    let document = match &state.tokens {
        TokenSource::OtherIssuer(verifier) => match verifier.issuer().await {
            Ok(issuer) => metadata.describe_resource(&request, &issuer),
            Err(error) => return unavailable(&request, &error),
        },
        TokenSource::ThisServer | TokenSource::NotNeeded => metadata.describe_resource(&request, &metadata.issuer),
    };
    answer(Bytes::from(document.to_string()))
}

fn alias(origin: &str) -> (String, String) {
    (origin.strip_prefix("http://").unwrap_or(origin).to_owned(), format!("{origin}/mcp"))
}

fn answer(document: Bytes) -> HttpResponse {
    HttpResponse::Ok().insert_header(ContentType::json()).insert_header((CACHE_CONTROL, CACHE)).body(document)
}

fn describe_server(settings: &Settings) -> Value {
    let issuer = &settings.issuer;
    let methods: Vec<&str> = AuthMethod::ALL.iter().map(|method| method.as_str()).collect();
    let algorithms = SigningAlgorithm::ALL.map(SigningAlgorithm::as_str);
    let grants: Vec<&str> = GrantType::ALL.iter().map(|grant| grant.as_str()).collect();
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "scopes_supported": settings.scope_catalogue(),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": grants,
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": settings.client_documents.is_some(),
    });
    if let Some(fields) = document.as_object_mut().filter(|_| settings.is_registration_open) {
        fields.insert("registration_endpoint".to_owned(), json!(format!("{issuer}/register")));
    }
    document
}

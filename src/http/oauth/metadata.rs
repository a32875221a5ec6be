//! What the server says of itself: RFC 8414 and RFC 9728, rendered once.

use actix_web::http::header::{CACHE_CONTROL, ContentType, HOST};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use mxcp_actors::model::client::{AuthMethod, GrantType};
use mxcp_actors::model::signing_key::SigningAlgorithm;
use mxcp_actors::settings::Settings;
use serde_json::json;

/// Clients may keep the documents for this long.
const CACHE: &str = "public, max-age=300";

/// What the documents are made from.
#[derive(Debug)]
pub struct MetadataOptions<'a> {
    /// Names, scopes and what is open.
    pub settings: &'a Settings,
    /// The project's name.
    pub project: &'a str,
}

/// Both documents as they are sent.
#[derive(Clone, Debug)]
pub struct MetadataDocuments {
    authorization_server: Bytes,
    protected_resource: Bytes,
    /// The same under the server's other names, by Host header.
    aliases: Vec<(String, Bytes)>,
}

impl MetadataDocuments {
    /// Renders the documents.
    #[must_use]
    pub fn new(options: &MetadataOptions<'_>) -> Self {
        Self {
            authorization_server: Bytes::from(authorization_server(options.settings).to_string()),
            protected_resource: Bytes::from(
                protected_resource(options, options.settings.resource.as_str()).to_string(),
            ),
            aliases: options.settings.alias_origins.iter().map(|origin| alias(options, origin)).collect(),
        }
    }

    /// RFC 8414; the same document stands at the places of OpenID Connect discovery.
    pub(in crate::http) fn authorization_server(&self) -> HttpResponse {
        answer(&self.authorization_server)
    }

    /// RFC 9728, under the name by which the caller reached the server.
    pub(in crate::http) fn protected_resource(&self, request: &HttpRequest) -> HttpResponse {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let named = self.aliases.iter().find(|(name, _)| name.eq_ignore_ascii_case(host));
        answer(named.map_or(&self.protected_resource, |(_, document)| document))
    }
}

fn alias(options: &MetadataOptions<'_>, origin: &str) -> (String, Bytes) {
    let host = origin.strip_prefix("http://").unwrap_or(origin).to_owned();
    let document = protected_resource(options, &format!("{origin}/mcp"));
    (host, Bytes::from(document.to_string()))
}

fn answer(document: &Bytes) -> HttpResponse {
    HttpResponse::Ok().insert_header(ContentType::json()).insert_header((CACHE_CONTROL, CACHE)).body(document.clone())
}

fn authorization_server(settings: &Settings) -> serde_json::Value {
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

/// The scopes are the small set to start with, not all that there are.
fn protected_resource(options: &MetadataOptions<'_>, resource: &str) -> serde_json::Value {
    let settings = options.settings;
    let first: mxcp_actors::model::scope::ScopeSet = [Settings::DEFAULT_SCOPE].into_iter().collect();
    json!({
        "resource": resource,
        "authorization_servers": [settings.issuer],
        "scopes_supported": first.union(&settings.required_scopes),
        "bearer_methods_supported": ["header"],
        "resource_name": format!("mxcp: {}", options.project),
    })
}

//! Every route of the daemon.

use super::audit;
use super::mcp::{self, McpState};
use super::oauth::{authorize, callback, consent, login, metadata, register, revoke, token};
use super::pages::ErrorPage;
use super::request_id::RequestId;
use super::{AppState, TokenSource, cors, root};
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

/// The longest form or registration that is read.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// Which routes there are.
#[derive(Clone, Debug)]
pub struct RouteOptions {
    /// Where identity providers send people back to, each to a route of its own.
    pub callbacks: Vec<CallbackRoute>,
    /// Where the tokens come from that calls need.
    pub tokens: TokenSource,
    /// Whether there is a page of the audit log.
    pub has_audit_page: bool,
}

/// Where one identity provider sends people back to.
#[derive(Clone, Debug)]
pub struct CallbackRoute {
    /// The path.
    pub path: String,
    /// The provider's name.
    pub provider: String,
}

/// Adds all routes.
pub fn configure(config: &mut ServiceConfig, options: &RouteOptions, mcp_state: &McpState) {
    config.app_data(web::PayloadConfig::new(FORM_BYTES_MAX));
    mcp::configure(config, mcp_state);
    config.route("/", web::get().to(root::get)).route("/health", web::get().to(health));
    if options.tokens.needs_token() {
        for path in [
            "/.well-known/oauth-protected-resource",
            "/.well-known/oauth-protected-resource/mcp",
            "/mcp/.well-known/oauth-protected-resource",
        ] {
            config.service(any_page(path).route(web::get().to(metadata::protected_resource)));
        }
    }
    if matches!(options.tokens, TokenSource::ThisServer) {
        configure_sign_in(config, options);
    }
}

/// Adds the routes of a server that people sign in at and that issues tokens.
fn configure_sign_in(config: &mut ServiceConfig, options: &RouteOptions) {
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/mcp",
        "/mcp/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/.well-known/openid-configuration/mcp",
        "/mcp/.well-known/openid-configuration",
    ] {
        config.service(any_page(path).route(web::get().to(metadata::authorization_server)));
    }
    config
        .service(any_page("/register").route(web::post().to(register::post)))
        .service(any_page("/token").route(web::post().to(token::post)))
        .service(any_page("/revoke").route(web::post().to(revoke::post)))
        .service(
            web::resource("/authorize").route(web::get().to(authorize::get)).route(web::post().to(authorize::post)),
        )
        .route("/consent", web::post().to(consent::post))
        .route("/login", web::post().to(login::post))
        .route("/logout", web::post().to(root::sign_out))
        .route("/signed-out", web::get().to(root::signed_out));
    if options.has_audit_page {
        config
            .route("/audit", web::get().to(audit::viewer_page))
            .route("/audit/events", web::get().to(audit::viewer_events));
    }
    for CallbackRoute { path, provider } in &options.callbacks {
        let provider = Data::new(callback::Provider(provider.clone()));
        config.service(web::resource(path.as_str()).app_data(provider).route(web::get().to(callback::get)));
    }
}

/// A resource that scripts of any page may use: it rests on no cookie.
fn any_page(
    path: &str,
) -> actix_web::Resource<
    impl actix_web::dev::ServiceFactory<
        actix_web::dev::ServiceRequest,
        Config = (),
        Response = actix_web::dev::ServiceResponse<impl actix_web::body::MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    web::resource(path).wrap(cors::for_any_page())
}

async fn health() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// What is not there: a page for people, who come here by an old callback or a form without its
/// page, and JSON for programs.
pub async fn not_found(request: HttpRequest) -> HttpResponse {
    if let Some(state) = request.app_data::<Data<AppState>>().filter(|_| root::wants_page(&request)) {
        return state.pages.error(&ErrorPage {
            status: StatusCode::NOT_FOUND,
            title: "There is nothing here",
            message: "this server has no page at this address".to_owned(),
            advice: "Go back to where you started. If a sign-in at another site brought you here, tell the operator: \
                the callback URL that is registered there is not one of this server.",
            request_id: RequestId::of(&request),
            retry_after_secs: None,
        });
    }
    let text = format!("there is nothing at {}", request.path());
    HttpResponse::NotFound().json(json!({"error": "not_found", "error_description": text}))
}

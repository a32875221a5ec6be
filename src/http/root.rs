//! The root: a person's visit, or for programs a few words about the server.

use super::oauth::error::{login_refused, refuse, visit_refused};
use super::oauth::form::Parameters;
use super::oauth::step::render;
use super::pages::redirect;
use super::{AppState, TokenSource};
use actix_web::http::header::{ACCEPT, CACHE_CONTROL};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

pub(super) async fn get(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    if !wants_page(&request) {
        return describe(&state);
    }
    match &state.tokens {
        TokenSource::NotNeeded => return state.pages.open_home(&state.home),
        TokenSource::OtherIssuer(verifier) => return state.pages.home_of_issuer(&state.home, verifier.title()),
        TokenSource::ThisServer => {}
    }
    if let Some(session) = state.cookies.session(&request) {
        match state.handles.authorization.find_visit(session).await {
            Ok(Some(visit)) => return state.pages.home(&state.home, &visit),
            Ok(None) => {}
            Err(error) => return visit_refused(&state.pages, &request, &error),
        }
    }
    match state.handles.authorization.begin_visit(state.visitor(&request)).await {
        Ok(step) => render(&state, &step),
        Err(error) => login_refused(&state.pages, &request, &error),
    }
}

pub(super) async fn sign_out(state: Data<AppState>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let form = match Parameters::of_form(&request, &body) {
        Ok(form) => form,
        Err(error) => return refuse(&request, &error),
    };
    if let Some(session) = state.cookies.session(&request) {
        let csrf = form.secret("csrf").unwrap_or_default();
        let is_everywhere = form.first("everywhere").is_some();
        let trace_id = state.visitor(&request).trace_id;
        if let Err(error) = state.handles.authorization.sign_out(session, csrf, is_everywhere, trace_id).await {
            return visit_refused(&state.pages, &request, &error);
        }
    }
    let mut answer = redirect("/signed-out");
    state.cookies.forget_session(&mut answer);
    answer
}

pub(super) async fn signed_out(state: Data<AppState>) -> HttpResponse {
    state.pages.signed_out()
}

/// Browsers ask for HTML by name; programs ask for JSON or for anything.
pub(super) fn wants_page(request: &HttpRequest) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.to_ascii_lowercase().contains("text/html"))
}

fn describe(state: &AppState) -> HttpResponse {
    let base = &state.home.base_url;
    let mut body = json!({
        "name": "mxcp",
        "version": env!("CARGO_PKG_VERSION"),
        "project": state.home.project,
        "endpoints": {"mcp": format!("{base}/mcp"), "health": format!("{base}/health")},
    });
    let own = ("authorization_server_metadata", "/.well-known/oauth-authorization-server");
    let resource = ("protected_resource_metadata", "/.well-known/oauth-protected-resource/mcp");
    let documents = match &state.tokens {
        TokenSource::NotNeeded => vec![],
        TokenSource::ThisServer => vec![own, resource],
        TokenSource::OtherIssuer(_) => vec![resource],
    };
    if let Some(endpoints) = body.get_mut("endpoints").and_then(|value| value.as_object_mut()) {
        endpoints.extend(documents.iter().map(|(name, path)| ((*name).to_owned(), json!(format!("{base}{path}")))));
    }
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(body)
}

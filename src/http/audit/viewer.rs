//! The page on which people see the audit log, and its stream. Who may is decided by
//! `authorization`; here nothing is shown before it has said yes.

use super::events::{Permission, StreamWish, respond};
use super::live::{LiveLog, Start};
use super::query::AuditQuery;
use crate::http::AppState;
use crate::http::oauth::error::visit_refused;
use crate::http::pages::{ErrorPage, redirect};
use crate::http::request_id::RequestId;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderMap};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use mxcp_actors::authorization::{Viewing, Visitor};
use mxcp_actors::model::secret::Secret;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// The most people who watch at a time, each window counting.
const STREAMS_MAX: usize = 64;

/// How often a stream looks whether its reader is still signed in and still may: so long, at most,
/// somebody goes on seeing the log who may not any more.
const PERMISSION_CHECK: Duration = Duration::from_secs(5);

/// How many records a page begins with when nobody says.
const LIMIT_DEFAULT: usize = 100;

/// What the page's streams share.
#[derive(Clone, Debug)]
pub struct AuditViewing {
    slots: Arc<Semaphore>,
    is_stopping: watch::Receiver<bool>,
}

impl AuditViewing {
    /// Streams that end when the server stops.
    #[must_use]
    pub fn new(is_stopping: watch::Receiver<bool>) -> Self {
        Self { slots: Arc::new(Semaphore::new(STREAMS_MAX)), is_stopping }
    }
}

/// The page.
pub(in crate::http) async fn page(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let Some(session) = state.cookies.session(&request) else { return redirect("/") };
    let visitor = state.visitor(&request);
    match state.handles.authorization.view_audit(session, None, visitor).await {
        Ok(Viewing::Allowed) => state.pages.audit(),
        Ok(Viewing::SignedOut) => redirect("/"),
        Ok(Viewing::Refused) => state.pages.error(&ErrorPage {
            status: StatusCode::FORBIDDEN,
            title: "You may not see the audit log",
            message: "your role is none of those that may see it".to_owned(),
            advice: "If you need to, ask the operator to add your role to audit.viewers, and tell the number below.",
            request_id: RequestId::of(&request),
            retry_after_secs: None,
        }),
        Err(error) => visit_refused(&state.pages, &request, &error),
    }
}

/// The stream of the page. A browser that comes back says which record it saw last.
pub(in crate::http) async fn events(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    let Some(viewing) = &state.audit_viewing else { return refuse(HttpResponse::NotFound(), "there is no such page") };
    if !is_from_our_page(request.headers()) {
        return refuse(HttpResponse::Forbidden(), "this stream is for this server's own page");
    }
    let Some(session) = state.cookies.session(&request) else { return signed_out() };
    let asked = match AuditQuery::parse(request.query_string()) {
        Ok(asked) => asked,
        Err(error) => return refuse(HttpResponse::BadRequest(), &error.to_string()),
    };
    let visitor = state.visitor(&request);
    match state.handles.authorization.view_audit(session.clone(), Some(asked.to_text()), visitor.clone()).await {
        Ok(Viewing::Allowed) => {}
        Ok(Viewing::SignedOut) => return signed_out(),
        Ok(Viewing::Refused) => return refuse(HttpResponse::Forbidden(), "your role may not see the audit log"),
        Err(error) => return unavailable(&error),
    }
    // Not before it is known who asks: strangers must not take the places.
    let Ok(slot) = Arc::clone(&viewing.slots).try_acquire_owned() else {
        return refuse(HttpResponse::ServiceUnavailable(), "as many people watch as this server can serve");
    };
    let start =
        last_event(request.headers()).map_or_else(|| Start::Newest(asked.limit.unwrap_or(LIMIT_DEFAULT)), Start::After);
    match LiveLog::begin(state.handles.audit_log.clone(), asked.filter, start).await {
        Ok(live) => {
            let stream = StreamWish::new(live, slot, viewing.is_stopping.clone());
            respond(stream.while_permitted(may_still(state.clone(), session, visitor), PERMISSION_CHECK))
        }
        Err(error) => unavailable(&error),
    }
}

/// Whether the person of `session` may see the log at the time of asking. Who cannot be asked about
/// may not.
fn may_still(state: Data<AppState>, session: Secret, visitor: Visitor) -> Permission {
    Box::new(move || {
        let (state, session, visitor) = (state.clone(), session.clone(), visitor.clone());
        Box::pin(async move {
            let viewing = state.handles.authorization.view_audit(session, None, visitor).await;
            matches!(viewing, Ok(Viewing::Allowed))
        })
    })
}

/// Whether the request came from a page of this server, or from a browser that does not say or a
/// program (Fetch Metadata Request Headers). The cookie is `SameSite`, so this is a second lock.
fn is_from_our_page(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin")
}

/// The number of the last record that the browser has seen.
fn last_event(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

fn signed_out() -> HttpResponse {
    refuse(HttpResponse::Unauthorized(), "nobody is signed in")
}

fn unavailable(error: &dyn std::fmt::Display) -> HttpResponse {
    tracing::warn!(%error, "the audit log could not be shown");
    refuse(HttpResponse::ServiceUnavailable(), "the audit log cannot be shown right now")
}

fn refuse(mut answer: HttpResponseBuilder, why: &str) -> HttpResponse {
    answer.insert_header((CACHE_CONTROL, "no-store")).json(json!({"error": why}))
}

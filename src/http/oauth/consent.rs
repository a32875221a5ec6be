//! The answer to the consent page.

use super::error::{login_refused, refuse};
use super::form::Parameters;
use super::step::render;
use crate::http::AppState;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use mxcp_actors::authorization::DecideConsent;

pub(in crate::http) async fn post(state: Data<AppState>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let form = match Parameters::of_form(&request, &body) {
        Ok(form) => form,
        Err(error) => return refuse(&request, &error),
    };
    let decided = DecideConsent {
        handle: form.secret("login").unwrap_or_default(),
        csrf: form.secret("csrf").unwrap_or_default(),
        // Anything but a clear yes is a no.
        is_approved: form.first("decision").as_deref() == Some("approve"),
        visitor: state.visitor(&request),
    };
    match state.handles.authorization.decide_consent(decided).await {
        Ok(step) => render(&state, &step),
        Err(error) => login_refused(&state.pages, &request, &error),
    }
}

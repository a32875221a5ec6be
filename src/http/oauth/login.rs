//! The answer to our own login page.

use super::error::{login_refused, refuse};
use super::form::Parameters;
use super::step::render;
use crate::http::AppState;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use mxcp_actors::authorization::SubmitPassword;

pub(in crate::http) async fn post(state: Data<AppState>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let form = match Parameters::of_form(&request, &body) {
        Ok(form) => form,
        Err(error) => return refuse(&request, &error),
    };
    let submitted = SubmitPassword {
        handle: form.secret("login").unwrap_or_default(),
        csrf: form.secret("csrf").unwrap_or_default(),
        username: form.first("username").unwrap_or_default(),
        password: form.secret("password").unwrap_or_default(),
        visitor: state.visitor(&request),
    };
    match state.handles.authorization.submit_password(submitted).await {
        Ok(step) => render(&state, &step),
        Err(error) => login_refused(&state.pages, &request, &error),
    }
}

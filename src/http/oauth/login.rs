//! The answers to our own login page, and to the page on which people choose where to sign in.

use super::error::{login_refused, refuse};
use super::form::Parameters;
use super::step::render;
use crate::http::AppState;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use mxcp_actors::authorization::{ChooseLogin, SubmitPassword};

pub(in crate::http) async fn post(state: Data<AppState>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let form = match Parameters::of_form(&request, &body) {
        Ok(form) => form,
        Err(error) => return refuse(&request, &error),
    };
    let (handle, csrf) = (form.secret("login").unwrap_or_default(), form.secret("csrf").unwrap_or_default());
    let visitor = state.visitor(&request);
    let authorization = &state.handles.authorization;
    let step = if let Some(method) = form.first("method") {
        authorization.choose_login(ChooseLogin { handle, csrf, method, visitor }).await
    } else {
        let username = form.first("username").unwrap_or_default();
        let password = form.secret("password").unwrap_or_default();
        authorization.submit_password(SubmitPassword { handle, csrf, username, password, visitor }).await
    };
    match step {
        Ok(step) => render(&state, &step),
        Err(error) => login_refused(&state.pages, &request, &error),
    }
}

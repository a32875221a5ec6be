//! The authorization endpoint (RFC 6749 section 3.1): by query, or by form.

use super::error::{begin_refused, refuse};
use super::form::Parameters;
use super::step::render;
use crate::http::AppState;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use mxcp_actors::authorization::{AuthorizeParameters, BeginAuthorization};

pub(in crate::http) async fn get(state: Data<AppState>, request: HttpRequest) -> HttpResponse {
    begin(&state, &request, &Parameters::parse(request.query_string().as_bytes())).await
}

pub(in crate::http) async fn post(state: Data<AppState>, request: HttpRequest, body: Bytes) -> HttpResponse {
    match Parameters::of_form(&request, &body) {
        Ok(parameters) => begin(&state, &request, &parameters).await,
        Err(error) => refuse(&request, &error),
    }
}

async fn begin(state: &AppState, request: &HttpRequest, parameters: &Parameters) -> HttpResponse {
    let asked = BeginAuthorization { parameters: read(parameters), visitor: state.visitor(request) };
    match state.handles.authorization.begin_authorization(asked).await {
        Ok(step) => render(state, &step),
        Err(error) => begin_refused(state, request, &error),
    }
}

fn read(parameters: &Parameters) -> AuthorizeParameters {
    AuthorizeParameters {
        client_id: parameters.first("client_id"),
        redirect_uri: parameters.first("redirect_uri"),
        response_type: parameters.first("response_type"),
        response_mode: parameters.first("response_mode"),
        state: parameters.first("state"),
        scope: parameters.first("scope"),
        code_challenge: parameters.first("code_challenge"),
        code_challenge_method: parameters.first("code_challenge_method"),
        resource: parameters.all("resource").map(str::to_owned).collect(),
        has_request_object: parameters.first("request").or_else(|| parameters.first("request_uri")).is_some(),
        repeated: parameters.repeated(),
    }
}

//! The revocation endpoint (RFC 7009).

use super::credentials;
use super::error::{refuse, token_refused};
use super::form::Parameters;
use crate::http::AppState;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use mxcp_actors::authorization::RevokeRequest;
use mxcp_actors::model::oauth_error::{OAuthError, OAuthErrorCode};

pub(in crate::http) async fn post(state: Data<AppState>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let asked = match read(&state, &request, &body) {
        Ok(asked) => asked,
        Err(error) => return refuse(&request, &error),
    };
    match state.handles.authorization.revoke_token(asked).await {
        Ok(()) => HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).finish(),
        Err(error) => token_refused(&request, &error),
    }
}

/// A `token_type_hint` is only a hint: every kind is looked for anyway.
fn read(state: &AppState, request: &HttpRequest, body: &[u8]) -> Result<RevokeRequest, OAuthError> {
    let form = Parameters::of_form(request, body)?;
    form.check_unique()?;
    let visitor = state.visitor(request);
    let missing = || OAuthError::new(OAuthErrorCode::InvalidRequest, "token is missing");
    Ok(RevokeRequest {
        token: form.secret("token").ok_or_else(missing)?,
        credentials: credentials::read(request, &form)?,
        peer: visitor.peer,
        trace_id: visitor.trace_id,
    })
}

//! The token endpoint (RFC 6749 section 3.2).

use super::credentials;
use super::error::{refuse, token_refused};
use super::form::Parameters;
use crate::http::AppState;
use actix_web::http::header::{CACHE_CONTROL, PRAGMA};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use mxcp_actors::authorization::{TokenGrant, TokenRequest};
use mxcp_actors::model::oauth_error::{OAuthError, OAuthErrorCode};
use mxcp_actors::model::token::IssuedTokens;
use serde_json::json;

pub(in crate::http) async fn post(state: Data<AppState>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let asked = match read(&state, &request, &body) {
        Ok(asked) => asked,
        Err(error) => return refuse(&request, &error),
    };
    match state.handles.authorization.exchange_token(asked).await {
        Ok(tokens) => render(&tokens),
        Err(error) => token_refused(&request, &error),
    }
}

fn read(state: &AppState, request: &HttpRequest, body: &[u8]) -> Result<TokenRequest, OAuthError> {
    let form = Parameters::of_form(request, body)?;
    form.check_unique()?;
    let visitor = state.visitor(request);
    Ok(TokenRequest {
        grant: read_grant(&form)?,
        credentials: credentials::read(request, &form)?,
        resource: form.all("resource").map(str::to_owned).collect(),
        peer: visitor.peer,
        trace_id: visitor.trace_id,
    })
}

fn read_grant(form: &Parameters) -> Result<TokenGrant, OAuthError> {
    let missing = |name: &str| OAuthError::new(OAuthErrorCode::InvalidRequest, format!("{name} is missing"));
    match form.first("grant_type").as_deref() {
        Some("authorization_code") => Ok(TokenGrant::AuthorizationCode {
            code: form.secret("code").ok_or_else(|| missing("code"))?,
            redirect_uri: form.first("redirect_uri"),
            verifier: form.secret("code_verifier").ok_or_else(|| missing("code_verifier"))?,
        }),
        Some("refresh_token") => Ok(TokenGrant::RefreshToken {
            token: form.secret("refresh_token").ok_or_else(|| missing("refresh_token"))?,
            scope: form.first("scope"),
        }),
        Some(_) => {
            let text = "grant_type must be authorization_code or refresh_token";
            Err(OAuthError::new(OAuthErrorCode::UnsupportedGrantType, text))
        }
        None => Err(missing("grant_type")),
    }
}

/// The token response (RFC 6749 section 5.1).
fn render(tokens: &IssuedTokens) -> HttpResponse {
    let mut body = json!({
        "access_token": tokens.access_token.expose(),
        "token_type": "Bearer",
        "expires_in": tokens.expires_in.as_secs(),
        "scope": tokens.scopes.to_string(),
    });
    if let (Some(fields), Some(refresh_token)) = (body.as_object_mut(), &tokens.refresh_token) {
        fields.insert("refresh_token".to_owned(), json!(refresh_token.expose()));
    }
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).insert_header((PRAGMA, "no-cache")).json(body)
}

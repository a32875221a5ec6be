//! Where the identity provider sends the browser back to (RFC 6749 section 4.1.2).

use super::error::login_refused;
use super::form::Parameters;
use super::step::render;
use crate::http::AppState;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use mxcp_actors::authorization::{CompleteLogin, LoginError, ProviderAnswer};

/// The provider that a route belongs to.
#[derive(Debug)]
pub(in crate::http) struct Provider(pub(in crate::http) String);

pub(in crate::http) async fn get(
    state: Data<AppState>,
    provider: Data<Provider>,
    request: HttpRequest,
) -> HttpResponse {
    let query = Parameters::parse(request.query_string().as_bytes());
    let Some(back) = read(&state, &provider, &request, &query) else {
        return login_refused(&state.pages, &request, &LoginError::Unknown);
    };
    match state.handles.authorization.complete_login(back).await {
        Ok(step) => render(&state, &step),
        Err(error) => login_refused(&state.pages, &request, &error),
    }
}

/// `None` when the query is no answer of a provider.
fn read(state: &AppState, provider: &Provider, request: &HttpRequest, query: &Parameters) -> Option<CompleteLogin> {
    if query.check_unique().is_err() {
        return None;
    }
    let answer = match (query.first("error"), query.secret("code")) {
        (Some(error), _) => ProviderAnswer::Error { error, description: query.first("error_description") },
        (None, Some(code)) => ProviderAnswer::Code(code),
        (None, None) => return None,
    };
    let visitor = state.visitor(request);
    let (provider, login) = (provider.0.clone(), query.secret("state")?);
    Some(CompleteLogin { provider, state: login, answer, issuer: query.first("iss"), visitor })
}

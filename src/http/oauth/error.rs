//! From the actors' errors to OAuth's codes and statuses: the only place that chooses them.
#![deny(clippy::wildcard_enum_match_arm)]

use crate::http::AppState;
use crate::http::pages::{ErrorPage, Pages};
use crate::http::request_id::RequestId;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse};
use mxcp_actors::authorization::{BeginError, LoginError, TokenError, VisitError};
use mxcp_actors::authorization_codes::TooManyAttempts;
use mxcp_actors::client_registry::{DocumentError, RegistrationError};
use mxcp_actors::model::oauth_error::{OAuthError, OAuthErrorCode};
use mxcp_actors::ports::upstream_idp::UpstreamError;
use serde_json::json;

/// How long a caller should wait before it tries again what a part of the server could not do.
const RETRY_AFTER_SECS: u64 = 5;

const fn status(code: OAuthErrorCode) -> StatusCode {
    match code {
        OAuthErrorCode::InvalidClient => StatusCode::UNAUTHORIZED,
        OAuthErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        OAuthErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        OAuthErrorCode::AccessDenied => StatusCode::FORBIDDEN,
        OAuthErrorCode::InvalidRequest
        | OAuthErrorCode::InvalidGrant
        | OAuthErrorCode::UnauthorizedClient
        | OAuthErrorCode::UnsupportedGrantType
        | OAuthErrorCode::UnsupportedResponseType
        | OAuthErrorCode::InvalidScope
        | OAuthErrorCode::InvalidTarget
        | OAuthErrorCode::InvalidRedirectUri
        | OAuthErrorCode::InvalidClientMetadata
        | OAuthErrorCode::UnsupportedTokenType => StatusCode::BAD_REQUEST,
    }
}

/// An error body for a client (RFC 6749 section 5.2).
pub(in crate::http) fn refuse(request: &HttpRequest, error: &OAuthError) -> HttpResponse {
    let mut answer = HttpResponse::build(status(error.code));
    answer.insert_header((CACHE_CONTROL, "no-store")).insert_header((PRAGMA, "no-cache"));
    if error.code == OAuthErrorCode::TemporarilyUnavailable {
        answer.insert_header((RETRY_AFTER, RETRY_AFTER_SECS));
    }
    if error.code == OAuthErrorCode::InvalidClient && uses_basic(request) {
        answer.insert_header((WWW_AUTHENTICATE, r#"Basic realm="mxcp""#));
    }
    answer.json(json!({"error": error.code.as_str(), "error_description": error.description}))
}

fn uses_basic(request: &HttpRequest) -> bool {
    let header = request.headers().get(actix_web::http::header::AUTHORIZATION);
    header
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic ")))
}

/// A part of the server failed: the cause goes to the log, the caller is told to try again.
pub(super) fn unavailable(request: &HttpRequest, cause: &dyn std::fmt::Display) -> HttpResponse {
    log_failure(request, cause);
    HttpResponse::ServiceUnavailable()
        .insert_header((RETRY_AFTER, RETRY_AFTER_SECS))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({
            "error": OAuthErrorCode::TemporarilyUnavailable.as_str(),
            "error_description": "the server cannot do this right now; try again",
        }))
}

fn log_failure(request: &HttpRequest, cause: &dyn std::fmt::Display) {
    let id = RequestId::of(request);
    tracing::error!(request_id = id.as_ref().map(RequestId::as_str), cause = %cause, "a request failed");
}

/// Why there are no tokens.
pub(super) fn token_refused(request: &HttpRequest, error: &TokenError) -> HttpResponse {
    match error {
        TokenError::Refused(error) => refuse(request, error),
        TokenError::NotRecorded(cause) => unavailable(request, cause),
        TokenError::Store(cause) => unavailable(request, cause),
        TokenError::Unavailable(cause) => unavailable(request, cause),
    }
}

/// Why a client was not registered (RFC 7591 section 3.2.2).
pub(super) fn registration_refused(request: &HttpRequest, error: &RegistrationError) -> HttpResponse {
    match error {
        RegistrationError::Closed => {
            let error = OAuthError::new(OAuthErrorCode::AccessDenied, error.to_string());
            refuse(request, &error)
        }
        RegistrationError::InvalidMetadata(text) => {
            refuse(request, &OAuthError::new(OAuthErrorCode::InvalidClientMetadata, text.clone()))
        }
        RegistrationError::TooFast(wait) => HttpResponse::TooManyRequests()
            .insert_header((RETRY_AFTER, wait.as_secs()))
            .insert_header((CACHE_CONTROL, "no-store"))
            .json(json!({
                "error": OAuthErrorCode::TemporarilyUnavailable.as_str(),
                "error_description": error.to_string(),
            })),
        RegistrationError::Full => unavailable(request, error),
        RegistrationError::NotRecorded(cause) => unavailable(request, cause),
        RegistrationError::Store(cause) => unavailable(request, cause),
        RegistrationError::Unavailable(cause) => unavailable(request, cause),
    }
}

/// Why an authorization was not begun: at the client's verified URI, or on a page.
pub(super) fn begin_refused(state: &AppState, request: &HttpRequest, error: &BeginError) -> HttpResponse {
    match error {
        BeginError::ToClient { url, .. } => crate::http::pages::redirect(url),
        BeginError::Unverified(error) => state.pages.error(&ErrorPage {
            status: StatusCode::BAD_REQUEST,
            title: "This request cannot be answered",
            message: error.description.clone(),
            advice: "Go back to the application and connect it again. If that does not help, remove the connection \
                there and add it anew.",
            request_id: RequestId::of(request),
            retry_after_secs: None,
        }),
        BeginError::Failed(error) => login_refused(&state.pages, request, error),
    }
}

/// Why a login did not go on, for the person who is logging in.
pub(in crate::http) fn login_refused(pages: &Pages, request: &HttpRequest, error: &LoginError) -> HttpResponse {
    let page = |status, title, advice| ErrorPage {
        status,
        title,
        message: error.to_string(),
        advice,
        request_id: RequestId::of(request),
        retry_after_secs: None,
    };
    let again = "Go back to where you started and try again.";
    match error {
        LoginError::Unknown => pages.error(&page(StatusCode::BAD_REQUEST, "This login is over", again)),
        LoginError::OtherBrowser => {
            let advice = "Start again in this browser, with cookies allowed for this server.";
            pages.error(&page(StatusCode::FORBIDDEN, "This login belongs to another browser", advice))
        }
        LoginError::Forged => pages.error(&page(StatusCode::FORBIDDEN, "This form cannot be accepted", again)),
        LoginError::Off => pages.error(&page(
            StatusCode::NOT_FOUND,
            "Nobody needs to sign in here",
            "Use the server without signing in.",
        )),
        LoginError::TooManyAttempts(TooManyAttempts::Wait(wait)) => pages.error(&ErrorPage {
            retry_after_secs: Some(wait.as_secs().max(1)),
            ..page(StatusCode::TOO_MANY_REQUESTS, "Too many attempts", "Wait, then try again.")
        }),
        LoginError::AtClient { url, cause } => {
            log_failure(request, cause);
            crate::http::pages::redirect(url)
        }
        LoginError::Document(error) => client_refused(pages, request, error),
        LoginError::Provider(error) => provider_failed(pages, request, error),
        LoginError::PasswordCheck => page_unavailable(pages, request, error),
        LoginError::NotRecorded(cause) => page_unavailable(pages, request, cause),
        LoginError::Store(cause) => page_unavailable(pages, request, cause),
        LoginError::TooManyAttempts(TooManyAttempts::Unavailable(cause)) | LoginError::Unavailable(cause) => {
            page_unavailable(pages, request, cause)
        }
    }
}

/// The client has no usable metadata document, so there is no client to tell.
fn client_refused(pages: &Pages, request: &HttpRequest, error: &DocumentError) -> HttpResponse {
    let is_passing = error.is_passing();
    let (status, title, advice) = if is_passing {
        let advice = "Try again in a moment. If it stays so, tell the makers of the application.";
        (StatusCode::SERVICE_UNAVAILABLE, "The application cannot be looked up", advice)
    } else {
        let advice = "Tell the makers of the application, or the operator of this server if it should be accepted.";
        (StatusCode::BAD_REQUEST, "This application cannot be accepted", advice)
    };
    pages.error(&ErrorPage {
        status,
        title,
        message: error.to_string(),
        advice,
        request_id: RequestId::of(request),
        retry_after_secs: is_passing.then_some(RETRY_AFTER_SECS),
    })
}

/// The provider failed, and there is no client to tell.
fn provider_failed(pages: &Pages, request: &HttpRequest, error: &UpstreamError) -> HttpResponse {
    let (status, title, message, advice) = match error {
        UpstreamError::Unreachable { provider, .. } => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The identity provider cannot be reached",
            format!("Connection refused to provider: {provider} did not answer."),
            "Try again in a moment. If it stays so, tell the operator the number below.",
        ),
        UpstreamError::Faulty { provider, .. } => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The identity provider has a fault",
            format!("{provider} answered with an error of its own."),
            "Try again in a moment.",
        ),
        UpstreamError::Refused { provider, error, .. } if error == "access_denied" => (
            StatusCode::FORBIDDEN,
            "You are not signed in",
            format!("{provider} says that the login was refused."),
            "Sign in again and allow access.",
        ),
        UpstreamError::Refused { provider, .. }
        | UpstreamError::InvalidGrant { provider, .. }
        | UpstreamError::Unusable { provider, .. } => (
            StatusCode::BAD_GATEWAY,
            "The login did not work",
            format!("{provider} gave an answer that this server cannot use."),
            "Try again. If it stays so, tell the operator the number below.",
        ),
    };
    let request_id = RequestId::of(request);
    pages.error(&ErrorPage { status, title, message, advice, request_id, retry_after_secs: None })
}

fn page_unavailable(pages: &Pages, request: &HttpRequest, cause: &dyn std::fmt::Display) -> HttpResponse {
    log_failure(request, cause);
    pages.error(&ErrorPage {
        status: StatusCode::SERVICE_UNAVAILABLE,
        title: "This does not work right now",
        message: "A part of the server could not do its work.".to_owned(),
        advice: "Try again in a moment. If it stays so, tell the operator the number below.",
        request_id: RequestId::of(request),
        retry_after_secs: Some(RETRY_AFTER_SECS),
    })
}

/// Why a visit could not be looked up or ended.
pub(in crate::http) fn visit_refused(pages: &Pages, request: &HttpRequest, error: &VisitError) -> HttpResponse {
    match error {
        VisitError::Forged => login_refused(pages, request, &LoginError::Forged),
        VisitError::NotRecorded(cause) => page_unavailable(pages, request, cause),
        VisitError::Store(cause) => page_unavailable(pages, request, cause),
        VisitError::Unavailable(cause) => page_unavailable(pages, request, cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::MessageBody as _;
    use actix_web::http::header::LOCATION;
    use actix_web::test::TestRequest;
    use mxcp_actors::ports::StoreError;

    #[test]
    fn what_fails_after_the_redirect_uri_was_verified_goes_there_without_its_cause() {
        let pages = Pages::new("test", "http://localhost:8000").unwrap();
        let url = "https://app.example.com/cb?error=temporarily_unavailable&state=s".to_owned();
        let cause = Box::new(LoginError::Store(StoreError { detail: "the disk is full".into() }));
        let request = TestRequest::default().to_http_request();
        let answer = login_refused(&pages, &request, &LoginError::AtClient { url: url.clone(), cause });
        assert_eq!(
            (answer.status(), answer.headers().get(LOCATION).unwrap().to_str().unwrap()),
            (StatusCode::SEE_OTHER, &*url)
        );
        let body = answer.into_body().try_into_bytes().unwrap();
        assert!(!String::from_utf8_lossy(&body).contains("disk"));
    }
}

//! Errors that come from the framework and not from a handler: they get the form that all
//! others have, so that a client needs only one way to read them.
//!
//! These are bodies that are too large or that break off, methods that a path does not take, and
//! preflights that ask for too much. The framework answers them with a line of plain text, or with
//! nothing.

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse};
use serde_json::json;

/// Rewrites the framework's own errors. For [`actix_web::middleware::from_fn`].
///
/// # Errors
/// None; what the inner service fails with becomes an answer.
pub async fn rewrite(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody, BoxBody>>, Error> {
    let is_head = request.method() == Method::HEAD;
    let response = next.call(request).await?;
    if is_head || !is_plain(&response) {
        return Ok(response.map_into_left_body());
    }
    let status = response.status();
    let (request, plain) = response.into_parts();
    let mut answer = render(status);
    for (name, value) in plain.headers() {
        // `Allow` and what CORS has to say.
        if ![CONTENT_TYPE, CONTENT_LENGTH, CACHE_CONTROL].contains(name) {
            answer.headers_mut().append(name.clone(), value.clone());
        }
    }
    Ok(ServiceResponse::new(request, answer).map_into_right_body())
}

/// Whether this is an error that none of our handlers has worded: those write JSON or a page.
fn is_plain<B>(response: &ServiceResponse<B>) -> bool {
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    is_error && content_type.is_none_or(|content_type| content_type.starts_with("text/plain"))
}

fn render(status: StatusCode) -> HttpResponse {
    let (error, text) = match status {
        StatusCode::METHOD_NOT_ALLOWED => ("invalid_request", "this path does not take that method"),
        StatusCode::PAYLOAD_TOO_LARGE => ("invalid_request", "the body is too large"),
        StatusCode::BAD_REQUEST => ("invalid_request", "the request is malformed or breaks off"),
        StatusCode::NOT_FOUND => ("not_found", "there is nothing at this path"),
        status if status.is_server_error() => ("server_error", "the server could not answer this"),
        _ => ("invalid_request", "the request cannot be answered as it is"),
    };
    HttpResponse::build(status)
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(json!({"error": error, "error_description": text}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::{App, web};
    use serde_json::Value;

    async fn answer(request: TestRequest) -> (StatusCode, String) {
        let app = App::new()
            .service(web::resource("/echo").route(web::post().to(async |body: web::Bytes| body)))
            .route("/own", web::get().to(async || HttpResponse::BadRequest().json(json!({"error": "own"}))))
            .app_data(web::PayloadConfig::new(4))
            .wrap(from_fn(rewrite));
        let app = init_service(app).await;
        let response = call_service(&app, request.to_request()).await;
        let status = response.status();
        (status, String::from_utf8(read_body(response).await.to_vec()).unwrap())
    }

    #[actix_web::test]
    async fn an_error_of_the_framework_reads_like_ours() {
        for (request, status) in [
            (TestRequest::post().uri("/echo").set_payload("too long"), StatusCode::PAYLOAD_TOO_LARGE),
            (TestRequest::put().uri("/echo"), StatusCode::METHOD_NOT_ALLOWED),
        ] {
            let (actual, body) = answer(request).await;
            assert_eq!(actual, status);
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["error"], "invalid_request");
            assert!(body["error_description"].is_string());
        }
    }

    #[actix_web::test]
    async fn what_a_handler_says_stays() {
        let own = answer(TestRequest::get().uri("/own")).await;
        assert_eq!(own, (StatusCode::BAD_REQUEST, r#"{"error":"own"}"#.to_owned()));
        let fine = answer(TestRequest::post().uri("/echo").set_payload("ok")).await;
        assert_eq!(fine, (StatusCode::OK, "ok".to_owned()));
    }
}

//! What an answer means, in words for the caller.

use super::hop::Hop;
use crate::adapters::duckdb::{FetchFault, FetchRequest};
use crate::adapters::upstream::clean_text;
use http::{Response, StatusCode};
use mxcp_actors::model::secret::Secret;
use serde_json::Value;
use url::Url;

/// How many characters of the other side's words are repeated.
const REASON_CHARS_MAX: usize = 160;

/// Of a longer URL only the origin is shown: what is cut in two cannot be redacted any more.
const URL_BYTES_MAX: usize = 300;

/// A body that is larger is no explanation.
const REASON_BYTES_MAX: usize = 64 * 1024;

/// Scheme, host, port and path: a query may hold secrets.
pub(super) fn shown(url: &Url) -> String {
    let origin = url.origin().ascii_serialization();
    let path = if url.path().len() <= URL_BYTES_MAX { url.path() } else { "/…" };
    format!("{origin}{path}")
}

/// Where the answer sends the request on to.
pub(super) fn location(response: &Response<Vec<u8>>) -> Option<&str> {
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    response.headers().get(http::header::LOCATION).filter(|_| is_redirect)?.to_str().ok()
}

/// The body of a good answer.
pub(super) fn body(hop: &Hop, response: Response<Vec<u8>>, request: &FetchRequest) -> Result<Vec<u8>, FetchFault> {
    let status = response.status();
    if status.is_success() {
        return Ok(response.into_body());
    }
    let mut text = format!("GET {} answered with status {}", hop.shown(), status.as_u16());
    if let Some(reason) = reason(response.body(), request) {
        text.push_str(": ");
        text.push_str(&reason);
    }
    let is_refused = status == StatusCode::UNAUTHORIZED && hop.carries(request.external_token.expose());
    Err(if is_refused { FetchFault::TokenRefused(text) } else { FetchFault::Failed(text) })
}

/// What a JSON body says about the failure, made fit for an error.
fn reason(body: &[u8], request: &FetchRequest) -> Option<String> {
    let body: Value = serde_json::from_slice(body.get(..REASON_BYTES_MAX).unwrap_or(body)).ok()?;
    let text = ["/message", "/error", "/error/message", "/error_description", "/errors/0/message"]
        .iter()
        .find_map(|place| body.pointer(place)?.as_str())?;
    let values = request.headers.iter().map(|(_, value)| value);
    // A value may be repeated without the name of its scheme.
    let credentials: Vec<Secret> =
        values.clone().filter_map(|value| Some(Secret::new(value.expose().split_once(' ')?.1))).collect();
    let secrets: Vec<&Secret> = std::iter::once(&request.external_token)
        .chain(values)
        .chain(&credentials)
        .filter(|secret| secret.expose().len() >= SECRET_LENGTH_MIN)
        .collect();
    let reason: String = clean_text(text, &secrets).trim().chars().take(REASON_CHARS_MAX).collect();
    (!reason.is_empty()).then_some(reason)
}

/// Anything shorter is no secret, and might be part of a word.
const SECRET_LENGTH_MIN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> FetchRequest {
        FetchRequest {
            url: "https://me.example/a/b?access_token=gho_0123456789#x".to_owned(),
            headers: vec![("Authorization".to_owned(), Secret::new("Basic b64credentials"))],
            external_token: Secret::new("gho_0123456789"),
        }
    }

    fn said(status: u16, text: &str) -> String {
        let hop = Hop::first(&request()).unwrap();
        let response = Response::builder().status(status).body(text.as_bytes().to_vec()).unwrap();
        body(&hop, response, &request()).unwrap_err().to_string()
    }

    #[test]
    fn a_failure_is_told_in_the_words_of_the_other_side() {
        for (body, reason) in [
            (r#"{"message": "Not Found", "documentation_url": "x"}"#, ": Not Found"),
            (r#"{"error": "not_found"}"#, ": not_found"),
            (r#"{"error": {"code": 404, "message": "no such page"}}"#, ": no such page"),
            (r#"{"errors": [{"message": "no such field"}]}"#, ": no such field"),
            (r#"{"message": " two\nlines "}"#, ": two lines"),
            (r#"{"message": ""}"#, ""),
            (r#"{"message": 7}"#, ""),
            ("<html>", ""),
            ("", ""),
        ] {
            assert_eq!(said(404, body), format!("GET https://me.example/a/b answered with status 404{reason}"));
        }
        let long = said(500, &format!(r#"{{"message": "{}"}}"#, "x".repeat(1000)));
        assert_eq!(long.len(), "GET https://me.example/a/b answered with status 500: ".len() + REASON_CHARS_MAX);
    }

    #[test]
    fn a_failure_repeats_no_secret() {
        let text = said(403, r#"{"message": "gho_0123456789 and Basic b64credentials and b64credentials"}"#);
        assert!(text.ends_with(": [redacted] and [redacted] and [redacted]"), "{text}");
        let cut = format!(r#"{{"message": "{}gho_0123456789"}}"#, "x".repeat(REASON_CHARS_MAX - 5));
        assert!(!said(403, &cut).contains("gho"), "what is cut off is cut off after the token is gone");
    }

    #[test]
    fn a_refused_token_is_told_from_other_refusals() {
        let outcome = |status: u16, token: &str| {
            let request = FetchRequest { external_token: Secret::new(token), ..request() };
            let response = Response::builder().status(status).body(Vec::new()).unwrap();
            body(&Hop::first(&request).unwrap(), response, &request)
        };
        assert!(matches!(outcome(401, "gho_0123456789"), Err(FetchFault::TokenRefused(_))));
        assert!(matches!(outcome(403, "gho_0123456789"), Err(FetchFault::Failed(_))));
        assert!(matches!(outcome(401, "another token"), Err(FetchFault::Failed(_))));
        assert!(matches!(outcome(401, ""), Err(FetchFault::Failed(_))));
    }

    #[test]
    fn of_a_url_nothing_is_shown_that_may_be_secret() {
        let of = |url: &str| shown(&Url::parse(url).unwrap());
        assert_eq!(of("https://me:pass@A.example:8443/b%20c?d#e"), "https://a.example:8443/b%20c");
        assert_eq!(of("http://[::1]:80/"), "http://[::1]/");
        assert_eq!(of(&format!("https://a.example/{}", "x".repeat(300))), "https://a.example/…");
    }

    #[test]
    fn only_redirects_send_on() {
        let to = |status: u16| {
            let response = Response::builder().status(status).header("Location", "/x").body(Vec::new()).unwrap();
            location(&response).map(str::to_owned)
        };
        assert!([301, 302, 303, 307, 308].into_iter().all(|status| to(status).as_deref() == Some("/x")));
        assert!([200, 201, 300, 304, 305, 404].into_iter().all(|status| to(status).is_none()));
    }
}

//! What a client can read.
//!
//! MCP wants clients to name both forms, and most do. People with a command line do not, and
//! nothing is gained by turning them away.

use super::error::Fault;
use actix_web::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap};

const JSON: &str = "application/json";
const EVENT_STREAM: &str = "text/event-stream";

/// The forms that a client takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    pub(super) json: bool,
    pub(super) event_stream: bool,
}

impl Accepted {
    /// Reads the Accept header; without one everything is taken.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(ACCEPT).peekable();
        if values.peek().is_none() {
            return Self { json: true, event_stream: true };
        }
        let mut accepted = Self { json: false, event_stream: false };
        for range in values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')) {
            let (range, parameters) = range.split_once(';').unwrap_or((range, ""));
            if is_refused(parameters) {
                continue;
            }
            let range = range.trim();
            let matches = |form: &str, wildcard: &str| {
                range.eq_ignore_ascii_case(form) || range.eq_ignore_ascii_case(wildcard) || range == "*/*"
            };
            accepted.json |= matches(JSON, "application/*");
            accepted.event_stream |= matches(EVENT_STREAM, "text/*");
        }
        accepted
    }
}

/// A weight of zero means "not this one" (RFC 9110 section 12.4.2).
fn is_refused(parameters: &str) -> bool {
    parameters.split(';').filter_map(|parameter| parameter.split_once('=')).any(|(name, weight)| {
        name.trim().eq_ignore_ascii_case("q") && weight.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0)
    })
}

/// Checks that the body is said to be JSON. Besides being right, this keeps simple form posts
/// of strange pages out, which browsers send without asking first.
///
/// # Errors
/// When it is said to be something else, or nothing is said.
pub(super) fn check_content_type(headers: &HeaderMap) -> Result<(), Fault> {
    let is_json = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        let essence = value.split_once(';').map_or(value, |(essence, _)| essence);
        essence.trim().eq_ignore_ascii_case(JSON)
    });
    if is_json { Ok(()) } else { Err(Fault::UnsupportedMediaType) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn what_a_client_takes_is_read_from_its_accept_header() {
        let accepted = |values: &[&str]| {
            let request =
                values.iter().fold(TestRequest::default(), |request, value| request.append_header((ACCEPT, *value)));
            let Accepted { json, event_stream } = Accepted::of(request.to_http_request().headers());
            (json, event_stream)
        };
        assert_eq!(accepted(&[]), (true, true));
        assert_eq!(accepted(&["application/json, text/event-stream"]), (true, true));
        assert_eq!(accepted(&["application/json", "Text/Event-Stream;q=0.5"]), (true, true));
        assert_eq!(accepted(&["*/*"]), (true, true));
        assert_eq!(accepted(&["application/json"]), (true, false));
        assert_eq!(accepted(&["application/*;q=0.1, text/event-stream;q=0"]), (true, false));
        assert_eq!(accepted(&["text/event-stream"]), (false, true));
        assert_eq!(accepted(&["text/html"]), (false, false));
    }
}

//! Faults of a provider in words for the operator, without secrets.

use crate::adapters::http_client::HttpFault;
use http::StatusCode;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::ports::upstream_idp::UpstreamError;
use url::form_urlencoded;

/// How many characters of a provider's own words are repeated.
const TEXT_CHARS_MAX: usize = 200;

/// The longest error code that is repeated.
const ERROR_CODE_BYTES_MAX: usize = 64;

/// Says that the provider's answer is of no use.
pub(super) fn unusable(provider: &str, detail: impl Into<String>) -> UpstreamError {
    UpstreamError::Unusable { provider: provider.to_owned(), detail: detail.into() }
}

/// Says why there was no answer.
pub(super) fn no_answer(provider: &str, what: &'static str, fault: &HttpFault) -> UpstreamError {
    let (provider, detail) = (provider.to_owned(), fault.to_string());
    if fault.is_bad_answer() {
        UpstreamError::Unusable { provider, detail: format!("asked for {what}: {detail}") }
    } else {
        UpstreamError::Unreachable { provider, what, detail }
    }
}

/// Refuses the statuses that mean the same at every endpoint.
///
/// Trying again may help against a server's fault and against a limit; a redirect is not
/// followed, because nobody configured where it leads.
pub(super) fn check_status(
    provider: &str,
    what: &'static str,
    response: &http::Response<Vec<u8>>,
) -> Result<(), UpstreamError> {
    let status = response.status();
    if status.is_server_error() || is_limited(response) {
        return Err(UpstreamError::Faulty { provider: provider.to_owned(), what, status: status.as_u16() });
    }
    if status.is_redirection() {
        return Err(unusable(
            provider,
            format!("asked for {what}, it answered with a redirect (status {})", status.as_u16()),
        ));
    }
    Ok(())
}

/// Whether the answer says "later" rather than "no". GitHub says so with a 403.
fn is_limited(response: &http::Response<Vec<u8>>) -> bool {
    let headers = response.headers();
    match response.status() {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => true,
        StatusCode::FORBIDDEN => {
            headers.contains_key(http::header::RETRY_AFTER)
                || headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0")
        }
        _ => false,
    }
}

/// A provider's own words, made fit for a log: one line, not too long, and without the secrets
/// that we sent, should the provider repeat them.
pub(in crate::adapters) fn clean_text(text: &str, secrets: &[&Secret]) -> String {
    let mut clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        clean = clean.replace(secret.expose(), "[redacted]");
        let encoded: String = form_urlencoded::byte_serialize(secret.expose().as_bytes()).collect();
        clean = clean.replace(&encoded, "[redacted]");
    }
    clean.chars().take(TEXT_CHARS_MAX).collect()
}

/// An error code for showing. What does not look like one could be anything.
pub(super) fn clean_code(code: &str) -> String {
    let is_code = (1..=ERROR_CODE_BYTES_MAX).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte));
    if is_code { code.to_owned() } else { "an error without a proper code".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, header: Option<(&'static str, &'static str)>) -> http::Response<Vec<u8>> {
        let mut builder = http::Response::builder().status(status);
        if let Some((name, value)) = header {
            builder = builder.header(name, value);
        }
        builder.body(Vec::new()).unwrap()
    }

    #[test]
    fn what_may_pass_later_is_told_from_what_will_not() {
        let faulty = |status| UpstreamError::Faulty { provider: "p".to_owned(), what: "x", status };
        assert_eq!(check_status("p", "x", &answer(502, None)), Err(faulty(502)));
        assert_eq!(check_status("p", "x", &answer(429, None)), Err(faulty(429)));
        assert_eq!(check_status("p", "x", &answer(403, Some(("x-ratelimit-remaining", "0")))), Err(faulty(403)));
        assert_eq!(check_status("p", "x", &answer(403, Some(("x-ratelimit-remaining", "9")))), Ok(()));
        assert_eq!(check_status("p", "x", &answer(400, None)), Ok(()));
        assert!(matches!(check_status("p", "x", &answer(302, None)), Err(UpstreamError::Unusable { .. })));
    }

    #[test]
    fn a_providers_words_lose_our_secrets_and_line_breaks() {
        let secret = Secret::new("s3cr&t");
        let text = clean_text("bad\ncode s3cr&t or s3cr%26t", &[&secret, &Secret::default()]);
        assert_eq!(text, "bad code [redacted] or [redacted]");
        assert_eq!(clean_text(&"x".repeat(1000), &[]).len(), TEXT_CHARS_MAX);
    }
}

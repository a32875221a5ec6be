//! The answers to requests that are refused, made at start.

use super::Refusal;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::web::Bytes;
use mxcp_actors::model::scope::ScopeSet;
use serde_json::json;
use std::fmt::Display;

/// After how many seconds a token that could not be checked may be shown again.
const RETRY_AFTER_SECS: u64 = 5;

/// Why a call is refused that a new login could allow, and one that it could not.
const BEYOND_TOKEN: &str = "the access token lacks a scope that this call needs";
const BEYOND_PERSON: &str = "the access token lacks a scope that this call needs; a new login will not help, because its person may not have it";

/// The refusals, ready to be sent.
#[derive(Debug)]
pub(super) struct Challenges {
    no_token: Challenge,
    invalid_token: Challenge,
    several_tokens: Challenge,
    insufficient_scope: Challenge,
    unavailable: Challenge,
    /// The parameter that says where the metadata are.
    metadata: String,
}

#[derive(Debug)]
struct Challenge {
    status: StatusCode,
    /// `None` where another token would not help.
    header: Option<HeaderValue>,
    body: Bytes,
}

impl Challenges {
    /// The refusals of a server at that base URL, which needs tokens with `scope`.
    ///
    /// # Errors
    /// When the base URL or a scope cannot be written into a header.
    pub(super) fn new(base_url: &str, scope: &ScopeSet) -> anyhow::Result<Self> {
        let scope = if scope.is_empty() { String::new() } else { format!(", scope=\"{scope}\"") };
        let metadata = format!("resource_metadata=\"{base_url}/.well-known/oauth-protected-resource/mcp\"");
        let hints = format!("{metadata}{scope}");
        let challenge = |refusal: Refusal, status: StatusCode, code: Option<&str>| {
            // Without a token there is nothing wrong with it, so there is no `error` (RFC 6750
            // section 3.1).
            let error = code.map(|code| format!("error=\"{code}\", error_description=\"{refusal}\", "));
            let header = format!("Bearer {}{hints}", error.unwrap_or_default());
            let body = body(code.unwrap_or("unauthorized"), &refusal);
            anyhow::Ok(Challenge { status, header: Some(HeaderValue::from_str(&header)?), body })
        };
        Ok(Self {
            no_token: challenge(Refusal::NoToken, StatusCode::UNAUTHORIZED, None)?,
            invalid_token: challenge(Refusal::InvalidToken, StatusCode::UNAUTHORIZED, Some("invalid_token"))?,
            several_tokens: challenge(Refusal::SeveralTokens, StatusCode::BAD_REQUEST, Some("invalid_request"))?,
            insufficient_scope: challenge(
                Refusal::InsufficientScope,
                StatusCode::FORBIDDEN,
                Some("insufficient_scope"),
            )?,
            unavailable: Challenge {
                status: StatusCode::SERVICE_UNAVAILABLE,
                header: None,
                body: body("temporarily_unavailable", &Refusal::Unavailable),
            },
            metadata,
        })
    }

    /// The answer to a request that is refused so.
    pub(super) fn answer(&self, refusal: Refusal) -> HttpResponse {
        let challenge = match refusal {
            Refusal::NoToken => &self.no_token,
            Refusal::InvalidToken => &self.invalid_token,
            Refusal::SeveralTokens => &self.several_tokens,
            Refusal::InsufficientScope => &self.insufficient_scope,
            Refusal::Unavailable => &self.unavailable,
        };
        let mut answer = HttpResponse::build(challenge.status);
        answer.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
        match &challenge.header {
            Some(header) => answer.insert_header((WWW_AUTHENTICATE, header.clone())),
            None => answer.insert_header((RETRY_AFTER, RETRY_AFTER_SECS)),
        };
        answer.body(challenge.body.clone())
    }

    /// The answer to a call that needs a token with `scopes` (RFC 6750 section 3.1).
    pub(super) fn step_up(&self, scopes: &ScopeSet, is_within_reach: bool) -> HttpResponse {
        let description = if is_within_reach { BEYOND_TOKEN } else { BEYOND_PERSON };
        let metadata = &self.metadata;
        let code = "insufficient_scope";
        let header =
            format!("Bearer error=\"{code}\", error_description=\"{description}\", {metadata}, scope=\"{scopes}\"");
        let mut answer = HttpResponse::Forbidden();
        answer.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")));
        // Scopes hold nothing that a header could not; refused it is in any case.
        if let Ok(header) = HeaderValue::from_str(&header) {
            answer.insert_header((WWW_AUTHENTICATE, header));
        }
        answer.body(body(code, &description))
    }
}

fn body(code: &str, description: &dyn Display) -> Bytes {
    json!({"error": code, "error_description": description.to_string()}).to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(challenges: &Challenges, refusal: Refusal) -> (u16, String) {
        let response = challenges.answer(refusal);
        let header = response.headers().get(WWW_AUTHENTICATE).unwrap().to_str().unwrap().to_owned();
        (response.status().as_u16(), header)
    }

    #[test]
    fn a_challenge_names_an_error_only_when_there_was_a_token() {
        let scope = ScopeSet::parse("mxcp:access mxcp:admin").unwrap();
        let challenges = Challenges::new("https://a.example", &scope).unwrap();
        let hints = "resource_metadata=\"https://a.example/.well-known/oauth-protected-resource/mcp\", \
                     scope=\"mxcp:access mxcp:admin\"";
        assert_eq!(header(&challenges, Refusal::NoToken), (401, format!("Bearer {hints}")));
        let (status, text) = header(&challenges, Refusal::InvalidToken);
        assert!(status == 401 && text.starts_with("Bearer error=\"invalid_token\", error_description=\""), "{text}");
        assert!(text.ends_with(hints), "{text}");
        let (status, text) = header(&challenges, Refusal::InsufficientScope);
        assert!(status == 403 && text.starts_with("Bearer error=\"insufficient_scope\""), "{text}");
        let (status, text) = header(&challenges, Refusal::SeveralTokens);
        assert!(status == 400 && text.starts_with("Bearer error=\"invalid_request\""), "{text}");
    }

    #[test]
    fn a_challenge_of_a_call_names_what_it_needs_and_no_more() {
        let base = ScopeSet::parse("mxcp:access").unwrap();
        let challenges = Challenges::new("https://a.example", &base).unwrap();
        let needed = ScopeSet::parse("reports:read x").unwrap();
        let answer = challenges.step_up(&needed, true);
        assert_eq!(answer.status(), 403);
        assert_eq!(
            answer.headers().get(WWW_AUTHENTICATE).unwrap(),
            "Bearer error=\"insufficient_scope\", error_description=\"the access token lacks a scope that this call \
             needs\", resource_metadata=\"https://a.example/.well-known/oauth-protected-resource/mcp\", \
             scope=\"reports:read x\""
        );
        let hopeless = challenges.step_up(&needed, false);
        assert!(hopeless.headers().get(WWW_AUTHENTICATE).unwrap().to_str().unwrap().contains("will not help"));
    }

    #[test]
    fn without_scopes_to_ask_for_none_are_named() {
        let challenges = Challenges::new("https://a.example", &ScopeSet::default()).unwrap();
        assert!(!header(&challenges, Refusal::NoToken).1.contains("scope"));
    }

    #[test]
    fn a_token_that_cannot_be_checked_is_not_called_invalid() {
        let answer = Challenges::new("https://a.example", &ScopeSet::default()).unwrap().answer(Refusal::Unavailable);
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers().get(RETRY_AFTER).unwrap(), "5");
        assert!(answer.headers().get(WWW_AUTHENTICATE).is_none());
    }
}

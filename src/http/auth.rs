//! Who may use the protected resource: one look at the token, or a challenge.
//!
//! The check comes before anything else of a request is read, and on every request: neither an
//! open session nor an open stream stands for a token (MCP authorization, token handling). It
//! asks no mailbox and reads no body; a refusal sends bytes that were made at start, so that a
//! flood of bad tokens costs less than a flood of good ones.

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};

use mxcp_actors::model::principal::Principal;
use mxcp_actors::model::resource::Resource;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::secret::TokenHash;
use mxcp_actors::model::token::AccessGrant;
use mxcp_actors::sessions::SessionsHandle;
use mxcp_actors::settings::Settings;
use serde_json::json;
use std::future::pending;
use std::sync::Arc;

/// Guards the MCP endpoint. Shared by all workers.
#[derive(Debug)]
pub struct ResourceGuard {
    door: Door,
}

#[derive(Debug)]
enum Door {
    /// Nobody logs in here: every call is anonymous.
    Open(Arc<Principal>),
    Closed(Box<Closed>),
}

#[derive(Debug)]
struct Closed {
    sessions: SessionsHandle,
    resource: Resource,
    required_scopes: ScopeSet,
    challenges: Challenges,
    /// The same under the server's other names, by Host header: a client follows the URL in the
    /// challenge and compares what it finds there with the URL that it was given.
    aliases: Vec<(String, Challenges)>,
}

/// Who was let in.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// Who the call is for.
    pub principal: Arc<Principal>,
    /// The token that they showed; `None` where nobody has to.
    token: Option<TokenHash>,
}

/// Why a request is refused (RFC 6750 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It carries no token.
    #[error("this resource needs an access token in the header Authorization")]
    NoToken,
    /// Its token is unknown, expired, revoked, or made for another resource.
    #[error("Token expired, revoked, or not made for this server")]
    InvalidToken,
    /// It carries a token in more than one place.
    #[error("the access token must be sent once, in the header Authorization")]
    SeveralTokens,
    /// The token does not allow enough.
    #[error("User not authorized: the access token lacks a scope that this resource needs")]
    InsufficientScope,
}

impl ResourceGuard {
    /// Lets everyone in without a name, for a server without authentication.
    #[must_use]
    pub fn open() -> Self {
        Self { door: Door::Open(Arc::new(Principal::anonymous())) }
    }

    /// Lets in who shows a token of ours, made for our resource, with all scopes required.
    ///
    /// # Errors
    /// When the issuer or a scope cannot be written into a header.
    pub fn closed(sessions: SessionsHandle, settings: &Settings) -> anyhow::Result<Self> {
        let challenges = Challenges::new(&settings.issuer, &settings.required_scopes)?;
        let (resource, required_scopes) = (settings.resource.clone(), settings.required_scopes.clone());
        let alias = |origin: &String| {
            let host = origin.strip_prefix("http://").unwrap_or(origin).to_owned();
            anyhow::Ok((host, Challenges::new(origin, &settings.required_scopes)?))
        };
        let aliases = settings.alias_origins.iter().map(alias).collect::<anyhow::Result<_>>()?;
        let closed = Closed { sessions, resource, required_scopes, challenges, aliases };
        Ok(Self { door: Door::Closed(Box::new(closed)) })
    }

    /// Whether callers have to log in.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.door, Door::Closed(_))
    }

    /// Tells who calls.
    ///
    /// # Errors
    /// When the request is to be refused; see [`Self::refuse`].
    pub fn authenticate(&self, request: &HttpRequest) -> Result<Authenticated, Refusal> {
        let closed = match &self.door {
            Door::Open(anonymous) => {
                return Ok(Authenticated { principal: Arc::clone(anonymous), token: None });
            }
            Door::Closed(closed) => closed,
        };
        let token = bearer_token(request.headers(), request.uri().query())?;
        let hash = TokenHash::of(token);
        let principal = closed.admit(&hash).map(|grant| Arc::clone(&grant.principal))?;
        Ok(Authenticated { principal, token: Some(hash) })
    }

    /// Waits until `caller` would be refused: an open stream does not stand for a token either.
    /// For ever where nobody needs one.
    pub async fn wait_for_refusal(&self, caller: &Authenticated) {
        match (&self.door, &caller.token) {
            // Audience and scopes of a token do not change, so its end is all there is to wait for.
            (Door::Closed(closed), Some(token)) => closed.sessions.wait_for_token_end(token).await,
            (Door::Closed(_), None) => {}
            (Door::Open(_), _) => pending().await,
        }
    }

    /// The answer to a refused request.
    #[must_use]
    pub fn refuse(&self, request: &HttpRequest, refusal: Refusal) -> HttpResponse {
        match &self.door {
            // Nothing is refused here, but a wrong answer must not open the door either.
            Door::Open(_) => HttpResponse::Forbidden().finish(),
            Door::Closed(closed) => closed.challenges_for(request).answer(refusal),
        }
    }
}

impl Closed {
    fn challenges_for(&self, request: &HttpRequest) -> &Challenges {
        let host = request.headers().get(HOST).map_or(&[] as &[u8], HeaderValue::as_bytes);
        let named = self.aliases.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(host));
        named.map_or(&self.challenges, |(_, challenges)| challenges)
    }

    fn admit(&self, token: &TokenHash) -> Result<Arc<AccessGrant>, Refusal> {
        let grant = self.sessions.verify_token_hash(token).map_err(|_| Refusal::InvalidToken)?;
        if grant.resource != self.resource {
            return Err(Refusal::InvalidToken);
        }
        if !grant.principal.scopes.contains_all(&self.required_scopes) {
            return Err(Refusal::InsufficientScope);
        }
        Ok(grant)
    }
}

/// The token of a request: in the header only, and once (RFC 6750 section 2, MCP authorization).
fn bearer_token<'a>(headers: &'a HeaderMap, query: Option<&str>) -> Result<&'a str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION);
    let Some(value) = values.next() else { return Err(Refusal::NoToken) };
    let is_in_query = query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("access_token=")));
    if values.next().is_some() || is_in_query {
        return Err(Refusal::SeveralTokens);
    }
    let value = value.to_str().map_err(|_| Refusal::InvalidToken)?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refusal::NoToken);
    }
    let token = token.trim();
    if token.is_empty() { Err(Refusal::InvalidToken) } else { Ok(token) }
}

/// The four refusals, ready to be sent.
#[derive(Debug)]
struct Challenges {
    no_token: Challenge,
    invalid_token: Challenge,
    several_tokens: Challenge,
    insufficient_scope: Challenge,
}

#[derive(Debug)]
struct Challenge {
    status: StatusCode,
    header: HeaderValue,
    body: Bytes,
}

impl Challenges {
    fn new(issuer: &str, required: &ScopeSet) -> anyhow::Result<Self> {
        let scope = [Settings::DEFAULT_SCOPE].into_iter().collect::<ScopeSet>().union(required);
        let hints =
            format!("resource_metadata=\"{issuer}/.well-known/oauth-protected-resource/mcp\", scope=\"{scope}\"");
        let challenge = |refusal: Refusal, status: StatusCode, code: Option<&str>| {
            // Without a token there is nothing wrong with it, so there is no `error` (RFC 6750
            // section 3.1).
            let error = code.map(|code| format!("error=\"{code}\", error_description=\"{refusal}\", "));
            let header = format!("Bearer {}{hints}", error.unwrap_or_default());
            let body = json!({"error": code.unwrap_or("unauthorized"), "error_description": refusal.to_string()});
            anyhow::Ok(Challenge { status, header: HeaderValue::from_str(&header)?, body: body.to_string().into() })
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
        })
    }

    fn answer(&self, refusal: Refusal) -> HttpResponse {
        let challenge = match refusal {
            Refusal::NoToken => &self.no_token,
            Refusal::InvalidToken => &self.invalid_token,
            Refusal::SeveralTokens => &self.several_tokens,
            Refusal::InsufficientScope => &self.insufficient_scope,
        };
        HttpResponse::build(challenge.status)
            .insert_header((WWW_AUTHENTICATE, challenge.header.clone()))
            .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/json")))
            .body(challenge.body.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn token_of(headers: &[&str], uri: &str) -> Result<String, Refusal> {
        let mut request = TestRequest::with_uri(uri);
        for value in headers {
            request = request.append_header((AUTHORIZATION, *value));
        }
        let request = request.to_http_request();
        bearer_token(request.headers(), request.uri().query()).map(str::to_owned)
    }

    #[test]
    fn a_token_is_read_from_the_header_only_and_once() {
        assert_eq!(token_of(&["Bearer abc"], "/mcp"), Ok("abc".into()));
        assert_eq!(token_of(&["bearer  abc "], "/mcp"), Ok("abc".into()));
        assert_eq!(token_of(&[], "/mcp"), Err(Refusal::NoToken));
        assert_eq!(token_of(&[], "/mcp?access_token=abc"), Err(Refusal::NoToken));
        assert_eq!(token_of(&["Bearer abc"], "/mcp?x=1&access_token=abc"), Err(Refusal::SeveralTokens));
        assert_eq!(token_of(&["Bearer abc", "Bearer abc"], "/mcp"), Err(Refusal::SeveralTokens));
        assert_eq!(token_of(&["Basic abc"], "/mcp"), Err(Refusal::NoToken));
        assert_eq!(token_of(&["Bearer"], "/mcp"), Err(Refusal::InvalidToken));
        assert_eq!(token_of(&["Bearer "], "/mcp"), Err(Refusal::InvalidToken));
    }

    #[test]
    fn a_challenge_names_an_error_only_when_there_was_a_token() {
        let required = ScopeSet::parse("mxcp:admin").unwrap();
        let challenges = Challenges::new("https://a.example", &required).unwrap();
        let header = |refusal| {
            let response = challenges.answer(refusal);
            let header = response.headers().get(WWW_AUTHENTICATE).unwrap().to_str().unwrap().to_owned();
            (response.status().as_u16(), header)
        };
        let hints = "resource_metadata=\"https://a.example/.well-known/oauth-protected-resource/mcp\", \
                     scope=\"mxcp:access mxcp:admin\"";
        assert_eq!(header(Refusal::NoToken), (401, format!("Bearer {hints}")));
        let (status, text) = header(Refusal::InvalidToken);
        assert!(status == 401 && text.starts_with("Bearer error=\"invalid_token\", error_description=\""), "{text}");
        assert!(text.ends_with(hints), "{text}");
        let (status, text) = header(Refusal::InsufficientScope);
        assert!(status == 403 && text.starts_with("Bearer error=\"insufficient_scope\""), "{text}");
        let (status, text) = header(Refusal::SeveralTokens);
        assert!(status == 400 && text.starts_with("Bearer error=\"invalid_request\""), "{text}");
    }
}

//! Who may use the protected resource: one look at the token, or a challenge.
//!
//! The check comes before anything else of a request is read, and on every request: neither an
//! open session nor an open stream stands for a token (MCP authorization, token handling). It
//! asks no mailbox and reads no body; a refusal sends bytes that were made at start, so that a
//! flood of bad tokens costs less than a flood of good ones. Tokens of our own are looked up and
//! never waited for; only those of another issuer may take a request to it.

mod challenges;

use super::AppState;
use super::request_id::RequestId;
use actix_web::http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use challenges::Challenges;
use mxcp_actors::audit_log::Flood;
use mxcp_actors::model::principal::Principal;
use mxcp_actors::model::resource::Resource;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::secret::{Secret, TokenHash};
use mxcp_actors::model::tool::ToolDefinition;
use mxcp_actors::ports::token_verifier::{TokenVerifier, VerifyError};
use mxcp_actors::sessions::{ScopeRefusal, SessionsHandle};
use mxcp_actors::settings::Settings;
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
    issuer: Issuer,
    /// Where refusals are counted, whoever gave the token.
    sessions: SessionsHandle,
    resource: Resource,
    required_scopes: ScopeSet,
    challenges: Challenges,
    /// The same under the server's other names, by Host header: a client follows the URL in the
    /// challenge and compares what it finds there with the URL that it was given.
    aliases: Vec<(String, Challenges)>,
    /// Where requests with wrong tokens are counted, by the reason.
    floods: [Arc<Flood>; 3],
}

/// Who gives the tokens that open the door.
#[derive(Debug)]
enum Issuer {
    /// This server.
    Us(SessionsHandle),
    /// Another one.
    Other(Arc<dyn TokenVerifier>),
}

/// Who was let in.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// Who the call is for.
    pub principal: Arc<Principal>,
    /// The token that they showed; `None` where nobody has to.
    token: Option<ShownToken>,
}

/// A token that was shown, so that it can be looked at again.
#[derive(Clone, Debug)]
enum ShownToken {
    Ours(TokenHash),
    Other(Secret),
}

/// What a caller's token does not allow.
#[derive(Debug)]
pub struct StepUp<'a> {
    /// What they called. A resource is recorded by its template: there are more URIs than could be
    /// told apart, and what stands in them may be sensitive.
    pub definition: &'a ToolDefinition,
    /// Whether the challenge names what the token has as well: clients of the revisions before
    /// 2026-07-28 forget it when they ask for a new one.
    pub is_cumulative: bool,
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
    /// Its issuer would have to be asked, and does not answer.
    #[error("the access token cannot be checked at the moment; try again")]
    Unavailable,
}

impl Refusal {
    /// What the audit log says of it. Nothing of a client's first request, which has no token so
    /// that it is told where to get one, nor of what is recorded elsewhere.
    const fn to_record(self) -> Option<(usize, &'static str)> {
        match self {
            Self::NoToken | Self::InsufficientScope => None,
            Self::InvalidToken => Some((0, "the access token is unknown, expired, revoked, or not for this server")),
            Self::SeveralTokens => Some((1, "the access token was not sent once, in the header Authorization")),
            Self::Unavailable => Some((2, "the issuer of access tokens could not be asked")),
        }
    }
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
        Self::build((Issuer::Us(sessions.clone()), sessions), settings, &settings.default_scopes())
    }

    /// Lets in who shows a token that `verifier` accepts, with all scopes required. Clients are
    /// told to ask its issuer for `scopes`.
    ///
    /// # Errors
    /// As for [`Self::closed`].
    pub fn verifying(
        verifier: Arc<dyn TokenVerifier>,
        sessions: SessionsHandle,
        settings: &Settings,
        scopes: &ScopeSet,
    ) -> anyhow::Result<Self> {
        Self::build((Issuer::Other(verifier), sessions), settings, scopes)
    }

    fn build(
        (issuer, sessions): (Issuer, SessionsHandle),
        settings: &Settings,
        scopes: &ScopeSet,
    ) -> anyhow::Result<Self> {
        let challenges = Challenges::new(&settings.issuer, scopes)?;
        let (resource, required_scopes) = (settings.resource.clone(), settings.required_scopes.clone());
        let alias = |origin: &String| {
            let host = origin.strip_prefix("http://").unwrap_or(origin).to_owned();
            anyhow::Ok((host, Challenges::new(origin, scopes)?))
        };
        let aliases = settings.alias_origins.iter().map(alias).collect::<anyhow::Result<_>>()?;
        let closed =
            Closed { issuer, sessions, resource, required_scopes, challenges, aliases, floods: Default::default() };
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
    pub async fn authenticate(&self, request: &HttpRequest) -> Result<Authenticated, Refusal> {
        let closed = match &self.door {
            Door::Open(anonymous) => {
                return Ok(Authenticated { principal: Arc::clone(anonymous), token: None });
            }
            Door::Closed(closed) => closed,
        };
        let token = bearer_token(request.headers(), request.uri().query())?;
        let (grant, token) = match &closed.issuer {
            Issuer::Us(sessions) => {
                let hash = TokenHash::of(token);
                let grant = sessions.verify_token_hash(&hash).map_err(|_| Refusal::InvalidToken)?;
                (grant, ShownToken::Ours(hash))
            }
            Issuer::Other(verifier) => {
                let token = Secret::new(token);
                let grant = verifier.verify(&token).await?;
                (grant, ShownToken::Other(token))
            }
        };
        if grant.resource != closed.resource {
            return Err(Refusal::InvalidToken);
        }
        if !grant.principal.holds(&closed.required_scopes) {
            let needed = closed.required_scopes.clone();
            closed.record_refusal(request, &grant.principal, None, needed).await;
            return Err(Refusal::InsufficientScope);
        }
        Ok(Authenticated { principal: Arc::clone(&grant.principal), token: Some(token) })
    }

    /// Refuses what a caller's token does not allow, and says what a token needs that would (MCP
    /// authorization, scope challenge handling). Everything in one challenge, or a client would have
    /// to ask its person several times.
    pub async fn refuse_operation(
        &self,
        request: &HttpRequest,
        caller: &Authenticated,
        step_up: StepUp<'_>,
    ) -> HttpResponse {
        let Door::Closed(closed) = &self.door else { return HttpResponse::Forbidden().finish() };
        let StepUp { definition, is_cumulative } = step_up;
        let operation = format!("{} {}", definition.kind().as_str(), definition.name);
        let principal = &caller.principal;
        let needed = closed.required_scopes.union(&definition.scopes);
        closed.record_refusal(request, principal, Some(operation), needed.clone()).await;
        let asked = if is_cumulative { needed.union(&principal.scopes) } else { needed.clone() };
        let is_within_reach = principal.could_hold(&needed);
        closed.challenges_for(request).step_up(&asked, is_within_reach)
    }

    /// Waits until `caller` would be refused: an open stream does not stand for a token either.
    /// For ever where nobody needs one.
    pub async fn wait_for_refusal(&self, caller: &Authenticated) {
        let Door::Closed(closed) = &self.door else { return pending().await };
        // Audience and scopes of a token do not change, so its end is all there is to wait for.
        match (&closed.issuer, &caller.token) {
            (Issuer::Us(sessions), Some(ShownToken::Ours(token))) => sessions.wait_for_token_end(token).await,
            (Issuer::Other(verifier), Some(ShownToken::Other(token))) => verifier.wait_for_end(token).await,
            // Nobody else was let in by this door.
            (_, _) => {}
        }
    }

    /// The answer to a refused request.
    #[must_use]
    pub fn refuse(&self, request: &HttpRequest, refusal: Refusal) -> HttpResponse {
        match &self.door {
            // Nothing is refused here, but a wrong answer must not open the door either.
            Door::Open(_) => HttpResponse::Forbidden().finish(),
            Door::Closed(closed) => {
                let recorded = refusal.to_record().and_then(|(at, reason)| Some((closed.floods.get(at)?, reason)));
                if let Some((flood, reason)) = recorded {
                    closed
                        .sessions
                        .record_token_refusal(flood, reason, || (RequestId::text_of(request), peer_of(request)));
                }
                closed.challenges_for(request).answer(refusal)
            }
        }
    }
}

impl Closed {
    fn challenges_for(&self, request: &HttpRequest) -> &Challenges {
        let host = request.headers().get(HOST).map_or(&[] as &[u8], HeaderValue::as_bytes);
        let named = self.aliases.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(host));
        named.map_or(&self.challenges, |(_, challenges)| challenges)
    }

    async fn record_refusal(
        &self,
        request: &HttpRequest,
        principal: &Arc<Principal>,
        operation: Option<String>,
        needed: ScopeSet,
    ) {
        let (principal, trace_id, peer) = (Arc::clone(principal), RequestId::text_of(request), peer_of(request));
        self.sessions.record_scope_refusal(ScopeRefusal { principal, operation, needed, trace_id, peer }).await;
    }
}

impl From<VerifyError> for Refusal {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Refused => Self::InvalidToken,
            VerifyError::Unavailable => Self::Unavailable,
        }
    }
}

/// The address that `request` comes from.
fn peer_of(request: &HttpRequest) -> Option<String> {
    request.app_data::<Data<AppState>>().map(|state| state.peer(request))
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
}

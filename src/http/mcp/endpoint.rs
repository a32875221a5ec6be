//! POST, GET and DELETE at the endpoint.

use super::accept::{Accepted, check_content_type};
use super::answer::{Answer, method_not_allowed, respond_when_done};
use super::dispatch::{Outcome, Request};
use super::envelope::{Message, MessageId, Params};
use super::error::Fault;
use super::headers::SESSION_ID;
use super::open_stream::OpenStream;
use super::revision::{self, Era};
use super::{McpState, body, stream};
use crate::http::auth::{Authenticated, StepUp};
use crate::http::request_id::RequestId;
use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use mxcp_actors::mcp_sessions::{McpSession, McpSessionsHandle};
use std::sync::Arc;

/// Answers one request. Who calls is judged before anything else is looked at.
pub(super) async fn serve(request: HttpRequest, payload: Payload, state: Data<McpState>) -> HttpResponse {
    if let Err(answer) = state.shared.names.check_origin(request.headers()) {
        return *answer;
    }
    let caller = match state.shared.guard.authenticate(&request).await {
        Ok(caller) => caller,
        Err(refusal) => {
            body::discard(payload).await;
            return state.shared.guard.refuse(&request, refusal);
        }
    };
    match (request.method(), &state.shared.sessions) {
        (&Method::POST, _) => post(&request, payload, &state, &caller).await,
        (&Method::GET, Some(sessions)) => stream::open(&request, &state, sessions, &caller),
        (&Method::DELETE, Some(sessions)) => {
            let closed = delete(&request, sessions, &caller).await;
            closed.unwrap_or_else(|fault| Answer::fault(None, &fault, Era::Legacy).into_json())
        }
        (_, Some(_)) => method_not_allowed("GET, POST, DELETE"),
        (_, None) => method_not_allowed("POST"),
    }
}

async fn post(request: &HttpRequest, payload: Payload, state: &Data<McpState>, caller: &Authenticated) -> HttpResponse {
    let accepted = Accepted::of(request.headers());
    let body = match receive(request, payload, accepted, state.shared.body_max).await {
        Ok(body) => body,
        Err(fault) => return Answer::fault(None, &fault, Era::Legacy).into_json(),
    };
    match Message::parse(&body) {
        Ok(Message::Request { id, method, params }) => {
            let asked = Asked { request, state, caller, accepted, id, method: &method, params: &params };
            asked.answer().await
        }
        Ok(Message::Notification { method, params }) => match notify(request, state, caller, &method, &params) {
            Ok(()) => HttpResponse::Accepted().finish(),
            Err(fault) => Answer::fault(None, &fault, Era::Legacy).into_json(),
        },
        Err((id, fault)) => Answer::fault(id.as_ref(), &fault, Era::Legacy).into_json(),
    }
}

async fn receive(
    request: &HttpRequest,
    payload: Payload,
    accepted: Accepted,
    max: usize,
) -> Result<actix_web::web::Bytes, Fault> {
    check_content_type(request.headers())?;
    if !accepted.json && !accepted.event_stream {
        return Err(Fault::NotAcceptable);
    }
    body::read(payload, max).await
}

/// A request as it came.
struct Asked<'a> {
    request: &'a HttpRequest,
    state: &'a Data<McpState>,
    caller: &'a Authenticated,
    accepted: Accepted,
    id: MessageId,
    method: &'a str,
    params: &'a Params<'a>,
}

impl Asked<'_> {
    async fn answer(self) -> HttpResponse {
        let (id, accepted) = (self.id.clone(), self.accepted);
        let era = match revision::judge_request(self.request.headers(), self.method, self.params) {
            Ok(era) => era,
            // Only modern messages can fail here with an error that has an era.
            Err(fault) => return Answer::fault(Some(&id), &fault, Era::Modern).into_json(),
        };
        match self.dispatch(era).await {
            Ok(response) => response,
            Err(fault) => Answer::fault(Some(&id), &fault, era).respond(accepted),
        }
    }

    async fn dispatch(self, era: Era) -> Result<HttpResponse, Fault> {
        let Asked { request, state, caller, accepted, id, method, params } = self;
        let session = match &state.shared.sessions {
            Some(sessions) if era == Era::Legacy && method != "initialize" => {
                Some(find_session(request.headers(), sessions, caller)?)
            }
            Some(_) | None => None,
        };
        let trace_id = RequestId::text_of(request);
        let principal = &caller.principal;
        let outcome = Request { state, principal, session, era, id, method, params, trace_id }.dispatch()?;
        match outcome {
            Outcome::Ready(answer) => Ok(answer.respond(accepted)),
            Outcome::Call(call) => Ok(respond_when_done(call, accepted, state.shared.times).await),
            Outcome::BeyondScopes(entry) => {
                let step_up = StepUp { definition: &entry.definition, is_cumulative: era == Era::Legacy };
                Ok(state.shared.guard.refuse_operation(request, caller, step_up).await)
            }
            Outcome::Subscription(_) if !accepted.event_stream => Err(Fault::StreamNotAccepted),
            Outcome::Subscription(subscription) => Ok(subscription.respond(OpenStream::begin(state, caller)?)),
            Outcome::Initialize(answer, revision) => {
                let mut response = answer.respond(accepted);
                if let Some(sessions) = &state.shared.sessions {
                    let session = sessions.open(principal, revision).await?;
                    let name = HeaderValue::from_str(session.id())
                        .map_err(|_| Fault::Unavailable("no session could be opened".to_owned()))?;
                    response.headers_mut().insert(SESSION_ID.clone(), name);
                }
                Ok(response)
            }
        }
    }
}

/// Takes notice. The only notification that asks for something is the one that takes a request
/// back; in the modern era closing the response does that.
fn notify(
    request: &HttpRequest,
    state: &Data<McpState>,
    caller: &Authenticated,
    method: &str,
    params: &Params<'_>,
) -> Result<(), Fault> {
    let era = revision::judge_notification(request.headers())?;
    let Some(sessions) = state.shared.sessions.as_ref().filter(|_| era == Era::Legacy) else { return Ok(()) };
    let session = find_session(request.headers(), sessions, caller)?;
    if method == "notifications/cancelled"
        && let Some(id) = params.request_id.and_then(MessageId::parse)
    {
        let was_under_way = sessions.cancel_call(&session, id.as_json());
        tracing::debug!(was_under_way, "a client took a request back");
    }
    Ok(())
}

async fn delete(
    request: &HttpRequest,
    sessions: &McpSessionsHandle,
    caller: &Authenticated,
) -> Result<HttpResponse, Fault> {
    if revision::judge_notification(request.headers())? == Era::Modern {
        return Ok(method_not_allowed("POST"));
    }
    let session = find_session(request.headers(), sessions, caller)?;
    if sessions.close(session.id(), &caller.principal).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Fault::UnknownSession)
    }
}

/// The session that the request names, if it is the caller's own.
///
/// # Errors
/// When it names none, or none that the caller may know of.
pub(super) fn find_session(
    headers: &HeaderMap,
    sessions: &McpSessionsHandle,
    caller: &Authenticated,
) -> Result<Arc<McpSession>, Fault> {
    let name = headers.get(&SESSION_ID).ok_or(Fault::MissingSession)?;
    let name = name.to_str().map_err(|_| Fault::UnknownSession)?;
    sessions.find(name, &caller.principal).ok_or(Fault::UnknownSession)
}

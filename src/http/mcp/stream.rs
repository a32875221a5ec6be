//! The stream that a legacy client may open with GET, for messages that no request asked for.
//!
//! This server has none to send so far; clients open it all the same, and some take its absence
//! for a fault. While it is open the session counts as used, and the token is looked at again
//! and again: a stream must not outlive the right to it.

use super::McpState;
use super::accept::Accepted;
use super::answer::{Answer, COMMENT, event_stream, method_not_allowed};
use super::endpoint::find_session;
use super::error::Fault;
use super::revision::{self, Era};
use crate::http::auth::Authenticated;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream::unfold;
use mxcp_actors::mcp_sessions::McpSessionsHandle;
use tokio::time::timeout;

/// Opens the stream.
pub(super) fn open(
    request: &HttpRequest,
    state: &Data<McpState>,
    sessions: &McpSessionsHandle,
    caller: &Authenticated,
) -> HttpResponse {
    match check(request, sessions, caller) {
        Ok(Era::Modern) => method_not_allowed("POST"),
        Ok(Era::Legacy) => keep_open(request.clone(), Data::clone(state)),
        Err(fault) => Answer::fault(None, &fault, Era::Legacy).into_json(),
    }
}

fn check(request: &HttpRequest, sessions: &McpSessionsHandle, caller: &Authenticated) -> Result<Era, Fault> {
    let era = revision::judge_notification(request.headers())?;
    if era == Era::Modern {
        return Ok(era);
    }
    if !Accepted::of(request.headers()).event_stream {
        return Err(Fault::StreamNotAccepted);
    }
    find_session(request.headers(), sessions, caller).map(|_| era)
}

fn keep_open(request: HttpRequest, state: Data<McpState>) -> HttpResponse {
    let is_stopping = state.shared.is_stopping.clone();
    // The first line goes out at once, so that the client sees the stream open.
    event_stream(unfold(
        (request, state, is_stopping, true),
        |(request, state, mut is_stopping, is_first)| async move {
            if !is_first {
                let stop = timeout(state.shared.times.keep_alive, is_stopping.wait_for(|stopping| *stopping)).await;
                if stop.is_ok() || !is_still_allowed(&request, &state) {
                    return None;
                }
            }
            Some((Ok(COMMENT), (request, state, is_stopping, false)))
        },
    ))
}

fn is_still_allowed(request: &HttpRequest, state: &McpState) -> bool {
    let Some(sessions) = &state.shared.sessions else { return false };
    let caller = state.shared.guard.authenticate(request);
    caller.is_ok_and(|caller| find_session(request.headers(), sessions, &caller).is_ok())
}

//! The stream that a legacy client may open with GET, for messages that no request asked for.
//!
//! This server has none to send so far; clients open it all the same, and some take its absence
//! for a fault. While it is open the session counts as used; it ends with its token, its session
//! or the server.

use super::McpState;
use super::accept::Accepted;
use super::answer::{Answer, COMMENT, event_stream, method_not_allowed};
use super::endpoint::find_session;
use super::error::Fault;
use super::open_stream::{OpenStream, Sign};
use super::revision::{self, Era};
use crate::http::auth::Authenticated;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::StreamExt as _;
use futures_util::future::ready;
use futures_util::stream::{once, unfold};
use mxcp_actors::mcp_sessions::{McpSession, McpSessionsHandle};
use std::sync::Arc;

/// Opens the stream.
pub(super) fn open(
    request: &HttpRequest,
    state: &Data<McpState>,
    sessions: &McpSessionsHandle,
    caller: &Authenticated,
) -> HttpResponse {
    match check(request, state, sessions, caller) {
        Ok(None) => method_not_allowed("POST"),
        Ok(Some((session, stream))) => keep_open(session, stream, sessions.clone()),
        Err(fault) => Answer::fault(None, &fault, Era::Legacy).into_json(),
    }
}

/// The session of the stream, and its place; `None` for a revision without such streams.
fn check(
    request: &HttpRequest,
    state: &Data<McpState>,
    sessions: &McpSessionsHandle,
    caller: &Authenticated,
) -> Result<Option<(Arc<McpSession>, OpenStream)>, Fault> {
    if revision::judge_notification(request.headers())? == Era::Modern {
        return Ok(None);
    }
    if !Accepted::of(request.headers()).event_stream {
        return Err(Fault::StreamNotAccepted);
    }
    let session = find_session(request.headers(), sessions, caller)?;
    Ok(Some((session, OpenStream::begin(state, caller)?)))
}

fn keep_open(session: Arc<McpSession>, stream: OpenStream, sessions: McpSessionsHandle) -> HttpResponse {
    // The first line goes out at once, so that the client sees the stream open.
    let first = once(ready(Ok(COMMENT)));
    let rest = unfold((session, stream, sessions), |(session, stream, sessions)| async {
        let is_quiet = stream.next_sign().await == Sign::Quiet;
        let is_open = is_quiet && sessions.find(session.id(), &stream.caller().principal).is_some();
        is_open.then_some((Ok(COMMENT), (session, stream, sessions)))
    });
    event_stream(first.chain(rest))
}

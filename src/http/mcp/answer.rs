//! Answers as HTTP carries them.

use super::McpTimes;
use super::accept::Accepted;
use super::envelope::MessageId;
use super::error::Fault;
use super::revision::Era;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::web::Bytes;
use futures_util::Stream;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::unfold;
use serde::Serialize;
use std::convert::Infallible;
use tokio::time::timeout;

/// A line of a stream that says nothing.
pub(super) const COMMENT: Bytes = Bytes::from_static(b":\n\n");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
static ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A status and the message that goes with it.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    message: Bytes,
    retry_after_secs: Option<u64>,
}

impl Answer {
    /// A result that is JSON already.
    pub(super) fn result_json(id: &MessageId, result: &str) -> Self {
        let message = ["{\"jsonrpc\":\"2.0\",\"id\":", id.as_json(), ",\"result\":", result, "}"].concat();
        Self::new(StatusCode::OK, message.into())
    }

    fn new(status: StatusCode, message: Bytes) -> Self {
        Self { status, message, retry_after_secs: None }
    }

    /// A result.
    pub(super) fn result(id: &MessageId, result: &impl Serialize) -> Self {
        let mut message = Vec::with_capacity(512);
        message.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
        message.extend_from_slice(id.as_json().as_bytes());
        message.extend_from_slice(b",\"result\":");
        match serde_json::to_writer(&mut message, result) {
            Ok(()) => {
                message.push(b'}');
                Self::new(StatusCode::OK, message.into())
            }
            Err(error) => {
                tracing::error!(%error, "a result could not be written as JSON");
                let fault = Fault::Unavailable("the result could not be written as JSON".to_owned());
                Self::fault(Some(id), &fault, Era::Legacy)
            }
        }
    }

    /// Nothing: to a request that was taken back there is no answer (MCP 2025-11-25,
    /// cancellation).
    pub(super) fn none() -> Self {
        Self::new(StatusCode::ACCEPTED, Bytes::new())
    }

    /// An error. Without an identifier when there was none to be read.
    pub(super) fn fault(id: Option<&MessageId>, fault: &Fault, era: Era) -> Self {
        let (status, error) = fault.render(era);
        // Codes, texts and plain data always serialize.
        let error = serde_json::to_string(&error).unwrap_or_default();
        let id = id.map(|id| format!("\"id\":{},", id.as_json())).unwrap_or_default();
        let message = format!("{{\"jsonrpc\":\"2.0\",{id}\"error\":{error}}}").into();
        Self { status, message, retry_after_secs: fault.retry_after_secs() }
    }

    /// The answer for a client that takes `accepted`.
    pub(super) fn respond(self, accepted: Accepted) -> HttpResponse {
        if accepted.json || self.status != StatusCode::OK {
            return self.into_json();
        }
        event_stream(futures_util::stream::iter([Ok(event(&self.message))]))
    }

    /// The answer as the last event of a stream.
    pub(super) fn into_event(self) -> Bytes {
        event(&self.message)
    }

    /// The answer as plain JSON.
    pub(super) fn into_json(self) -> HttpResponse {
        if self.message.is_empty() {
            return HttpResponse::build(self.status).finish();
        }
        let mut response = HttpResponse::build(self.status);
        response.insert_header((CONTENT_TYPE, JSON));
        if let Some(secs) = self.retry_after_secs {
            response.insert_header((RETRY_AFTER, secs));
        }
        response.body(self.message)
    }
}

/// The answer of a call: JSON when it is there soon, otherwise a stream that ends with it.
/// Dropping the response drops the call.
pub(super) async fn respond_when_done(
    mut call: LocalBoxFuture<'static, Answer>,
    accepted: Accepted,
    times: McpTimes,
) -> HttpResponse {
    if !accepted.event_stream {
        return call.await.into_json();
    }
    match timeout(times.stream_after, &mut call).await {
        Ok(answer) => answer.respond(accepted),
        Err(_still_running) => event_stream(unfold(Some(call), move |call| async move {
            let mut call = call?;
            match timeout(times.keep_alive, &mut call).await {
                Ok(answer) if answer.message.is_empty() => None,
                Ok(answer) => Some((Ok(event(&answer.message)), None)),
                Err(_still_running) => Some((Ok(COMMENT), Some(call))),
            }
        })),
    }
}

/// A stream of server-sent events that no proxy holds back.
pub(super) fn event_stream(events: impl Stream<Item = Result<Bytes, Infallible>> + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/event-stream")))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-cache")))
        .insert_header((ACCEL_BUFFERING.clone(), HeaderValue::from_static("no")))
        .streaming(events)
}

/// A message as an event of a stream.
pub(super) fn event(message: &[u8]) -> Bytes {
    [b"event: message\ndata: ".as_slice(), message, b"\n\n"].concat().into()
}

/// For HTTP methods that the endpoint does not take.
pub(super) fn method_not_allowed(allowed: &'static str) -> HttpResponse {
    HttpResponse::MethodNotAllowed().insert_header((ALLOW, HeaderValue::from_static(allowed))).finish()
}

//! The log as server-sent events: the number of a record is the id of its event, so that whoever
//! comes back gets what was missed.

use super::live::{LiveLine, LiveLog};
use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::Bytes;
use futures_util::stream::unfold;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep_until};

/// Asks proxies not to hold events back.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// How long nothing is said at most.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How soon a browser comes back, in milliseconds.
const RETRY: &str = "retry: 1000\n\n";

/// Whether whoever listens still may.
pub(super) type Permission = Box<dyn Fn() -> Pin<Box<dyn Future<Output = bool>>>>;

/// A stream that is about to begin.
pub(in crate::http) struct StreamWish {
    live: LiveLog,
    is_stopping: watch::Receiver<bool>,
    permission: Option<(Permission, Duration)>,
    _slot: OwnedSemaphorePermit,
}

impl StreamWish {
    /// A stream of `live` that takes `slot` and ends when the server stops.
    pub(in crate::http) fn new(live: LiveLog, slot: OwnedSemaphorePermit, is_stopping: watch::Receiver<bool>) -> Self {
        Self { live, is_stopping, permission: None, _slot: slot }
    }

    /// The same, asking `permission` again and again; it ends soon after that is withdrawn.
    pub(in crate::http::audit) fn while_permitted(mut self, permission: Permission, every: Duration) -> Self {
        self.permission = Some((permission, every));
        self
    }
}

/// A stream and its clocks.
struct Running {
    wish: StreamWish,
    speak_at: Instant,
    ask_at: Option<Instant>,
}

/// Answers with the stream.
pub(in crate::http) fn respond(mut wish: StreamWish) -> HttpResponse {
    let anew = if wish.live.take_anew() { "event: anew\ndata: {}\n\n" } else { "" };
    let first = Bytes::from(format!("{RETRY}{anew}"));
    let now = Instant::now();
    let ask_at = wish.permission.as_ref().map(|(_, every)| now + *every);
    let running = Running { wish, speak_at: now + KEEP_ALIVE, ask_at };
    let events = unfold((Some(first), running), |(first, mut running)| async move {
        let bytes = match first {
            Some(first) => first,
            None => running.next().await?,
        };
        Some((Ok::<_, Infallible>(bytes), (None, running)))
    });
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/event-stream")))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .insert_header((X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .insert_header((ACCEL_BUFFERING, HeaderValue::from_static("no")))
        .streaming(Box::pin(events))
}

/// What happens to a stream next.
enum Sign {
    Line(LiveLine),
    Quiet,
    Doubt,
    End,
}

impl Running {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.next_sign().await {
                Sign::Line(LiveLine { sequence, line }) => {
                    self.speak_at = Instant::now() + KEEP_ALIVE;
                    return Some(format!("id: {sequence}\ndata: {line}\n\n").into());
                }
                Sign::Quiet => {
                    self.speak_at = Instant::now() + KEEP_ALIVE;
                    // Whoever comes back need not be told again what was passed over.
                    return Some(format!("id: {}\n\n", self.wish.live.seen()).into());
                }
                Sign::Doubt => {
                    let (permission, every) = self.wish.permission.as_ref()?;
                    if !permission().await {
                        return None;
                    }
                    self.ask_at = Some(Instant::now() + *every);
                }
                Sign::End => return None,
            }
        }
    }

    async fn next_sign(&mut self) -> Sign {
        let never = Instant::now() + KEEP_ALIVE * 2;
        tokio::select! {
            biased;
            _ = self.wish.is_stopping.wait_for(|stopping| *stopping) => Sign::End,
            // A log that is never quiet must not keep the question from being asked.
            () = sleep_until(self.ask_at.unwrap_or(never)), if self.ask_at.is_some() => Sign::Doubt,
            next = self.wish.live.next() => match next {
                Ok(Some(line)) => Sign::Line(line),
                Ok(None) => Sign::End,
                Err(error) => {
                    tracing::warn!(%error, "a live stream of the audit log has ended");
                    Sign::End
                }
            },
            () = sleep_until(self.speak_at) => Sign::Quiet,
        }
    }
}

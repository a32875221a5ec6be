//! What local programs may ask, through a socket in the file system: the audit log, live.
//!
//! Only the user that the server runs as, and root, get an answer: the socket's mode keeps others
//! out, and the kernel says who is at the other end (`SO_PEERCRED`).

mod socket;

pub use socket::{LocalSocket, SocketError};

use super::audit::{AuditQuery, LiveError, LiveLog, Start, StreamWish, respond};
use actix_rt::net::UnixStream;
use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::error::ErrorForbidden;
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Data};
use actix_web::{App, Error, HttpRequest, HttpResponse, HttpServer};
use mxcp_actors::audit_log::AuditLogHandle;
use serde_json::json;
use std::io;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};

/// The most streams that are open at a time.
const STREAMS_MAX: usize = 64;

/// The most connections, some of which may wait for a stream's place.
const CONNECTIONS_MAX: usize = 256;

/// How long what was asked may take when the server stops.
const SHUTDOWN_SECS: u64 = 2;

/// How many records an answer holds when nobody says.
const LIMIT_DEFAULT: usize = 100;

/// The user at the other end of a connection.
#[derive(Clone, Copy, Debug)]
struct Peer(u32);

/// What the handlers share.
#[derive(Debug)]
struct AdminState {
    log: AuditLogHandle,
    slots: Arc<Semaphore>,
    is_stopping: watch::Receiver<bool>,
}

/// Answers at the local socket.
#[derive(Debug)]
pub struct AdminServer {
    handle: ServerHandle,
    stopping: watch::Sender<bool>,
    _socket: LocalSocket,
}

impl AdminServer {
    /// Starts answering at `listener`; the returned server has to be awaited.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub fn start(log: AuditLogHandle, (socket, listener): (LocalSocket, UnixListener)) -> io::Result<(Self, Server)> {
        let (stopping, is_stopping) = watch::channel(false);
        let state = Data::new(AdminState { log, slots: Arc::new(Semaphore::new(STREAMS_MAX)), is_stopping });
        let app = move || {
            App::new()
                .app_data(state.clone())
                .route("/", web::get().to(describe))
                .route("/health", web::get().to(health))
                .route("/audit/query", web::get().to(query))
                .route("/audit/stats", web::get().to(stats))
                .route("/audit/stream", web::get().to(stream))
                .default_service(web::to(not_found))
                .wrap(from_fn(check_peer))
        };
        let server = HttpServer::new(app)
            .workers(1)
            .max_connections(CONNECTIONS_MAX)
            .on_connect(|connection, data| {
                let stream = connection.downcast_ref::<UnixStream>();
                if let Some(Ok(peer)) = stream.map(UnixStream::peer_cred) {
                    data.insert(Peer(peer.uid()));
                }
            })
            .h1_allow_half_closed(false)
            .shutdown_timeout(SHUTDOWN_SECS)
            .disable_signals()
            .listen_uds(listener)?
            .run();
        Ok((Self { handle: server.handle(), stopping, _socket: socket }, server))
    }

    /// Ends all streams, and the server.
    pub async fn stop(self) {
        self.stopping.send_replace(true);
        self.handle.stop(true).await;
    }
}

/// Lets nobody in but the user that the server runs as, and root.
async fn check_peer(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let own = rustix::process::geteuid().as_raw();
    match request.conn_data::<Peer>() {
        Some(Peer(user)) if *user == own || *user == 0 => next.call(request).await,
        _ => Err(ErrorForbidden("this socket is for the user that the server runs as")),
    }
}

async fn describe() -> HttpResponse {
    HttpResponse::Ok().json(json!({"service": "mxcp-admin", "version": env!("CARGO_PKG_VERSION")}))
}

async fn health() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

async fn not_found() -> HttpResponse {
    HttpResponse::NotFound().json(json!({"detail": "Not Found"}))
}

/// The newest records, newest first.
async fn query(state: Data<AdminState>, request: HttpRequest) -> HttpResponse {
    let (asked, offset) = match AuditQuery::parse_page(request.query_string()) {
        Ok(asked) => asked,
        Err(error) => return HttpResponse::UnprocessableEntity().json(json!({"detail": error.to_string()})),
    };
    let limit = asked.limit.unwrap_or(LIMIT_DEFAULT);
    match state.log.read_newest(asked.filter, offset + limit).await {
        Ok(records) => {
            let page = records.get(offset..).unwrap_or_default();
            HttpResponse::Ok().json(json!({"count": page.len(), "records": page}))
        }
        Err(error) => unavailable(&error),
    }
}

/// How many records there are, of which kinds, as far as a filter accepts them.
async fn stats(state: Data<AdminState>, request: HttpRequest) -> HttpResponse {
    let refuse = |detail: String| HttpResponse::UnprocessableEntity().json(json!({"detail": detail}));
    match AuditQuery::parse(request.query_string()) {
        Err(error) => refuse(error.to_string()),
        Ok(asked) if asked.limit.is_some() => refuse("numbers have no limit".to_owned()),
        Ok(asked) => match state.log.count(asked.filter).await {
            Ok(numbers) => HttpResponse::Ok().json(numbers),
            Err(error) => unavailable(&error),
        },
    }
}

/// Records from a number on, or from some of the newest on, without end.
async fn stream(state: Data<AdminState>, request: HttpRequest) -> HttpResponse {
    let asked = match AuditQuery::parse(request.query_string()) {
        Ok(asked) => asked,
        Err(error) => return HttpResponse::UnprocessableEntity().json(json!({"detail": error.to_string()})),
    };
    let Ok(slot) = Arc::clone(&state.slots).try_acquire_owned() else {
        return unavailable("as many streams are open as this server keeps");
    };
    match begin(&state.log, asked).await {
        Ok(live) => respond(StreamWish::new(live, slot, state.is_stopping.clone())),
        Err(error) => unavailable(&error),
    }
}

async fn begin(log: &AuditLogHandle, asked: AuditQuery) -> Result<LiveLog, LiveError> {
    let start = asked.filter.after.map_or(Start::Newest(asked.limit.unwrap_or(0)), Start::After);
    LiveLog::begin(log.clone(), asked.filter, start).await
}

fn unavailable(error: &(impl std::fmt::Display + ?Sized)) -> HttpResponse {
    HttpResponse::ServiceUnavailable().json(json!({"detail": error.to_string()}))
}

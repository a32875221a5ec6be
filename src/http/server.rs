//! The HTTP server: sockets, workers, limits, and how it stops.

use super::AppState;
use super::handover::{self, StopSignal};
use super::host_guard::{self, Names};
use super::mcp::{McpShared, McpState};
use super::plain_errors;
use super::request_id;
use super::routes::{self, RouteOptions};
use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};
use listenfd::ListenFd;
use mxcp_actors::supervisor::WorkerStarter;
use std::io;
use std::net::{TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

/// How long calls in flight may take to finish when the server stops.
const SHUTDOWN_SECS: u64 = 30;
/// How long a client may take to send the head of its request.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// How long a client whose connection was taken may still take to ask, when the next daemon takes
/// the connections that come now.
const HANDOVER: Duration = Duration::from_millis(250);
/// How long a connection may wait for its next request.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// What the server serves.
#[derive(Debug)]
pub struct ServerParts {
    /// What the handlers share.
    pub state: Arc<AppState>,
    /// What the MCP endpoint shares.
    pub mcp: Arc<McpShared>,
    /// What the server is called.
    pub names: Arc<Names>,
    /// Which routes there are.
    pub routes: RouteOptions,
    /// Starts each worker's actors.
    pub workers: WorkerStarter,
    /// Changes when the daemon begins to stop.
    pub stop_signal: StopSignal,
}

/// Opens the sockets of `host`. With port 0 the system chooses one, the same for all addresses.
///
/// # Errors
/// When the name cannot be resolved or an address is taken.
pub fn listen(host: &str, port: u16) -> io::Result<Vec<TcpListener>> {
    let name = host.trim_matches(['[', ']']);
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut refused = None;
    for mut address in (name, port).to_socket_addrs()? {
        if let Some(first) = listeners.first() {
            address.set_port(first.local_addr()?.port());
        }
        match TcpListener::bind(address) {
            Ok(listener) => listeners.push(listener),
            // A machine without IPv6 still resolves its names to IPv6 addresses.
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => refused = Some(error),
            Err(error) => return Err(error),
        }
    }
    match refused {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

/// The sockets that the service manager has opened for this process (`LISTEN_FDS`, as
/// `sd_listen_fds(3)` describes), if any. They outlive the process: while it restarts, connections
/// wait there instead of being refused.
///
/// # Errors
/// When one of them is not a TCP socket that listens.
pub fn inherited() -> io::Result<Vec<TcpListener>> {
    let mut sockets = ListenFd::from_env();
    let mut listeners = Vec::with_capacity(sockets.len());
    for index in 0..sockets.len() {
        listeners.extend(sockets.take_tcp_listener(index)?);
    }
    Ok(listeners)
}

/// Stops taking connections, answers whatever was asked, and ends the server. `is_handed_over`
/// says that the sockets stay open for another process: then those who were let in last are
/// waited for, because they would have been served there.
pub async fn stop(handle: &ServerHandle, is_handed_over: bool) {
    if is_handed_over {
        handle.pause().await;
        tokio::time::sleep(HANDOVER).await;
    }
    handle.stop(true).await;
}

/// Starts serving. The server runs when it is awaited, and stops by its handle.
///
/// # Errors
/// When a socket cannot be used.
pub fn start(parts: ServerParts, listeners: Vec<TcpListener>) -> io::Result<(Server, ServerHandle)> {
    let ServerParts { state, mcp, names, routes, workers, stop_signal } = parts;
    let (state, names, stop_signal) = (Data::from(state), Data::from(names), Data::new(stop_signal));
    let app = move || {
        let handles = workers.start();
        let mcp_state = McpState::new(Arc::clone(&mcp), handles.tool_calls);
        let routes = routes.clone();
        App::new()
            .app_data(state.clone())
            .app_data(names.clone())
            .app_data(stop_signal.clone())
            .configure(move |config| routes::configure(config, &routes, &mcp_state))
            .default_service(web::to(routes::not_found))
            .wrap(from_fn(plain_errors::rewrite))
            .wrap(from_fn(host_guard::check_host))
            .wrap(from_fn(request_id::assign))
            .wrap(from_fn(handover::end_connections))
    };
    let mut server = HttpServer::new(app)
        .workers(std::thread::available_parallelism().map_or(2, std::num::NonZero::get))
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_DEADLINE)
        // A client that closes its side has gone: its call is dropped, which interrupts its query.
        .h1_allow_half_closed(false)
        // The last part of an answer does not wait until the client has confirmed the parts before.
        .tcp_nodelay(true)
        .shutdown_timeout(SHUTDOWN_SECS)
        .disable_signals();
    for listener in listeners {
        server = server.listen(listener)?;
    }
    let server = server.run();
    let handle = server.handle();
    Ok((server, handle))
}

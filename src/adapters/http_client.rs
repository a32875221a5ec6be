//! The one HTTP client that the daemon speaks to other servers with.
//!
//! Every request has a time limit and every answer a size limit; redirects are not followed,
//! because a token must not travel to an address that nobody configured. Proxies come from
//! `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, trusted certificates from the system or from
//! `SSL_CERT_FILE` and `SSL_CERT_DIR`.

use super::outgoing_guard::{ForbiddenAddress, OutgoingGuard};
use std::error::Error as StdError;
use std::io::ErrorKind;
use std::time::Duration;

/// How long an unused connection is kept.
///
/// The steps of one login follow each other within seconds and share a connection. Keeping it
/// longer would only risk to send a code over a connection that the other side has just closed,
/// and a code works only once.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many characters of a foreign error text are repeated.
const DETAIL_CHARS_MAX: usize = 160;

/// The limits of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpClientSettings {
    /// How long connecting may take, the TLS handshake included.
    pub connect_timeout: Duration,
    /// How long a request may take until the last byte of its answer.
    pub total_timeout: Duration,
    /// The largest body that is read, after decompression.
    pub body_bytes_max: usize,
    /// Whether the proxies that the environment names are used.
    pub uses_system_proxy: bool,
}

impl Default for HttpClientSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(15),
            body_bytes_max: 1024 * 1024,
            uses_system_proxy: true,
        }
    }
}

/// The client could not be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the HTTP client cannot be set up: {0}; is the ca-certificates package installed, or SSL_CERT_FILE set?")]
pub struct HttpClientError(String);

/// Why a request got no answer. No variant carries a URL, a header or a body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpFault {
    /// The answer was not there in time.
    #[error("it did not answer within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// Nobody listens at the port.
    #[error("the connection was refused")]
    ConnectionRefused,
    /// There is no such host.
    #[error("the host name could not be resolved")]
    NameNotResolved,
    /// The other side's certificate or handshake is not acceptable.
    #[error("the TLS handshake failed: {0}")]
    TlsFailed(String),
    /// Connecting failed in another way.
    #[error("connecting failed: {0}")]
    ConnectFailed(String),
    /// The connection ended too early, or what came was not HTTP.
    #[error("the connection broke off before the answer was complete")]
    BrokenOff,
    /// The answer is too large.
    #[error("its answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The body could not be decompressed.
    #[error("its answer could not be decoded")]
    Undecodable,
    /// It is at an address that this server does not ask for others.
    #[error("its address is not on the public internet")]
    ForbiddenAddress,
    /// The request itself is not valid.
    #[error("the request could not be built")]
    InvalidRequest,
}

impl HttpFault {
    /// Whether the other side was reached and answered, though with nonsense.
    #[must_use]
    pub fn is_bad_answer(&self) -> bool {
        matches!(self, Self::TooLarge(_) | Self::Undecodable | Self::ForbiddenAddress | Self::InvalidRequest)
    }
}

/// Sends requests within limits. Cheap to clone; the clones share their connections.
///
/// One client serves every thread of the daemon: a connection lives on the runtime that opened
/// it, others reach it through channels, and the runtimes live as long as the process.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: reqwest::Client,
    guard: Option<OutgoingGuard>,
    total_timeout: Duration,
    body_bytes_max: usize,
}

impl HttpClient {
    /// Sets up a client.
    ///
    /// # Errors
    /// When there are no trusted certificates, or the environment names a proxy that is not a URL.
    pub fn new(settings: &HttpClientSettings) -> Result<Self, HttpClientError> {
        Self::build(settings, None)
    }

    /// Sets up a client for URLs that strangers choose: it asks no address that `guard` forbids.
    ///
    /// # Errors
    /// As for [`Self::new`].
    pub fn guarded(settings: &HttpClientSettings, guard: OutgoingGuard) -> Result<Self, HttpClientError> {
        Self::build(settings, Some(guard))
    }

    fn build(settings: &HttpClientSettings, guard: Option<OutgoingGuard>) -> Result<Self, HttpClientError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("mxcp/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.total_timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false);
        if !settings.uses_system_proxy {
            builder = builder.no_proxy();
        }
        if let Some(guard) = &guard {
            builder = builder.dns_resolver(guard.resolver());
        }
        let client = builder.build().map_err(|error| HttpClientError(innermost_text(&error)))?;
        Ok(Self { client, guard, total_timeout: settings.total_timeout, body_bytes_max: settings.body_bytes_max })
    }

    /// Sends `request` and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// When there is no complete answer within the limits.
    pub async fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, HttpFault> {
        let request = reqwest::Request::try_from(request).map_err(|_| HttpFault::InvalidRequest)?;
        if self.guard.as_ref().is_some_and(|guard| !guard.allows_url(request.url())) {
            return Err(HttpFault::ForbiddenAddress);
        }
        let response = self.client.execute(request).await.map_err(|error| self.classify(&error))?;
        self.read(response).await
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<http::Response<Vec<u8>>, HttpFault> {
        let mut body = Vec::new();
        // Piece by piece, because a compressed or chunked body does not tell its size beforehand.
        while let Some(piece) = response.chunk().await.map_err(|error| self.classify(&error))? {
            if body.len() + piece.len() > self.body_bytes_max {
                return Err(HttpFault::TooLarge(self.body_bytes_max));
            }
            body.extend_from_slice(&piece);
        }
        let mut whole = http::Response::new(body);
        *whole.status_mut() = response.status();
        *whole.headers_mut() = std::mem::take(response.headers_mut());
        Ok(whole)
    }

    fn classify(&self, error: &reqwest::Error) -> HttpFault {
        if error.is_timeout() {
            return HttpFault::TimedOut(self.total_timeout);
        }
        if causes(error).any(<dyn StdError>::is::<ForbiddenAddress>) {
            return HttpFault::ForbiddenAddress;
        }
        if error.is_dns() {
            return HttpFault::NameNotResolved;
        }
        if error.is_builder() {
            return HttpFault::InvalidRequest;
        }
        if error.is_connect() {
            return classify_connect(error);
        }
        if error.is_decode() && has_io_kind(error, ErrorKind::InvalidData) {
            return HttpFault::Undecodable;
        }
        HttpFault::BrokenOff
    }
}

fn classify_connect(error: &reqwest::Error) -> HttpFault {
    if has_io_kind(error, ErrorKind::ConnectionRefused) {
        return HttpFault::ConnectionRefused;
    }
    // The TLS library reports its errors inside an I/O error of this kind.
    if has_io_kind(error, ErrorKind::InvalidData) {
        return HttpFault::TlsFailed(innermost_text(error));
    }
    HttpFault::ConnectFailed(innermost_text(error))
}

fn has_io_kind(error: &(dyn StdError + 'static), kind: ErrorKind) -> bool {
    causes(error).filter_map(|cause| cause.downcast_ref::<std::io::Error>()).any(|cause| cause.kind() == kind)
}

/// The text of the innermost cause, which unlike the outer ones does not name the URL.
fn innermost_text(error: &(dyn StdError + 'static)) -> String {
    let text = causes(error).last().map(ToString::to_string).unwrap_or_default();
    text.chars().filter(|c| !c.is_control()).take(DETAIL_CHARS_MAX).collect()
}

/// The error and its causes. An I/O error does not count what it wraps among its sources.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&cause| match cause.downcast_ref::<std::io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn StdError + 'static)),
        None => cause.source(),
    })
}

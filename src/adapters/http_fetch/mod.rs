//! Requests that SQL asks for, to whatever API its author names.
//!
//! The SQL chooses URL and headers, so everything has a limit: where a request may go (see
//! [`super::outgoing_guard`]; besides the public internet only what `http_fetch.allow` names), by which
//! scheme, how long it may take and how much is read. Owns no content: that belongs to the query that
//! asked. Nothing is shared between requests but connections, and nothing is asked again.

mod answer;
mod hop;
mod lane;

use super::duckdb::{FetchFault, FetchRequest, Fetched, Fetcher};
use super::http_client::{HttpClient, HttpClientError, HttpClientSettings, HttpFault};
use super::outgoing_guard::OutgoingGuard;
use hop::Hop;
use lane::Lane;
use mxcp_actors::model::allowed_target::AllowedTarget;
use std::net::Ipv4Addr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use url::Host;

/// How often a redirect is followed.
const REDIRECTS_MAX: usize = 5;

/// How long connecting may take, if not less is left.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The limits of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpFetchSettings {
    /// Which hosts may be at private addresses, and be asked by plain http.
    pub allowed: Vec<AllowedTarget>,
    /// How long a request may take, redirects included.
    pub timeout: Duration,
    /// The most bytes that one query may fetch, after decompression.
    pub bytes_max: usize,
}

/// Sends requests, on a thread of its own that starts with the first.
#[derive(Debug)]
pub struct HttpFetch {
    sender: Arc<Sender>,
    /// A server whose SQL asks nobody needs neither certificates nor a thread.
    lane: OnceLock<Option<Lane>>,
}

#[derive(Debug)]
struct Sender {
    settings: HttpFetchSettings,
    guard: OutgoingGuard,
    client: OnceLock<Result<HttpClient, HttpClientError>>,
}

impl HttpFetch {
    /// Sends requests within these limits.
    #[must_use]
    pub fn new(settings: HttpFetchSettings) -> Self {
        let guard = OutgoingGuard::new(false).with_allowed(settings.allowed.clone().into());
        Self::with_guard(settings, guard)
    }

    fn with_guard(settings: HttpFetchSettings, guard: OutgoingGuard) -> Self {
        let sender = Sender { settings, guard, client: OnceLock::new() };
        Self { sender: Arc::new(sender), lane: OnceLock::new() }
    }
}

impl Fetcher for HttpFetch {
    fn fetch(&self, request: FetchRequest, is_cancelled: &dyn Fn() -> bool) -> Result<Fetched, FetchFault> {
        let lane = self.lane.get_or_init(Lane::start).as_ref();
        let lane = lane.ok_or_else(|| FetchFault::Failed("no thread can be started for requests".to_owned()))?;
        let sender = Arc::clone(&self.sender);
        lane.run(async move { sender.get(&request).await }, is_cancelled).unwrap_or(Err(FetchFault::Cancelled))
    }

    fn bytes_max(&self) -> usize {
        self.sender.settings.bytes_max
    }
}

impl Sender {
    /// Gets the answer, at the end of all redirects.
    async fn get(&self, request: &FetchRequest) -> Result<Fetched, FetchFault> {
        let first = Hop::first(request)?;
        let shown_url = answer::shown(&first.url);
        let timeout = self.settings.timeout;
        let body = tokio::time::timeout(timeout, self.follow(first, request)).await;
        let body = body.unwrap_or_else(|_elapsed| Err(no_answer(&shown_url, &HttpFault::TimedOut(timeout))))?;
        Ok(Fetched { body, shown_url })
    }

    async fn follow(&self, first: Hop, request: &FetchRequest) -> Result<Vec<u8>, FetchFault> {
        let shown_first = answer::shown(&first.url);
        let mut hop = first;
        for _hop in 0..=REDIRECTS_MAX {
            self.check_scheme(&hop)?;
            let response = self.client()?.send(hop.to_http()?).await;
            let response = response.map_err(|fault| no_answer(&hop.shown(), &fault))?;
            match answer::location(&response) {
                Some(location) => hop = hop.follow(location, request)?,
                None => return answer::body(&hop, response, request),
            }
        }
        Err(FetchFault::Failed(format!("GET {shown_first} was redirected more than {REDIRECTS_MAX} times")))
    }

    /// Plain http shows token and answer to everybody on the way, so it is for hosts only that the
    /// operator has named.
    fn check_scheme(&self, hop: &Hop) -> Result<(), FetchFault> {
        let url = &hop.url;
        let is_local = || {
            let is_loopback = matches!(url.host(), Some(Host::Domain("localhost")));
            is_loopback && self.guard.allows(Ipv4Addr::LOCALHOST.into())
        };
        let is_named = |host: &str| self.settings.allowed.iter().any(|target| target.names(host));
        if url.scheme() == "https" || url.host_str().is_some_and(is_named) || is_local() {
            return Ok(());
        }
        Err(FetchFault::Failed(format!(
            "GET {} was not sent: plain http is for hosts that http_fetch.allow names; use https, or name the host there",
            hop.shown()
        )))
    }

    fn client(&self) -> Result<&HttpClient, FetchFault> {
        let HttpFetchSettings { timeout, bytes_max, .. } = self.settings;
        let settings = HttpClientSettings {
            connect_timeout: CONNECT_TIMEOUT.min(timeout),
            total_timeout: timeout,
            body_bytes_max: bytes_max,
            ..HttpClientSettings::default()
        };
        let client = self.client.get_or_init(|| HttpClient::guarded(&settings, self.guard.clone()));
        client.as_ref().map_err(|error| FetchFault::Failed(error.to_string()))
    }
}

/// Says why there was no answer.
fn no_answer(shown_url: &str, fault: &HttpFault) -> FetchFault {
    let hint = match fault {
        HttpFault::ForbiddenAddress => "; name the host in http_fetch.allow if it may be asked",
        HttpFault::TooLarge(_) => "; ask for less, or raise http_fetch.max_size",
        _ => "",
    };
    FetchFault::Failed(format!("GET {shown_url} failed: {fault}{hint}"))
}

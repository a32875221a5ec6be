//! The keys that clients publish themselves, from wherever their `jwks_uri` points to.
//!
//! Whoever registers a client chooses the URI, so everything about a fetch has a limit: where it
//! may go (see [`super::outgoing_guard`]), how long it may take, how much is read, and how
//! often. Nothing of what came back is ever shown; it is a set of keys, or it is not.

use super::cached_document::CachedDocument;
use super::http_client::{HttpClient, HttpClientError, HttpClientSettings, HttpFault};
use super::outgoing_guard::OutgoingGuard;
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::StatusCode;
use http::header::ACCEPT;
use mxcp_actors::model::signing_key::KeySet;
use mxcp_actors::ports::PortFuture;
use mxcp_actors::ports::client_key_source::{ClientKeySource, KeySourceError};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

/// How long a fetch may take: looking twice must fit into one ask of an actor.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(4);
/// The largest document: some keys come with their chain of certificates.
const BODY_BYTES_MAX: usize = 64 * 1_024;
/// How long keys are used before they are looked at again. A key that its owner has taken away,
/// because somebody else has it, is trusted no longer than this.
const AGE_MAX: Duration = Duration::from_mins(10);
/// How many sets of keys are kept. Beyond, the one that nobody used for longest makes room.
const SETS_MAX: usize = 1_000;
/// How many sets that are not kept may be fetched within a minute: in all, and from one host.
const STRANGERS_PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(119);
const STRANGERS_OF_HOST_PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);
/// How many hosts are counted before those that have not been asked for a while are forgotten.
const HOSTS_MAX: usize = 10_000;

type CachedKeys = CachedDocument<KeySet, KeySourceError>;

#[derive(Debug)]
struct Shelf {
    keys: Arc<CachedKeys>,
    used_at: Instant,
}

/// Fetches published keys over HTTP and keeps them for a while.
#[derive(Debug)]
pub struct HttpClientKeys {
    guard: OutgoingGuard,
    /// Set up when it is first needed: most servers never fetch a key.
    http: OnceLock<Result<HttpClient, HttpClientError>>,
    /// The lock is held for looks and changes only, never while anyone waits for a host.
    shelves: Mutex<HashMap<String, Shelf>>,
    strangers: DefaultDirectRateLimiter,
    strangers_of_host: DefaultKeyedRateLimiter<String>,
}

impl HttpClientKeys {
    /// Fetches from where `guard` lets requests go.
    #[must_use]
    pub fn new(guard: OutgoingGuard) -> Self {
        Self {
            guard,
            http: OnceLock::new(),
            shelves: Mutex::default(),
            strangers: RateLimiter::direct(Quota::per_minute(STRANGERS_PER_MINUTE)),
            strangers_of_host: RateLimiter::keyed(Quota::per_minute(STRANGERS_OF_HOST_PER_MINUTE)),
        }
    }

    fn http(&self) -> Result<&HttpClient, KeySourceError> {
        let settings = HttpClientSettings {
            connect_timeout: TOTAL_TIMEOUT,
            total_timeout: TOTAL_TIMEOUT,
            body_bytes_max: BODY_BYTES_MAX,
            ..HttpClientSettings::default()
        };
        let http = self.http.get_or_init(|| HttpClient::guarded(&settings, self.guard.clone()));
        http.as_ref().map_err(|error| {
            tracing::error!(%error, "keys of clients cannot be fetched");
            passing("this server cannot fetch keys")
        })
    }

    /// The place where the keys at `uri` are kept, or will be.
    async fn shelf(&self, uri: &str) -> Arc<CachedKeys> {
        let mut shelves = self.shelves.lock().await;
        let used_at = Instant::now();
        if let Some(shelf) = shelves.get_mut(uri) {
            shelf.used_at = used_at;
            return Arc::clone(&shelf.keys);
        }
        if shelves.len() >= SETS_MAX {
            // Empty ones first, so that URIs at which there is nothing push nobody out.
            let least = shelves.iter().min_by_key(|(_, shelf)| (shelf.keys.held().is_some(), shelf.used_at));
            let least = least.map(|(uri, _)| uri.clone());
            least.map(|uri| shelves.remove(&uri));
        }
        let keys = Arc::new(CachedDocument::new("keys of a client").looked_at_after(AGE_MAX));
        shelves.insert(uri.to_owned(), Shelf { keys: Arc::clone(&keys), used_at });
        keys
    }

    /// Fetches the keys at `uri`; of strangers not too often, since whoever registers clients
    /// could otherwise send us against others.
    async fn fetch(&self, uri: &str, is_known: bool) -> Result<KeySet, KeySourceError> {
        if !is_known && !self.may_fetch_of_stranger(uri) {
            return Err(passing("too many keys of clients were asked for; try again in a minute"));
        }
        let request = http::Request::get(uri).header(ACCEPT, "application/jwk-set+json, application/json");
        let request = request.body(Vec::new()).map_err(|_| refused("it is no URL"))?;
        let response = self.http()?.send(request).await.map_err(|fault| {
            tracing::info!(jwks_uri = uri, %fault, "the keys of a client could not be fetched");
            no_answer(&fault)
        })?;
        match response.status() {
            StatusCode::OK => {}
            status if status.is_redirection() => {
                return Err(refused("its host answered with a redirect, which is not followed"));
            }
            status => {
                let detail = format!("its host answered with status {}", status.as_u16());
                let is_passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
                return Err(KeySourceError { detail, is_passing });
            }
        }
        let document = serde_json::from_slice(response.body()).map_err(|_| refused("what is there is not JSON"))?;
        KeySet::read_published(&document).map_err(|fault| refused(&fault.to_string()))
    }

    fn may_fetch_of_stranger(&self, uri: &str) -> bool {
        let Some(host) = Url::parse(uri).ok().and_then(|url| url.host_str().map(str::to_owned)) else { return false };
        if self.strangers_of_host.len() > HOSTS_MAX {
            self.strangers_of_host.retain_recent();
        }
        self.strangers_of_host.check_key(&host).is_ok() && self.strangers.check().is_ok()
    }
}

impl ClientKeySource for HttpClientKeys {
    fn keys(&self, uri: &str) -> PortFuture<'_, Result<Arc<KeySet>, KeySourceError>> {
        let uri = uri.to_owned();
        Box::pin(async move {
            let cache = self.shelf(&uri).await;
            let is_known = cache.held().is_some();
            cache.get(self.fetch(&uri, is_known)).await
        })
    }

    fn newer_keys(&self, uri: &str, seen: Arc<KeySet>) -> PortFuture<'_, Option<Arc<KeySet>>> {
        let uri = uri.to_owned();
        Box::pin(async move { self.shelf(&uri).await.renew(&seen, self.fetch(&uri, true)).await })
    }
}

/// What the client's host has to put right.
fn refused(detail: &str) -> KeySourceError {
    KeySourceError { detail: detail.to_owned(), is_passing: false }
}

/// What may be better in a moment.
fn passing(detail: &str) -> KeySourceError {
    KeySourceError { detail: detail.to_owned(), is_passing: true }
}

/// Why there are no keys, without the details: a stranger must not learn from us which machines
/// and ports there are.
fn no_answer(fault: &HttpFault) -> KeySourceError {
    match fault {
        HttpFault::TooLarge(_) => refused("what is there is too large"),
        HttpFault::ForbiddenAddress => refused("its host is not on the public internet"),
        HttpFault::TimedOut(_)
        | HttpFault::ConnectionRefused
        | HttpFault::NameNotResolved
        | HttpFault::TlsFailed(_)
        | HttpFault::ConnectFailed(_)
        | HttpFault::BrokenOff
        | HttpFault::Undecodable
        | HttpFault::InvalidRequest => passing("its host did not answer"),
    }
}

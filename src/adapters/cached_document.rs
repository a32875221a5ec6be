//! Documents of others that are fetched once and kept: metadata of providers, keys of providers
//! and of clients.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

/// How long a document is used before it is looked at again, unless it is said otherwise. A key
/// that was taken away is trusted no longer than this.
const AGE_MAX: Duration = Duration::from_hours(1);

/// How long a failure stands when there is no document to go on with: those who wait behind a
/// failed attempt fail with it, and do not each wait out the time limit again.
const PAUSE_WITHOUT_DOCUMENT: Duration = Duration::from_secs(5);

/// How long an old document is used before a failed attempt is repeated.
const PAUSE_WITH_DOCUMENT: Duration = Duration::from_mins(1);

/// How often a document is fetched because it lacked something, at most: whoever makes up key
/// identifiers must not make us flood the other side.
const PAUSE_BETWEEN_RENEWALS: Duration = Duration::from_mins(1);

/// A document that is kept, fetched by one caller at a time.
#[derive(Debug)]
pub(super) struct CachedDocument<T, E> {
    /// What it is, for the log.
    what: &'static str,
    age_max: Duration,
    held: watch::Sender<Option<Held<T>>>,
    attempts: Mutex<Attempts<E>>,
}

#[derive(Debug)]
struct Held<T> {
    document: Arc<T>,
    fetched_at: Instant,
}

#[derive(Debug)]
struct Attempts<E> {
    failure: Option<(Instant, E)>,
    renewed_at: Option<Instant>,
}

impl<E: Clone> Attempts<E> {
    fn failure_within(&self, pause: Duration) -> Option<E> {
        self.failure.as_ref().filter(|(at, _)| at.elapsed() < pause).map(|(_, error)| error.clone())
    }
}

impl<T, E: Clone + Display> CachedDocument<T, E> {
    /// An empty cache.
    pub(super) fn new(what: &'static str) -> Self {
        let attempts = Mutex::new(Attempts { failure: None, renewed_at: None });
        Self { what, age_max: AGE_MAX, held: watch::Sender::new(None), attempts }
    }

    /// The same for documents that are looked at again after that time.
    pub(super) fn looked_at_after(self, age_max: Duration) -> Self {
        Self { age_max, ..self }
    }

    /// The document: the one that is held while it is fresh, else what `fetch` brings, else the
    /// old one while the other side cannot be reached.
    ///
    /// # Errors
    /// When there has never been a document and fetching fails.
    pub(super) async fn get(&self, fetch: impl Future<Output = Result<T, E>>) -> Result<Arc<T>, E> {
        if let Some(fresh) = self.fresh() {
            return Ok(fresh);
        }
        // While somebody fetches a new one the old one does, for as long as a request may take.
        let mut attempts = match (self.attempts.try_lock(), self.held()) {
            (Ok(attempts), _) => attempts,
            (Err(_), Some(old)) => return Ok(old),
            (Err(_), None) => self.attempts.lock().await,
        };
        // Another caller may have fetched it, or failed to, while this one waited.
        if let Some(fresh) = self.fresh() {
            return Ok(fresh);
        }
        let old = self.held();
        let pause = if old.is_some() { PAUSE_WITH_DOCUMENT } else { PAUSE_WITHOUT_DOCUMENT };
        match (attempts.failure_within(pause), old) {
            (Some(_), Some(old)) => Ok(old),
            (Some(failure), None) => Err(failure),
            (None, old) => match self.fetch(&mut attempts, fetch).await {
                Ok(new) => Ok(new),
                Err(error) => old.ok_or(error),
            },
        }
    }

    /// A document that is newer than `seen`, which lacked something: `None` when it was renewed
    /// for that reason less than a minute ago, or cannot be fetched.
    pub(super) async fn renew(&self, seen: &Arc<T>, fetch: impl Future<Output = Result<T, E>>) -> Option<Arc<T>> {
        let mut attempts = self.attempts.lock().await;
        if let Some(other) = self.held().filter(|held| !Arc::ptr_eq(held, seen)) {
            return Some(other);
        }
        if attempts.renewed_at.is_some_and(|at| at.elapsed() < PAUSE_BETWEEN_RENEWALS) {
            return None;
        }
        attempts.renewed_at = Some(Instant::now());
        self.fetch(&mut attempts, fetch).await.ok()
    }

    async fn fetch(&self, attempts: &mut Attempts<E>, fetch: impl Future<Output = Result<T, E>>) -> Result<Arc<T>, E> {
        match fetch.await {
            Ok(document) => {
                let document = Arc::new(document);
                attempts.failure = None;
                self.held.send_replace(Some(Held { document: Arc::clone(&document), fetched_at: Instant::now() }));
                Ok(document)
            }
            Err(error) => {
                let has_old = self.held.borrow().is_some();
                if has_old {
                    tracing::warn!(document = self.what, %error, "a document is not available; the old one is used");
                } else {
                    // Whoever needs it says so.
                    tracing::debug!(document = self.what, %error, "a document is not available");
                }
                attempts.failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    fn fresh(&self) -> Option<Arc<T>> {
        let held = self.held.borrow();
        held.as_ref().filter(|held| held.fetched_at.elapsed() < self.age_max).map(|held| Arc::clone(&held.document))
    }

    /// The document as it is held, however old.
    pub(super) fn held(&self) -> Option<Arc<T>> {
        self.held.borrow().as_ref().map(|held| Arc::clone(&held.document))
    }
}

#[cfg(test)]
mod tests;

use super::*;
use mxcp_actors::ports::upstream_idp::UpstreamError;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::time::{advance, sleep};

#[derive(Default)]
struct Source {
    fetches: AtomicU32,
}

impl Source {
    /// Counts up; fails when `is_up` is false. Takes a second.
    async fn fetch(&self, is_up: bool) -> Result<u32, UpstreamError> {
        sleep(Duration::from_secs(1)).await;
        let number = self.fetches.fetch_add(1, Ordering::SeqCst) + 1;
        if is_up { Ok(number) } else { Err(fault(number)) }
    }

    fn fetches(&self) -> u32 {
        self.fetches.load(Ordering::SeqCst)
    }
}

fn fault(number: u32) -> UpstreamError {
    UpstreamError::Unreachable { provider: "p".to_owned(), what: "x", detail: number.to_string() }
}

#[tokio::test(start_paused = true)]
async fn callers_at_the_same_time_share_one_fetch() {
    let (cache, source) = (CachedDocument::new("d"), Source::default());
    let all = futures_util::future::join_all((0..20).map(|_| cache.get(source.fetch(true)))).await;
    assert!(all.into_iter().all(|document| *document.unwrap() == 1));
    assert_eq!(source.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn callers_at_the_same_time_share_one_failure_and_later_ones_try_again() {
    let (cache, source) = (CachedDocument::new("d"), Source::default());
    let all = futures_util::future::join_all((0..20).map(|_| cache.get(source.fetch(false)))).await;
    assert!(all.into_iter().all(|document| document.unwrap_err() == fault(1)));
    assert_eq!(cache.get(source.fetch(true)).await, Err(fault(1)));
    advance(PAUSE_WITHOUT_DOCUMENT).await;
    assert_eq!(*cache.get(source.fetch(true)).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_old_document_is_replaced_and_serves_through_an_outage() {
    let (cache, source) = (CachedDocument::new("d"), Source::default());
    assert_eq!(*cache.get(source.fetch(true)).await.unwrap(), 1);
    advance(AGE_MAX).await;
    assert_eq!(*cache.get(source.fetch(false)).await.unwrap(), 1);
    assert_eq!(*cache.get(source.fetch(false)).await.unwrap(), 1);
    assert_eq!(source.fetches(), 2, "a failed attempt is not repeated at once");
    advance(PAUSE_WITH_DOCUMENT).await;
    assert_eq!(*cache.get(source.fetch(true)).await.unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn while_one_fetches_a_new_document_the_others_go_on_with_the_old_one() {
    let (cache, source) = (CachedDocument::new("d"), Source::default());
    assert_eq!(*cache.get(source.fetch(true)).await.unwrap(), 1);
    advance(AGE_MAX).await;
    let (first, second) = tokio::join!(cache.get(source.fetch(true)), cache.get(source.fetch(true)));
    assert_eq!((*first.unwrap(), *second.unwrap()), (2, 1));
    assert_eq!(source.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn renewing_is_bounded_and_shared() {
    let (cache, source) = (CachedDocument::new("d"), Source::default());
    let first = cache.get(source.fetch(true)).await.unwrap();
    let all = futures_util::future::join_all((0..20).map(|_| cache.renew(&first, source.fetch(true)))).await;
    assert!(all.iter().all(|document| **document.as_ref().unwrap() == 2));
    let second = all.into_iter().next().flatten().unwrap();
    assert_eq!(cache.renew(&second, source.fetch(true)).await, None);
    assert_eq!(source.fetches(), 2);
    advance(PAUSE_BETWEEN_RENEWALS).await;
    assert_eq!(cache.renew(&second, source.fetch(true)).await.as_deref(), Some(&3));
}

#[tokio::test(start_paused = true)]
async fn a_failed_renewal_keeps_the_document() {
    let (cache, source) = (CachedDocument::new("d"), Source::default());
    let first = cache.get(source.fetch(true)).await.unwrap();
    assert_eq!(cache.renew(&first, source.fetch(false)).await, None);
    assert_eq!(*cache.get(source.fetch(true)).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_does_not_block_the_others() {
    let (cache, source) = (CachedDocument::new("d"), Source::default());
    let impatient = tokio::time::timeout(Duration::from_millis(10), cache.get(source.fetch(true))).await;
    assert!(impatient.is_err());
    assert_eq!(*cache.get(source.fetch(true)).await.unwrap(), 1);
}

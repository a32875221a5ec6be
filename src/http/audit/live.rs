//! The log from some point on, without end: what is there, then what comes, without a gap and
//! without a double.

use mxcp_actors::audit_log::{AuditError, AuditLogHandle, Heard, Subscription};
use mxcp_actors::model::audit_event::AuditRecord;
use mxcp_actors::model::audit_filter::AuditFilter;
use mxcp_actors::ports::StoreError;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// The most records that are read of the store at once.
const PAGE: usize = 500;

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Start {
    /// Behind that number.
    After(u64),
    /// With so many of those that are there.
    Newest(usize),
}

/// A record as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LiveLine {
    pub(super) sequence: u64,
    pub(super) line: Arc<str>,
}

/// Why the log cannot be shown.
#[derive(Clone, Debug, thiserror::Error)]
pub(in crate::http) enum LiveError {
    #[error(transparent)]
    Log(#[from] AuditError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is still to be read of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CatchUp {
    /// Nothing: the subscription tells all.
    Done,
    /// Everything up to the number from which the subscription tells all.
    To(u64),
    /// Whatever it has: the subscription has passed over some.
    ToEnd,
}

/// A page on its way.
type Reading = Pin<Box<dyn Future<Output = Result<Vec<AuditRecord>, StoreError>>>>;

/// The log from some point on.
pub(in crate::http) struct LiveLog {
    log: AuditLogHandle,
    filter: AuditFilter,
    subscription: Subscription,
    /// What was read of the store and not yet shown.
    read: VecDeque<AuditRecord>,
    catch_up: CatchUp,
    /// The page that is being read: whoever stops waiting for it has it go on.
    reading: Option<Reading>,
    /// The number up to which everything was shown or will not be.
    seen: u64,
    /// Whether the log does not reach as far as was asked for.
    is_anew: bool,
}

impl LiveLog {
    /// Begins at `start`. What the filter says of numbers is left to that.
    ///
    /// # Errors
    /// When the log does not answer or cannot be read.
    pub(in crate::http) async fn begin(
        log: AuditLogHandle,
        filter: AuditFilter,
        start: Start,
    ) -> Result<Self, LiveError> {
        let filter = AuditFilter { after: None, up_to: None, ..filter };
        // First the subscription: whatever comes while the store is read is heard of by it.
        let subscription = log.subscribe().await?;
        let last = subscription.last_sequence();
        let mut live = Self {
            log,
            filter,
            subscription,
            read: VecDeque::new(),
            catch_up: CatchUp::Done,
            reading: None,
            seen: last,
            is_anew: false,
        };
        match start {
            Start::After(after) => {
                live.is_anew = after > last;
                live.seen = if live.is_anew { 0 } else { after };
                live.catch_up = CatchUp::To(last);
            }
            Start::Newest(0) => {}
            Start::Newest(limit) => {
                let filter = AuditFilter { up_to: Some(last), ..live.filter.clone() };
                live.read = live.log.read_newest(filter, limit).await?.into_iter().rev().collect();
            }
        }
        Ok(live)
    }

    /// Whether the log ended before the number that was asked for, so that it begins anew. Says so
    /// once.
    pub(super) fn take_anew(&mut self) -> bool {
        std::mem::take(&mut self.is_anew)
    }

    /// The number up to which everything was shown or will not be.
    pub(super) const fn seen(&self) -> u64 {
        self.seen
    }

    /// Waits for the next record; `None` when there will be no more. May be dropped at any time
    /// without losing one.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(super) async fn next(&mut self) -> Result<Option<LiveLine>, StoreError> {
        loop {
            if let Some(record) = self.read.pop_front() {
                let line = serde_json::to_string(&record).map_err(|error| StoreError { detail: error.to_string() })?;
                return Ok(Some(LiveLine { sequence: record.sequence, line: line.into() }));
            }
            if self.catch_up != CatchUp::Done {
                self.read_page().await?;
                continue;
            }
            match self.subscription.next().await {
                Heard::Record(live) if live.record().sequence <= self.seen => {}
                Heard::Record(live) => {
                    self.seen = live.record().sequence;
                    if self.filter.accepts(live.record()) {
                        return Ok(Some(LiveLine { sequence: self.seen, line: Arc::clone(live.line()) }));
                    }
                }
                // What was missed is in the store.
                Heard::Skipped(_) => self.catch_up = CatchUp::ToEnd,
                Heard::End => return Ok(None),
            }
        }
    }

    async fn read_page(&mut self) -> Result<(), StoreError> {
        let up_to = match self.catch_up {
            CatchUp::To(number) => Some(number),
            CatchUp::Done | CatchUp::ToEnd => None,
        };
        let begin = || -> Reading {
            let filter = AuditFilter { after: Some(self.seen), up_to, ..self.filter.clone() };
            let log = self.log.clone();
            Box::pin(async move { log.read_oldest(filter, PAGE).await })
        };
        let outcome = self.reading.get_or_insert_with(begin).await;
        self.reading = None;
        let page = outcome?;
        let is_last = page.len() < PAGE;
        let last = page.last().map_or(self.seen, |record| record.sequence);
        self.seen = if is_last { up_to.unwrap_or(last).max(last) } else { last };
        if is_last {
            self.catch_up = CatchUp::Done;
        }
        self.read = page.into();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use mxcp_actors::model::audit_event::{AuditCaller, AuditEvent, OperationStatus};
    use mxcp_actors::model::audit_filter::AuditName;
    use mxcp_actors::testkit::memory_audit::{log_in_memory, log_that_reads_slowly};

    async fn record(log: &AuditLogHandle, times: usize, name: &str) {
        let event = AuditEvent::auth(name, OperationStatus::Success, AuditCaller::default());
        for outcome in futures_util::future::join_all((0..times).map(|_| log.record(event.clone()))).await {
            outcome.unwrap();
        }
    }

    async fn next(live: &mut LiveLog, count: usize) -> Vec<u64> {
        let mut numbers = Vec::new();
        for _ in 0..count {
            numbers.push(live.next().await.unwrap().unwrap().sequence);
        }
        numbers
    }

    #[actix_web::test]
    async fn what_is_there_and_what_comes_follow_each_other_without_a_gap() {
        let log = log_in_memory();
        record(&log, 3 * PAGE + 1, "auth.a").await;
        let mut live = LiveLog::begin(log.clone(), AuditFilter::default(), Start::After(2)).await.unwrap();
        record(&log, 10, "auth.b").await;
        let last = u64::try_from(3 * PAGE + 11).unwrap();
        assert_eq!(next(&mut live, 3 * PAGE + 9).await, (3..=last).collect::<Vec<_>>());
    }

    #[actix_web::test]
    async fn who_is_too_slow_gets_everything_once_all_the_same() {
        let log = log_in_memory();
        let mut live = LiveLog::begin(log.clone(), AuditFilter::default(), Start::Newest(5)).await.unwrap();
        record(&log, 2 * PAGE + 7, "auth.a").await;
        let first = next(&mut live, 2 * PAGE).await;
        record(&log, 3, "auth.a").await;
        let rest = next(&mut live, 10).await;
        let last = u64::try_from(2 * PAGE + 10).unwrap();
        assert_eq!([first, rest].concat(), (1..=last).collect::<Vec<_>>());
    }

    #[actix_web::test]
    async fn who_stops_waiting_again_and_again_gets_a_slow_page_all_the_same() {
        let log = log_that_reads_slowly();
        record(&log, 3, "auth.a").await;
        let mut live = LiveLog::begin(log.clone(), AuditFilter::default(), Start::After(0)).await.unwrap();
        for _ in 0..100 {
            if let Some(line) = live.next().now_or_never() {
                assert_eq!(line.unwrap().unwrap().sequence, 1);
                return;
            }
        }
        panic!("the page was begun anew each time");
    }

    #[actix_web::test]
    async fn only_what_the_filter_accepts_is_told_of() {
        let log = log_in_memory();
        record(&log, 2, "auth.a").await;
        record(&log, 2, "auth.b").await;
        let filter = AuditFilter { names: vec![AuditName::Event("b".to_owned())], ..AuditFilter::default() };
        let mut live = LiveLog::begin(log.clone(), filter, Start::Newest(1)).await.unwrap();
        record(&log, 400, "auth.a").await;
        record(&log, 1, "auth.b").await;
        assert_eq!(next(&mut live, 2).await, [4, 405]);
    }

    #[actix_web::test]
    async fn a_log_that_ends_before_the_number_that_is_known_is_told_from_its_begin() {
        let log = log_in_memory();
        record(&log, 2, "auth.a").await;
        let mut live = LiveLog::begin(log.clone(), AuditFilter::default(), Start::After(1_000)).await.unwrap();
        assert!(live.take_anew());
        assert_eq!(next(&mut live, 2).await, [1, 2]);
    }
}

//! The rules of keeping metadata documents: how long, how many, and how often to ask.

use crate::model::client::Client;
use crate::model::client_id_url::ClientIdUrl;
use crate::model::timestamp::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// A document is good for this long whatever its host says, or every request would be one to its
/// host.
const FRESH_MIN: Duration = MINUTE;
/// When its host says nothing.
const FRESH_DEFAULT: Duration = HOUR;
/// No document is believed longer, so that a redirect URI that was taken out of it dies.
const FRESH_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// How long after it was fetched a document serves grants that exist, while its host is away.
const FALLBACK_MAX: Duration = Duration::from_secs(48 * 60 * 60);
/// After a failure its host is left alone for this long by whoever can do with the old document.
const REST: Duration = MINUTE;

/// The most documents that are kept: some megabytes.
const DOCUMENTS_MAX: usize = 1_000;

/// A document, as the client that it describes.
#[derive(Debug)]
struct Held {
    client: Client,
    fetched_at: Timestamp,
    fresh_until: Timestamp,
    rests_until: Timestamp,
    used_at: u64,
}

/// The documents that are kept, of which the least recently used make room.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    held: HashMap<ClientIdUrl, Held>,
    uses: u64,
}

impl Shelf {
    /// The client, if its document need not be looked at again.
    pub(super) fn fresh(&mut self, url: &ClientIdUrl, now: Timestamp) -> Option<Client> {
        self.use_if(url, |held| now < held.fresh_until)
    }

    /// The client, if its document has been good lately: for grants that exist, while its host is
    /// away.
    pub(super) fn fallback(&mut self, url: &ClientIdUrl, now: Timestamp) -> Option<Client> {
        self.use_if(url, |held| now < held.fetched_at + FALLBACK_MAX)
    }

    /// The same, if its host was away a moment ago and is left alone therefore.
    pub(super) fn resting(&mut self, url: &ClientIdUrl, now: Timestamp) -> Option<Client> {
        self.use_if(url, |held| now < held.rests_until && now < held.fetched_at + FALLBACK_MAX)
    }

    fn use_if(&mut self, url: &ClientIdUrl, is_good: impl Fn(&Held) -> bool) -> Option<Client> {
        let held = self.held.get_mut(url).filter(|held| is_good(held))?;
        self.uses += 1;
        held.used_at = self.uses;
        Some(held.client.clone())
    }

    /// Whether there is a document, of whatever age.
    pub(super) fn has(&self, url: &ClientIdUrl) -> bool {
        self.held.contains_key(url)
    }

    /// Whether `client` is another one than was known until now.
    pub(super) fn is_news(&self, url: &ClientIdUrl, client: &Client) -> bool {
        self.held.get(url).is_none_or(|held| Client { issued_at: client.issued_at, ..held.client.clone() } != *client)
    }

    /// Keeps a document for as long as its host says, within limits.
    pub(super) fn keep(&mut self, url: ClientIdUrl, client: Client, fresh_for: Option<Duration>, now: Timestamp) {
        if !self.has(&url) && self.held.len() >= DOCUMENTS_MAX {
            let oldest = self.held.iter().min_by_key(|(_, held)| held.used_at).map(|(url, _)| url.clone());
            oldest.map(|url| self.held.remove(&url));
        }
        self.uses += 1;
        let fresh_for = fresh_for.unwrap_or(FRESH_DEFAULT).clamp(FRESH_MIN, FRESH_MAX);
        let fresh_until = now + fresh_for;
        self.held.insert(url, Held { client, fetched_at: now, fresh_until, rests_until: now, used_at: self.uses });
    }

    /// Notes that its host is away.
    pub(super) fn rest(&mut self, url: &ClientIdUrl, now: Timestamp) {
        if let Some(held) = self.held.get_mut(url) {
            held.rests_until = now + REST;
        }
    }

    /// Forgets a document that its host has taken back.
    pub(super) fn forget(&mut self, url: &ClientIdUrl) {
        self.held.remove(url);
    }
}

/// The most documents of strangers that are fetched within a minute, and from one host: whoever
/// makes up URLs must not make this server a means to flood others.
const STRANGERS_MAX: u32 = 300;
const STRANGERS_OF_HOST_MAX: u32 = 120;
/// The most within a minute that were seen before. They do not count as strangers, who would
/// otherwise shut them out.
const ACQUAINTANCES_MAX: u32 = 1_200;

/// How often documents may be fetched, counted by the minute.
#[derive(Debug)]
pub(super) struct FetchBudget {
    since: Timestamp,
    acquaintances: u32,
    strangers: u32,
    strangers_by_host: HashMap<String, u32>,
}

impl FetchBudget {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { since: now, acquaintances: 0, strangers: 0, strangers_by_host: HashMap::new() }
    }

    /// Counts a fetch from `host`, unless it would be one too many.
    pub(super) fn take(&mut self, host: String, is_known: bool, now: Timestamp) -> bool {
        if now.since(self.since) >= MINUTE {
            *self = Self::new(now);
        }
        if is_known {
            return take_one(&mut self.acquaintances, ACQUAINTANCES_MAX);
        }
        self.strangers < STRANGERS_MAX
            && take_one(self.strangers_by_host.entry(host).or_default(), STRANGERS_OF_HOST_MAX)
            && take_one(&mut self.strangers, STRANGERS_MAX)
    }
}

fn take_one(count: &mut u32, max: u32) -> bool {
    let is_left = *count < max;
    *count += u32::from(is_left);
    is_left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::samples;

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);

    fn url(number: usize) -> ClientIdUrl {
        ClientIdUrl::parse(&format!("https://app.example.com/{number}.json"), false).unwrap()
    }

    fn shelf_with(fresh_for: Option<Duration>) -> Shelf {
        let mut shelf = Shelf::default();
        shelf.keep(url(0), samples::client("app"), fresh_for, NOW);
        shelf
    }

    #[test]
    fn a_document_is_fresh_as_long_as_its_host_says_within_limits() {
        for (fresh_for, expected) in [
            (None, FRESH_DEFAULT),
            (Some(Duration::ZERO), FRESH_MIN),
            (Some(Duration::from_secs(59)), FRESH_MIN),
            (Some(Duration::from_secs(61)), Duration::from_secs(61)),
            (Some(FRESH_MAX * 365), FRESH_MAX),
            (Some(Duration::MAX), FRESH_MAX),
        ] {
            let mut shelf = shelf_with(fresh_for);
            let just_before = expected.checked_sub(Duration::from_micros(1)).unwrap();
            assert!(shelf.fresh(&url(0), NOW + just_before).is_some(), "{fresh_for:?}");
            assert!(shelf.fresh(&url(0), NOW + expected).is_none(), "{fresh_for:?}");
        }
    }

    #[test]
    fn an_old_document_serves_as_a_fallback_for_two_days_at_most() {
        let mut shelf = shelf_with(Some(Duration::ZERO));
        assert!(shelf.fallback(&url(0), NOW + HOUR * 47).is_some());
        assert!(shelf.fallback(&url(0), NOW + HOUR * 48).is_none());
        assert!(shelf.fallback(&url(1), NOW).is_none());
    }

    #[test]
    fn a_host_that_was_away_is_left_alone_for_a_minute() {
        let mut shelf = shelf_with(None);
        assert!(shelf.resting(&url(0), NOW).is_none());
        shelf.rest(&url(0), NOW + HOUR);
        assert!(shelf.resting(&url(0), NOW + HOUR + MINUTE / 2).is_some());
        assert!(shelf.resting(&url(0), NOW + HOUR + MINUTE).is_none());
        shelf.rest(&url(0), NOW + HOUR * 48);
        assert!(shelf.resting(&url(0), NOW + HOUR * 48).is_none(), "it is too old for anything");
    }

    #[test]
    fn the_document_that_nobody_used_for_longest_makes_room() {
        let mut shelf = Shelf::default();
        for number in 0..DOCUMENTS_MAX {
            shelf.keep(url(number), samples::client("app"), None, NOW);
        }
        assert!(shelf.fresh(&url(0), NOW).is_some());
        shelf.keep(url(2), samples::client("app"), None, NOW);
        assert!(shelf.has(&url(1)), "a document that is renewed needs no more room");
        shelf.keep(url(DOCUMENTS_MAX), samples::client("app"), None, NOW);
        assert_eq!(shelf.held.len(), DOCUMENTS_MAX);
        assert!(shelf.has(&url(0)) && !shelf.has(&url(1)) && shelf.has(&url(2)));
    }

    #[test]
    fn only_what_changed_is_news() {
        let shelf = shelf_with(None);
        let same = Client { issued_at: NOW, ..samples::client("app") };
        assert!(!shelf.is_news(&url(0), &same));
        assert!(shelf.is_news(&url(0), &Client { redirect_uris: Vec::new(), ..same.clone() }));
        assert!(shelf.is_news(&url(1), &same));
    }

    #[test]
    fn strangers_are_asked_for_a_limited_number_of_times_per_minute() {
        let mut budget = FetchBudget::new(NOW);
        let asked = |budget: &mut FetchBudget, host: &str, at| {
            (0..1_000).filter(|_| budget.take(host.to_owned(), false, at)).count()
        };
        assert_eq!(asked(&mut budget, "a.example", NOW), 120);
        assert_eq!(asked(&mut budget, "b.example", NOW), 120);
        assert_eq!(asked(&mut budget, "c.example", NOW), 60);
        assert_eq!(asked(&mut budget, "d.example", NOW), 0);
        assert!(budget.strangers_by_host.len() <= 3, "hosts that were not asked are not remembered");
        assert!(budget.take("a.example".to_owned(), true, NOW), "what is known is still asked for");
        assert_eq!(asked(&mut budget, "a.example", NOW + MINUTE), 120);
    }

    #[test]
    fn what_is_known_is_not_asked_for_without_end() {
        let mut budget = FetchBudget::new(NOW);
        assert_eq!((0..2_000).filter(|_| budget.take("a.example".to_owned(), true, NOW)).count(), 1_200);
    }
}

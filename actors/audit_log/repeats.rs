//! Events that may come in floods: the first of a kind is recorded at once, and of those that
//! follow within a minute their number.

use crate::model::audit_event::{AuditCaller, AuditEvent};
use crate::model::timestamp::Timestamp;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How long what follows a first event is only counted.
const SPAN: Duration = Duration::from_secs(60);
/// The most kinds that are told apart; beyond it, errors of one name count together.
const KINDS_MAX: usize = 64;

/// Counts a kind of event where it happens, so that one more in a flood costs an addition, and no
/// message. A place that may be flooded keeps one for each kind.
#[derive(Debug, Default)]
pub struct Flood {
    /// Whether the log has the first one, and will ask for the number of the others.
    is_known: AtomicBool,
    uncounted: AtomicU64,
}

impl Flood {
    /// Counts one more, unless it is a first one, which has to be told.
    pub(super) fn is_only_counted(&self) -> bool {
        let is_counted = self.is_known.swap(true, Ordering::AcqRel);
        if is_counted {
            self.uncounted.fetch_add(1, Ordering::Relaxed);
        }
        is_counted
    }

    /// Has the next one told again.
    pub(super) fn forget(&self) {
        self.is_known.store(false, Ordering::Release);
    }
}

/// What makes two events of one kind.
type Kind = (String, Option<String>);

/// What followed the first event of a kind.
#[derive(Debug)]
struct Followers {
    since: Timestamp,
    count: u64,
    like: AuditEvent,
    /// Where more of them are counted.
    flood: Option<Arc<Flood>>,
}

impl Followers {
    /// Adds what was counted elsewhere.
    fn collect(&mut self) {
        self.count += self.flood.as_ref().map_or(0, |flood| flood.uncounted.swap(0, Ordering::AcqRel));
    }
}

/// The kinds that came lately.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    kinds: HashMap<Kind, Followers>,
}

impl Repeats {
    /// Gives `event` back when it is to be recorded, and counts it otherwise. The others of its kind
    /// are counted at `flood`, if there is one.
    pub(super) fn admit(&mut self, event: AuditEvent, flood: Option<Arc<Flood>>, now: Timestamp) -> Option<AuditEvent> {
        let mut kind = (event.operation_name.clone(), event.error.clone());
        if self.kinds.len() >= KINDS_MAX && !self.kinds.contains_key(&kind) {
            kind.1 = None;
        }
        if let Some(followers) = self.kinds.get_mut(&kind) {
            followers.count += 1;
            match (&followers.flood, flood) {
                (None, Some(flood)) => followers.flood = Some(flood),
                // Two places of one kind: the second goes on telling.
                (Some(known), Some(other)) if !Arc::ptr_eq(known, &other) => other.forget(),
                _ => {}
            }
            return None;
        }
        let like = AuditEvent { caller: AuditCaller::of_server(), input: None, error: kind.1.clone(), ..event.clone() };
        self.kinds.insert(kind, Followers { since: now, count: 0, like, flood });
        Some(event)
    }

    /// The counts whose minute is over, as events. Kinds that nothing followed are forgotten.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<AuditEvent> {
        self.take(now, |since| now.since(since) >= SPAN)
    }

    /// All counts, because there will be no other occasion.
    pub(super) fn all(&mut self, now: Timestamp) -> Vec<AuditEvent> {
        self.take(now, |_| true)
    }

    fn take(&mut self, now: Timestamp, is_over: impl Fn(Timestamp) -> bool) -> Vec<AuditEvent> {
        let mut counted = Vec::new();
        self.kinds.retain(|_, followers| {
            if !is_over(followers.since) {
                return true;
            }
            followers.collect();
            if followers.count == 0 {
                // One that comes just now is told or waits for the next count.
                followers.flood.iter().for_each(|flood| flood.forget());
                return false;
            }
            let details = json!({"repeated": followers.count, "since": followers.since.to_rfc3339()});
            counted.push(followers.like.clone().with_details(details));
            (followers.since, followers.count) = (now, 0);
            true
        });
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::audit_event::OperationStatus;

    fn event(error: &str) -> AuditEvent {
        AuditEvent::auth("auth.x", OperationStatus::Error, AuditCaller::default()).with_error(error)
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn the_first_of_a_kind_is_recorded_and_the_rest_of_its_minute_counted() {
        let mut repeats = Repeats::default();
        assert!(repeats.admit(event("a"), None, at(0)).is_some());
        assert!(repeats.admit(event("b"), None, at(0)).is_some(), "another kind");
        for second in 1..=40 {
            assert_eq!(repeats.admit(event("a"), None, at(second)), None);
        }
        assert!(repeats.due(at(59)).is_empty());
        let counted = repeats.due(at(60));
        assert_eq!(counted.len(), 1);
        assert_eq!(counted[0].input.as_ref().unwrap()["repeated"], 40);
        assert_eq!(counted[0].error.as_deref(), Some("a"));
        assert_eq!(repeats.admit(event("a"), None, at(61)), None, "a flood that goes on is only counted");
        assert_eq!(repeats.due(at(120)).len(), 1);
        assert!(repeats.due(at(180)).is_empty());
        assert!(repeats.admit(event("a"), None, at(181)).is_some(), "after a quiet minute it is a first again");
    }

    #[test]
    fn kinds_that_callers_make_up_do_not_fill_the_memory() {
        let mut repeats = Repeats::default();
        for number in 0..10_000 {
            repeats.admit(event(&number.to_string()), None, at(0));
        }
        assert_eq!(repeats.kinds.len(), KINDS_MAX + 1);
        let counted = repeats.all(at(1));
        assert_eq!(counted.len(), 1);
        assert_eq!(counted[0].input.as_ref().unwrap()["repeated"], 10_000 - 64 - 1);
    }

    #[test]
    fn what_is_counted_where_it_happens_is_in_the_number() {
        let (mut repeats, flood) = (Repeats::default(), Arc::new(Flood::default()));
        assert!(!flood.is_only_counted(), "the first one is told");
        assert!(repeats.admit(event("a"), Some(Arc::clone(&flood)), at(0)).is_some());
        assert!((0..500).all(|_| flood.is_only_counted()));
        assert_eq!(repeats.due(at(60))[0].input.as_ref().unwrap()["repeated"], 500);
        assert!(flood.is_only_counted(), "a flood that goes on");
        assert_eq!(repeats.due(at(120))[0].input.as_ref().unwrap()["repeated"], 1);
        assert!(repeats.due(at(180)).is_empty());
        assert!(!flood.is_only_counted(), "after a quiet minute it is told again");
    }

    #[test]
    fn a_second_place_of_one_kind_is_counted_as_well() {
        let mut repeats = Repeats::default();
        let [one, other] = [(); 2].map(|()| Arc::new(Flood::default()));
        for flood in [&one, &other, &other] {
            assert!(!flood.is_only_counted());
            repeats.admit(event("a"), Some(Arc::clone(flood)), at(0));
        }
        assert_eq!(repeats.all(at(1))[0].input.as_ref().unwrap()["repeated"], 2);
    }
}

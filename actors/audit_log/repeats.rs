//! Events that may come in floods: the first of a kind is recorded at once, and of those that
//! follow within a minute their number.

use crate::model::audit_event::{AuditCaller, AuditEvent};
use crate::model::timestamp::Timestamp;
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;

/// How long what follows a first event is only counted.
const SPAN: Duration = Duration::from_secs(60);
/// The most kinds that are told apart; beyond it, errors of one name count together.
const KINDS_MAX: usize = 64;

/// What makes two events of one kind.
type Kind = (String, Option<String>);

/// What followed the first event of a kind.
#[derive(Debug)]
struct Followers {
    since: Timestamp,
    count: u64,
    like: AuditEvent,
}

/// The kinds that came lately.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    kinds: HashMap<Kind, Followers>,
}

impl Repeats {
    /// Gives `event` back when it is to be recorded, and counts it otherwise.
    pub(super) fn admit(&mut self, event: AuditEvent, now: Timestamp) -> Option<AuditEvent> {
        let mut kind = (event.operation_name.clone(), event.error.clone());
        if self.kinds.len() >= KINDS_MAX && !self.kinds.contains_key(&kind) {
            kind.1 = None;
        }
        if let Some(followers) = self.kinds.get_mut(&kind) {
            followers.count += 1;
            return None;
        }
        let like = AuditEvent { caller: AuditCaller::of_server(), input: None, error: kind.1.clone(), ..event.clone() };
        self.kinds.insert(kind, Followers { since: now, count: 0, like });
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
            if followers.count == 0 {
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
        assert!(repeats.admit(event("a"), at(0)).is_some());
        assert!(repeats.admit(event("b"), at(0)).is_some(), "another kind");
        for second in 1..=40 {
            assert_eq!(repeats.admit(event("a"), at(second)), None);
        }
        assert!(repeats.due(at(59)).is_empty());
        let counted = repeats.due(at(60));
        assert_eq!(counted.len(), 1);
        assert_eq!(counted[0].input.as_ref().unwrap()["repeated"], 40);
        assert_eq!(counted[0].error.as_deref(), Some("a"));
        assert_eq!(repeats.admit(event("a"), at(61)), None, "a flood that goes on is only counted");
        assert_eq!(repeats.due(at(120)).len(), 1);
        assert!(repeats.due(at(180)).is_empty());
        assert!(repeats.admit(event("a"), at(181)).is_some(), "after a quiet minute it is a first again");
    }

    #[test]
    fn kinds_that_callers_make_up_do_not_fill_the_memory() {
        let mut repeats = Repeats::default();
        for number in 0..10_000 {
            repeats.admit(event(&number.to_string()), at(0));
        }
        assert_eq!(repeats.kinds.len(), KINDS_MAX + 1);
        let counted = repeats.all(at(1));
        assert_eq!(counted.len(), 1);
        assert_eq!(counted[0].input.as_ref().unwrap()["repeated"], 10_000 - 64 - 1);
    }
}

//! Callers whose scopes were not enough, recorded so that a flood of them costs next to nothing.
//!
//! Shared by all workers without a mailbox, as the view of live tokens is: a refused call must not
//! cost more than one that is let in.

use crate::audit_log::AuditLogHandle;
use crate::model::audit_event::{AuditCaller, AuditEvent, OperationStatus};
use crate::model::ids::{ClientId, SessionId, UserId};
use crate::model::principal::Principal;
use crate::model::scope::ScopeSet;
use crate::model::timestamp::Timestamp;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long the same caller at the same place is only counted.
const WINDOW: Duration = Duration::from_mins(1);

/// The most callers and places that are told apart at a time.
const KNOWN_MAX: usize = 10_000;

const ERROR: &str = "the access token lacks a scope that this needs";

/// A call that was refused because the token allows too little.
#[derive(Clone, Debug)]
pub struct ScopeRefusal {
    /// Who called.
    pub principal: Arc<Principal>,
    /// What they called; `None` when the token is not enough for anything.
    pub operation: Option<String>,
    /// Everything that it needs.
    pub needed: ScopeSet,
    /// The id of the request.
    pub trace_id: Option<String>,
    /// The address that it came from.
    pub peer: Option<String>,
}

/// Who was refused where.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    user: Option<UserId>,
    client: Option<ClientId>,
    session: Option<SessionId>,
    operation: Option<String>,
}

/// What happened there since it was last recorded.
#[derive(Debug)]
struct Counted {
    since: Timestamp,
    /// The last refusal that was only counted.
    last: Option<ScopeRefusal>,
    count: u64,
}

/// The refusals of the last minute.
#[derive(Debug, Default)]
pub(super) struct ScopeRefusals {
    places: DashMap<Place, Counted>,
    /// Refusals at places for which there was no room.
    elsewhere: AtomicU64,
}

impl ScopeRefusals {
    /// Takes note; the event to record when it is the first one there.
    pub(super) fn note(&self, refusal: ScopeRefusal, now: Timestamp) -> Option<AuditEvent> {
        let place = Place::of(&refusal);
        // Asked before the entry is taken, whose shard stays locked.
        let is_full = self.places.len() >= KNOWN_MAX;
        match self.places.entry(place) {
            Entry::Occupied(mut entry) => {
                let counted = entry.get_mut();
                counted.count += 1;
                counted.last = Some(refusal);
                None
            }
            Entry::Vacant(_) if is_full => {
                self.elsewhere.fetch_add(1, Ordering::Relaxed);
                None
            }
            Entry::Vacant(entry) => {
                let event = refusal.event(None);
                entry.insert(Counted { since: now, last: None, count: 0 });
                Some(event)
            }
        }
    }

    /// What was only counted and is due at `now`; all of it without a time.
    fn take_due(&self, now: Option<Timestamp>) -> Vec<AuditEvent> {
        let mut due = Vec::new();
        self.places.retain(|_, counted| {
            let is_due = now.is_none_or(|now| now.since(counted.since) >= WINDOW);
            if is_due {
                due.extend(counted.last.take().map(|last| last.event(Some(counted.count))));
            }
            !is_due
        });
        let elsewhere = self.elsewhere.swap(0, Ordering::Relaxed);
        if elsewhere > 0 {
            let caller = AuditCaller { caller_type: "http".to_owned(), ..AuditCaller::default() };
            let details = json!({"repeated": elsewhere, "callers": "many"});
            due.push(refused(caller).with_details(details));
        }
        due
    }

    /// Records what is due.
    pub(super) async fn flush(&self, audit_log: &AuditLogHandle, now: Option<Timestamp>) {
        for event in self.take_due(now) {
            if let Err(error) = audit_log.record(event).await {
                tracing::error!(%error, "calls with too few scopes were not recorded");
            }
        }
    }
}

impl Place {
    fn of(refusal: &ScopeRefusal) -> Self {
        let principal = &refusal.principal;
        Self {
            user: principal.user.as_ref().map(|user| user.id.clone()),
            client: principal.client_id.clone(),
            session: principal.session_id.clone(),
            operation: refusal.operation.clone(),
        }
    }
}

impl ScopeRefusal {
    /// The event, for the first of its kind or for that many more.
    fn event(&self, repeated: Option<u64>) -> AuditEvent {
        let principal = &self.principal;
        let caller = AuditCaller {
            caller_type: "http".to_owned(),
            user_id: principal.user.as_ref().map(|user| user.id.to_string()),
            client_id: principal.client_id.clone(),
            session_id: principal.session_id.clone(),
            trace_id: self.trace_id.clone(),
            request_id: None,
        };
        let mut details = json!({"needed": self.needed.to_string(), "held": principal.scopes.to_string()});
        if let Some(fields) = details.as_object_mut() {
            fields.extend(self.operation.as_ref().map(|name| ("operation".to_owned(), json!(name))));
            fields.extend(self.peer.as_ref().map(|peer| ("peer".to_owned(), json!(peer))));
            fields.extend(repeated.map(|count| ("repeated".to_owned(), json!(count))));
        }
        refused(caller).with_details(details)
    }
}

fn refused(caller: AuditCaller) -> AuditEvent {
    AuditEvent::auth("auth.scope_refused", OperationStatus::Error, caller).with_error(ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::samples;

    fn refusal(session: &str, operation: &str) -> ScopeRefusal {
        ScopeRefusal {
            principal: Arc::new(samples::principal("ada", &SessionId::new(session))),
            operation: Some(operation.to_owned()),
            needed: samples::scopes("read reports"),
            trace_id: None,
            peer: None,
        }
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn the_first_refusal_is_told_and_the_rest_of_the_minute_is_one_number() {
        let refusals = ScopeRefusals::default();
        let first = refusals.note(refusal("s", "report"), at(0)).unwrap();
        let details = json!({"needed": "read reports", "held": "mxcp:access", "operation": "report"});
        assert_eq!((first.operation_name.as_str(), first.input.as_ref()), ("auth.scope_refused", Some(&details)));
        assert_eq!(first.caller.session_id, Some(SessionId::new("s")));
        for _ in 0..1_000 {
            assert_eq!(refusals.note(refusal("s", "report"), at(1)), None);
        }
        assert!(refusals.take_due(Some(at(59))).is_empty());
        let due = refusals.take_due(Some(at(60)));
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].input.as_ref().unwrap()["repeated"], 1_000);
        assert!(refusals.note(refusal("s", "report"), at(61)).is_some());
    }

    #[test]
    fn another_session_or_another_place_is_told_by_itself() {
        let refusals = ScopeRefusals::default();
        for (session, operation) in [("s", "report"), ("s", "other"), ("t", "report")] {
            assert!(refusals.note(refusal(session, operation), at(0)).is_some(), "{session} {operation}");
        }
        assert!(refusals.take_due(None).is_empty());
    }

    #[test]
    fn what_there_is_no_room_for_is_counted_all_the_same() {
        let refusals = ScopeRefusals::default();
        for number in 0..=KNOWN_MAX {
            let is_told = refusals.note(refusal(&format!("s{number}"), "report"), at(0)).is_some();
            assert_eq!(is_told, number < KNOWN_MAX);
        }
        let due = refusals.take_due(Some(at(1)));
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].input.as_ref().unwrap()["repeated"], 1);
    }
}

//! How many streams may stay open at a time.
//!
//! A stream costs a connection for as long as it lasts, and nobody but its client ends it. Without
//! a bound one sign-in could take every connection that the system gives the process.

use dashmap::DashMap;
use mxcp_actors::model::ids::{SessionId, UserId};
use mxcp_actors::model::principal::Principal;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many streams may stay open at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// In the name of one sign-in, through however many connections and tokens; where people sign in
    /// elsewhere, in the name of one person.
    pub per_session: usize,
    /// In all. Half of what systems usually let a process open, so that calls find the other
    /// half.
    pub total: usize,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self { per_session: 16, total: 512 }
    }
}

/// Why a stream is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TooManyStreams {
    #[error("this sign-in holds {0} open streams, as many as it may; close one of them first")]
    OfSession(usize),
    #[error("as many streams are open as this server keeps; try again later")]
    InAll,
}

/// Who holds places: a sign-in here, or a person whom another server has signed in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holder {
    Session(SessionId),
    Person(UserId),
}

impl Holder {
    /// The holder of what is taken for `principal`; nobody for who calls without a name.
    fn of(principal: &Principal) -> Option<Self> {
        let session = principal.session_id.clone().map(Self::Session);
        session.or_else(|| principal.user.as_ref().map(|user| Self::Person(user.id.clone())))
    }
}

/// The places for open streams, shared by all workers.
#[derive(Debug)]
pub(super) struct StreamSlots {
    limits: StreamLimits,
    free: Arc<Semaphore>,
    of_holders: DashMap<Holder, usize>,
}

impl StreamSlots {
    pub(super) fn new(limits: StreamLimits) -> Arc<Self> {
        Arc::new(Self { limits, free: Arc::new(Semaphore::new(limits.total)), of_holders: DashMap::new() })
    }

    /// Takes a place for a stream of `principal`. Who calls without a name counts in all only.
    ///
    /// # Errors
    /// When there is none left.
    pub(super) fn take(self: &Arc<Self>, principal: &Principal) -> Result<StreamSlot, TooManyStreams> {
        let place = Arc::clone(&self.free).try_acquire_owned().map_err(|_| TooManyStreams::InAll)?;
        let holder = Holder::of(principal);
        if let Some(holder) = &holder {
            let mut count = self.of_holders.entry(holder.clone()).or_default();
            if *count >= self.limits.per_session {
                return Err(TooManyStreams::OfSession(self.limits.per_session));
            }
            *count += 1;
        }
        Ok(StreamSlot { slots: Arc::clone(self), holder, _place: place })
    }
}

/// A place that is taken; dropping it frees it.
#[derive(Debug)]
pub(super) struct StreamSlot {
    slots: Arc<StreamSlots>,
    holder: Option<Holder>,
    _place: OwnedSemaphorePermit,
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        let Some(holder) = &self.holder else { return };
        self.slots.of_holders.remove_if_mut(holder, |_, count| {
            *count = count.saturating_sub(1);
            *count == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_who_have_signed_in_elsewhere_are_counted_too() {
        let person = |subject: &str| {
            let principal = Principal::anonymous();
            let user = mxcp_actors::model::principal::User {
                id: UserId::of("corp", subject),
                provider: "corp".to_owned(),
                subject: subject.to_owned(),
                username: subject.to_owned(),
                email: None,
                email_verified: false,
                name: None,
                role: None,
                permissions: Vec::new(),
                groups: Vec::new(),
                capabilities: Vec::new(),
                claims: serde_json::Value::Null,
            };
            Principal { user: Some(Arc::new(user)), ..principal }
        };
        let slots = StreamSlots::new(StreamLimits { per_session: 1, total: 3 });
        let first = slots.take(&person("a")).unwrap();
        assert_eq!(slots.take(&person("a")).unwrap_err(), TooManyStreams::OfSession(1));
        let other = slots.take(&person("b")).unwrap();
        drop((first, other));
        assert!(slots.of_holders.is_empty(), "{slots:?}");
    }

    fn of(session: &str) -> Principal {
        Principal { session_id: Some(SessionId::new(session)), ..Principal::anonymous() }
    }

    #[test]
    fn a_place_is_free_again_when_its_stream_is_gone() {
        let slots = StreamSlots::new(StreamLimits { per_session: 2, total: 3 });
        let first = slots.take(&of("a")).unwrap();
        let second = slots.take(&of("a")).unwrap();
        assert_eq!(slots.take(&of("a")).unwrap_err(), TooManyStreams::OfSession(2));
        let other = slots.take(&of("b")).unwrap();
        assert_eq!(slots.take(&of("c")).unwrap_err(), TooManyStreams::InAll);
        drop(first);
        let again = slots.take(&of("a")).unwrap();
        drop((again, second, other));
        assert!(slots.of_holders.is_empty(), "{slots:?}");
        assert_eq!(slots.free.available_permits(), 3);
    }

    #[test]
    fn a_refusal_takes_no_place() {
        let slots = StreamSlots::new(StreamLimits { per_session: 0, total: 1 });
        for _ in 0..3 {
            assert_eq!(slots.take(&of("a")).unwrap_err(), TooManyStreams::OfSession(0));
        }
        let _nameless = slots.take(&Principal::anonymous()).unwrap();
        assert_eq!(slots.take(&Principal::anonymous()).unwrap_err(), TooManyStreams::InAll);
    }
}

//! Adding to a store what was taken over, whatever keeps it.

use mxcp_actors::model::client::Client;
use mxcp_actors::model::ids::SessionId;
use mxcp_actors::model::session::Session;
use mxcp_actors::model::token::{AccessTokenRecord, RefreshTokenRecord};
use mxcp_actors::ports::StoreError;
use mxcp_actors::ports::session_store::TokenChange;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

/// What is to be added.
#[derive(Debug)]
pub(in crate::adapters::persistence) struct Adoption {
    /// Clients.
    pub(in crate::adapters::persistence) clients: Vec<Client>,
    /// Sessions.
    pub(in crate::adapters::persistence) sessions: Vec<AdoptedSession>,
}

/// A session to be added, with its tokens.
#[derive(Debug)]
pub(in crate::adapters::persistence) struct AdoptedSession {
    /// The session.
    pub(in crate::adapters::persistence) session: Session,
    /// Its access token; it may be over.
    pub(in crate::adapters::persistence) access: AccessTokenRecord,
    /// Its refresh token.
    pub(in crate::adapters::persistence) refresh: Option<RefreshTokenRecord>,
}

/// What a store has added.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::adapters::persistence) struct Adopted {
    /// Sessions that were added.
    pub(in crate::adapters::persistence) sessions: usize,
    /// Sessions that had been added before.
    pub(in crate::adapters::persistence) sessions_before: usize,
    /// Clients that were added.
    pub(in crate::adapters::persistence) clients: usize,
    /// Clients that were there.
    pub(in crate::adapters::persistence) clients_before: usize,
}

/// A store in the middle of a transaction.
pub(in crate::adapters::persistence) trait AdoptionTarget {
    /// Adds a client, unless one of that identifier is there; tells whether it did. It counts as
    /// used: nobody knows whether it was, and dropping it would make people who use it sign in
    /// again.
    fn add_client(&mut self, client: &Client) -> Result<bool, StoreError>;

    /// Adds a session.
    fn add_session(&mut self, session: Session) -> Result<(), StoreError>;

    /// Gives a session tokens.
    fn add_tokens(&mut self, id: &SessionId, tokens: &TokenChange) -> Result<bool, StoreError>;

    /// A mark of the store.
    fn mark(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Sets one.
    fn set_mark(&mut self, name: &str, value: &[u8]) -> Result<(), StoreError>;
}

impl Adoption {
    /// Adds to `target` what is not there and never was.
    pub(in crate::adapters::persistence) fn add_to(
        self,
        target: &mut dyn AdoptionTarget,
    ) -> Result<Adopted, StoreError> {
        let mut adopted = Adopted::default();
        for client in &self.clients {
            let is_new = target.add_client(client)?;
            adopted.clients += usize::from(is_new);
            adopted.clients_before += usize::from(!is_new);
        }
        let mut known = Known::from_bytes(&target.mark(Known::MARK)?.unwrap_or_default());
        for AdoptedSession { session, access, refresh } in self.sessions {
            // Also one that has ended since must not come back.
            if !known.add(&session.id) {
                adopted.sessions_before += 1;
                continue;
            }
            let (id, idle_expires_at) = (session.id.clone(), session.idle_expires_at);
            target.add_session(session)?;
            let tokens = TokenChange { rotated: None, access, refresh, idle_expires_at, claimed_by: None };
            target.add_tokens(&id, &tokens)?;
            adopted.sessions += 1;
        }
        target.set_mark(Known::MARK, &known.to_bytes())?;
        Ok(adopted)
    }
}

/// Which sessions were ever added, so that none is added again: a short hash of each, one after
/// the other, in one mark of the store.
#[derive(Debug)]
struct Known(BTreeSet<[u8; Self::LEN]>);

impl Known {
    /// The name of the mark.
    const MARK: &'static str = "sessions_taken_over";
    /// Enough that no two sessions look alike.
    const LEN: usize = 16;

    fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.as_chunks().0.iter().copied().collect())
    }

    fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flatten().copied().collect()
    }

    /// Adds a session; false when it was there.
    fn add(&mut self, id: &SessionId) -> bool {
        let hash = Sha256::digest(id.as_str().as_bytes());
        hash.first_chunk().is_some_and(|mark| self.0.insert(*mark))
    }
}

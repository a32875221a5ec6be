//! Parts for tests: clocks that tests move, randomness that repeats, fake neighbours that record
//! what they are asked, stores that fail on demand, and one suite per store port.
#![expect(clippy::unwrap_used, reason = "a test kit fails loudly")]
#![expect(clippy::missing_panics_doc, reason = "what a test kit finds wrong it says by panicking")]
#![expect(
    clippy::disallowed_types,
    reason = "fakes are shared by actors and tests, and a lock is held for some operations on a map only"
)]

pub mod conditions;
pub mod conformance;
pub mod fake_client_metadata;
pub mod fake_idp;
pub mod fake_key_source;
pub mod fake_passwords;
pub mod fake_signatures;
pub mod fake_sql;
pub mod memory_audit;
#[cfg(test)]
pub(crate) mod rig;
pub mod samples;
pub mod seeded_entropy;
pub mod tokio_clock;
pub mod unsteady;

use crate::model::session::Session;
use crate::model::timestamp::Timestamp;
use crate::model::token::AccessTokenRecord;
use crate::ports::StoreError;
use crate::ports::session_store::{Loaded, SessionStore, SessionVisitor};
use std::sync::Arc;

/// A session with its access tokens.
#[derive(Clone, Debug)]
pub struct StoredSession {
    /// The session.
    pub session: Session,
    /// Its access tokens.
    pub access_tokens: Vec<AccessTokenRecord>,
}

/// Every session that `store` shows, all at once.
///
/// # Errors
/// Those of the store.
///
/// # Panics
/// When a token is shown before a session.
pub async fn load_sessions(store: &dyn SessionStore, now: Timestamp) -> Result<Vec<StoredSession>, StoreError> {
    let (shown, mut seen) = tokio::sync::mpsc::unbounded_channel();
    // The receiver lives until all were shown.
    let visit: SessionVisitor = Arc::new(move |loaded| drop(shown.send(loaded)));
    store.load_sessions(now, visit).await?;
    let (mut sessions, mut tokens) = (Vec::<StoredSession>::new(), Vec::new());
    while let Ok(loaded) = seen.try_recv() {
        match loaded {
            Loaded::Session(session) => {
                assert!(tokens.is_empty(), "sessions are shown first");
                sessions.push(StoredSession { session: *session, access_tokens: Vec::new() });
            }
            Loaded::AccessToken(token) => tokens.push(token),
        }
    }
    for stored in &mut sessions {
        stored.access_tokens = tokens.extract_if(.., |token| token.session_id == stored.session.id).collect();
    }
    Ok(sessions)
}

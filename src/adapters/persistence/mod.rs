//! What survives a restart: sessions, tokens, codes, logins under way, consents, registered
//! clients and which of their assertions were used, in files that only their owner may read.
//!
//! Our tokens, codes and client secrets are kept as hashes only, which the ports see to. What
//! names people or holds a provider's tokens is sealed (`seal`). A change is answered when it
//! would survive a loss of power; changes that queue up meanwhile share the next fsync
//! (`lane`). Owns files, encoding and keys; must not judge what is in a record.

mod error;
mod files;
mod keys;
mod lane;
mod records;
mod rotation;
mod seal;
#[cfg_attr(not(feature = "sled-store"), path = "sled_missing.rs")]
mod sled;
mod sqlite;
mod takeover;
#[cfg(test)]
mod tests;
mod vault;

pub use error::PersistenceError;
pub use keys::{KeySource, is_key, key_file_of};
pub use rotation::{KeyRotation, rotate_key};
pub use takeover::{LeftOut, NewHome, PeopleOf, Takeover, TakeoverError, read_old_keys, take_over};

use mxcp_actors::ports::assertion_store::AssertionStore;
use mxcp_actors::ports::client_store::ClientStore;
use mxcp_actors::ports::clock::Clock;
use mxcp_actors::ports::entropy::Entropy;
use mxcp_actors::ports::grant_store::GrantStore;
use mxcp_actors::ports::session_store::SessionStore;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What keeps the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// One SQLite file.
    Sqlite,
    /// A folder of sled's.
    Sled,
}

impl StoreKind {
    /// Whether this build has it.
    #[must_use]
    pub const fn is_built(self) -> bool {
        match self {
            Self::Sqlite => true,
            Self::Sled => sled::IS_BUILT,
        }
    }
}

/// Where and how state is kept.
#[derive(Clone, Debug)]
pub struct PersistenceSettings {
    /// By what.
    pub kind: StoreKind,
    /// Where.
    pub path: PathBuf,
    /// The keys that protect it.
    pub keys: KeySource,
}

impl PersistenceSettings {
    /// The file that holds the keys; `None` when they are configured.
    #[must_use]
    pub fn key_file(&self) -> Option<&Path> {
        match &self.keys {
            KeySource::File(path) => Some(path),
            KeySource::Given(_) => None,
        }
    }
}

/// What stores need of the machine.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for keys and nonces.
    pub entropy: Arc<dyn Entropy>,
}

/// The stores; they may be one thing.
#[derive(Clone, Debug)]
pub struct Stores {
    /// Registered clients.
    pub clients: Arc<dyn ClientStore>,
    /// Which assertions of clients were used.
    pub assertions: Arc<dyn AssertionStore>,
    /// Logins, codes and consents.
    pub grants: Arc<dyn GrantStore>,
    /// Sessions and tokens.
    pub sessions: Arc<dyn SessionStore>,
}

impl Stores {
    /// Opens what `settings` name, and creates it when it is not there.
    ///
    /// # Errors
    /// Why it cannot be used, with what to do about it.
    pub fn open(settings: &PersistenceSettings, surroundings: &Surroundings) -> Result<Self, PersistenceError> {
        match settings.kind {
            StoreKind::Sqlite => sqlite::open(&settings.path, &settings.keys, surroundings).map(Self::of),
            StoreKind::Sled => sled::open(settings, surroundings),
        }
    }

    /// One thing that is all of them.
    fn of<S: AssertionStore + ClientStore + GrantStore + SessionStore + 'static>(store: S) -> Self {
        let store = Arc::new(store);
        Self { clients: store.clone(), assertions: store.clone(), grants: store.clone(), sessions: store }
    }
}

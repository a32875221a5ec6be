//! Taking over what the Python product kept in its `oauth.db`: people who are signed in stay so,
//! and clients stay registered.
//!
//! Both products look tokens up by their SHA-256, so tokens go on working without anybody
//! knowing them. What was decided where the two differ:
//!
//! * *Whose session it is.* The Python product did not note which client it gave tokens to. If
//!   only one client can be meant, the session is that client's. Otherwise it is bound to the
//!   client that refreshes first (`SessionKind::Unclaimed`): one that was there before the
//!   session, proves itself, and could have been granted as much. Should a second client come with
//!   the same token, one of them has stolen it, and the session ends.
//! * *What it allows*: this server alone, and what a client gets that asks for nothing. The old
//!   tokens carried no scopes.
//! * *Until when*: as long as it would have lived there, and never longer than one that begins
//!   here: an access token from now, a refresh token and the session from its last use. Sessions
//!   that the Python product would not have gone on with are not moved.
//! * *Who it is*: the person as the provider described them then, from the provider that is
//!   configured now; sessions of other providers are not moved.
//! * *Clients* keep identifier and secret, of which the hash is kept. Those of the configuration
//!   belong there and are not moved; redirect URIs that cannot be registered here are dropped.
//!
//! The old file is only read. It is moved aside when it is where the new one is to be, and put
//! back when anything fails. All is moved in one transaction, and what was moved once is noted,
//! so that a second run neither doubles a session nor brings back one that has ended since.

mod adoption;
mod aside;
mod clients;
mod error;
mod fernet;
mod old;
mod sessions;
#[cfg(test)]
mod tests;

pub(super) use adoption::{Adopted, AdoptedSession, Adoption, AdoptionTarget};
pub use error::TakeoverError;
pub use sessions::PeopleOf;

use super::files::{self, StoreLock};
use super::keys::{self, KeySource};
use super::{PersistenceError, PersistenceSettings, StoreKind, Surroundings, sled, sqlite};
use aside::Aside;
use fernet::FernetKeys;
use mxcp_actors::model::client::Client;
use mxcp_actors::model::ids::ClientId;
use mxcp_actors::model::resource::Resource;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::settings::Lifetimes;
use old::OldDatabase;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the server is to which sessions and clients are moved.
#[derive(Clone, Debug)]
pub struct NewHome {
    /// The providers at which people sign in.
    pub people: Vec<PeopleOf>,
    /// The audience of tokens.
    pub resource: Resource,
    /// What a client gets that asks for nothing.
    pub default_scopes: ScopeSet,
    /// Every scope that there is.
    pub scope_catalogue: ScopeSet,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// Clients of the configuration.
    pub configured_clients: Vec<Client>,
}

/// What was moved, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Takeover {
    /// Sessions that were moved.
    pub sessions: usize,
    /// Sessions that an earlier run had moved.
    pub sessions_before: usize,
    /// How many sessions were left out, by the reason.
    pub sessions_left_out: BTreeMap<String, usize>,
    /// Clients that were moved.
    pub clients: usize,
    /// Clients that were there already.
    pub clients_before: usize,
    /// Clients that were left out.
    pub clients_left_out: Vec<LeftOut>,
    /// Redirect URIs of clients that were moved without them.
    pub redirect_uris_left_out: Vec<LeftOut>,
    /// Where the old database is now, if it was moved aside.
    pub set_aside: Option<PathBuf>,
}

/// Something of a client that was not moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The client.
    pub client_id: String,
    /// What it calls itself.
    pub client_name: String,
    /// Why.
    pub reason: String,
}

/// Moves what `old` holds into the store of `settings`. `old_keys` are those that it may have
/// been written with.
///
/// # Errors
/// Why nothing was moved; then everything is where it was.
pub fn take_over(
    old: &Path,
    old_keys: &[Secret],
    settings: &PersistenceSettings,
    home: &NewHome,
    surroundings: &Surroundings,
) -> Result<Takeover, TakeoverError> {
    files::prepare_folder_of(&settings.path)?;
    let lock = StoreLock::take(&settings.path)?;
    let given = match &settings.keys {
        KeySource::Given(keys) => keys.as_slice(),
        KeySource::File(_) => &[],
    };
    let fernet = FernetKeys::new(old_keys.iter().chain(given));
    let contents = OldDatabase::open(old)?.read(&fernet)?;
    let now = surroundings.clock.now();
    let moved = clients::convert(contents.clients, home, now);
    let (sessions, sessions_left_out) = sessions::convert(contents.sessions, home, &moved.clients, now);
    let adoption = Adoption { clients: moved.clients, sessions };
    let adopt = || adopt(settings, surroundings, lock, adoption);
    let (adopted, set_aside) = if is_same(old, &settings.path) {
        let aside = Aside::take(&settings.path, &settings.keys)?;
        match adopt() {
            Ok(adopted) => (adopted, Some(aside.keep())),
            Err(error) => return Err(aside.put_back(error.into())),
        }
    } else {
        (adopt()?, None)
    };
    Ok(Takeover {
        sessions: adopted.sessions,
        sessions_before: adopted.sessions_before,
        sessions_left_out,
        clients: adopted.clients,
        clients_before: adopted.clients_before,
        clients_left_out: moved.left_out,
        redirect_uris_left_out: moved.redirect_uris_left_out,
        set_aside,
    })
}

/// Reads the key that the Python product used from a file.
///
/// # Errors
/// When there is none in it.
pub fn read_old_keys(path: &Path) -> Result<Vec<Secret>, TakeoverError> {
    let keys = keys::read_file(path)?;
    if keys.is_empty() || !keys.iter().all(|key| keys::is_key(key.expose())) {
        return Err(TakeoverError::NotAKey(path.to_owned()));
    }
    Ok(keys)
}

fn adopt(
    settings: &PersistenceSettings,
    surroundings: &Surroundings,
    lock: StoreLock,
    adoption: Adoption,
) -> Result<Adopted, PersistenceError> {
    match settings.kind {
        StoreKind::Sqlite => sqlite::adopt(settings, surroundings, lock, adoption),
        StoreKind::Sled => sled::adopt(settings, surroundings, lock, adoption),
    }
}

/// Whether two paths are of one file.
fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// A client's name and identifier, for a report.
fn left_out(id: &ClientId, name: &str, reason: impl Into<String>) -> LeftOut {
    LeftOut { client_id: id.as_str().to_owned(), client_name: name.to_owned(), reason: reason.into() }
}

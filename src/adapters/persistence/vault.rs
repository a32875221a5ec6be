//! Whether the keys fit a store, and which keys it needs.
//!
//! A store notes the identifier of every key that it was ever sealed with, and keeps the key of
//! its user index sealed. Losing a key shows when the daemon starts, not when somebody's session
//! cannot be read.

use super::error::PersistenceError;
use super::keys::{KEY_ID_LEN, KeyId};
use super::seal::{INDEX_KEY_LEN, Place, Sealer, UserIndex, key_id};
use mxcp_actors::ports::entropy::Entropy;
use std::path::Path;

/// Identifiers of the keys that records may be sealed with, one after the other.
const KEYS_IN_USE: &str = "keys_in_use";
/// The sealed key of the user index.
const USER_INDEX_KEY: &str = "user_index_key";

const PLACE: Place<'static> = Place { table: "meta", row: USER_INDEX_KEY.as_bytes() };

/// A few named values that a store keeps beside its records.
pub(super) trait Marks {
    /// The value of that name.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, String>;

    /// Sets it, so that it survives a loss of power.
    fn set(&self, name: &str, value: &[u8]) -> Result<(), String>;
}

impl<M: Marks + ?Sized> Marks for &M {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        M::get(self, name)
    }

    fn set(&self, name: &str, value: &[u8]) -> Result<(), String> {
        M::set(self, name, value)
    }
}

/// Checks that `sealer` has every key that the store needs, notes its first key, and gives the
/// user index.
pub(super) fn unlock(
    marks: &dyn Marks,
    sealer: &Sealer,
    store: &Path,
    entropy: &dyn Entropy,
) -> Result<UserIndex, PersistenceError> {
    let failed = |detail: String| PersistenceError::database(store)(detail);
    let mut in_use = keys_in_use(&marks.get(KEYS_IN_USE).map_err(failed)?.unwrap_or_default());
    let given: Vec<KeyId> = sealer.key_ids().collect();
    let missing: Vec<KeyId> = in_use.iter().filter(|id| !given.contains(id)).copied().collect();
    if !missing.is_empty() {
        return Err(PersistenceError::WrongKeys {
            store: store.to_owned(),
            wanted: list(&missing),
            given: list(&given),
        });
    }
    // Noted before anything is sealed with it.
    if let Some(first) = given.first().filter(|id| !in_use.contains(id)) {
        in_use.push(*first);
        marks.set(KEYS_IN_USE, &bytes_of(&in_use)).map_err(failed)?;
    }
    user_index(marks, sealer, store, entropy)
}

/// Notes that everything is sealed with the first key of `sealer` alone.
pub(super) fn forget_other_keys(marks: &dyn Marks, sealer: &Sealer) -> Result<(), String> {
    marks.set(KEYS_IN_USE, &bytes_of(&sealer.key_ids().take(1).collect::<Vec<_>>()))
}

fn user_index(
    marks: &dyn Marks,
    sealer: &Sealer,
    store: &Path,
    entropy: &dyn Entropy,
) -> Result<UserIndex, PersistenceError> {
    let failed = |detail: String| PersistenceError::database(store)(detail);
    let (key, is_current) = if let Some(kept) = marks.get(USER_INDEX_KEY).map_err(failed)? {
        let is_current = key_id(&kept) == sealer.key_ids().next();
        let damaged = |detail: String| PersistenceError::Damaged { path: store.to_owned(), detail };
        let key = sealer.open_bytes(PLACE, kept).map_err(|error| damaged(format!("{USER_INDEX_KEY}: {error}")))?;
        let key = key.as_slice().try_into().map_err(|_| damaged(format!("{USER_INDEX_KEY} has another length")))?;
        (key, is_current)
    } else {
        let mut key = [0; INDEX_KEY_LEN];
        entropy.fill(&mut key);
        (key, false)
    };
    if !is_current {
        let record = sealer.seal_bytes(PLACE, &key).map_err(|error| failed(error.detail))?;
        marks.set(USER_INDEX_KEY, &record).map_err(failed)?;
    }
    Ok(UserIndex::new(key))
}

fn keys_in_use(bytes: &[u8]) -> Vec<KeyId> {
    bytes.as_chunks::<KEY_ID_LEN>().0.iter().copied().map(KeyId).collect()
}

fn bytes_of(keys: &[KeyId]) -> Vec<u8> {
    keys.iter().flat_map(|key| key.0).collect()
}

fn list(keys: &[KeyId]) -> String {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

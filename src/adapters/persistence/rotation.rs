//! Changing the key that protects a store: every record is opened with the key that sealed it
//! and sealed with the new one.
//!
//! A kill at any moment leaves a store that opens: the new key is in the key file, beside the
//! old one, before anything is sealed with it, and the old one leaves the file only after the
//! store has noted on the disk that it is not needed any more. Running the command again goes
//! on where it stopped, because records that are under the new key already are passed over.

use super::error::PersistenceError;
use super::keys::{self, KeyId, KeySource};
use super::seal::Sealer;
use super::vault::{self, Marks};
use super::{PersistenceSettings, StoreKind, Surroundings, sled, sqlite};
use mxcp_actors::model::secret::Secret;
use std::path::PathBuf;
use std::sync::Arc;

/// A store that nobody else uses and whose records can be sealed anew in steps.
pub(super) trait Resealable {
    /// The named values that it keeps beside its records.
    fn marks(&self) -> Box<dyn Marks + '_>;

    /// Seals some records with the first key of `sealer`, in one transaction; tells how many
    /// were not sealed with it before. `None` when every record was looked at.
    fn step(&mut self, sealer: &Sealer) -> Result<Option<u64>, PersistenceError>;

    /// Takes to the disk what is left, after the last step.
    fn finish(&mut self) -> Result<(), PersistenceError>;
}

/// What changing the key did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRotation {
    /// How many records were sealed anew.
    pub records: u64,
    /// The identifier of the key that everything is sealed with now.
    pub key: String,
    /// Identifiers of the keys that are not needed any more.
    pub retired: Vec<String>,
    /// The key file, which has been changed accordingly; `None` when the keys stand in the
    /// configuration, where somebody has to remove what is not needed.
    pub key_file: Option<PathBuf>,
    /// Whether this finished what had been interrupted, instead of making another key.
    pub is_resumed: bool,
}

/// Seals everything in the store with a new key: one that is made, when the keys are in a key
/// file, and otherwise the first one of the configuration.
///
/// # Errors
/// When the store is in use, or is not there, or its keys are not all given; then it stays as it
/// was. When a record cannot be read or written; then what was done stays done, and the store
/// opens with the keys as they stand.
pub fn rotate_key(
    settings: &PersistenceSettings,
    surroundings: &Surroundings,
) -> Result<KeyRotation, PersistenceError> {
    let mut rotation = Rotation::begin(settings, surroundings)?;
    while rotation.step()? {}
    rotation.finish()
}

/// A rotation under way.
pub(super) struct Rotation {
    store: Box<dyn Resealable>,
    sealer: Sealer,
    path: PathBuf,
    key_file: Option<PathBuf>,
    records: u64,
    is_resumed: bool,
}

impl Rotation {
    /// Opens the store with the keys that it has, and sees to it that the new key is where the
    /// next start finds it.
    pub(super) fn begin(settings: &PersistenceSettings, surroundings: &Surroundings) -> Result<Self, PersistenceError> {
        let (path, entropy) = (&settings.path, &surroundings.entropy);
        if !path.exists() {
            return Err(PersistenceError::NothingKept(path.clone()));
        }
        let store: Box<dyn Resealable> = match settings.kind {
            StoreKind::Sqlite => Box::new(sqlite::open_for_resealing(path, surroundings)?),
            StoreKind::Sled => sled::open_for_resealing(path)?,
        };
        let load = || {
            let keys = keys::load(&settings.keys, path, false, entropy.as_ref())?;
            let sealer = Sealer::new(keys, Arc::clone(entropy));
            vault::unlock(store.marks().as_ref(), &sealer, path, entropy.as_ref())?;
            Ok::<_, PersistenceError>(sealer)
        };
        // With the keys as they are first: a new one is not added to a file that lacks another.
        let mut sealer = load()?;
        let (mut key_file, mut is_resumed) = (None, false);
        if let KeySource::File(file) = &settings.keys {
            // Two keys are what an interrupted rotation leaves behind.
            is_resumed = sealer.key_ids().count() > 1;
            if !is_resumed {
                let known = keys::read_file(file)?;
                let all: Vec<Secret> = std::iter::once(keys::generate(entropy.as_ref())).chain(known).collect();
                keys::write_file(file, &all)?;
                sealer = load()?;
            }
            key_file = Some(file.clone());
        }
        Ok(Self { store, sealer, path: path.clone(), key_file, records: 0, is_resumed })
    }

    /// One transaction; false when there is nothing left to do.
    pub(super) fn step(&mut self) -> Result<bool, PersistenceError> {
        let resealed = self.store.step(&self.sealer)?;
        self.records += resealed.unwrap_or_default();
        Ok(resealed.is_some())
    }

    /// Retires the other keys; called when nothing is left to do.
    pub(super) fn finish(mut self) -> Result<KeyRotation, PersistenceError> {
        self.store.finish()?;
        vault::forget_other_keys(self.store.marks().as_ref(), &self.sealer)
            .map_err(PersistenceError::database(&self.path))?;
        if let Some(file) = &self.key_file {
            let first: Vec<Secret> = keys::read_file(file)?.into_iter().take(1).collect();
            keys::write_file(file, &first)?;
        }
        let mut ids = self.sealer.key_ids();
        let key = ids.next().as_ref().map(KeyId::to_string).unwrap_or_default();
        Ok(KeyRotation {
            records: self.records,
            key,
            retired: ids.map(|id| id.to_string()).collect(),
            key_file: self.key_file,
            is_resumed: self.is_resumed,
        })
    }
}

#[cfg(test)]
mod tests;

//! What stands in for the sled store in a build without the feature `sled-store`.

use super::error::PersistenceError;
use super::files::StoreLock;
use super::rotation::Resealable;
use super::takeover::{Adopted, Adoption};
use super::{PersistenceSettings, Stores, Surroundings};
use std::path::Path;

/// Whether this build has the database.
pub(super) const IS_BUILT: bool = false;

/// Opens nothing.
///
/// # Errors
/// Always: the build lacks it.
pub(super) fn open(_: &PersistenceSettings, _: &Surroundings) -> Result<Stores, PersistenceError> {
    Err(PersistenceError::NotBuilt)
}

/// Opens nothing.
///
/// # Errors
/// Always: the build lacks it.
pub(super) fn open_for_resealing(_: &Path) -> Result<Box<dyn Resealable>, PersistenceError> {
    Err(PersistenceError::NotBuilt)
}

/// Takes nothing over.
///
/// # Errors
/// Always: the build lacks it.
pub(super) fn adopt(
    _: &PersistenceSettings,
    _: &Surroundings,
    _: StoreLock,
    _: Adoption,
) -> Result<Adopted, PersistenceError> {
    Err(PersistenceError::NotBuilt)
}

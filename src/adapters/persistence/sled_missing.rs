//! What stands in for the sled store in a build without the feature `sled-store`.

use super::error::PersistenceError;
use super::{PersistenceSettings, Stores, Surroundings};

/// Whether this build has the database.
pub(super) const IS_BUILT: bool = false;

/// Opens nothing.
///
/// # Errors
/// Always: the build lacks it.
pub(super) fn open(_: &PersistenceSettings, _: &Surroundings) -> Result<Stores, PersistenceError> {
    Err(PersistenceError::NotBuilt)
}

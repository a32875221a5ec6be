//! The stores in one sled database: everything that changes goes through one lane in groups, and
//! reading has a lane of its own, which does not wait for the disk.

mod adopt;
mod assertions;
mod clients;
mod disk;
mod engine;
mod grants;
mod layout;
mod open;
mod reseal;
mod sessions;
#[cfg(test)]
mod tests;
mod tokens;
mod view;

use super::error::PersistenceError;
use super::files::StoreLock;
use super::lane::Lane;
use super::seal::{Sealer, UserIndex};
use super::{PersistenceSettings, Stores, Surroundings};
use engine::{Reader, Writer};
use mxcp_actors::ports::{StoreError, StoreResult};
use std::sync::Arc;
use view::View;

pub(super) use adopt::adopt;
pub(super) use reseal::open_for_resealing;

/// Whether this build has the database.
pub(super) const IS_BUILT: bool = true;

/// Opens what `settings` name, and creates it when it is not there.
///
/// # Errors
/// Why it cannot be used, with what to do.
pub(super) fn open(settings: &PersistenceSettings, surroundings: &Surroundings) -> Result<Stores, PersistenceError> {
    open::open(&settings.path, &settings.keys, surroundings).map(Stores::of)
}

/// Clients, grants and sessions in a folder of sled's.
#[derive(Debug)]
struct SledStore {
    writes: Lane<Writer>,
    reads: Lane<Reader>,
    sealer: Arc<Sealer>,
    users: UserIndex,
    // Released last.
    _lock: StoreLock,
}

impl SledStore {
    fn write<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut Writer) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreResult<'static, T> {
        self.writes.run(step)
    }

    fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&View<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreResult<'static, T> {
        self.reads.run(move |reader| reader.look(look))
    }
}

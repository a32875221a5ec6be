//! Taking sessions and clients over from another product's database, all of them or none.

use super::engine::Writer;
use super::layout::Space;
use super::open::{Unlocked, unlock};
use super::{clients, sessions};
use crate::adapters::persistence::error::PersistenceError;
use crate::adapters::persistence::files::StoreLock;
use crate::adapters::persistence::lane::Engine as _;
use crate::adapters::persistence::records::NewSession;
use crate::adapters::persistence::seal::{Sealer, UserIndex};
use crate::adapters::persistence::takeover::{Adopted, Adoption, AdoptionTarget};
use crate::adapters::persistence::{PersistenceSettings, Surroundings};
use mxcp_actors::model::client::Client;
use mxcp_actors::model::ids::SessionId;
use mxcp_actors::model::session::Session;
use mxcp_actors::ports::StoreError;
use mxcp_actors::ports::session_store::TokenChange;

/// Adds to the store of `settings` in one batch; nobody else uses it while `_lock` lives.
///
/// # Errors
/// Why nothing was added.
pub(in crate::adapters::persistence) fn adopt(
    settings: &PersistenceSettings,
    surroundings: &Surroundings,
    _lock: StoreLock,
    adoption: Adoption,
) -> Result<Adopted, PersistenceError> {
    let Unlocked { marks, sealer, users } = unlock(&settings.path, &settings.keys, surroundings)?;
    let mut writer = marks.0.into_inner();
    let mut target = Target { writer: &mut writer, sealer: &sealer, users: &users };
    let adopted = adoption.add_to(&mut target).map_err(PersistenceError::database(&settings.path))?;
    writer.commit().map_err(PersistenceError::database(&settings.path))?;
    Ok(adopted)
}

/// The tree, with changes that are not committed.
struct Target<'a> {
    writer: &'a mut Writer,
    sealer: &'a Sealer,
    users: &'a UserIndex,
}

impl AdoptionTarget for Target<'_> {
    fn add_client(&mut self, client: &Client) -> Result<bool, StoreError> {
        clients::insert_used(self.writer, client)
    }

    fn add_session(&mut self, session: Session) -> Result<(), StoreError> {
        sessions::insert(self.writer, NewSession::seal(session, self.sealer, self.users)?)
    }

    fn add_tokens(&mut self, id: &SessionId, tokens: &TokenChange) -> Result<bool, StoreError> {
        sessions::change_tokens(self.writer, id, tokens)
    }

    fn mark(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.writer.get(&Space::Marks.key(&[name.as_bytes()]))?.map(|value| value.to_vec()))
    }

    fn set_mark(&mut self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        self.writer.put(Space::Marks.key(&[name.as_bytes()]), value);
        Ok(())
    }
}

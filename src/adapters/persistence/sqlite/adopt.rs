//! Taking sessions and clients over from another product's database, all of them or none.

use super::open::{OpenTables, open_tables};
use super::{execute, schema, sessions, store_error, to_json};
use crate::adapters::persistence::error::PersistenceError;
use crate::adapters::persistence::files::StoreLock;
use crate::adapters::persistence::records::NewSession;
use crate::adapters::persistence::seal::{Sealer, UserIndex};
use crate::adapters::persistence::takeover::{Adopted, Adoption, AdoptionTarget};
use crate::adapters::persistence::{PersistenceSettings, Surroundings};
use mxcp_actors::model::client::Client;
use mxcp_actors::model::ids::SessionId;
use mxcp_actors::model::session::Session;
use mxcp_actors::ports::StoreError;
use mxcp_actors::ports::session_store::TokenChange;
use rusqlite::{Connection, TransactionBehavior};

/// Adds to the store of `settings` in one transaction; nobody else uses it while `_lock` lives.
///
/// # Errors
/// Why nothing was added.
pub(in crate::adapters::persistence) fn adopt(
    settings: &PersistenceSettings,
    surroundings: &Surroundings,
    _lock: StoreLock,
    adoption: Adoption,
) -> Result<Adopted, PersistenceError> {
    let OpenTables { mut database, sealer, users } = open_tables(settings, surroundings)?;
    let failed = |error: rusqlite::Error| schema::explain(&settings.path, &error);
    let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let mut target = Target { database: &transaction, sealer: &sealer, users: &users };
    let adopted = adoption.add_to(&mut target).map_err(PersistenceError::database(&settings.path))?;
    transaction.commit().map_err(failed)?;
    Ok(adopted)
}

/// The tables, in a transaction.
struct Target<'a> {
    database: &'a Connection,
    sealer: &'a Sealer,
    users: &'a UserIndex,
}

impl AdoptionTarget for Target<'_> {
    fn add_client(&mut self, client: &Client) -> Result<bool, StoreError> {
        let sql = "INSERT OR IGNORE INTO clients (id, issued_at, is_used, registration) VALUES (?1, ?2, 1, ?3)";
        let add = || {
            let registration = to_json(client)?;
            execute(self.database, sql, (client.id.as_str(), client.issued_at.as_micros(), registration))
        };
        add().map(|added| added == 1).map_err(|error| store_error(&error))
    }

    fn add_session(&mut self, session: Session) -> Result<(), StoreError> {
        let new = NewSession::seal(session, self.sealer, self.users)?;
        sessions::insert(self.database, new).map_err(|error| store_error(&error))
    }

    fn add_tokens(&mut self, id: &SessionId, tokens: &TokenChange) -> Result<bool, StoreError> {
        sessions::change_tokens(self.database, id, tokens).map_err(|error| store_error(&error))
    }

    fn mark(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        schema::meta(self.database, name).map_err(|error| store_error(&error))
    }

    fn set_mark(&mut self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        schema::set_meta(self.database, name, value).map_err(|error| store_error(&error))
    }
}

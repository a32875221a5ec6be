//! Registered clients.

use super::locked;
use crate::model::client::Client;
use crate::model::ids::ClientId;
use crate::model::timestamp::Timestamp;
use crate::ports::StoreResult;
use crate::ports::client_store::ClientStore;
use std::collections::HashMap;
use std::sync::Mutex;

#[derive(Debug)]
struct Row {
    client: Client,
    is_used: bool,
}

/// Keeps registered clients in memory.
#[derive(Debug, Default)]
pub struct MemoryClients {
    rows: Mutex<HashMap<ClientId, Row>>,
}

impl ClientStore for MemoryClients {
    fn insert_client(&self, client: Client) -> StoreResult<'_, ()> {
        locked(&self.rows, |rows| {
            rows.insert(client.id.clone(), Row { client, is_used: false });
        })
    }

    fn find_client(&self, id: ClientId) -> StoreResult<'_, Option<Client>> {
        locked(&self.rows, |rows| rows.get(&id).map(|row| row.client.clone()))
    }

    fn count_clients(&self) -> StoreResult<'_, u64> {
        locked(&self.rows, |rows| u64::try_from(rows.len()).unwrap_or(u64::MAX))
    }

    fn remove_unused_clients(&self, before: Timestamp, limit: usize) -> StoreResult<'_, Vec<ClientId>> {
        locked(&self.rows, |rows| {
            let is_unused = |row: &Row| !row.is_used && row.client.issued_at < before;
            let unused: Vec<ClientId> =
                rows.iter().filter(|(_, row)| is_unused(row)).take(limit).map(|(id, _)| id.clone()).collect();
            unused.iter().for_each(|id| {
                rows.remove(id);
            });
            unused
        })
    }

    fn mark_client_used(&self, id: ClientId) -> StoreResult<'_, ()> {
        locked(&self.rows, |rows| {
            if let Some(row) = rows.get_mut(&id) {
                row.is_used = true;
            }
        })
    }
}

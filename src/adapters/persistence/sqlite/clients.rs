//! Registered clients.

use super::{SqliteStore, execute, json_of, limit, query, query_first, to_json};
use mxcp_actors::model::client::Client;
use mxcp_actors::model::ids::ClientId;
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::ports::StoreResult;
use mxcp_actors::ports::client_store::ClientStore;

impl ClientStore for SqliteStore {
    fn insert_client(&self, client: Client) -> StoreResult<'_, ()> {
        self.write(move |database| {
            let sql = "INSERT OR REPLACE INTO clients (id, issued_at, registration) VALUES (?1, ?2, ?3)";
            let registration = to_json(&client)?;
            execute(database, sql, (client.id.as_str(), client.issued_at.as_micros(), registration)).map(drop)
        })
    }

    fn find_client(&self, id: ClientId) -> StoreResult<'_, Option<Client>> {
        self.read(move |database| {
            query_first(database, "SELECT registration FROM clients WHERE id = ?1", [id.as_str()], |row| {
                json_of(row, 0)
            })
        })
    }

    fn count_clients(&self) -> StoreResult<'_, u64> {
        self.read(|database| {
            let count = query_first(database, "SELECT count(*) FROM clients", (), |row| row.get::<_, i64>(0))?;
            Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
        })
    }

    fn remove_unused_clients(&self, before: Timestamp, rows: usize) -> StoreResult<'_, Vec<ClientId>> {
        self.write(move |database| {
            let sql = "DELETE FROM clients WHERE id IN (
                           SELECT id FROM clients WHERE is_used = 0 AND issued_at < ?1 LIMIT ?2
                       ) RETURNING id";
            query(database, sql, (before.as_micros(), limit(rows)), |row| row.get::<_, String>(0).map(ClientId::new))
        })
    }

    fn mark_client_used(&self, id: ClientId) -> StoreResult<'_, ()> {
        self.write(move |database| {
            let sql = "UPDATE clients SET is_used = 1 WHERE id = ?1 AND is_used = 0";
            execute(database, sql, [id.as_str()]).map(drop)
        })
    }
}

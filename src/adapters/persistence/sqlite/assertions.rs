//! Assertions that clients have used.

use super::{SqliteStore, execute, limit, query_first};
use mxcp_actors::model::client_assertion::UsedAssertion;
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::ports::StoreResult;
use mxcp_actors::ports::assertion_store::{AssertionStore, AssertionUse};
use rusqlite::Connection;

/// Adds an assertion, unless its namesake is there and not over.
const USE: &str = "
    INSERT INTO used_assertions (client_id, id_hash, expires_at) VALUES (?1, ?2, ?3)
    ON CONFLICT DO UPDATE SET expires_at = excluded.expires_at WHERE expires_at <= ?4";

fn use_assertion(
    database: &Connection,
    used: &UsedAssertion,
    now: Timestamp,
    client_max: usize,
) -> rusqlite::Result<AssertionUse> {
    let (client, hash, now) = (used.client_id.as_str(), used.id_hash.as_bytes(), now.as_micros());
    let is_known = "SELECT 1 FROM used_assertions WHERE client_id = ?1 AND id_hash = ?2 AND expires_at > ?3";
    if query_first(database, is_known, (client, hash, now), |_| Ok(()))?.is_some() {
        return Ok(AssertionUse::Repeated);
    }
    let count = "SELECT count(*) FROM used_assertions WHERE client_id = ?1 AND expires_at > ?2";
    let count = query_first(database, count, (client, now), |row| row.get::<_, i64>(0))?;
    if count.unwrap_or_default() >= limit(client_max) {
        return Ok(AssertionUse::Full);
    }
    let rows = execute(database, USE, (client, hash, used.expires_at.as_micros(), now))?;
    Ok(if rows == 1 { AssertionUse::First } else { AssertionUse::Repeated })
}

impl AssertionStore for SqliteStore {
    fn use_assertion(&self, used: UsedAssertion, now: Timestamp, client_max: usize) -> StoreResult<'_, AssertionUse> {
        self.write(move |database| use_assertion(database, &used, now, client_max))
    }

    fn sweep_assertions(&self, now: Timestamp, rows: usize) -> StoreResult<'_, usize> {
        self.write(move |database| {
            let sql = "DELETE FROM used_assertions WHERE (client_id, id_hash) IN (
                           SELECT client_id, id_hash FROM used_assertions WHERE expires_at <= ?1 LIMIT ?2)";
            execute(database, sql, (now.as_micros(), limit(rows)))
        })
    }
}

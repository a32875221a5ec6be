//! Sessions and the hashes of their tokens.

use super::{SqliteStore, execute, hash_of, json_of, limit, query, query_first, to_json};
use crate::adapters::persistence::records::{NewSession, SealedUpstream, SessionRow, on_all_cores};
use mxcp_actors::model::ids::{ClientId, SessionId, UserId};
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::secret::TokenHash;
use mxcp_actors::model::session::Session;
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::model::token::{AccessTokenRecord, RefreshTokenRecord, UpstreamTokens};
use mxcp_actors::ports::session_store::{Loaded, SessionStore, SessionVisitor, SweptTokens, TokenChange};
use mxcp_actors::ports::{StoreError, StoreResult};
use rusqlite::{Connection, Row};
use std::ops::Range;
use std::sync::Arc;

/// What [`session_row`] reads.
macro_rules! session_columns {
    () => {
        "id, client_id, idle_expires_at, sealed_session, sealed_upstream_tokens"
    };
}

fn session_row(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    Ok(SessionRow {
        id: row.get(0)?,
        client_id: row.get(1)?,
        idle_expires_at: Timestamp::from_micros(row.get(2)?),
        sealed_session: row.get(3)?,
        sealed_upstream_tokens: row.get(4)?,
    })
}

fn access_token(row: &Row<'_>) -> rusqlite::Result<AccessTokenRecord> {
    Ok(AccessTokenRecord {
        hash: hash_of(row, 0)?,
        session_id: SessionId::new(row.get::<_, String>(1)?),
        scopes: json_of::<ScopeSet>(row, 2)?,
        expires_at: Timestamp::from_micros(row.get(3)?),
    })
}

impl SqliteStore {
    /// The session that `sql` finds.
    fn find_one<K: rusqlite::ToSql + Send + 'static>(
        &self,
        sql: &'static str,
        key: K,
    ) -> StoreResult<'_, Option<Session>> {
        Box::pin(async move {
            let row = self.read(move |database| query_first(database, sql, [key], session_row));
            row.await?.map(|row| row.open(&self.sealer)).transpose()
        })
    }
}

impl SessionStore for SqliteStore {
    fn load_sessions(&self, now: Timestamp, visit: SessionVisitor) -> StoreResult<'_, ()> {
        let sealer = Arc::clone(&self.sealer);
        self.reads.run(move |engine| {
            let database = engine.database();
            let show = |row: SessionRow| row.open(&sealer).map(|session| visit(Loaded::Session(Box::new(session))));
            on_all_cores(show, |give| each(database, LIVE_SESSIONS, now, session_row, give))?;
            let show = |row: TokenRow| row.open().map(|token| visit(Loaded::AccessToken(token)));
            on_all_cores(show, |give| each(database, LIVE_TOKENS, now, TokenRow::read, give))
        })
    }

    fn insert_session(&self, session: Session) -> StoreResult<'_, ()> {
        Box::pin(async move {
            let new = NewSession::seal(session, &self.sealer, &self.users)?;
            self.write(move |database| insert(database, new)).await
        })
    }

    fn find_session(&self, id: SessionId) -> StoreResult<'_, Option<Session>> {
        let sql = concat!("SELECT ", session_columns!(), " FROM sessions WHERE id = ?1");
        self.find_one(sql, id.as_str().to_owned())
    }

    fn list_user_sessions(&self, user: UserId) -> StoreResult<'_, Vec<Session>> {
        Box::pin(async move {
            let user_hash = self.users.hash(&user);
            let sql = concat!("SELECT ", session_columns!(), " FROM sessions WHERE user_hash = ?1");
            let rows = self.read(move |database| query(database, sql, [user_hash], session_row));
            rows.await?.into_iter().map(|row| row.open(&self.sealer)).collect()
        })
    }

    fn find_browser_session(&self, cookie: TokenHash) -> StoreResult<'_, Option<Session>> {
        let sql = concat!("SELECT ", session_columns!(), " FROM sessions WHERE cookie_hash = ?1");
        self.find_one(sql, *cookie.as_bytes())
    }

    fn remove_session(&self, id: SessionId) -> StoreResult<'_, Option<Session>> {
        Box::pin(async move {
            let removed = self.write(move |database| {
                let sql = concat!("DELETE FROM sessions WHERE id = ?1 RETURNING ", session_columns!());
                let row = query_first(database, sql, [id.as_str()], session_row)?;
                execute(database, "DELETE FROM access_tokens WHERE session_id = ?1", [id.as_str()])?;
                execute(database, "DELETE FROM refresh_tokens WHERE session_id = ?1", [id.as_str()])?;
                Ok(row)
            });
            removed.await?.map(|row| row.open(&self.sealer)).transpose()
        })
    }

    fn change_tokens(&self, session: SessionId, change: TokenChange) -> StoreResult<'_, bool> {
        self.write(move |database| change_tokens(database, &session, &change))
    }

    fn find_refresh_token(&self, hash: TokenHash) -> StoreResult<'_, Option<RefreshTokenRecord>> {
        self.read(move |database| {
            let sql = "SELECT session_id, expires_at, rotation FROM refresh_tokens WHERE token_hash = ?1";
            query_first(database, sql, [hash.as_bytes()], |row| {
                let is_rotated = row.get_ref(2)? != rusqlite::types::ValueRef::Null;
                Ok(RefreshTokenRecord {
                    hash,
                    session_id: SessionId::new(row.get::<_, String>(0)?),
                    expires_at: Timestamp::from_micros(row.get(1)?),
                    rotation: is_rotated.then(|| json_of(row, 2)).transpose()?,
                })
            })
        })
    }

    fn find_access_token(&self, hash: TokenHash) -> StoreResult<'_, Option<AccessTokenRecord>> {
        self.read(move |database| {
            let sql = "SELECT token_hash, session_id, scopes, expires_at FROM access_tokens WHERE token_hash = ?1";
            query_first(database, sql, [hash.as_bytes()], access_token)
        })
    }

    fn remove_access_token(&self, hash: TokenHash) -> StoreResult<'_, bool> {
        self.write(move |database| {
            Ok(execute(database, "DELETE FROM access_tokens WHERE token_hash = ?1", [hash.as_bytes()])? == 1)
        })
    }

    fn put_upstream_tokens(&self, id: SessionId, tokens: UpstreamTokens) -> StoreResult<'_, bool> {
        Box::pin(async move {
            let upstream = SealedUpstream::seal(&id, &tokens, &self.sealer)?;
            self.write(move |database| {
                let sql = "UPDATE sessions SET sealed_upstream_tokens = ?2, refresh_due_at = ?3 WHERE id = ?1";
                let due = upstream.refresh_due_at.map(Timestamp::as_micros);
                Ok(execute(database, sql, (id.as_str(), upstream.sealed, due))? == 1)
            })
            .await
        })
    }

    fn list_refresh_due(&self, due: Range<Timestamp>, rows: usize) -> StoreResult<'_, Vec<SessionId>> {
        self.read(move |database| {
            let sql = "SELECT id FROM sessions WHERE refresh_due_at >= ?1 AND refresh_due_at < ?2
                       ORDER BY refresh_due_at LIMIT ?3";
            let parameters = (due.start.as_micros(), due.end.as_micros(), limit(rows));
            query(database, sql, parameters, |row| row.get::<_, String>(0).map(SessionId::new))
        })
    }

    fn sweep_sessions(&self, now: Timestamp, rows: usize) -> StoreResult<'_, SweptTokens> {
        self.write(move |database| {
            let (now, rows) = (now.as_micros(), limit(rows));
            let access = "DELETE FROM access_tokens WHERE token_hash IN (
                              SELECT token_hash FROM access_tokens WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2
                          ) RETURNING token_hash";
            let access_tokens = query(database, access, (now, rows), |row| hash_of(row, 0))?;
            let refresh = "DELETE FROM refresh_tokens WHERE token_hash IN (
                               SELECT token_hash FROM refresh_tokens WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";
            execute(database, refresh, (now, rows))?;
            let over = "SELECT id FROM sessions WHERE min(idle_expires_at, expires_at) <= ?1 LIMIT ?2";
            let expired_sessions =
                query(database, over, (now, rows), |row| row.get::<_, String>(0).map(SessionId::new))?;
            Ok(SweptTokens { access_tokens, expired_sessions })
        })
    }
}

pub(super) fn insert(database: &Connection, new: NewSession) -> rusqlite::Result<()> {
    let sql = "INSERT INTO sessions (id, user_hash, client_id, cookie_hash, idle_expires_at, expires_at,
                   refresh_due_at, sealed_session, sealed_upstream_tokens)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let (id, client) = (new.id.as_str(), new.client_id.as_ref().map(ClientId::as_str));
    let cookie = new.cookie_hash.as_ref().map(TokenHash::as_bytes);
    let (idle, end) = (new.idle_expires_at.as_micros(), new.expires_at.as_micros());
    let due = new.upstream.as_ref().and_then(|upstream| upstream.refresh_due_at).map(Timestamp::as_micros);
    let upstream = new.upstream.map(|upstream| upstream.sealed);
    let row = (id, new.user_hash, client, cookie, idle, end, due, new.sealed_session, upstream);
    execute(database, sql, row).map(drop)
}

/// Everything is looked at before anything is changed, so that false means: nothing was changed.
pub(super) fn change_tokens(
    database: &Connection,
    session: &SessionId,
    change: &TokenChange,
) -> rusqlite::Result<bool> {
    let id = session.as_str();
    let is_there = "SELECT 1 FROM sessions WHERE id = ?1";
    if query_first(database, is_there, [id], |_| Ok(()))?.is_none() {
        return Ok(false);
    }
    if let Some((used, rotation)) = &change.rotated {
        let rotate = "UPDATE refresh_tokens SET rotation = ?2 WHERE token_hash = ?1 AND rotation IS NULL";
        if execute(database, rotate, (used.as_bytes(), to_json(rotation)?))? == 0 {
            return Ok(false);
        }
    }
    let prolong = "UPDATE sessions SET idle_expires_at = ?2, client_id = coalesce(client_id, ?3) WHERE id = ?1";
    let claimed_by = change.claimed_by.as_ref().map(ClientId::as_str);
    execute(database, prolong, (id, change.idle_expires_at.as_micros(), claimed_by))?;
    let access = &change.access;
    let add = "INSERT INTO access_tokens (token_hash, session_id, scopes, expires_at) VALUES (?1, ?2, ?3, ?4)";
    let scopes = to_json(&access.scopes)?;
    let of_session = access.session_id.as_str();
    execute(database, add, (access.hash.as_bytes(), of_session, scopes, access.expires_at.as_micros()))?;
    if let Some(refresh) = &change.refresh {
        let add = "INSERT INTO refresh_tokens (token_hash, session_id, expires_at) VALUES (?1, ?2, ?3)";
        let row = (refresh.hash.as_bytes(), refresh.session_id.as_str(), refresh.expires_at.as_micros());
        execute(database, add, row)?;
    }
    Ok(true)
}

// Nearly all rows are live. The signs keep SQLite from going through an index to each of them
// alone, instead of reading a table from one end to the other.
const LIVE_SESSIONS: &str =
    concat!("SELECT ", session_columns!(), " FROM sessions WHERE +min(idle_expires_at, expires_at) > ?1");
const LIVE_TOKENS: &str = "SELECT token_hash, session_id, scopes, expires_at FROM access_tokens WHERE +expires_at > ?1";

/// An access token as it is kept.
struct TokenRow {
    hash: TokenHash,
    session_id: String,
    scopes: String,
    expires_at: i64,
}

impl TokenRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { hash: hash_of(row, 0)?, session_id: row.get(1)?, scopes: row.get(2)?, expires_at: row.get(3)? })
    }

    fn open(self) -> Result<AccessTokenRecord, StoreError> {
        let damaged = |error| StoreError { detail: format!("a record of access_tokens: {error}") };
        Ok(AccessTokenRecord {
            hash: self.hash,
            session_id: SessionId::new(self.session_id),
            scopes: serde_json::from_str(&self.scopes).map_err(damaged)?,
            expires_at: Timestamp::from_micros(self.expires_at),
        })
    }
}

/// Gives each row of a query about what is live at `now`.
fn each<R>(
    database: &Connection,
    sql: &str,
    now: Timestamp,
    read: fn(&Row<'_>) -> rusqlite::Result<R>,
    give: &mut dyn FnMut(R),
) -> Result<(), StoreError> {
    let mut rows = || -> rusqlite::Result<()> {
        let mut statement = database.prepare_cached(sql)?;
        let mut rows = statement.query([now.as_micros()])?;
        while let Some(row) = rows.next()? {
            give(read(row)?);
        }
        Ok(())
    };
    rows().map_err(|error| super::store_error(&error))
}

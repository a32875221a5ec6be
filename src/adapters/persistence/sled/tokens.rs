//! The hashes of our tokens, which access and refresh tokens keep alike: a record, and what finds
//! it by its session and by its end.

use super::engine::Writer;
use super::layout::{Parts, Space, framed, from_json, sortable, to_json};
use mxcp_actors::model::ids::SessionId;
use mxcp_actors::model::secret::TokenHash;
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::model::token::{AccessTokenRecord, RefreshTokenRecord};
use mxcp_actors::ports::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A record of a token.
pub(super) trait Token: Serialize + DeserializeOwned {
    /// Where the records are.
    const RECORDS: Space;
    /// Where they are found by their session.
    const BY_SESSION: Space;
    /// Where they are found by their end.
    const BY_EXPIRY: Space;

    /// Its hash, its session and its end.
    fn names(&self) -> (TokenHash, &SessionId, Timestamp);
}

impl Token for AccessTokenRecord {
    const RECORDS: Space = Space::AccessTokens;
    const BY_SESSION: Space = Space::AccessTokensBySession;
    const BY_EXPIRY: Space = Space::AccessTokensByExpiry;

    fn names(&self) -> (TokenHash, &SessionId, Timestamp) {
        (self.hash, &self.session_id, self.expires_at)
    }
}

impl Token for RefreshTokenRecord {
    const RECORDS: Space = Space::RefreshTokens;
    const BY_SESSION: Space = Space::RefreshTokensBySession;
    const BY_EXPIRY: Space = Space::RefreshTokensByExpiry;

    fn names(&self) -> (TokenHash, &SessionId, Timestamp) {
        (self.hash, &self.session_id, self.expires_at)
    }
}

/// The key of a token's record.
pub(super) fn key<T: Token>(hash: &TokenHash) -> Vec<u8> {
    T::RECORDS.key(&[hash.as_bytes()])
}

fn key_by_session<T: Token>(session: &[u8], hash: &TokenHash) -> Vec<u8> {
    T::BY_SESSION.key(&[&framed(session), hash.as_bytes()])
}

fn key_by_expiry<T: Token>(ends: Timestamp, hash: &TokenHash) -> Vec<u8> {
    T::BY_EXPIRY.key(&[&sortable(ends), hash.as_bytes()])
}

/// Adds a token.
pub(super) fn insert<T: Token>(writer: &mut Writer, token: &T) -> Result<(), StoreError> {
    let (hash, session, ends) = token.names();
    let session = session.as_str().as_bytes();
    writer.put_new(key::<T>(&hash), to_json(token)?)?;
    writer.put(key_by_session::<T>(session, &hash), &sortable(ends));
    writer.put(key_by_expiry::<T>(ends, &hash), session);
    Ok(())
}

/// Removes a token; true when it was there.
pub(super) fn remove<T: Token>(writer: &mut Writer, hash: &TokenHash) -> Result<bool, StoreError> {
    let Some(record) = writer.take(key::<T>(hash))? else { return Ok(false) };
    let record: T = from_json(&record)?;
    let (_, session, ends) = record.names();
    writer.remove(key_by_session::<T>(session.as_str().as_bytes(), hash));
    writer.remove(key_by_expiry::<T>(ends, hash));
    Ok(true)
}

/// Removes the tokens of a session.
pub(super) fn remove_of_session<T: Token>(writer: &mut Writer, session: &[u8]) -> Result<(), StoreError> {
    for (by_session, ends) in writer.scan(&T::BY_SESSION.under(&[&framed(session)]), usize::MAX)? {
        let mut parts = Parts::of_key(&by_session);
        parts.framed()?;
        let hash = parts.hash()?;
        writer.remove(key::<T>(&hash));
        writer.remove(key_by_expiry::<T>(Parts::of_value(&ends).time()?, &hash));
        writer.remove(by_session);
    }
    Ok(())
}

/// Removes up to `limit` tokens that are over; tells which.
pub(super) fn sweep<T: Token>(writer: &mut Writer, now: Timestamp, limit: usize) -> Result<Vec<TokenHash>, StoreError> {
    let mut swept = Vec::new();
    for (by_expiry, session) in writer.scan(&T::BY_EXPIRY.until(now), limit)? {
        let mut parts = Parts::of_key(&by_expiry);
        parts.time()?;
        let hash = parts.hash()?;
        writer.remove(key::<T>(&hash));
        writer.remove(key_by_session::<T>(&session, &hash));
        writer.remove(by_expiry);
        swept.push(hash);
    }
    Ok(swept)
}

//! Sessions and the hashes of their tokens.

use super::SledStore;
use super::engine::Writer;
use super::layout::{Parts, Space, framed, from_json, sortable, to_json};
use super::tokens;
use super::view::View;
use crate::adapters::persistence::records::{NewSession, SealedUpstream, SessionRow, on_all_cores};
use mxcp_actors::model::ids::{SessionId, UserId};
use mxcp_actors::model::secret::TokenHash;
use mxcp_actors::model::session::Session;
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::model::token::{AccessTokenRecord, RefreshTokenRecord, UpstreamTokens};
use mxcp_actors::ports::session_store::{Loaded, SessionStore, SessionVisitor, SweptTokens, TokenChange};
use mxcp_actors::ports::{StoreError, StoreResult};
use std::ops::Range;
use std::sync::Arc;

/// The value of a session.
#[derive(Debug)]
struct Record {
    idle_expires_at: Timestamp,
    expires_at: Timestamp,
    user_hash: Vec<u8>,
    /// Empty when it is of a client.
    cookie_hash: Vec<u8>,
    /// Empty when it is of a browser, or of a client that is not known yet.
    client_id: String,
    sealed_session: Vec<u8>,
}

impl Record {
    fn read(value: &[u8]) -> Result<Self, StoreError> {
        let mut parts = Parts::of_value(value);
        Ok(Self {
            idle_expires_at: parts.time()?,
            expires_at: parts.time()?,
            user_hash: parts.framed()?.to_vec(),
            cookie_hash: parts.framed()?.to_vec(),
            client_id: Parts::of_value(parts.framed()?).text()?,
            sealed_session: parts.rest().to_vec(),
        })
    }

    fn to_value(&self) -> Vec<u8> {
        let times = [sortable(self.idle_expires_at), sortable(self.expires_at)].concat();
        let found_by = [&self.user_hash, &self.cookie_hash, self.client_id.as_bytes()].map(framed).concat();
        [times, found_by, self.sealed_session.clone()].concat()
    }

    fn key_by_expiry(&self, id: &[u8]) -> Vec<u8> {
        Space::SessionsByExpiry.key(&[&sortable(self.idle_expires_at.min(self.expires_at)), id])
    }

    fn key_by_user(&self, id: &[u8]) -> Vec<u8> {
        Space::SessionsByUser.key(&[&framed(&self.user_hash), id])
    }

    fn into_row(self, id: String, upstream: Option<&[u8]>) -> Result<SessionRow, StoreError> {
        let sealed_upstream_tokens = upstream.map(|value| Ok(upstream_parts(value)?.1.to_vec())).transpose()?;
        let Self { idle_expires_at, sealed_session, client_id, .. } = self;
        let client_id = (!client_id.is_empty()).then_some(client_id);
        Ok(SessionRow { id, client_id, idle_expires_at, sealed_session, sealed_upstream_tokens })
    }
}

/// When a provider's tokens are due, and those sealed.
fn upstream_parts(value: &[u8]) -> Result<(Option<Timestamp>, &[u8]), StoreError> {
    let mut parts = Parts::of_value(value);
    let due = parts.framed()?;
    let due = if due.is_empty() { None } else { Some(Parts::of_value(due).time()?) };
    Ok((due, parts.rest()))
}

fn put_upstream(writer: &mut Writer, id: &[u8], upstream: &SealedUpstream) -> Result<(), StoreError> {
    remove_upstream(writer, id)?;
    let due = upstream.refresh_due_at.map(sortable);
    if let Some(due) = &due {
        writer.put(Space::SessionsByRefresh.key(&[due, id]), &[]);
    }
    let due = framed(due.as_ref().map_or(&[], |due| &due[..]));
    writer.put(Space::UpstreamTokens.key(&[id]), [due, upstream.sealed.clone()].concat());
    Ok(())
}

fn remove_upstream(writer: &mut Writer, id: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
    let Some(value) = writer.take(Space::UpstreamTokens.key(&[id]))? else { return Ok(None) };
    if let (Some(due), _) = upstream_parts(&value)? {
        writer.remove(Space::SessionsByRefresh.key(&[&sortable(due), id]));
    }
    Ok(Some(value))
}

fn find(view: &View<'_>, id: String) -> Result<Option<SessionRow>, StoreError> {
    let Some(value) = view.get(&Space::Sessions.key(&[id.as_bytes()]))? else { return Ok(None) };
    let upstream = view.get(&Space::UpstreamTokens.key(&[id.as_bytes()]))?;
    Record::read(&value)?.into_row(id, upstream.as_deref()).map(Some)
}

/// The sessions that keys of `space` name after a time.
fn sessions_by_time(keys: Vec<super::view::Entry>) -> Result<Vec<SessionId>, StoreError> {
    let id = |(key, _): super::view::Entry| {
        let mut parts = Parts::of_key(&key);
        parts.time()?;
        parts.text().map(SessionId::new)
    };
    keys.into_iter().map(id).collect()
}

impl SessionStore for SledStore {
    fn load_sessions(&self, now: Timestamp, visit: SessionVisitor) -> StoreResult<'_, ()> {
        let sealer = Arc::clone(&self.sealer);
        self.reads.run(move |reader| {
            reader.look(|view| {
                let show = |row: SessionRow| row.open(&sealer).map(|session| visit(Loaded::Session(Box::new(session))));
                on_all_cores(show, |give| live_sessions(view, now, give))?;
                live_tokens(view, now, &visit)
            })
        })
    }

    fn insert_session(&self, session: Session) -> StoreResult<'_, ()> {
        Box::pin(async move {
            let new = NewSession::seal(session, &self.sealer, &self.users)?;
            self.write(move |writer| insert(writer, new)).await
        })
    }

    fn find_session(&self, id: SessionId) -> StoreResult<'_, Option<Session>> {
        Box::pin(async move {
            let row = self.read(move |view| find(view, id.as_str().to_owned()));
            row.await?.map(|row| row.open(&self.sealer)).transpose()
        })
    }

    fn list_user_sessions(&self, user: UserId) -> StoreResult<'_, Vec<Session>> {
        Box::pin(async move {
            let user_hash = framed(&self.users.hash(&user));
            let rows = self.read(move |view| {
                let mut rows = Vec::new();
                for (key, _) in view.scan(&Space::SessionsByUser.under(&[&user_hash]), usize::MAX)? {
                    let mut parts = Parts::of_key(&key);
                    parts.framed()?;
                    rows.extend(find(view, parts.text()?)?);
                }
                Ok(rows)
            });
            rows.await?.into_iter().map(|row| row.open(&self.sealer)).collect()
        })
    }

    fn find_browser_session(&self, cookie: TokenHash) -> StoreResult<'_, Option<Session>> {
        Box::pin(async move {
            let row = self.read(move |view| match view.get(&Space::SessionsByCookie.key(&[cookie.as_bytes()]))? {
                Some(id) => find(view, Parts::of_value(&id).text()?),
                None => Ok(None),
            });
            row.await?.map(|row| row.open(&self.sealer)).transpose()
        })
    }

    fn remove_session(&self, id: SessionId) -> StoreResult<'_, Option<Session>> {
        Box::pin(async move {
            let removed = self.write(move |writer| remove(writer, &id));
            removed.await?.map(|row| row.open(&self.sealer)).transpose()
        })
    }

    fn change_tokens(&self, session: SessionId, change: TokenChange) -> StoreResult<'_, bool> {
        self.write(move |writer| change_tokens(writer, &session, &change))
    }

    fn find_refresh_token(&self, hash: TokenHash) -> StoreResult<'_, Option<RefreshTokenRecord>> {
        self.read(move |view| {
            let found = view.get(&tokens::key::<RefreshTokenRecord>(&hash))?;
            found.map(|record| from_json(&record)).transpose()
        })
    }

    fn find_access_token(&self, hash: TokenHash) -> StoreResult<'_, Option<AccessTokenRecord>> {
        self.read(move |view| {
            let found = view.get(&tokens::key::<AccessTokenRecord>(&hash))?;
            found.map(|record| from_json(&record)).transpose()
        })
    }

    fn remove_access_token(&self, hash: TokenHash) -> StoreResult<'_, bool> {
        self.write(move |writer| tokens::remove::<AccessTokenRecord>(writer, &hash))
    }

    fn put_upstream_tokens(&self, id: SessionId, tokens: UpstreamTokens) -> StoreResult<'_, bool> {
        Box::pin(async move {
            let upstream = SealedUpstream::seal(&id, &tokens, &self.sealer)?;
            self.write(move |writer| {
                let id = id.as_str().as_bytes();
                let is_there = writer.get(&Space::Sessions.key(&[id]))?.is_some();
                if is_there {
                    put_upstream(writer, id, &upstream)?;
                }
                Ok(is_there)
            })
            .await
        })
    }

    fn list_refresh_due(&self, due: Range<Timestamp>, limit: usize) -> StoreResult<'_, Vec<SessionId>> {
        self.read(move |view| sessions_by_time(view.scan(&Space::SessionsByRefresh.within(&due), limit)?))
    }

    fn sweep_sessions(&self, now: Timestamp, limit: usize) -> StoreResult<'_, SweptTokens> {
        self.write(move |writer| {
            let access_tokens = tokens::sweep::<AccessTokenRecord>(writer, now, limit)?;
            tokens::sweep::<RefreshTokenRecord>(writer, now, limit)?;
            let over = writer.scan(&Space::SessionsByExpiry.until(now), limit)?;
            Ok(SweptTokens { access_tokens, expired_sessions: sessions_by_time(over)? })
        })
    }
}

/// Adds a session with what finds it.
pub(super) fn insert(writer: &mut Writer, new: NewSession) -> Result<(), StoreError> {
    let id = new.id.as_str().as_bytes();
    let record = Record {
        idle_expires_at: new.idle_expires_at,
        expires_at: new.expires_at,
        user_hash: new.user_hash,
        cookie_hash: new.cookie_hash.map(|cookie| cookie.as_bytes().to_vec()).unwrap_or_default(),
        client_id: new.client_id.map(|client| client.as_str().to_owned()).unwrap_or_default(),
        sealed_session: new.sealed_session,
    };
    writer.put_new(Space::Sessions.key(&[id]), record.to_value())?;
    if !record.cookie_hash.is_empty() {
        writer.put_new(Space::SessionsByCookie.key(&[&record.cookie_hash]), id)?;
    }
    writer.put(record.key_by_user(id), &[]);
    writer.put(record.key_by_expiry(id), &[]);
    new.upstream.map_or(Ok(()), |upstream| put_upstream(writer, id, &upstream))
}

/// Removes a session with its tokens and what finds it.
fn remove(writer: &mut Writer, session: &SessionId) -> Result<Option<SessionRow>, StoreError> {
    let id = session.as_str().as_bytes();
    tokens::remove_of_session::<AccessTokenRecord>(writer, id)?;
    tokens::remove_of_session::<RefreshTokenRecord>(writer, id)?;
    let Some(value) = writer.take(Space::Sessions.key(&[id]))? else { return Ok(None) };
    let record = Record::read(&value)?;
    writer.remove(record.key_by_user(id));
    writer.remove(record.key_by_expiry(id));
    if !record.cookie_hash.is_empty() {
        writer.remove(Space::SessionsByCookie.key(&[&record.cookie_hash]));
    }
    let upstream = remove_upstream(writer, id)?;
    record.into_row(session.as_str().to_owned(), upstream.as_deref()).map(Some)
}

/// Everything is looked at before anything is changed, so that false means: nothing was changed.
pub(super) fn change_tokens(
    writer: &mut Writer,
    session: &SessionId,
    change: &TokenChange,
) -> Result<bool, StoreError> {
    let id = session.as_str().as_bytes();
    let key = Space::Sessions.key(&[id]);
    let Some(value) = writer.get(&key)? else { return Ok(false) };
    if let Some((used, rotation)) = &change.rotated {
        let key = tokens::key::<RefreshTokenRecord>(used);
        let record = writer.get(&key)?.map(|record| from_json::<RefreshTokenRecord>(&record)).transpose()?;
        let Some(record) = record.filter(|record| record.rotation.is_none()) else { return Ok(false) };
        let rotated = RefreshTokenRecord { rotation: Some(rotation.clone()), ..record };
        writer.put(key, to_json(&rotated)?);
    }
    let record = Record::read(&value)?;
    writer.remove(record.key_by_expiry(id));
    let client_id = match &change.claimed_by {
        Some(client) if record.client_id.is_empty() => client.as_str().to_owned(),
        Some(_) | None => record.client_id,
    };
    let prolonged = Record { idle_expires_at: change.idle_expires_at, client_id, ..record };
    writer.put(prolonged.key_by_expiry(id), &[]);
    writer.put(key, prolonged.to_value());
    tokens::insert(writer, &change.access)?;
    change.refresh.as_ref().map_or(Ok(()), |refresh| tokens::insert(writer, refresh))?;
    Ok(true)
}

/// The rows of what is live, each with its tokens.
fn live_sessions(view: &View<'_>, now: Timestamp, give: &mut dyn FnMut(SessionRow)) -> Result<(), StoreError> {
    for id in sessions_by_time(view.scan(&Space::SessionsByExpiry.since_after(now), usize::MAX)?)? {
        find(view, id.as_str().to_owned())?.into_iter().for_each(&mut *give);
    }
    Ok(())
}

fn live_tokens(view: &View<'_>, now: Timestamp, visit: &SessionVisitor) -> Result<(), StoreError> {
    for (_, record) in view.scan(&Space::AccessTokens.all(), usize::MAX)? {
        let token: AccessTokenRecord = from_json(&record)?;
        if token.expires_at > now {
            visit(Loaded::AccessToken(token));
        }
    }
    Ok(())
}

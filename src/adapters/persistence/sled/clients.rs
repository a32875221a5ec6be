//! Registered clients.

use super::SledStore;
use super::engine::Writer;
use super::layout::{Parts, Space, damaged, from_json, sortable, to_json};
use mxcp_actors::model::client::Client;
use mxcp_actors::model::ids::ClientId;
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::ports::client_store::ClientStore;
use mxcp_actors::ports::{StoreError, StoreResult};

/// How many clients there are, so that they need not be counted.
const COUNT: &[u8] = b"client_count";
/// The first byte of a client that somebody logged in through, and of one that nobody did.
const USED: u8 = 1;
const UNUSED: u8 = 0;

impl ClientStore for SledStore {
    fn insert_client(&self, client: Client) -> StoreResult<'_, ()> {
        self.write(move |writer| {
            let id = client.id.as_str().as_bytes();
            if !remove(writer, id)? {
                count(writer, |count| count.saturating_add(1))?;
            }
            writer.put(Space::UnusedClients.key(&[&sortable(client.issued_at), id]), &[]);
            writer.put(Space::Clients.key(&[id]), [&[UNUSED][..], &to_json(&client)?].concat());
            Ok(())
        })
    }

    fn find_client(&self, id: ClientId) -> StoreResult<'_, Option<Client>> {
        self.read(move |view| {
            let found = view.get(&Space::Clients.key(&[id.as_str().as_bytes()]))?;
            found.map(|value| client_of(&value)).transpose()
        })
    }

    fn count_clients(&self) -> StoreResult<'_, u64> {
        self.read(|view| Ok(number(view.get(&Space::Marks.key(&[COUNT]))?.as_deref())))
    }

    fn remove_unused_clients(&self, before: Timestamp, limit: usize) -> StoreResult<'_, Vec<ClientId>> {
        self.write(move |writer| {
            let mut removed = Vec::new();
            for (key, _) in writer.scan(&Space::UnusedClients.before(before), limit)? {
                let mut parts = Parts::of_key(&key);
                parts.time()?;
                let id = parts.text()?;
                writer.remove(Space::Clients.key(&[id.as_bytes()]));
                writer.remove(key);
                removed.push(ClientId::new(id));
            }
            let gone = u64::try_from(removed.len()).unwrap_or(u64::MAX);
            count(writer, |count| count.saturating_sub(gone))?;
            Ok(removed)
        })
    }

    fn mark_client_used(&self, id: ClientId) -> StoreResult<'_, ()> {
        self.write(move |writer| {
            let id = id.as_str().as_bytes();
            let key = Space::Clients.key(&[id]);
            let Some(value) = writer.get(&key)?.filter(|value| value.first() == Some(&UNUSED)) else { return Ok(()) };
            writer.remove(Space::UnusedClients.key(&[&sortable(client_of(&value)?.issued_at), id]));
            let registration = value.get(1..).unwrap_or_default();
            writer.put(key, [&[USED][..], registration].concat());
            Ok(())
        })
    }
}

/// Adds a client that counts as used, unless one of that identifier is there.
pub(super) fn insert_used(writer: &mut Writer, client: &Client) -> Result<bool, StoreError> {
    let key = Space::Clients.key(&[client.id.as_str().as_bytes()]);
    let is_new = writer.get(&key)?.is_none();
    if is_new {
        count(writer, |count| count.saturating_add(1))?;
        writer.put(key, [&[USED][..], &to_json(client)?].concat());
    }
    Ok(is_new)
}

/// Removes a client with what finds it; true when it was there.
fn remove(writer: &mut Writer, id: &[u8]) -> Result<bool, StoreError> {
    let Some(value) = writer.take(Space::Clients.key(&[id]))? else { return Ok(false) };
    writer.remove(Space::UnusedClients.key(&[&sortable(client_of(&value)?.issued_at), id]));
    Ok(true)
}

fn client_of(value: &[u8]) -> Result<Client, StoreError> {
    from_json(value.get(1..).ok_or_else(damaged)?)
}

fn count(writer: &mut Writer, change: impl FnOnce(u64) -> u64) -> Result<(), StoreError> {
    let key = Space::Marks.key(&[COUNT]);
    let before = number(writer.get(&key)?.as_deref());
    let after = change(before);
    if after != before {
        writer.put(key, &after.to_be_bytes());
    }
    Ok(())
}

fn number(value: Option<&[u8]>) -> u64 {
    value.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes)
}

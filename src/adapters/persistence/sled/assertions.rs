//! Assertions that clients have used.

use super::SledStore;
use super::engine::Writer;
use super::layout::{Parts, Space, framed, sortable};
use mxcp_actors::model::client_assertion::UsedAssertion;
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::ports::assertion_store::{AssertionStore, AssertionUse};
use mxcp_actors::ports::{StoreError, StoreResult};

impl AssertionStore for SledStore {
    fn use_assertion(&self, used: UsedAssertion, now: Timestamp, client_max: usize) -> StoreResult<'_, AssertionUse> {
        self.write(move |writer| use_assertion(writer, &used, now, client_max))
    }

    fn sweep_assertions(&self, now: Timestamp, limit: usize) -> StoreResult<'_, usize> {
        self.write(move |writer| {
            let over = writer.scan(&Space::AssertionsByExpiry.until(now), limit)?;
            for (key, _) in &over {
                let mut parts = Parts::of_key(key);
                parts.time()?;
                writer.remove(Space::Assertions.key(&[parts.rest()]));
                writer.remove(key.clone());
            }
            Ok(over.len())
        })
    }
}

fn use_assertion(
    writer: &mut Writer,
    used: &UsedAssertion,
    now: Timestamp,
    client_max: usize,
) -> Result<AssertionUse, StoreError> {
    let client = framed(used.client_id.as_str().as_bytes());
    let name = [&client[..], used.id_hash.as_bytes()].concat();
    let (key, ends) = (Space::Assertions.key(&[&name]), sortable(used.expires_at));
    let earlier = writer.get(&key)?.map(|value| Parts::of_value(&value).time()).transpose()?;
    if earlier.is_some_and(|ends| ends > now) {
        return Ok(AssertionUse::Repeated);
    }
    let mut live = 0;
    for (_, value) in writer.scan(&Space::Assertions.under(&[&client]), usize::MAX)? {
        live += usize::from(Parts::of_value(&value).time()? > now);
    }
    if live >= client_max {
        return Ok(AssertionUse::Full);
    }
    if let Some(ended) = earlier {
        writer.remove(Space::AssertionsByExpiry.key(&[&sortable(ended), &name]));
    }
    writer.put(Space::AssertionsByExpiry.key(&[&ends, &name]), &[]);
    writer.put(key, &ends);
    Ok(AssertionUse::First)
}

//! Where registered clients are kept.

use super::StoreResult;
use crate::model::client::Client;
use crate::model::ids::ClientId;

/// Keeps clients that registered at run time.
pub trait ClientStore: Send + Sync + std::fmt::Debug {
    /// Adds a client.
    fn insert_client(&self, client: Client) -> StoreResult<'_, ()>;

    /// The client of that identifier.
    fn find_client(&self, id: ClientId) -> StoreResult<'_, Option<Client>>;

    /// How many clients there are.
    fn count_clients(&self) -> StoreResult<'_, u64>;

    /// Removes up to `limit` clients that registered before `before` and of which `is_used` is
    /// not set; tells which.
    fn remove_unused_clients(
        &self,
        before: crate::model::timestamp::Timestamp,
        limit: usize,
    ) -> StoreResult<'_, Vec<ClientId>>;

    /// Remembers that somebody logged in through the client, so that it is kept.
    fn mark_client_used(&self, id: ClientId) -> StoreResult<'_, ()>;
}

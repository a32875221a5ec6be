//! Where logins under way, codes and consents are kept.

use super::StoreResult;
use crate::model::grant::{AuthorizationCode, Consent, PendingLogin};
use crate::model::ids::ClientId;
use crate::model::secret::TokenHash;
use crate::model::timestamp::Timestamp;

/// What came of an attempt to redeem a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redemption {
    /// This attempt was the first: the code is now marked as redeemed.
    First(Box<AuthorizationCode>),
    /// It had been redeemed before.
    Repeated(Box<AuthorizationCode>),
    /// There is no such code.
    Unknown,
}

/// Keeps pending logins, authorization codes and consents.
pub trait GrantStore: Send + Sync + std::fmt::Debug {
    /// Adds a login.
    fn insert_login(&self, login: PendingLogin) -> StoreResult<'_, ()>;

    /// Looks at a login without taking it.
    fn find_login(&self, handle: TokenHash) -> StoreResult<'_, Option<PendingLogin>>;

    /// Removes a login and returns it: of all concurrent attempts, one gets it.
    fn take_login(&self, handle: TokenHash) -> StoreResult<'_, Option<PendingLogin>>;

    /// Adds a code.
    fn insert_code(&self, code: AuthorizationCode) -> StoreResult<'_, ()>;

    /// Marks a code as redeemed: of all concurrent attempts, one is the first. The code stays,
    /// so that a later attempt is recognised, until it is swept.
    fn redeem_code(&self, code: TokenHash) -> StoreResult<'_, Redemption>;

    /// Remembers a consent, in place of an earlier one of the same browser, person and client.
    fn put_consent(&self, consent: Consent) -> StoreResult<'_, ()>;

    /// The consents that a browser gave to a client.
    fn list_consents(&self, browser: TokenHash, client: ClientId) -> StoreResult<'_, Vec<Consent>>;

    /// Removes up to `limit` logins, codes and consents that are over; tells how many.
    fn sweep_grants(&self, now: Timestamp, limit: usize) -> StoreResult<'_, usize>;
}

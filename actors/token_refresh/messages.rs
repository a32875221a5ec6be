//! What token refresh is asked.

use crate::mailbox::Unavailable;
use crate::model::ids::SessionId;
use crate::model::secret::Secret;
use actix::Message;
use std::time::Duration;

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefreshError {
    /// The session is over, or the provider ended its grant and so the session with it.
    #[error("the session has ended; log in again")]
    SessionEnded,
    /// The provider could not be reached or failed; the session lives, try again.
    #[error("the identity provider is not available right now; try again in {} s", whole_seconds(*.retry_after))]
    ProviderUnavailable {
        /// When it will be asked again.
        retry_after: Duration,
    },
    /// The store failed.
    #[error("the session store is not available right now; try again")]
    StoreUnavailable,
    /// Token refresh did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A pause in whole seconds, rounded up, so that whoever waits for so long does not come too early.
#[must_use]
pub const fn whole_seconds(pause: Duration) -> u64 {
    let seconds = pause.as_secs();
    if pause.subsec_nanos() > 0 || seconds == 0 { seconds + 1 } else { seconds }
}

/// The provider's access token of a session, refreshed first when it is used up; `None` for a
/// session without one. Sent by `tool_calls`.
#[derive(Debug, Message)]
#[rtype(result = "Result<Option<Secret>, TokenRefreshError>")]
pub(crate) struct GetFreshToken {
    pub(crate) session_id: SessionId,
    /// A token that the provider's API has refused, whatever its expiry says.
    pub(crate) refused: Option<Secret>,
}

/// Refreshes the token of a session that ends soon; answered when that is over. Sent by the actor
/// to itself.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct RefreshAhead {
    pub(super) session_id: SessionId,
}

/// Looks for tokens that expire soon.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct TickRefresh;

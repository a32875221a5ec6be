//! What the rest of the house sees of token refresh.

use super::TokenRefresh;
use super::flow::Refresher;
use super::messages::{GetFreshToken, TokenRefreshError};
use crate::mailbox::{EndGuard, ask};
use crate::model::ids::SessionId;
use crate::model::secret::Secret;
use actix::{Actor, Addr, ArbiterHandle, Context};
use std::time::Duration;

const NAME: &str = "token_refresh";
/// A refresh includes a request to the provider, which has a limit of its own below this.
const REFRESH_DEADLINE: Duration = Duration::from_secs(25);

/// Asks for fresh tokens.
#[derive(Clone, Debug)]
pub struct TokenRefreshHandle {
    address: Addr<TokenRefresh>,
}

impl TokenRefreshHandle {
    pub(crate) fn start(arbiter: &ArbiterHandle, refresher: Refresher, guard: EndGuard) -> Self {
        let start = move |_: &mut Context<TokenRefresh>| TokenRefresh::new(refresher, guard);
        Self { address: TokenRefresh::start_in_arbiter(arbiter, start) }
    }

    /// The provider's token of a session, refreshed first when it is used up; `None` when the
    /// session has none.
    ///
    /// # Errors
    /// When the session is over, or the provider cannot be reached.
    pub async fn fresh_token(&self, session_id: SessionId) -> Result<Option<Secret>, TokenRefreshError> {
        ask(NAME, &self.address, GetFreshToken { session_id }, REFRESH_DEADLINE).await
    }
}

//! What the rest of the house sees of token refresh.

use super::TokenRefresh;
use super::flow::Refresher;
use super::messages::{GetFreshToken, TokenRefreshError};
use crate::mailbox::{EndGuard, ask};
use crate::model::ids::SessionId;
use crate::model::secret::Secret;
use crate::sessions::{EndedGrants, EndedGrantsQueue};
use actix::{Actor, Addr, ArbiterHandle, Context};
use std::time::Duration;

const NAME: &str = "token_refresh";
/// A refresh includes a request to the provider, which has a limit of its own below this.
const REFRESH_DEADLINE: Duration = Duration::from_secs(25);

/// How long the end of the process waits for revocations.
const SETTLE_WITHIN: Duration = Duration::from_secs(3);

/// Asks for fresh tokens.
#[derive(Clone, Debug)]
pub struct TokenRefreshHandle {
    address: Addr<TokenRefresh>,
    ended_grants: EndedGrants,
}

impl TokenRefreshHandle {
    pub(crate) fn start(
        arbiter: &ArbiterHandle,
        refresher: Refresher,
        ended: EndedGrantsQueue,
        guard: EndGuard,
    ) -> Self {
        let ended_grants = refresher.ended_grants.clone();
        let start = move |_: &mut Context<TokenRefresh>| TokenRefresh::new(refresher, ended, guard);
        Self { address: TokenRefresh::start_in_arbiter(arbiter, start), ended_grants }
    }

    /// Lets revocations at the provider that are under way come to their end, for some seconds
    /// at most: who signs out and stops the server means both.
    pub(crate) async fn finish_revocations(&self) {
        if tokio::time::timeout(SETTLE_WITHIN, self.ended_grants.wait_until_settled()).await.is_err() {
            tracing::warn!("the process ends before all ended sessions were revoked at the provider");
        }
    }

    /// The provider's token of a session, refreshed first when it is used up; `None` when the
    /// session has none.
    ///
    /// # Errors
    /// When the session is over, or the provider cannot be reached.
    pub async fn fresh_token(&self, session_id: SessionId) -> Result<Option<Secret>, TokenRefreshError> {
        ask(NAME, &self.address, GetFreshToken { session_id, refused: None }, REFRESH_DEADLINE).await
    }

    /// Another token than `refused`, which the provider's API did not take although it should have
    /// worked: some providers do not say how long a token lives, and any may end one early. `None`
    /// when there is no other to be had.
    ///
    /// # Errors
    /// When the session is over, or the provider cannot be reached.
    pub async fn replace_token(
        &self,
        session_id: SessionId,
        refused: Secret,
    ) -> Result<Option<Secret>, TokenRefreshError> {
        // The first time this may join a refresh-less look of somebody else, which finds that the
        // token still seems to work.
        for _ in 0..2 {
            let asked = GetFreshToken { session_id: session_id.clone(), refused: Some(refused.clone()) };
            let token = ask(NAME, &self.address, asked, REFRESH_DEADLINE).await?;
            if token.as_ref().is_none_or(|token| !token.matches(refused.expose())) {
                return Ok(token);
            }
        }
        Ok(None)
    }
}

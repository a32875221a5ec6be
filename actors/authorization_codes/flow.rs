//! What authorization codes do with their store, step by step.

use super::messages::{CodeError, LoginLookupError, NewLogin, RedeemCode, RedeemError};
use super::state::judge_redemption;
use crate::model::grant::{AuthorizationCode, AuthorizationRequest, Consent, PendingLogin};
use crate::model::ids::{ClientId, SessionId};
use crate::model::secret::{Secret, TokenHash};
use crate::model::timestamp::Timestamp;
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::grant_store::{GrantStore, Redemption};
use crate::settings::Lifetimes;
use std::sync::Arc;

/// The most rows that one step of a sweep drops.
const SWEEP_STEP: usize = 1_000;

/// Keeps logins and codes.
#[derive(Debug)]
pub(crate) struct CodeKeeper {
    pub(crate) store: Arc<dyn GrantStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) lifetimes: Lifetimes,
}

impl CodeKeeper {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) async fn begin_login(&self, login: NewLogin) -> Result<Secret, CodeError> {
        let handle = self.entropy.token("");
        let pending = PendingLogin {
            handle_hash: handle.hash(),
            browser_hash: login.browser_hash,
            purpose: login.purpose,
            stage: login.stage,
            expected_user: login.expected_user,
            trace_id: login.trace_id,
            expires_at: self.now() + self.lifetimes.pending_login,
        };
        self.store.insert_login(pending).await?;
        Ok(handle)
    }

    pub(super) async fn find_login(&self, handle: &Secret, browser: &Secret) -> Result<PendingLogin, LoginLookupError> {
        let login = self.store.find_login(handle.hash()).await?.ok_or(LoginLookupError::Unknown)?;
        if self.now() >= login.expires_at {
            return Err(LoginLookupError::Unknown);
        }
        if login.browser_hash.matches(&browser.hash()) { Ok(login) } else { Err(LoginLookupError::OtherBrowser) }
    }

    pub(super) async fn take_login(&self, handle: &Secret, browser: &Secret) -> Result<PendingLogin, LoginLookupError> {
        self.find_login(handle, browser).await?;
        self.store.take_login(handle.hash()).await?.ok_or(LoginLookupError::Unknown)
    }

    pub(super) async fn issue_code(
        &self,
        session_id: SessionId,
        request: AuthorizationRequest,
        trace_id: Option<String>,
    ) -> Result<Secret, CodeError> {
        let code = self.entropy.token("mxcp_ac_");
        let expires_at = self.now() + self.lifetimes.authorization_code;
        let kept = AuthorizationCode { hash: code.hash(), session_id, request, trace_id, expires_at };
        self.store.insert_code(kept).await?;
        Ok(code)
    }

    pub(super) async fn redeem_code(&self, attempt: RedeemCode) -> Result<AuthorizationCode, RedeemError> {
        match self.store.redeem_code(attempt.code.hash()).await? {
            Redemption::Unknown => Err(RedeemError::Invalid),
            Redemption::Repeated(code) => {
                Err(RedeemError::AlreadyRedeemed { session_id: code.session_id, trace_id: code.trace_id })
            }
            Redemption::First(code) => judge_redemption(&code, &attempt, self.now()).map(|()| *code),
        }
    }

    pub(super) async fn record_consent(&self, consent: Consent) -> Result<(), CodeError> {
        Ok(self.store.put_consent(consent).await?)
    }

    pub(super) async fn list_consents(&self, browser: TokenHash, client: ClientId) -> Result<Vec<Consent>, CodeError> {
        let now = self.now();
        let mut consents = self.store.list_consents(browser, client).await?;
        consents.retain(|consent| now < consent.expires_at);
        Ok(consents)
    }

    /// Drops what is over, in bounded steps, so that others get their turn in between.
    pub(super) async fn sweep(&self) {
        loop {
            match self.store.sweep_grants(self.now(), SWEEP_STEP).await {
                // A full step may have left something.
                Ok(SWEEP_STEP..) => {}
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(%error, "logins and codes that are over could not be dropped");
                    return;
                }
            }
        }
    }
}

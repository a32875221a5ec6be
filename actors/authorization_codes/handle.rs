//! What the rest of the house sees of authorization codes.

use super::AuthorizationCodes;
use super::flow::CodeKeeper;
use super::messages::{
    BeginLogin, CodeError, CountAttempt, FindLogin, ForgetAttempts, IssueCode, ListConsents, LoginLookupError,
    NewLogin, RecordConsent, RedeemCode, RedeemError, TakeLogin, TooManyAttempts,
};
use crate::mailbox::{ASK_DEADLINE, EndGuard, ask};
use crate::model::grant::{AuthorizationCode, AuthorizationRequest, Consent, PendingLogin};
use crate::model::ids::{ClientId, SessionId};
use crate::model::secret::{Secret, TokenHash};
use actix::{Actor, Addr, ArbiterHandle, Context};

const NAME: &str = "authorization_codes";

/// Keeps logins under way and codes.
#[derive(Clone, Debug)]
pub struct AuthorizationCodesHandle {
    address: Addr<AuthorizationCodes>,
}

impl AuthorizationCodesHandle {
    pub(crate) fn start(arbiter: &ArbiterHandle, keeper: CodeKeeper, guard: EndGuard) -> Self {
        let start = move |_: &mut Context<AuthorizationCodes>| AuthorizationCodes::new(keeper, guard);
        Self { address: AuthorizationCodes::start_in_arbiter(arbiter, start) }
    }

    /// Begins a login and returns its handle.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn begin_login(&self, login: NewLogin) -> Result<Secret, CodeError> {
        ask(NAME, &self.address, BeginLogin { login }, ASK_DEADLINE).await
    }

    /// Looks at a login without using it up.
    ///
    /// # Errors
    /// When it cannot go on, or not in this browser.
    pub async fn find_login(&self, handle: Secret, browser: Secret) -> Result<PendingLogin, LoginLookupError> {
        ask(NAME, &self.address, FindLogin { handle, browser }, ASK_DEADLINE).await
    }

    /// Takes a login; of concurrent attempts one gets it.
    ///
    /// # Errors
    /// When it cannot go on, or not in this browser.
    pub async fn take_login(&self, handle: Secret, browser: Secret) -> Result<PendingLogin, LoginLookupError> {
        ask(NAME, &self.address, TakeLogin { handle, browser }, ASK_DEADLINE).await
    }

    /// Issues a code that opens a session.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn issue_code(
        &self,
        session_id: SessionId,
        request: AuthorizationRequest,
        trace_id: Option<String>,
    ) -> Result<Secret, CodeError> {
        ask(NAME, &self.address, IssueCode { session_id, request, trace_id }, ASK_DEADLINE).await
    }

    /// Redeems a code; of concurrent attempts one gets it.
    ///
    /// # Errors
    /// When it gives no tokens.
    pub async fn redeem_code(&self, attempt: RedeemCode) -> Result<AuthorizationCode, RedeemError> {
        ask(NAME, &self.address, attempt, ASK_DEADLINE).await
    }

    /// Remembers a consent.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn record_consent(&self, consent: Consent) -> Result<(), CodeError> {
        ask(NAME, &self.address, RecordConsent { consent }, ASK_DEADLINE).await
    }

    /// The consents that a browser gave to a client and that still count.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn list_consents(&self, browser: TokenHash, client_id: ClientId) -> Result<Vec<Consent>, CodeError> {
        ask(NAME, &self.address, ListConsents { browser, client_id }, ASK_DEADLINE).await
    }

    /// Counts an attempt at a password before it is made.
    ///
    /// # Errors
    /// When there were too many.
    pub async fn count_attempt(&self, username: String, peer: String) -> Result<(), TooManyAttempts> {
        ask(NAME, &self.address, CountAttempt { username, peer }, ASK_DEADLINE).await
    }

    /// Forgets the attempts of somebody who has got in.
    ///
    /// # Errors
    /// When the actor did not answer.
    pub async fn forget_attempts(&self, username: String, peer: String) -> Result<(), TooManyAttempts> {
        ask(NAME, &self.address, ForgetAttempts { username, peer }, ASK_DEADLINE).await
    }
}

//! What the rest of the house sees of authorization.

use super::Authorization;
use super::flow::Authorizer;
use super::messages::{
    BeginAuthorization, BeginError, BeginVisit, BrowserStep, ChooseLogin, CompleteLogin, DecideConsent, FindVisit,
    LoginError, RevokeRequest, SignOut, SubmitPassword, TokenError, TokenRequest, ViewAudit, Viewing, Visit,
    VisitError, Visitor,
};
use crate::mailbox::{EndGuard, ask};
use crate::model::secret::Secret;
use crate::model::token::IssuedTokens;
use actix::{Actor, Addr, ArbiterHandle, Context};
use std::time::Duration;

const NAME: &str = "authorization";
/// A step may include several requests to the provider, each with a limit of its own.
const STEP_DEADLINE: Duration = Duration::from_secs(60);

/// Takes people and clients through authorization.
#[derive(Clone, Debug)]
pub struct AuthorizationHandle {
    address: Addr<Authorization>,
}

impl AuthorizationHandle {
    pub(crate) fn start(arbiter: &ArbiterHandle, authorizer: Authorizer, guard: EndGuard) -> Self {
        let start = move |_: &mut Context<Authorization>| Authorization::new(authorizer, guard);
        Self { address: Authorization::start_in_arbiter(arbiter, start) }
    }

    /// Begins an authorization request.
    ///
    /// # Errors
    /// When it is not valid; the error says who is to be told.
    pub async fn begin_authorization(&self, asked: BeginAuthorization) -> Result<BrowserStep, BeginError> {
        ask(NAME, &self.address, asked, STEP_DEADLINE).await
    }

    /// Begins a visit of our own pages.
    ///
    /// # Errors
    /// When nobody can log in now.
    pub async fn begin_visit(&self, visitor: Visitor) -> Result<BrowserStep, LoginError> {
        ask(NAME, &self.address, BeginVisit { visitor }, STEP_DEADLINE).await
    }

    /// Goes on after the consent page.
    ///
    /// # Errors
    /// When the login cannot go on.
    pub async fn decide_consent(&self, decided: DecideConsent) -> Result<BrowserStep, LoginError> {
        ask(NAME, &self.address, decided, STEP_DEADLINE).await
    }

    /// Goes on after the choice of where to sign in.
    ///
    /// # Errors
    /// When the login cannot go on.
    pub async fn choose_login(&self, chosen: ChooseLogin) -> Result<BrowserStep, LoginError> {
        ask(NAME, &self.address, chosen, STEP_DEADLINE).await
    }

    /// Goes on after our own login page.
    ///
    /// # Errors
    /// When the login cannot go on.
    pub async fn submit_password(&self, submitted: SubmitPassword) -> Result<BrowserStep, LoginError> {
        ask(NAME, &self.address, submitted, STEP_DEADLINE).await
    }

    /// Goes on after the provider.
    ///
    /// # Errors
    /// When the login cannot go on.
    pub async fn complete_login(&self, back: CompleteLogin) -> Result<BrowserStep, LoginError> {
        ask(NAME, &self.address, back, STEP_DEADLINE).await
    }

    /// Who is signed in with that session cookie.
    ///
    /// # Errors
    /// When that cannot be told now.
    pub async fn find_visit(&self, session: Secret) -> Result<Option<Visit>, VisitError> {
        ask(NAME, &self.address, FindVisit { session }, STEP_DEADLINE).await
    }

    /// Whether the person with that session cookie may see the audit log. What is about to be
    /// `shown` of it, as a query, is recorded.
    ///
    /// # Errors
    /// When that cannot be told or recorded now.
    pub async fn view_audit(
        &self,
        session: Secret,
        shown: Option<String>,
        visitor: Visitor,
    ) -> Result<Viewing, VisitError> {
        ask(NAME, &self.address, ViewAudit { session, shown, visitor }, STEP_DEADLINE).await
    }

    /// Ends the visit, or with `is_everywhere` every session of that person.
    ///
    /// # Errors
    /// When the form's token is wrong, or the session could not be ended.
    pub async fn sign_out(
        &self,
        session: Secret,
        csrf: Secret,
        is_everywhere: bool,
        trace_id: Option<String>,
    ) -> Result<(), VisitError> {
        ask(NAME, &self.address, SignOut { session, csrf, is_everywhere, trace_id }, STEP_DEADLINE).await
    }

    /// Exchanges a code or a refresh token for tokens.
    ///
    /// # Errors
    /// When there are none.
    pub async fn exchange_token(&self, request: TokenRequest) -> Result<IssuedTokens, TokenError> {
        ask(NAME, &self.address, request, STEP_DEADLINE).await
    }

    /// Revokes a token; one that does not exist counts as revoked.
    ///
    /// # Errors
    /// When the client does not prove itself.
    pub async fn revoke_token(&self, request: RevokeRequest) -> Result<(), TokenError> {
        ask(NAME, &self.address, request, STEP_DEADLINE).await
    }
}

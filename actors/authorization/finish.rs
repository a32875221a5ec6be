//! Somebody has signed in: on to the code, or to our own pages.

use super::flow::{Authorizer, Browser};
use super::messages::{BrowserStep, LoginError, NextStep, Visitor};
use super::rules::error_redirect;
use crate::model::audit_event::{AuditCaller, AuditEvent, OperationStatus};
use crate::model::grant::{AuthorizationRequest, Consent, LoginPurpose, LoginStage, SignedIn};
use crate::model::ids::{ClientId, UserId};
use crate::model::oauth_error::{OAuthError, OAuthErrorCode};
use crate::model::principal::User;
use crate::model::scope::ScopeSet;
use crate::model::secret::Secret;
use crate::sessions::NewSession;
use serde_json::json;
use std::time::Duration;

/// What somebody is told who may have nothing of what the client asks for.
const NOT_ENTITLED: &str = "the person is not entitled to any of the scopes that were asked for";

/// How long an approval is remembered.
const CONSENT_MAX: Duration = Duration::from_secs(90 * 24 * 60 * 60);

impl Authorizer {
    /// Somebody has proved who they are. When somebody else had approved the client, they are
    /// asked themselves.
    pub(super) async fn after_login(
        &self,
        purpose: LoginPurpose,
        signed_in: SignedIn,
        (browser, visitor): (&Browser, &Visitor),
        expected_user: Option<UserId>,
    ) -> Result<NextStep, LoginError> {
        let is_expected = expected_user.is_none_or(|expected| expected == signed_in.user.id);
        match purpose {
            LoginPurpose::Client(request) if !is_expected => {
                let client = self.client_registry.recall_client(request.client_id.clone()).await?;
                let client = client.ok_or(LoginError::Unknown)?;
                let user = Some(signed_in.user.clone());
                let stage = LoginStage::AwaitingUserConsent(Box::new(signed_in));
                self.consent_page(&client, *request, (browser, visitor), (stage, user)).await
            }
            purpose => self.finish(purpose, signed_in, browser, visitor).await,
        }
    }

    /// Opens the session, and hands the client its code or the visitor their cookie.
    pub(super) async fn finish(
        &self,
        purpose: LoginPurpose,
        signed_in: SignedIn,
        browser: &Browser,
        visitor: &Visitor,
    ) -> Result<NextStep, LoginError> {
        let user_id = signed_in.user.id.clone();
        let missing = signed_in.missing_scopes.clone();
        let mut caller = visitor.caller();
        caller.user_id = Some(user_id.to_string());
        match purpose {
            LoginPurpose::Visit => {
                let opened = self.sessions.open_session(self.new_session(None, signed_in)).await?;
                caller.session_id = Some(opened.id);
                self.record_success((caller, visitor), &missing).await?;
                opened.cookie.map(|session| NextStep::SignedIn { session }).ok_or(LoginError::Unknown)
            }
            LoginPurpose::Client(request) => {
                let granted = self.granted(&request, &signed_in.user);
                if granted.is_empty() && !request.scopes.is_empty() {
                    caller.client_id = Some(request.client_id.clone());
                    return self.refuse_entitlement(&request, (caller, visitor)).await;
                }
                let session = self.new_session(Some((&request.client_id, granted)), signed_in);
                let opened = self.sessions.open_session(session).await?;
                self.authorization_codes.record_consent(self.consent(&request, browser, user_id)).await?;
                self.client_registry.mark_client_used(request.client_id.clone()).await?;
                let code =
                    self.authorization_codes.issue_code(opened.id.clone(), (*request).clone(), visitor.trace()).await?;
                caller.client_id = Some(request.client_id.clone());
                caller.session_id = Some(opened.id);
                self.record_success((caller, visitor), &missing).await?;
                Ok(self.answer(&request, &code))
            }
        }
    }

    /// Records the login, and what the provider kept from us: whoever looks for why a query fails
    /// at the provider's API finds it there.
    async fn record_success(
        &self,
        (caller, visitor): (AuditCaller, &Visitor),
        missing: &ScopeSet,
    ) -> Result<(), LoginError> {
        let details = if missing.is_empty() {
            json!({"peer": visitor.peer})
        } else {
            json!({"peer": visitor.peer, "missing_scopes": missing.to_string()})
        };
        let event = AuditEvent::auth("auth.login_succeeded", OperationStatus::Success, caller);
        Ok(self.record(event.with_details(details)).await?)
    }

    /// What a person gets of what a client asks for: what they are entitled to.
    pub(super) fn granted(&self, request: &AuthorizationRequest, user: &User) -> ScopeSet {
        let reach = self.sessions.login_reach(user, &request.client_id);
        self.sessions.scope_rules().grant(&request.scopes, &reach)
    }

    /// A token that allows nothing would only be refused later, by every call.
    async fn refuse_entitlement(
        &self,
        request: &AuthorizationRequest,
        caller: (AuditCaller, &Visitor),
    ) -> Result<NextStep, LoginError> {
        let error = format!("{NOT_ENTITLED}: {}", request.scopes);
        self.record_login("auth.login_failed", OperationStatus::Error, caller, Some(error)).await?;
        Ok(self.refuse(request, OAuthErrorCode::AccessDenied, NOT_ENTITLED).next)
    }

    fn new_session(&self, client: Option<(&ClientId, ScopeSet)>, signed_in: SignedIn) -> NewSession {
        let (client_id, scopes) = client.map(|(id, scopes)| (id.clone(), scopes)).unzip();
        NewSession {
            client_id,
            scopes: scopes.unwrap_or_default(),
            resource: self.settings.resource.clone(),
            user: signed_in.user,
            upstream: signed_in.upstream,
        }
    }

    fn consent(&self, request: &AuthorizationRequest, browser: &Browser, user_id: UserId) -> Consent {
        Consent {
            browser_hash: browser.cookie.hash(),
            client_id: request.client_id.clone(),
            user_id,
            redirect_destination: request.redirect_uri.destination(),
            scopes: request.scopes.clone(),
            expires_at: self.clock.now() + CONSENT_MAX,
        }
    }

    /// The authorization response (RFC 6749 section 4.1.2, RFC 9207 section 2).
    fn answer(&self, request: &AuthorizationRequest, code: &Secret) -> NextStep {
        let mut query = vec![("code", code.expose())];
        query.extend(request.state.as_deref().map(|state| ("state", state)));
        query.push(("iss", &self.settings.issuer));
        NextStep::ToClient { url: request.redirect_uri.with_query(&query) }
    }

    pub(super) fn refuse(&self, request: &AuthorizationRequest, code: OAuthErrorCode, text: &str) -> BrowserStep {
        let error = OAuthError::new(code, text);
        let url = error_redirect(&request.redirect_uri, request.state.as_deref(), &error, &self.settings.issuer);
        BrowserStep { next: NextStep::ToClient { url }, browser: None }
    }
}

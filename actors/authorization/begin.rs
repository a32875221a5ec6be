//! `/authorize`: from a client's request to the first page or redirect.

use super::flow::{Authorizer, Browser};
use super::messages::{BeginAuthorization, BeginError, BrowserStep, LoginError, Visitor};
use super::rules::{check_request, check_unverified, error_redirect, verify_redirect};
use crate::model::audit_event::{AuditEvent, OperationStatus};
use crate::model::client::{Client, GrantType};
use crate::model::grant::{AuthorizationRequest, Consent, LoginPurpose};
use crate::model::ids::ClientId;
use crate::model::oauth_error::{OAuthError, OAuthErrorCode};
use serde_json::json;

impl Authorizer {
    pub(super) async fn begin_authorization(&self, asked: BeginAuthorization) -> Result<BrowserStep, BeginError> {
        if self.login_methods.is_empty() {
            return Err(BeginError::Failed(LoginError::Off));
        }
        let (client, request) = self.check(&asked).await.inspect_err(|error| self.record_refused(error, &asked))?;
        let browser = self.browser(&asked.visitor);
        let at_client = self.at_client(Some(&request));
        let next = async {
            self.record_start(&client, &asked.visitor).await?;
            self.first_step(&client, request, &browser, &asked.visitor).await
        };
        Ok(BrowserStep { next: next.await.map_err(at_client)?, browser: browser.to_set() })
    }

    /// The client and the request, both checked. Until the redirect URI is verified nothing is
    /// sent there.
    async fn check(&self, asked: &BeginAuthorization) -> Result<(Client, AuthorizationRequest), BeginError> {
        let parameters = &asked.parameters;
        let client_id = check_unverified(parameters).map_err(BeginError::Unverified)?;
        let client = self.client_registry.resolve_client(ClientId::new(client_id)).await.map_err(LoginError::from)?;
        let client = client.ok_or_else(|| {
            let text = "the client is not registered here, or its registration has expired; it must register again";
            BeginError::Unverified(OAuthError::new(OAuthErrorCode::InvalidClient, text))
        })?;
        let redirect_uri =
            verify_redirect(&client, parameters.redirect_uri.as_deref()).map_err(BeginError::Unverified)?;
        let to_client = |error: OAuthError| {
            let url = error_redirect(&redirect_uri, parameters.state.as_deref(), &error, &self.settings.issuer);
            BeginError::ToClient { url, error }
        };
        if !client.may_use(GrantType::AuthorizationCode) {
            let text = "this client may not use authorization codes";
            return Err(to_client(OAuthError::new(OAuthErrorCode::UnauthorizedClient, text)));
        }
        let request =
            check_request(parameters, &client, redirect_uri.clone(), (&self.settings, self.sessions.scope_rules()));
        let request = request.map_err(to_client)?;
        Ok((client, request))
    }

    /// Records that a request was refused before anybody could log in; of many, the number. Nobody
    /// knows yet whether it comes from a client.
    fn record_refused(&self, error: &BeginError, asked: &BeginAuthorization) {
        let error = match error {
            BeginError::Unverified(error) | BeginError::ToClient { error, .. } => error,
            BeginError::Failed(_) => return,
        };
        let caller = asked.visitor.caller();
        let event = AuditEvent::auth("auth.authorization_refused", OperationStatus::Error, caller);
        let event = event.with_details(json!({"peer": asked.visitor.peer}));
        self.audit_log.record_repeated(event.with_error(error.to_string()));
    }

    async fn record_start(&self, client: &Client, visitor: &Visitor) -> Result<(), LoginError> {
        let mut caller = visitor.caller();
        caller.client_id = Some(client.id.clone());
        let event = AuditEvent::auth("auth.login_started", OperationStatus::Success, caller)
            .with_details(json!({"client_name": client.name, "peer": visitor.peer}));
        Ok(self.record(event).await?)
    }

    /// The consent page, or on to the login when this browser has approved the client before.
    async fn first_step(
        &self,
        client: &Client,
        request: AuthorizationRequest,
        browser: &Browser,
        visitor: &Visitor,
    ) -> Result<super::NextStep, LoginError> {
        let consents = self.authorization_codes.list_consents(browser.cookie.hash(), request.client_id.clone()).await?;
        let approval = consents.into_iter().find(|consent| covers(consent, &request));
        match approval {
            Some(consent) => {
                let purpose = LoginPurpose::Client(Box::new(request));
                self.to_login(purpose, browser, visitor, Some(consent.user_id)).await
            }
            None => self.ask_consent(client, request, browser, visitor).await,
        }
    }
}

/// Whether an earlier approval is good for this request: same place, no more scopes.
fn covers(consent: &Consent, request: &AuthorizationRequest) -> bool {
    consent.redirect_destination == request.redirect_uri.destination() && consent.scopes.contains_all(&request.scopes)
}

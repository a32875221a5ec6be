//! To the identity provider and back.

use super::flow::{Authorizer, Browser, http_caller, login_caller};
use super::messages::{BrowserStep, CompleteLogin, LoginError, NextStep, ProviderAnswer};
use crate::authorization_codes::NewLogin;
use crate::model::audit_event::{AuditCaller, OperationStatus};
use crate::model::grant::{LoginPurpose, LoginStage};
use crate::model::ids::UserId;
use crate::model::oauth_error::OAuthErrorCode;
use crate::model::pkce::CodeChallenge;
use crate::ports::upstream_idp::{UpstreamAuthorization, UpstreamError, UpstreamExchange, UpstreamIdp};

impl Authorizer {
    pub(super) async fn to_provider(
        &self,
        idp: &dyn UpstreamIdp,
        purpose: LoginPurpose,
        browser: &Browser,
        expected_user: Option<UserId>,
    ) -> Result<NextStep, LoginError> {
        let (verifier, nonce) = (self.entropy.token(""), self.entropy.token(""));
        let login = NewLogin {
            browser_hash: browser.cookie.hash(),
            purpose: purpose.clone(),
            stage: LoginStage::AwaitingProvider {
                provider: idp.name().to_owned(),
                verifier: verifier.clone(),
                nonce: nonce.clone(),
            },
            expected_user,
        };
        let state = self.authorization_codes.begin_login(login).await?;
        let challenge = CodeChallenge::of(&verifier);
        match idp.authorization_url(UpstreamAuthorization { state, nonce, challenge }).await {
            Ok(url) => Ok(NextStep::ToProvider { url }),
            Err(error) => self.provider_failed(&purpose, error, http_caller(None)).await,
        }
    }

    pub(super) async fn complete_login(&self, back: CompleteLogin) -> Result<BrowserStep, LoginError> {
        let Some(idp) = self.login_methods.provider(&back.provider) else { return Err(LoginError::Unknown) };
        let Some(cookie) = back.visitor.browser.clone() else { return Err(LoginError::OtherBrowser) };
        let browser = Browser { cookie, is_new: false };
        let login = self.authorization_codes.take_login(back.state, browser.cookie.clone()).await?;
        let caller = login_caller(&login, &back.visitor);
        let LoginStage::AwaitingProvider { provider, verifier, nonce } = login.stage else {
            return Err(LoginError::Unknown);
        };
        if provider != back.provider {
            return Err(LoginError::Unknown);
        }
        let exchanged = match back.answer {
            ProviderAnswer::Code(code) => {
                idp.exchange(UpstreamExchange { code, verifier, nonce, issuer: back.issuer }).await
            }
            ProviderAnswer::Error { error, description } => {
                Err(UpstreamError::Refused { provider: idp.name().to_owned(), error, detail: description })
            }
        };
        let at_client = self.at_client(login.purpose.request());
        let next = match exchanged {
            Ok(signed_in) => {
                self.after_login(login.purpose, signed_in, &browser, &back.visitor, login.expected_user).await
            }
            Err(error) => self.provider_failed(&login.purpose, error, caller).await,
        };
        Ok(BrowserStep { next: next.map_err(at_client)?, browser: None })
    }

    /// The operator learns what happened; the client is told at its verified URI, a visitor on
    /// a page.
    async fn provider_failed(
        &self,
        purpose: &LoginPurpose,
        error: UpstreamError,
        caller: AuditCaller,
    ) -> Result<NextStep, LoginError> {
        tracing::warn!(%error, "a login at the identity provider failed");
        self.record_login("auth.login_failed", OperationStatus::Error, caller, Some(error.to_string())).await?;
        let LoginPurpose::Client(request) = purpose else { return Err(LoginError::Provider(error)) };
        let (code, text) = match &error {
            UpstreamError::Refused { error, .. } if error == "access_denied" => {
                (OAuthErrorCode::AccessDenied, "the person or the identity provider refused the login")
            }
            UpstreamError::Unreachable { .. } | UpstreamError::Faulty { .. } => {
                (OAuthErrorCode::TemporarilyUnavailable, "the identity provider is not available; try again")
            }
            UpstreamError::Refused { .. } | UpstreamError::InvalidGrant { .. } | UpstreamError::Unusable { .. } => {
                (OAuthErrorCode::ServerError, "the login at the identity provider failed")
            }
        };
        Ok(self.refuse(request, code, text).next)
    }
}

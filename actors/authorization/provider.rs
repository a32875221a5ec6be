//! To the identity provider and back.

use super::flow::{Authorizer, Browser, login_caller};
use super::messages::{BrowserStep, CompleteLogin, LoginError, NextStep, ProviderAnswer, Visitor};
use crate::authorization_codes::NewLogin;
use crate::model::audit_event::{AuditCaller, AuditEvent, OperationStatus};
use crate::model::grant::{LoginPurpose, LoginStage};
use crate::model::ids::UserId;
use crate::model::oauth_error::OAuthErrorCode;
use crate::model::pkce::CodeChallenge;
use crate::ports::upstream_idp::{UpstreamAuthorization, UpstreamError, UpstreamExchange, UpstreamIdp};
use serde_json::json;

/// How many characters of a provider's own words are repeated.
const WORDS_MAX: usize = 160;

/// The step at which a provider failed, for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Finding out where people are sent.
    AuthorizationRequest,
    /// What the browser came back with.
    AuthorizationResponse,
    /// Exchanging the code, and asking who it is.
    TokenRequest,
}

impl Step {
    const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationRequest => "authorization request",
            Self::AuthorizationResponse => "authorization response",
            Self::TokenRequest => "token request",
        }
    }
}

impl Authorizer {
    pub(super) async fn to_provider(
        &self,
        idp: &dyn UpstreamIdp,
        purpose: LoginPurpose,
        (browser, visitor): (&Browser, &Visitor),
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
            trace_id: visitor.trace(),
        };
        let state = self.authorization_codes.begin_login(login).await?;
        let challenge = CodeChallenge::of(&verifier);
        match idp.authorization_url(UpstreamAuthorization { state, nonce, challenge }).await {
            Ok(url) => Ok(NextStep::ToProvider { url }),
            Err(error) => {
                let mut caller = visitor.caller();
                caller.client_id = purpose.request().map(|request| request.client_id.clone());
                self.provider_failed(&purpose, (Step::AuthorizationRequest, error), (caller, visitor)).await
            }
        }
    }

    /// Goes on with the login that the answer belongs to. One that belongs to none is recorded too:
    /// somebody may be trying.
    pub(super) async fn complete_login(&self, back: CompleteLogin) -> Result<BrowserStep, LoginError> {
        let (provider, caller, peer) = (back.provider.clone(), back.visitor.caller(), back.visitor.peer.clone());
        let outcome = self.completed(back).await;
        if let Err(error @ (LoginError::Unknown | LoginError::OtherBrowser)) = &outcome {
            tracing::warn!(provider, request_id = caller.trace_id, %error, "a callback was refused");
            let event = AuditEvent::auth("auth.login_refused", OperationStatus::Error, caller)
                .with_details(json!({"provider": provider, "step": Step::AuthorizationResponse.as_str(), "peer": peer}))
                .with_error(error.to_string());
            self.record(event).await?;
        }
        outcome
    }

    async fn completed(&self, back: CompleteLogin) -> Result<BrowserStep, LoginError> {
        let Some(idp) = self.login_methods.provider(&back.provider) else { return Err(LoginError::Unknown) };
        let Some(cookie) = back.visitor.browser.clone() else { return Err(LoginError::OtherBrowser) };
        let browser = Browser { cookie, is_new: false };
        let login = self.authorization_codes.take_login(back.state, browser.cookie.clone()).await?;
        let (caller, visitor) = (login_caller(&login, &back.visitor), back.visitor.within(&login));
        let LoginStage::AwaitingProvider { provider, verifier, nonce } = login.stage else {
            return Err(LoginError::Unknown);
        };
        if provider != back.provider {
            return Err(LoginError::Unknown);
        }
        let exchanged = match back.answer {
            ProviderAnswer::Code(code) => {
                let exchange = UpstreamExchange { code, verifier, nonce, issuer: back.issuer };
                idp.exchange(exchange).await.map_err(|error| (Step::TokenRequest, error))
            }
            ProviderAnswer::Error { error, description } => {
                let detail = description.as_deref().map(printable);
                let refused =
                    UpstreamError::Refused { provider: idp.name().to_owned(), error: printable(&error), detail };
                Err((Step::AuthorizationResponse, refused))
            }
        };
        let at_client = self.at_client(login.purpose.request());
        let next = match exchanged {
            Ok(signed_in) => {
                self.after_login(login.purpose, signed_in, (&browser, &visitor), login.expected_user).await
            }
            Err(failed) => self.provider_failed(&login.purpose, failed, (caller, &visitor)).await,
        };
        Ok(BrowserStep { next: next.map_err(at_client)?, browser: None })
    }

    /// The operator learns what happened; the client is told at its verified URI, a visitor on
    /// a page.
    async fn provider_failed(
        &self,
        purpose: &LoginPurpose,
        (step, error): (Step, UpstreamError),
        (caller, visitor): (AuditCaller, &Visitor),
    ) -> Result<NextStep, LoginError> {
        let (provider, request_id) = (error.provider(), visitor.trace_id.as_deref());
        tracing::warn!(provider, step = step.as_str(), request_id, %error, "a login at the provider failed");
        if is_about_us(&error) {
            tracing::error!(
                "{provider} does not accept this server: check client_id, client_secret and callback of auth.{provider}"
            );
        }
        let event = AuditEvent::auth("auth.login_failed", OperationStatus::Error, caller)
            .with_details(json!({"provider": error.provider(), "step": step.as_str(), "peer": visitor.peer}))
            .with_error(error.to_string());
        self.record(event).await?;
        let LoginPurpose::Client(request) = purpose else { return Err(LoginError::Provider(error)) };
        let provider = error.provider();
        let (code, text) = match &error {
            UpstreamError::Refused { error, .. } if error == "access_denied" => {
                (OAuthErrorCode::AccessDenied, format!("the login was refused at {provider}; allow access there"))
            }
            UpstreamError::Unreachable { .. } => {
                let text = format!("Connection refused to provider: {provider} did not answer; try again in a moment");
                (OAuthErrorCode::TemporarilyUnavailable, text)
            }
            UpstreamError::Faulty { .. } => {
                (OAuthErrorCode::TemporarilyUnavailable, format!("{provider} has a fault; try again in a moment"))
            }
            error if is_about_us(error) => {
                (OAuthErrorCode::ServerError, format!("{provider} does not accept this server; tell its operator"))
            }
            UpstreamError::Refused { .. } | UpstreamError::InvalidGrant { .. } | UpstreamError::Unusable { .. } => {
                let text = format!("{provider} gave an answer that cannot be used; try again, or tell the operator");
                (OAuthErrorCode::ServerError, text)
            }
        };
        Ok(self.refuse(request, code, &text).next)
    }
}

/// Whether the provider refused this server, and not the person: no second try helps.
fn is_about_us(error: &UpstreamError) -> bool {
    /// As RFC 6749 section 5.2 has them, and as GitHub does.
    const CODES: [&str; 4] =
        ["invalid_client", "unauthorized_client", "incorrect_client_credentials", "redirect_uri_mismatch"];
    matches!(error, UpstreamError::Refused { error, .. } if CODES.contains(&error.as_str()))
}

/// A provider's own words, or what somebody put into the URL in its name.
fn printable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(WORDS_MAX).collect()
}

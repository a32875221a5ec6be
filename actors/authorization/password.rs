//! Our own login page.

use super::flow::{Authorizer, Browser, known_browser, login_caller, redirect_scheme};
use super::messages::{BrowserStep, LoginError, NextStep, PasswordPrompt, SubmitPassword, Visitor};
use super::rules::csrf_token;
use crate::authorization_codes::{NewLogin, TooManyAttempts};
use crate::model::audit_event::{AuditEvent, OperationStatus};
use crate::model::grant::{LoginPurpose, LoginStage, PendingLogin, SignedIn};
use crate::model::ids::UserId;
use crate::model::scope::ScopeSet;
use crate::ports::password_directory::PasswordDirectory;
use serde_json::json;

impl Authorizer {
    pub(super) async fn to_password_page(
        &self,
        purpose: LoginPurpose,
        (browser, visitor): (&Browser, &Visitor),
        expected_user: Option<UserId>,
    ) -> Result<NextStep, LoginError> {
        let client_name = self.client_name(&purpose).await?;
        let redirect_scheme = redirect_scheme(&purpose);
        let login = NewLogin {
            browser_hash: browser.cookie.hash(),
            purpose,
            stage: LoginStage::AwaitingPassword,
            expected_user,
            trace_id: visitor.trace(),
        };
        let handle = self.authorization_codes.begin_login(login).await?;
        let csrf = csrf_token(&browser.cookie, handle.expose());
        Ok(NextStep::Password(PasswordPrompt {
            handle,
            csrf,
            message: None,
            username: String::new(),
            client_name,
            redirect_scheme,
        }))
    }

    pub(super) async fn submit_password(&self, submitted: SubmitPassword) -> Result<BrowserStep, LoginError> {
        let Some(directory) = self.login_methods.directory() else { return Err(LoginError::Unknown) };
        let browser = known_browser(&submitted.visitor, &submitted.handle, &submitted.csrf)?;
        let login = self.authorization_codes.find_login(submitted.handle.clone(), browser.cookie.clone()).await?;
        if !matches!(login.stage, LoginStage::AwaitingPassword) {
            return Err(LoginError::Unknown);
        }
        if let Some(signed_in) = self.check_password(directory.as_ref(), &submitted, &login).await? {
            let taken = self.authorization_codes.take_login(submitted.handle, browser.cookie.clone()).await?;
            let at_client = self.at_client(taken.purpose.request());
            let visitor = submitted.visitor.within(&taken);
            let next = self.after_login(taken.purpose, signed_in, (&browser, &visitor), taken.expected_user);
            return Ok(BrowserStep { next: next.await.map_err(at_client)?, browser: None });
        }
        let prompt = PasswordPrompt {
            client_name: self.client_name(&login.purpose).await?,
            redirect_scheme: redirect_scheme(&login.purpose),
            handle: submitted.handle,
            csrf: submitted.csrf,
            message: Some("The name or the password is wrong.".to_owned()),
            username: submitted.username,
        };
        Ok(BrowserStep { next: NextStep::Password(prompt), browser: None })
    }

    async fn check_password(
        &self,
        directory: &dyn PasswordDirectory,
        submitted: &SubmitPassword,
        login: &PendingLogin,
    ) -> Result<Option<SignedIn>, LoginError> {
        let (username, peer) = (submitted.username.clone(), submitted.visitor.peer.clone());
        let mut caller = login_caller(login, &submitted.visitor);
        let counted = self.authorization_codes.count_attempt(username.clone(), peer.clone()).await;
        if let Err(error) = counted {
            let event = AuditEvent::auth("auth.rate_limited", OperationStatus::Error, caller);
            let event = event.with_details(json!({"peer": peer}));
            self.audit_log.record_repeated(event.with_error("too many attempts at a password"));
            return Err(match error {
                TooManyAttempts::Unavailable(unavailable) => LoginError::Unavailable(unavailable),
                wait @ TooManyAttempts::Wait(_) => LoginError::TooManyAttempts(wait),
            });
        }
        let checked = directory.verify(username.clone(), submitted.password.clone()).await;
        let user = checked.map_err(|error| {
            tracing::error!(%error, "a password could not be checked");
            LoginError::PasswordCheck
        })?;
        let Some(user) = user else {
            // A name that nobody has is not written down: it may be a password in the wrong field.
            let is_known = directory.find_user(&UserId::of(directory.name(), &username)).is_some();
            let details = json!({"username": is_known.then_some(username), "peer": peer});
            let event = AuditEvent::auth("auth.login_failed", OperationStatus::Error, caller).with_details(details);
            self.record(event.with_error("wrong name or password")).await?;
            return Ok(None);
        };
        caller.user_id = Some(user.id.to_string());
        if let Err(TooManyAttempts::Unavailable(error)) = self.authorization_codes.forget_attempts(username, peer).await
        {
            return Err(LoginError::Unavailable(error));
        }
        Ok(Some(SignedIn { user, upstream: None, missing_scopes: ScopeSet::default() }))
    }
}

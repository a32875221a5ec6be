//! The consent page, and what the person said on it.

use super::flow::{Authorizer, Browser, known_browser, login_caller};
use super::login_methods::LoginMethod;
use super::messages::{BrowserStep, ConsentPrompt, DecideConsent, LoginError, NextStep, Visitor};
use super::rules::csrf_token;
use crate::authorization_codes::NewLogin;
use crate::model::audit_event::OperationStatus;
use crate::model::client::Client;
use crate::model::grant::{AuthorizationRequest, LoginPurpose, LoginStage, PendingLogin};
use crate::model::oauth_error::OAuthErrorCode;
use crate::model::principal::User;
use crate::model::secret::Secret;

impl Authorizer {
    /// The consent page for a client's request. Nobody is known yet, unless local users are
    /// already signed in on our own pages.
    pub(super) async fn ask_consent(
        &self,
        client: &Client,
        request: AuthorizationRequest,
        browser: &Browser,
        visitor: &Visitor,
    ) -> Result<NextStep, LoginError> {
        let known = match self.login_methods.only() {
            Some(LoginMethod::Password(_)) => self.signed_in_locally(visitor).await?,
            // Who it will be is not known before they have chosen where to sign in.
            Some(LoginMethod::Provider(_)) | None => None,
        };
        let user = known.map(|signed_in| signed_in.user);
        self.consent_page(client, request, (browser, visitor), (LoginStage::AwaitingConsent, user)).await
    }

    /// Where the person will log in, in words.
    fn provider_titles(&self) -> String {
        let titles: Vec<&str> = self.login_methods.iter().map(LoginMethod::title).collect();
        match titles.as_slice() {
            [several @ .., last] if !several.is_empty() => format!("{} or {last}", several.join(", ")),
            titles => titles.join(""),
        }
    }

    pub(super) async fn consent_page(
        &self,
        client: &Client,
        request: AuthorizationRequest,
        (browser, visitor): (&Browser, &Visitor),
        (stage, user): (LoginStage, Option<User>),
    ) -> Result<NextStep, LoginError> {
        // The approval is for all of it, also for what the person may come to have later.
        let scopes = &request.scopes;
        let all = self.sessions.scope_rules().closure(scopes);
        let implied = all.iter().filter(|scope| !scopes.contains(scope));
        let granted = user.as_ref().map(|user| self.granted(&request, user));
        let is_withheld = |scope: &&str| granted.as_ref().is_some_and(|granted| !granted.contains(scope));
        let prompt = ConsentPrompt {
            client_name: client.name.clone(),
            client_id: client.id.to_string(),
            client_host: client.document_host(),
            is_client_only_local: client.is_only_local(),
            redirect_destination: request.redirect_uri.destination(),
            redirect_scheme: request.redirect_uri.scheme().to_owned(),
            is_redirect_local: request.redirect_uri.is_local(),
            scopes: scopes.iter().map(str::to_owned).collect(),
            implied_scopes: implied.map(str::to_owned).collect(),
            withheld_scopes: scopes.iter().filter(is_withheld).map(str::to_owned).collect(),
            provider_title: self.provider_titles(),
            provider_scopes: self.login_methods.only().map(LoginMethod::requested_scopes).unwrap_or_default(),
            username: user.map(|user| user.username),
            handle: Secret::default(),
            csrf: Secret::default(),
        };
        let login = NewLogin {
            browser_hash: browser.cookie.hash(),
            purpose: LoginPurpose::Client(Box::new(request)),
            stage,
            expected_user: None,
            trace_id: visitor.trace(),
        };
        let handle = self.authorization_codes.begin_login(login).await?;
        let csrf = csrf_token(&browser.cookie, handle.expose());
        Ok(NextStep::Consent(ConsentPrompt { handle, csrf, ..prompt }))
    }

    pub(super) async fn decide_consent(&self, decided: DecideConsent) -> Result<BrowserStep, LoginError> {
        let browser = known_browser(&decided.visitor, &decided.handle, &decided.csrf)?;
        let handle = decided.handle.clone();
        let login = self.authorization_codes.take_login(handle, browser.cookie.clone()).await?;
        let LoginPurpose::Client(request) = login.purpose.clone() else { return Err(LoginError::Unknown) };
        let at_client = self.at_client(Some(&request));
        self.decided(decided, login, *request, &browser).await.map_err(at_client)
    }

    async fn decided(
        &self,
        decided: DecideConsent,
        login: PendingLogin,
        request: AuthorizationRequest,
        browser: &Browser,
    ) -> Result<BrowserStep, LoginError> {
        let caller = login_caller(&login, &decided.visitor);
        let visitor = &decided.visitor.within(&login);
        let signed_in = match login.stage {
            LoginStage::AwaitingConsent => None,
            LoginStage::AwaitingUserConsent(signed_in) => Some(*signed_in),
            // Nothing was asked here, so this answers nothing, not even with a no.
            LoginStage::AwaitingChoice | LoginStage::AwaitingProvider { .. } | LoginStage::AwaitingPassword => {
                return Err(LoginError::Unknown);
            }
        };
        if !decided.is_approved {
            self.record_login("auth.consent_refused", OperationStatus::Success, (caller, visitor), None).await?;
            return Ok(self.refuse(&request, OAuthErrorCode::AccessDenied, "the person refused"));
        }
        self.record_login("auth.consent_given", OperationStatus::Success, (caller, visitor), None).await?;
        let next = match signed_in {
            None => self.to_login(login.purpose, browser, visitor, None).await?,
            Some(signed_in) => self.finish(login.purpose, signed_in, browser, visitor).await?,
        };
        Ok(BrowserStep { next, browser: None })
    }
}

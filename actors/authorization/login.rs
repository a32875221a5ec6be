//! On to where people prove who they are: to the only place, or to the one of several that they
//! choose.

use super::flow::{Authorizer, Browser, known_browser, redirect_scheme};
use super::login_methods::LoginMethod;
use super::messages::{BrowserStep, ChoicePrompt, ChooseLogin, LoginError, LoginOffer, NextStep, Visitor};
use super::rules::csrf_token;
use crate::authorization_codes::NewLogin;
use crate::model::grant::{LoginPurpose, LoginStage, SignedIn};
use crate::model::ids::UserId;
use crate::model::scope::ScopeSet;
use std::sync::Arc;

impl Authorizer {
    /// On to where people prove who they are.
    pub(super) async fn to_login(
        &self,
        purpose: LoginPurpose,
        browser: &Browser,
        visitor: &Visitor,
        expected_user: Option<UserId>,
    ) -> Result<NextStep, LoginError> {
        if self.login_methods.is_empty() {
            return Err(LoginError::Off);
        }
        match self.login_methods.only() {
            Some(method) => self.to_method(method, purpose, (browser, visitor), expected_user).await,
            None => self.to_choice(purpose, (browser, visitor), expected_user).await,
        }
    }

    async fn to_method(
        &self,
        method: &LoginMethod,
        purpose: LoginPurpose,
        (browser, visitor): (&Browser, &Visitor),
        expected_user: Option<UserId>,
    ) -> Result<NextStep, LoginError> {
        match method {
            LoginMethod::Provider(idp) => {
                self.to_provider(idp.as_ref(), purpose, (browser, visitor), expected_user).await
            }
            LoginMethod::Password(_) => match self.signed_in_locally(visitor).await? {
                Some(signed_in) => self.after_login(purpose, signed_in, (browser, visitor), expected_user).await,
                None => self.to_password_page(purpose, (browser, visitor), expected_user).await,
            },
        }
    }

    async fn to_choice(
        &self,
        purpose: LoginPurpose,
        (browser, visitor): (&Browser, &Visitor),
        expected_user: Option<UserId>,
    ) -> Result<NextStep, LoginError> {
        let client_name = self.client_name(&purpose).await?;
        let redirect_scheme = redirect_scheme(&purpose);
        let offers = self.offers(expected_user.as_ref());
        let login = NewLogin {
            browser_hash: browser.cookie.hash(),
            purpose,
            stage: LoginStage::AwaitingChoice,
            expected_user,
            trace_id: visitor.trace(),
        };
        let handle = self.authorization_codes.begin_login(login).await?;
        let csrf = csrf_token(&browser.cookie, handle.expose());
        Ok(NextStep::Choice(ChoicePrompt { handle, csrf, offers, client_name, redirect_scheme }))
    }

    /// The places to choose from; the one at which the person signed in before comes first.
    fn offers(&self, expected_user: Option<&UserId>) -> Vec<LoginOffer> {
        let mut offers: Vec<LoginOffer> = self
            .login_methods
            .iter()
            .map(|method| LoginOffer {
                name: method.name().to_owned(),
                title: method.title().to_owned(),
                scopes: method.requested_scopes(),
                was_used_before: expected_user.is_some_and(|user| user.is_of(method.name())),
            })
            .collect();
        offers.sort_by_key(|offer| !offer.was_used_before);
        offers
    }

    /// The login stays where it is: who comes back from a provider by the browser's own button
    /// may choose another. Each choice begins a login of its own.
    pub(super) async fn choose_login(&self, chosen: ChooseLogin) -> Result<BrowserStep, LoginError> {
        let browser = known_browser(&chosen.visitor, &chosen.handle, &chosen.csrf)?;
        let login = self.authorization_codes.find_login(chosen.handle, browser.cookie.clone()).await?;
        if !matches!(login.stage, LoginStage::AwaitingChoice) {
            return Err(LoginError::Unknown);
        }
        let method = self.login_methods.find(&chosen.method).ok_or(LoginError::Unknown)?;
        let at_client = self.at_client(login.purpose.request());
        let visitor = chosen.visitor.within(&login);
        let next = self.to_method(method, login.purpose, (&browser, &visitor), login.expected_user);
        Ok(BrowserStep { next: next.await.map_err(at_client)?, browser: None })
    }

    pub(super) async fn client_name(&self, purpose: &LoginPurpose) -> Result<Option<String>, LoginError> {
        match purpose {
            LoginPurpose::Visit => Ok(None),
            LoginPurpose::Client(request) => {
                let client = self.client_registry.recall_client(request.client_id.clone()).await?;
                Ok(client.map(|client| client.name))
            }
        }
    }

    /// A local user who is signed in on our own pages need not give the password again. At a
    /// provider people always go there, since the new session needs tokens of its own.
    pub(super) async fn signed_in_locally(&self, visitor: &Visitor) -> Result<Option<SignedIn>, LoginError> {
        let (Some(directory), Some(cookie)) = (self.login_methods.directory(), &visitor.session) else {
            return Ok(None);
        };
        let session = self.sessions.find_browser_session(cookie.clone()).await?;
        // As the directory knows them, and not as the rules of the operator describe them: those are
        // applied to the new session too, and must not see what they gave themselves.
        let user = session.and_then(|session| directory.find_user(&session.user.id)).map(Arc::unwrap_or_clone);
        Ok(user.map(|user| SignedIn { user, upstream: None, missing_scopes: ScopeSet::default() }))
    }
}

//! From consent through the login to the code or the visit.

use super::flow::{Authorizer, Browser, LoginMethod, http_caller};
use super::messages::{
    BrowserStep, CompleteLogin, ConsentPrompt, DecideConsent, LoginError, NextStep, PasswordPrompt, ProviderAnswer,
    SubmitPassword, Visitor,
};
use super::rules::{csrf_token, error_redirect};
use crate::authorization_codes::{NewLogin, TooManyAttempts};
use crate::model::audit_event::{AuditCaller, OperationStatus};
use crate::model::client::Client;
use crate::model::grant::{AuthorizationRequest, Consent, LoginPurpose, LoginStage, PendingLogin, SignedIn};
use crate::model::ids::UserId;
use crate::model::oauth_error::{OAuthError, OAuthErrorCode};
use crate::model::pkce::CodeChallenge;
use crate::model::scope::ScopeSet;
use crate::model::secret::Secret;
use crate::ports::password_directory::PasswordDirectory;
use crate::ports::upstream_idp::{UpstreamAuthorization, UpstreamError, UpstreamExchange, UpstreamIdp};
use crate::sessions::NewSession;
use std::time::Duration;

/// How long an approval is remembered.
const CONSENT_MAX: Duration = Duration::from_secs(90 * 24 * 60 * 60);

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
        let known = self.signed_in_locally(visitor).await?;
        let username = known.map(|signed_in| signed_in.user.username);
        self.consent_page(client, request, browser, (LoginStage::AwaitingConsent, username)).await
    }

    async fn consent_page(
        &self,
        client: &Client,
        request: AuthorizationRequest,
        browser: &Browser,
        (stage, username): (LoginStage, Option<String>),
    ) -> Result<NextStep, LoginError> {
        let prompt = ConsentPrompt {
            client_name: client.name.clone(),
            client_id: client.id.to_string(),
            client_host: client.document_host(),
            is_client_only_local: client.is_only_local(),
            redirect_destination: request.redirect_uri.destination(),
            redirect_scheme: request.redirect_uri.scheme().to_owned(),
            is_redirect_local: request.redirect_uri.is_local(),
            scopes: request.scopes.iter().map(str::to_owned).collect(),
            provider_title: self.provider_title(),
            provider_scopes: self.provider_scopes(),
            username,
            handle: Secret::default(),
            csrf: Secret::default(),
        };
        let login = NewLogin {
            browser_hash: browser.cookie.hash(),
            purpose: LoginPurpose::Client(Box::new(request)),
            stage,
            expected_user: None,
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
        let signed_in = match login.stage {
            LoginStage::AwaitingConsent => None,
            LoginStage::AwaitingUserConsent(signed_in) => Some(*signed_in),
            // Nothing was asked here, so this answers nothing, not even with a no.
            LoginStage::AwaitingProvider { .. } | LoginStage::AwaitingPassword => return Err(LoginError::Unknown),
        };
        let mut caller = http_caller(decided.visitor.trace_id.as_ref());
        caller.client_id = Some(request.client_id.clone());
        if !decided.is_approved {
            self.record_login("auth.consent_refused", OperationStatus::Success, caller, None).await?;
            return Ok(self.refuse(&request, OAuthErrorCode::AccessDenied, "the person refused"));
        }
        self.record_login("auth.consent_given", OperationStatus::Success, caller, None).await?;
        let next = match signed_in {
            None => self.to_login(login.purpose, browser, &decided.visitor, None).await?,
            Some(signed_in) => self.finish(login.purpose, signed_in, browser, &decided.visitor).await?,
        };
        Ok(BrowserStep { next, browser: None })
    }

    /// On to where people prove who they are.
    pub(super) async fn to_login(
        &self,
        purpose: LoginPurpose,
        browser: &Browser,
        visitor: &Visitor,
        expected_user: Option<UserId>,
    ) -> Result<NextStep, LoginError> {
        match &self.login_method {
            LoginMethod::Off => Err(LoginError::Off),
            LoginMethod::Provider(idp) => self.to_provider(idp.as_ref(), purpose, browser, expected_user).await,
            LoginMethod::Password(_) => match self.signed_in_locally(visitor).await? {
                Some(signed_in) => self.after_login(purpose, signed_in, browser, visitor, expected_user).await,
                None => self.to_password_page(purpose, browser, expected_user).await,
            },
        }
    }

    async fn to_provider(
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
            stage: LoginStage::AwaitingProvider { verifier: verifier.clone(), nonce: nonce.clone() },
            expected_user,
        };
        let state = self.authorization_codes.begin_login(login).await?;
        let challenge = CodeChallenge::of(&verifier);
        match idp.authorization_url(UpstreamAuthorization { state, nonce, challenge }).await {
            Ok(url) => Ok(NextStep::ToProvider { url }),
            Err(error) => self.provider_failed(&purpose, error, http_caller(None)).await,
        }
    }

    async fn to_password_page(
        &self,
        purpose: LoginPurpose,
        browser: &Browser,
        expected_user: Option<UserId>,
    ) -> Result<NextStep, LoginError> {
        let client_name = self.client_name(&purpose).await?;
        let redirect_scheme = redirect_scheme(&purpose);
        let login = NewLogin {
            browser_hash: browser.cookie.hash(),
            purpose,
            stage: LoginStage::AwaitingPassword,
            expected_user,
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

    async fn client_name(&self, purpose: &LoginPurpose) -> Result<Option<String>, LoginError> {
        match purpose {
            LoginPurpose::Visit => Ok(None),
            LoginPurpose::Client(request) => {
                let client = self.client_registry.recall_client(request.client_id.clone()).await?;
                Ok(client.map(|client| client.name))
            }
        }
    }

    pub(super) async fn submit_password(&self, submitted: SubmitPassword) -> Result<BrowserStep, LoginError> {
        let LoginMethod::Password(directory) = &self.login_method else { return Err(LoginError::Unknown) };
        let browser = known_browser(&submitted.visitor, &submitted.handle, &submitted.csrf)?;
        let login = self.authorization_codes.find_login(submitted.handle.clone(), browser.cookie.clone()).await?;
        if !matches!(login.stage, LoginStage::AwaitingPassword) {
            return Err(LoginError::Unknown);
        }
        if let Some(signed_in) = self.check_password(directory.as_ref(), &submitted, &login).await? {
            let taken = self.authorization_codes.take_login(submitted.handle, browser.cookie.clone()).await?;
            let at_client = self.at_client(taken.purpose.request());
            let next = self.after_login(taken.purpose, signed_in, &browser, &submitted.visitor, taken.expected_user);
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
            let text = Some("too many attempts".to_owned());
            self.record_login("auth.rate_limited", OperationStatus::Error, caller, text).await?;
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
            let text = Some("wrong name or password".to_owned());
            self.record_login("auth.login_failed", OperationStatus::Error, caller, text).await?;
            return Ok(None);
        };
        caller.user_id = Some(user.id.to_string());
        if let Err(TooManyAttempts::Unavailable(error)) = self.authorization_codes.forget_attempts(username, peer).await
        {
            return Err(LoginError::Unavailable(error));
        }
        Ok(Some(SignedIn { user, upstream: None }))
    }

    pub(super) async fn complete_login(&self, back: CompleteLogin) -> Result<BrowserStep, LoginError> {
        let LoginMethod::Provider(idp) = &self.login_method else { return Err(LoginError::Unknown) };
        let Some(cookie) = back.visitor.browser.clone() else { return Err(LoginError::OtherBrowser) };
        let browser = Browser { cookie, is_new: false };
        let login = self.authorization_codes.take_login(back.state, browser.cookie.clone()).await?;
        let caller = login_caller(&login, &back.visitor);
        let LoginStage::AwaitingProvider { verifier, nonce } = login.stage else { return Err(LoginError::Unknown) };
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

    /// Somebody has proved who they are. When somebody else had approved the client, they are
    /// asked themselves.
    async fn after_login(
        &self,
        purpose: LoginPurpose,
        signed_in: SignedIn,
        browser: &Browser,
        visitor: &Visitor,
        expected_user: Option<UserId>,
    ) -> Result<NextStep, LoginError> {
        let is_expected = expected_user.is_none_or(|expected| expected == signed_in.user.id);
        match purpose {
            LoginPurpose::Client(request) if !is_expected => {
                let client = self.client_registry.recall_client(request.client_id.clone()).await?;
                let client = client.ok_or(LoginError::Unknown)?;
                let username = Some(signed_in.user.username.clone());
                let stage = LoginStage::AwaitingUserConsent(Box::new(signed_in));
                self.consent_page(&client, *request, browser, (stage, username)).await
            }
            purpose => self.finish(purpose, signed_in, browser, visitor).await,
        }
    }

    /// Opens the session, and hands the client its code or the visitor their cookie.
    async fn finish(
        &self,
        purpose: LoginPurpose,
        signed_in: SignedIn,
        browser: &Browser,
        visitor: &Visitor,
    ) -> Result<NextStep, LoginError> {
        let user_id = signed_in.user.id.clone();
        let mut caller = http_caller(visitor.trace_id.as_ref());
        caller.user_id = Some(user_id.to_string());
        match purpose {
            LoginPurpose::Visit => {
                let opened = self.sessions.open_session(self.new_session(None, signed_in)).await?;
                caller.session_id = Some(opened.id);
                self.record_login("auth.login_succeeded", OperationStatus::Success, caller, None).await?;
                opened.cookie.map(|session| NextStep::SignedIn { session }).ok_or(LoginError::Unknown)
            }
            LoginPurpose::Client(request) => {
                let opened = self.sessions.open_session(self.new_session(Some(&request), signed_in)).await?;
                self.authorization_codes.record_consent(self.consent(&request, browser, user_id)).await?;
                self.client_registry.mark_client_used(request.client_id.clone()).await?;
                let code = self.authorization_codes.issue_code(opened.id.clone(), (*request).clone()).await?;
                caller.client_id = Some(request.client_id.clone());
                caller.session_id = Some(opened.id);
                self.record_login("auth.login_succeeded", OperationStatus::Success, caller, None).await?;
                Ok(self.answer(&request, &code))
            }
        }
    }

    fn new_session(&self, request: Option<&AuthorizationRequest>, signed_in: SignedIn) -> NewSession {
        NewSession {
            client_id: request.map(|request| request.client_id.clone()),
            scopes: request.map_or_else(ScopeSet::default, |request| request.scopes.clone()),
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

    fn refuse(&self, request: &AuthorizationRequest, code: OAuthErrorCode, text: &str) -> BrowserStep {
        let error = OAuthError::new(code, text);
        let url = error_redirect(&request.redirect_uri, request.state.as_deref(), &error, &self.settings.issuer);
        BrowserStep { next: NextStep::ToClient { url }, browser: None }
    }

    /// A local user who is signed in on our own pages need not give the password again. At a
    /// provider people always go there, since the new session needs tokens of its own.
    async fn signed_in_locally(&self, visitor: &Visitor) -> Result<Option<SignedIn>, LoginError> {
        let (LoginMethod::Password(_), Some(cookie)) = (&self.login_method, &visitor.session) else {
            return Ok(None);
        };
        let session = self.sessions.find_browser_session(cookie.clone()).await?;
        Ok(session.map(|session| SignedIn { user: session.user, upstream: None }))
    }
}

/// The browser that a form came from, if the form is ours.
fn known_browser(visitor: &Visitor, handle: &Secret, csrf: &Secret) -> Result<Browser, LoginError> {
    let cookie = visitor.browser.clone().ok_or(LoginError::OtherBrowser)?;
    let expected = csrf_token(&cookie, handle.expose());
    if expected.is_empty() || !expected.matches(csrf.expose()) {
        return Err(LoginError::Forged);
    }
    Ok(Browser { cookie, is_new: false })
}

fn login_caller(login: &PendingLogin, visitor: &Visitor) -> AuditCaller {
    let mut caller = http_caller(visitor.trace_id.as_ref());
    caller.client_id = login.purpose.request().map(|request| request.client_id.clone());
    caller
}

fn redirect_scheme(purpose: &LoginPurpose) -> Option<String> {
    purpose.request().map(|request| request.redirect_uri.scheme().to_owned())
}

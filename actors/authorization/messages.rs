//! What authorization is told and asked.

use super::flow::http_caller;
use crate::audit_log::AuditError;
use crate::authorization_codes::{CodeError, LoginLookupError, TooManyAttempts};
use crate::client_registry::{DocumentError, RegistryError};
use crate::mailbox::Unavailable;
use crate::model::audit_event::AuditCaller;
use crate::model::client::ClientCredentials;
use crate::model::grant::PendingLogin;
use crate::model::oauth_error::OAuthError;
use crate::model::principal::User;
use crate::model::scope_hierarchy::Reach;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::model::token::IssuedTokens;
use crate::ports::StoreError;
use crate::ports::upstream_idp::UpstreamError;
use crate::sessions::SessionError;
use actix::Message;

/// What the caller's browser showed.
#[derive(Clone, Debug, Default)]
pub struct Visitor {
    /// The cookie that names the browser, if it has one yet.
    pub browser: Option<Secret>,
    /// The cookie of its session on our own pages.
    pub session: Option<Secret>,
    /// The address that it calls from.
    pub peer: String,
    /// The id of the request.
    pub trace_id: Option<String>,
    /// The trace of the login of which the request is a step, once that was looked up.
    pub login: Option<String>,
}

impl Visitor {
    /// The same in a step of `login`.
    pub(super) fn within(&self, login: &PendingLogin) -> Self {
        Self { login: login.trace_id.clone(), ..self.clone() }
    }

    /// The trace of the login, which the request that begins it gives its id.
    pub(super) fn trace(&self) -> Option<String> {
        self.login.clone().or_else(|| self.trace_id.clone())
    }

    /// The caller that it is, as far as records go.
    pub(super) fn caller(&self) -> AuditCaller {
        http_caller(self.trace_id.as_ref()).within(self.login.clone())
    }
}

/// The parameters of an authorization request as they came (RFC 6749 section 4.1.1, RFC 7636
/// section 4.3, RFC 8707 section 2). Empty ones count as absent.
#[derive(Clone, Debug, Default)]
pub struct AuthorizeParameters {
    /// `client_id`.
    pub client_id: Option<String>,
    /// `redirect_uri`.
    pub redirect_uri: Option<String>,
    /// `response_type`.
    pub response_type: Option<String>,
    /// `response_mode`.
    pub response_mode: Option<String>,
    /// `state`.
    pub state: Option<String>,
    /// `scope`.
    pub scope: Option<String>,
    /// `code_challenge`.
    pub code_challenge: Option<String>,
    /// `code_challenge_method`.
    pub code_challenge_method: Option<String>,
    /// `resource`, each time it was given.
    pub resource: Vec<String>,
    /// Whether `request` or `request_uri` was given.
    pub has_request_object: bool,
    /// Parameters that were given more than once although they must not be.
    pub repeated: Vec<String>,
}

/// What the browser is to be shown or sent to.
#[derive(Clone, Debug)]
pub enum NextStep {
    /// The consent page.
    Consent(ConsentPrompt),
    /// The page on which the person chooses where to sign in.
    Choice(ChoicePrompt),
    /// Our own login page.
    Password(PasswordPrompt),
    /// The identity provider.
    ToProvider {
        /// Where to.
        url: String,
    },
    /// Back to the client, with a code or an error. The URI is verified.
    ToClient {
        /// Where to.
        url: String,
    },
    /// Our own page, signed in.
    SignedIn {
        /// The cookie of the session.
        session: Secret,
    },
}

/// A step, and the cookie that names the browser when it has just been given one.
#[derive(Clone, Debug)]
pub struct BrowserStep {
    /// The step.
    pub next: NextStep,
    /// The new cookie.
    pub browser: Option<Secret>,
}

/// What the consent page says.
#[derive(Clone, Debug)]
pub struct ConsentPrompt {
    /// The login's handle, for the form.
    pub handle: Secret,
    /// The form's token against forgery.
    pub csrf: Secret,
    /// The client's name.
    pub client_name: String,
    /// The client's identifier.
    pub client_id: String,
    /// The host of the document that describes the client, if one does.
    pub client_host: Option<String>,
    /// Whether that client's answers can only go to the person's own machine, where any program
    /// may say that it is this client.
    pub is_client_only_local: bool,
    /// Where the answer goes.
    pub redirect_destination: String,
    /// The scheme of the URI that the answer goes to.
    pub redirect_scheme: String,
    /// Whether that is the person's own machine, where any program may listen.
    pub is_redirect_local: bool,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// What follows from them.
    pub implied_scopes: Vec<String>,
    /// Those that the person will not give, when it is known who that is: they are not entitled to them.
    pub withheld_scopes: Vec<String>,
    /// Where the person will log in, unless they are known already.
    pub provider_title: String,
    /// What we ask of the provider.
    pub provider_scopes: Vec<String>,
    /// Who is signed in, when that is known.
    pub username: Option<String>,
}

/// What the page says on which a person chooses where to sign in.
#[derive(Clone, Debug)]
pub struct ChoicePrompt {
    /// The login's handle, for the form.
    pub handle: Secret,
    /// The form's token against forgery.
    pub csrf: Secret,
    /// Where people can sign in.
    pub offers: Vec<LoginOffer>,
    /// The client that the login is for, if it is for one.
    pub client_name: Option<String>,
    /// The scheme of the URI that the answer goes to, if it goes to a client.
    pub redirect_scheme: Option<String>,
}

/// One place to sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginOffer {
    /// Its name, for the form.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// What we ask of it.
    pub scopes: Vec<String>,
    /// Whether the person who approved the client in this browser signed in there.
    pub was_used_before: bool,
}

/// What our own login page says.
#[derive(Clone, Debug)]
pub struct PasswordPrompt {
    /// The login's handle, for the form.
    pub handle: Secret,
    /// The form's token against forgery.
    pub csrf: Secret,
    /// What went wrong the last time.
    pub message: Option<String>,
    /// The name that was tried.
    pub username: String,
    /// The client that the login is for, if it is for one.
    pub client_name: Option<String>,
    /// The scheme of the URI that the answer goes to, if it goes to a client.
    pub redirect_scheme: Option<String>,
}

/// Why an authorization request was not begun.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeginError {
    /// The person is told on a page: the client or its redirect URI is not verified.
    #[error("{0}")]
    Unverified(OAuthError),
    /// The client is told at its verified redirect URI.
    #[error("{error}")]
    ToClient {
        /// Where to, with the error in it.
        url: String,
        /// The error.
        error: OAuthError,
    },
    /// A part of the server failed.
    #[error(transparent)]
    Failed(#[from] LoginError),
}

impl From<Unavailable> for BeginError {
    fn from(error: Unavailable) -> Self {
        Self::Failed(LoginError::Unavailable(error))
    }
}

/// Why a login did not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// It is over, was used, or never was.
    #[error("this login has expired or was already used")]
    Unknown,
    /// It was begun in another browser, or the browser's cookies are gone.
    #[error("this login was begun in another browser; start again in this one")]
    OtherBrowser,
    /// The form's token is wrong.
    #[error("the form did not come from this server's page; go back and try again")]
    Forged,
    /// Too many wrong passwords.
    #[error(transparent)]
    TooManyAttempts(TooManyAttempts),
    /// The provider failed, and there is no client to tell.
    #[error(transparent)]
    Provider(#[from] UpstreamError),
    /// The password could not be checked.
    #[error("the password could not be checked; try again")]
    PasswordCheck,
    /// The client's metadata document is missing or wrong.
    #[error(transparent)]
    Document(DocumentError),
    /// A part of the server failed after the redirect URI had been verified, so that the client
    /// is told there.
    #[error("{cause}")]
    AtClient {
        /// Where to, with the error in it.
        url: String,
        /// What failed, for the operator.
        cause: Box<LoginError>,
    },
    /// Nobody can log in: authentication is off.
    #[error("authentication is off on this server")]
    Off,
    /// The audit log failed.
    #[error(transparent)]
    NotRecorded(#[from] AuditError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A part of the server did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<CodeError> for LoginError {
    fn from(error: CodeError) -> Self {
        match error {
            CodeError::Store(error) => Self::Store(error),
            CodeError::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

impl From<RegistryError> for LoginError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Document(error) => Self::Document(error),
            RegistryError::Store(error) => Self::Store(error),
            RegistryError::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

impl From<LoginLookupError> for LoginError {
    fn from(error: LoginLookupError) -> Self {
        match error {
            LoginLookupError::Unknown => Self::Unknown,
            LoginLookupError::OtherBrowser => Self::OtherBrowser,
            LoginLookupError::Store(error) => Self::Store(error),
            LoginLookupError::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

impl From<SessionError> for LoginError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Ended => Self::Unknown,
            SessionError::Store(error) => Self::Store(error),
            SessionError::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

/// Begins an authorization (RFC 6749 section 4.1.1). Sent by the authorization endpoint.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<BrowserStep, BeginError>")]
pub struct BeginAuthorization {
    /// The request.
    pub parameters: AuthorizeParameters,
    /// Who asks.
    pub visitor: Visitor,
}

/// Begins a visit of our own pages. Sent by the root page.
#[derive(Debug, Message)]
#[rtype(result = "Result<BrowserStep, LoginError>")]
pub(crate) struct BeginVisit {
    pub(crate) visitor: Visitor,
}

/// What the person said on the consent page. Sent by that page's form. Once per login.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<BrowserStep, LoginError>")]
pub struct DecideConsent {
    /// The login's handle.
    pub handle: Secret,
    /// The form's token.
    pub csrf: Secret,
    /// Whether they said yes.
    pub is_approved: bool,
    /// Who says so.
    pub visitor: Visitor,
}

/// Where the person wants to sign in. Sent by the page with that choice. As often as they like.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<BrowserStep, LoginError>")]
pub struct ChooseLogin {
    /// The login's handle.
    pub handle: Secret,
    /// The form's token.
    pub csrf: Secret,
    /// The name of the place.
    pub method: String,
    /// Who says so.
    pub visitor: Visitor,
}

/// A name and a password. Sent by our own login page. Right ones use the login up.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<BrowserStep, LoginError>")]
pub struct SubmitPassword {
    /// The login's handle.
    pub handle: Secret,
    /// The form's token.
    pub csrf: Secret,
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
    /// Who says so.
    pub visitor: Visitor,
}

/// What the provider sent the browser back with.
#[derive(Clone, Debug)]
pub enum ProviderAnswer {
    /// A code.
    Code(Secret),
    /// An OAuth error.
    Error {
        /// The code of the error.
        error: String,
        /// Its description.
        description: Option<String>,
    },
}

/// The browser is back from the provider. Sent by the callback. Once per login.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<BrowserStep, LoginError>")]
pub struct CompleteLogin {
    /// The provider, by the route that it sent the browser to.
    pub provider: String,
    /// The login's handle.
    pub state: Secret,
    /// What the provider says.
    pub answer: ProviderAnswer,
    /// The `iss` parameter (RFC 9207).
    pub issuer: Option<String>,
    /// Who is back.
    pub visitor: Visitor,
}

/// Somebody signed in on our own pages.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Who.
    pub user: User,
    /// What a login of theirs could give.
    pub reach: Reach,
    /// The token against forgery of the sign-out form.
    pub csrf: Secret,
    /// When the session ends.
    pub expires_at: Timestamp,
    /// Whether they may see the audit log.
    pub is_audit_viewer: bool,
}

/// Why a visit could not be looked up or ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VisitError {
    /// The form's token is wrong.
    #[error("the form did not come from this server's page; go back and try again")]
    Forged,
    /// The audit log failed.
    #[error(transparent)]
    NotRecorded(#[from] AuditError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A part of the server did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<SessionError> for VisitError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Ended => Self::Forged,
            SessionError::Store(error) => Self::Store(error),
            SessionError::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

/// Who is signed in with that cookie. Sent by the root page.
#[derive(Debug, Message)]
#[rtype(result = "Result<Option<Visit>, VisitError>")]
pub(crate) struct FindVisit {
    pub(crate) session: Secret,
}

/// What somebody may see who asks for the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewing {
    /// Nobody is signed in.
    SignedOut,
    /// Their role is none of those that may.
    Refused,
    /// All of it.
    Allowed,
}

/// Asks whether the person of that session may see the audit log. Sent by its page, by each stream
/// when it begins to show something, and by streams again and again. What is shown and every refusal
/// are recorded.
#[derive(Debug, Message)]
#[rtype(result = "Result<Viewing, VisitError>")]
pub(crate) struct ViewAudit {
    pub(crate) session: Secret,
    /// What of the log is about to be shown, as a query; `None` while nothing is.
    pub(crate) shown: Option<String>,
    pub(crate) visitor: Visitor,
}

/// Ends a visit, or everything of that person. Sent by the sign-out form. Idempotent.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), VisitError>")]
pub(crate) struct SignOut {
    pub(crate) session: Secret,
    pub(crate) csrf: Secret,
    pub(crate) is_everywhere: bool,
    pub(crate) trace_id: Option<String>,
}

/// What is exchanged for tokens.
#[derive(Clone, Debug)]
pub enum TokenGrant {
    /// An authorization code (RFC 6749 section 4.1.3).
    AuthorizationCode {
        /// The code.
        code: Secret,
        /// The redirect URI, if it was sent.
        redirect_uri: Option<String>,
        /// The PKCE verifier.
        verifier: Secret,
    },
    /// A refresh token (RFC 6749 section 6).
    RefreshToken {
        /// The token.
        token: Secret,
        /// A narrower scope, if one was asked for.
        scope: Option<String>,
    },
}

/// A token request. Sent by the token endpoint. A code works once.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<IssuedTokens, TokenError>")]
pub struct TokenRequest {
    /// Who asks.
    pub credentials: ClientCredentials,
    /// What is exchanged.
    pub grant: TokenGrant,
    /// The audience, each time it was given.
    pub resource: Vec<String>,
    /// The address that it comes from.
    pub peer: String,
    /// The id of the request.
    pub trace_id: Option<String>,
}

/// A revocation request (RFC 7009). Sent by the revocation endpoint. Idempotent.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(), TokenError>")]
pub struct RevokeRequest {
    /// Who asks.
    pub credentials: ClientCredentials,
    /// What is to be revoked.
    pub token: Secret,
    /// The address that it comes from.
    pub peer: String,
    /// The id of the request.
    pub trace_id: Option<String>,
}

/// Why there are no tokens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The client is told.
    #[error("{0}")]
    Refused(OAuthError),
    /// The audit log failed.
    #[error(transparent)]
    NotRecorded(#[from] AuditError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A part of the server did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<SessionError> for TokenError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Ended => Self::Refused(super::rules::invalid_grant("the grant has ended")),
            SessionError::Store(error) => Self::Store(error),
            SessionError::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

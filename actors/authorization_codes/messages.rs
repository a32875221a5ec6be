//! What authorization codes are told and asked.

use crate::mailbox::Unavailable;
use crate::model::grant::{AuthorizationCode, AuthorizationRequest, Consent, LoginPurpose, LoginStage, PendingLogin};
use crate::model::ids::{ClientId, SessionId, UserId};
use crate::model::secret::{Secret, TokenHash};
use crate::ports::StoreError;
use actix::Message;
use std::time::Duration;

/// Why it could not be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The actor did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why a login cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginLookupError {
    /// It is over, was used, or never was.
    #[error("this login has expired or was already used")]
    Unknown,
    /// It was begun in another browser.
    #[error("this login was begun in another browser")]
    OtherBrowser,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The actor did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why a code gives no tokens (RFC 6749 section 5.2).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedeemError {
    /// There is no such code, or it is too old.
    #[error("the code is not valid or has expired")]
    Invalid,
    /// It was issued to another client, for another redirect URI or another verifier.
    #[error("the code does not belong to this request: {what} differs")]
    Mismatch {
        /// What differs.
        what: &'static str,
        /// The trace of the login that the code ended.
        trace_id: Option<String>,
    },
    /// It had been redeemed: what it gave must be taken back.
    #[error("the code was already redeemed")]
    AlreadyRedeemed {
        /// The session that it opened.
        session_id: SessionId,
        /// The trace of its login.
        trace_id: Option<String>,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The actor did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Too many wrong passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooManyAttempts {
    /// Wait.
    #[error("too many attempts; try again in {} s", .0.as_secs().max(1))]
    Wait(Duration),
    /// The actor did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A login to begin.
#[derive(Clone, Debug)]
pub struct NewLogin {
    /// Hash of the browser's cookie.
    pub browser_hash: TokenHash,
    /// What it is for.
    pub purpose: LoginPurpose,
    /// Where it starts.
    pub stage: LoginStage,
    /// Who approved it, when that was in an earlier login.
    pub expected_user: Option<UserId>,
    /// The trace that its records carry.
    pub trace_id: Option<String>,
}

/// Begins a login; the answer is its handle. Sent by `authorization`.
#[derive(Debug, Message)]
#[rtype(result = "Result<Secret, CodeError>")]
pub(crate) struct BeginLogin {
    pub(crate) login: NewLogin,
}

/// Looks at a login without using it up. Sent by `authorization`.
#[derive(Debug, Message)]
#[rtype(result = "Result<PendingLogin, LoginLookupError>")]
pub(crate) struct FindLogin {
    pub(crate) handle: Secret,
    pub(crate) browser: Secret,
}

/// Takes a login: once. Another browser's attempt does not use it up. Sent by `authorization`.
#[derive(Debug, Message)]
#[rtype(result = "Result<PendingLogin, LoginLookupError>")]
pub(crate) struct TakeLogin {
    pub(crate) handle: Secret,
    pub(crate) browser: Secret,
}

/// Issues a code for a session. Sent by `authorization`.
#[derive(Debug, Message)]
#[rtype(result = "Result<Secret, CodeError>")]
pub(crate) struct IssueCode {
    pub(crate) session_id: SessionId,
    pub(crate) request: AuthorizationRequest,
    pub(crate) trace_id: Option<String>,
}

/// Redeems a code: once. Whatever is wrong with the attempt, the code is used up by it.
#[derive(Debug, Message)]
#[rtype(result = "Result<AuthorizationCode, RedeemError>")]
pub struct RedeemCode {
    /// The code.
    pub code: Secret,
    /// The client that shows it, authenticated.
    pub client_id: ClientId,
    /// The redirect URI, if it was sent.
    pub redirect_uri: Option<String>,
    /// The PKCE verifier.
    pub verifier: Secret,
}

/// Remembers a consent. Sent by `authorization`. Idempotent.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), CodeError>")]
pub(crate) struct RecordConsent {
    pub(crate) consent: Consent,
}

/// The consents that a browser gave to a client. Sent by `authorization`.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<Consent>, CodeError>")]
pub(crate) struct ListConsents {
    pub(crate) browser: TokenHash,
    pub(crate) client_id: ClientId,
}

/// Counts an attempt at a password before it is made. Sent by `authorization`.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), TooManyAttempts>")]
pub(crate) struct CountAttempt {
    pub(crate) username: String,
    pub(crate) peer: String,
}

/// Forgets the attempts of somebody who has got in. Sent by `authorization`.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), TooManyAttempts>")]
pub(crate) struct ForgetAttempts {
    pub(crate) username: String,
    pub(crate) peer: String,
}

/// Drops what is over.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct TickExpiry;

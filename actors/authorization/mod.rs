//! Authorization: takes a person from a client's request, through consent and login, to the
//! code, and the client from the code to its tokens.
//!
//! Owns nothing but the turns of codes that are being redeemed. Rank 3: asks
//! `client_registry`, `authorization_codes`, `sessions` and the identity provider, tells
//! `audit_log`. No timers. If it dies, nobody can log in or refresh and the process ends.

mod begin;
mod flow;
mod handle;
mod login;
mod messages;
mod rules;
#[cfg(test)]
mod tests;
mod token;
mod visit;

pub use flow::LoginMethod;
pub use handle::AuthorizationHandle;
pub use messages::{
    AuthorizeParameters, BeginAuthorization, BeginError, BrowserStep, CompleteLogin, ConsentPrompt, DecideConsent,
    LoginError, NextStep, PasswordPrompt, ProviderAnswer, RevokeRequest, SubmitPassword, TokenError, TokenGrant,
    TokenRequest, Visit, VisitError, Visitor,
};

use crate::mailbox::EndGuard;
use crate::model::token::IssuedTokens;
use actix::{Actor, Context, Handler, ResponseFuture};
pub(crate) use flow::{Authorizer, Turns};
use messages::{BeginVisit, FindVisit, SignOut};
use std::sync::Arc;

/// The actor: a door in front of [`Authorizer`].
#[derive(Debug)]
pub(crate) struct Authorization {
    authorizer: Arc<Authorizer>,
    _guard: EndGuard,
}

impl Authorization {
    pub(crate) fn new(authorizer: Authorizer, guard: EndGuard) -> Self {
        Self { authorizer: Arc::new(authorizer), _guard: guard }
    }
}

impl Actor for Authorization {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(1_024);
    }
}

/// Each message is answered by the authorizer's method of the same name.
macro_rules! answered_by_authorizer {
    ($($message:ty => $method:ident -> $answer:ty;)*) => {$(
        impl Handler<$message> for Authorization {
            type Result = ResponseFuture<$answer>;

            fn handle(&mut self, message: $message, _: &mut Self::Context) -> Self::Result {
                let authorizer = Arc::clone(&self.authorizer);
                Box::pin(async move { authorizer.$method(message).await })
            }
        }
    )*};
}

answered_by_authorizer! {
    BeginAuthorization => begin_authorization -> Result<BrowserStep, BeginError>;
    BeginVisit => begin_visit -> Result<BrowserStep, LoginError>;
    DecideConsent => decide_consent -> Result<BrowserStep, LoginError>;
    SubmitPassword => submit_password -> Result<BrowserStep, LoginError>;
    CompleteLogin => complete_login -> Result<BrowserStep, LoginError>;
    FindVisit => find_visit -> Result<Option<Visit>, VisitError>;
    SignOut => sign_out -> Result<(), VisitError>;
    TokenRequest => exchange_token -> Result<IssuedTokens, TokenError>;
    RevokeRequest => revoke_token -> Result<(), TokenError>;
}

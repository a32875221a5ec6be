//! Authorization: takes a person from a client's request, through consent and login, to the
//! code, and the client from the code to its tokens.
//!
//! Owns nothing but the turns of codes that are being redeemed. Rank 3: asks
//! `client_registry`, `authorization_codes`, `sessions` and the identity provider, tells
//! `audit_log`. No timers. If it dies, nobody can log in or refresh and the process ends.

mod at_client;
mod begin;
mod consent;
mod finish;
mod flow;
mod handle;
mod login;
mod login_methods;
mod messages;
mod password;
mod provider;
mod rules;
#[cfg(test)]
mod tests;
mod token;
mod visit;

pub use handle::AuthorizationHandle;
pub use login_methods::{LoginMethod, LoginMethods};
pub use messages::{
    AuthorizeParameters, BeginAuthorization, BeginError, BrowserStep, ChoicePrompt, ChooseLogin, CompleteLogin,
    ConsentPrompt, DecideConsent, LoginError, LoginOffer, NextStep, PasswordPrompt, ProviderAnswer, RevokeRequest,
    SubmitPassword, TokenError, TokenGrant, TokenRequest, Viewing, Visit, VisitError, Visitor,
};

use crate::mailbox::{EndGuard, answered_by};
use crate::model::token::IssuedTokens;
use actix::{Actor, Context};
pub(crate) use flow::{Authorizer, Turns};
use messages::{BeginVisit, FindVisit, SignOut, ViewAudit};
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

answered_by! {
    Authorization, authorizer;
    BeginAuthorization => Result<BrowserStep, BeginError>, |authorizer, message| authorizer.begin_authorization(message);
    BeginVisit => Result<BrowserStep, LoginError>, |authorizer, message| authorizer.begin_visit(message);
    DecideConsent => Result<BrowserStep, LoginError>, |authorizer, message| authorizer.decide_consent(message);
    ChooseLogin => Result<BrowserStep, LoginError>, |authorizer, message| authorizer.choose_login(message);
    SubmitPassword => Result<BrowserStep, LoginError>, |authorizer, message| authorizer.submit_password(message);
    CompleteLogin => Result<BrowserStep, LoginError>, |authorizer, message| authorizer.complete_login(message);
    FindVisit => Result<Option<Visit>, VisitError>, |authorizer, message| authorizer.find_visit(message);
    SignOut => Result<(), VisitError>, |authorizer, message| authorizer.sign_out(message);
    ViewAudit => Result<Viewing, VisitError>, |authorizer, message| authorizer.view_audit(message);
    TokenRequest => Result<IssuedTokens, TokenError>, |authorizer, message| authorizer.exchange_token(message);
    RevokeRequest => Result<(), TokenError>, |authorizer, message| authorizer.revoke_token(message);
}

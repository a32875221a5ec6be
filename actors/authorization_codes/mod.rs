//! Authorization codes: logins under way, codes, consents, and attempts at passwords.
//!
//! Owns the steps of a login that may happen once: taking a login, redeeming a code. Rank 1:
//! asks nobody but its store. Timers: `TickExpiry` drops what is over; judging compares with
//! the time as well, so the timer only frees memory. If it dies, nobody can log in and the
//! process ends.

mod attempts;
mod flow;
mod handle;
mod messages;
mod state;
#[cfg(test)]
mod tests;

pub use handle::AuthorizationCodesHandle;
pub use messages::{CodeError, LoginLookupError, NewLogin, RedeemCode, RedeemError, TooManyAttempts};

use crate::mailbox::{EndGuard, answered_by};
use crate::model::grant::{AuthorizationCode, Consent, PendingLogin};
use crate::model::secret::Secret;
use actix::{Actor, AsyncContext, Context, Handler, ResponseFuture};
use attempts::Attempts;
pub(crate) use flow::CodeKeeper;
use messages::{
    BeginLogin, CountAttempt, FindLogin, ForgetAttempts, IssueCode, ListConsents, RecordConsent, TakeLogin, TickExpiry,
};
use std::sync::Arc;
use std::time::Duration;

const EXPIRY_INTERVAL: Duration = Duration::from_secs(30);

/// The actor: a door in front of [`CodeKeeper`], and the counts of attempts.
#[derive(Debug)]
pub(crate) struct AuthorizationCodes {
    keeper: Arc<CodeKeeper>,
    attempts: Attempts,
    _guard: EndGuard,
}

impl AuthorizationCodes {
    pub(crate) fn new(keeper: CodeKeeper, guard: EndGuard) -> Self {
        Self { keeper: Arc::new(keeper), attempts: Attempts::default(), _guard: guard }
    }
}

impl Actor for AuthorizationCodes {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(1_024);
        ctx.run_interval(EXPIRY_INTERVAL, |_, ctx| ctx.notify(TickExpiry));
    }
}

answered_by! {
    AuthorizationCodes, keeper;
    BeginLogin => Result<Secret, CodeError>, |keeper, message| keeper.begin_login(message.login);
    FindLogin => Result<PendingLogin, LoginLookupError>, |keeper, message| keeper.find_login(&message.handle, &message.browser);
    TakeLogin => Result<PendingLogin, LoginLookupError>, |keeper, message| keeper.take_login(&message.handle, &message.browser);
    IssueCode => Result<Secret, CodeError>, |keeper, message| keeper.issue_code(message.session_id, message.request, message.trace_id);
    RedeemCode => Result<AuthorizationCode, RedeemError>, |keeper, message| keeper.redeem_code(message);
    RecordConsent => Result<(), CodeError>, |keeper, message| keeper.record_consent(message.consent);
    ListConsents => Result<Vec<Consent>, CodeError>, |keeper, message| keeper.list_consents(message.browser, message.client_id);
}

impl Handler<CountAttempt> for AuthorizationCodes {
    type Result = Result<(), TooManyAttempts>;

    fn handle(&mut self, message: CountAttempt, _: &mut Self::Context) -> Self::Result {
        self.attempts.count(&message.username, &message.peer, self.keeper.now())
    }
}

impl Handler<ForgetAttempts> for AuthorizationCodes {
    type Result = Result<(), TooManyAttempts>;

    fn handle(&mut self, message: ForgetAttempts, _: &mut Self::Context) -> Self::Result {
        self.attempts.forget(&message.username, &message.peer);
        Ok(())
    }
}

impl Handler<TickExpiry> for AuthorizationCodes {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: TickExpiry, _: &mut Self::Context) -> Self::Result {
        self.attempts.sweep(self.keeper.now());
        let keeper = Arc::clone(&self.keeper);
        Box::pin(async move { keeper.sweep().await })
    }
}

//! Policy: judges what goes in and what comes out.
//!
//! Owns nothing but a share of the compiled rules, which are read-only; so it runs once per
//! HTTP worker and judging costs no hop between threads. Rank 1: asks nobody. No timers. If it
//! dies, its worker's calls are refused and the process ends.
//!
//! Everything fails closed: a condition that cannot be evaluated denies on input and withholds
//! the response on output.

mod compile;
mod contexts;
mod explain;
mod handle;
mod messages;
mod paths;
mod published;
mod reshape;
mod rule;
mod state;
#[cfg(test)]
mod tests;
mod users;

pub use compile::{Endpoint, PolicyCompileError};
pub use explain::{PolicyReport, RuleReport};
pub use handle::PolicyHandle;
pub use messages::PolicyError;
pub use paths::{PathFit, Room, fit, is_path};
pub use state::PolicyBook;

use crate::mailbox::EndGuard;
use crate::model::policy::Verdict;
use actix::{Actor, Context, Handler};
use messages::{DecideInput, DecideOutput, JudgedResponse};
use std::fmt;
use std::sync::Arc;
use users::UserCache;

/// The actor.
pub(crate) struct Policy {
    book: Arc<PolicyBook>,
    users: UserCache,
    _guard: EndGuard,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").finish_non_exhaustive()
    }
}

impl Policy {
    pub(crate) fn new(book: Arc<PolicyBook>, guard: EndGuard) -> Self {
        Self { book, users: UserCache::default(), _guard: guard }
    }
}

impl Actor for Policy {
    type Context = Context<Self>;
}

impl Handler<DecideInput> for Policy {
    type Result = Result<Verdict, PolicyError>;

    fn handle(&mut self, message: DecideInput, _: &mut Self::Context) -> Self::Result {
        let user = self.users.get(&message.principal);
        Ok(self.book.decide_input(&message.endpoint, user, &message.arguments))
    }
}

impl Handler<DecideOutput> for Policy {
    type Result = Result<JudgedResponse, PolicyError>;

    fn handle(&mut self, message: DecideOutput, _: &mut Self::Context) -> Self::Result {
        let user = self.users.get(&message.principal);
        let mut response = message.response;
        let verdict = self.book.decide_output(&message.endpoint, user, &mut response);
        Ok(JudgedResponse { verdict, response })
    }
}

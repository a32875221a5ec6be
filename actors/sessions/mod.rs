//! Sessions and our own tokens: opened, verified, refreshed, ended.
//!
//! Owns every session and token, in its store, and publishes a view of the live access tokens
//! that all workers read without asking, with what each person may have of scopes (`scope_rules`) worked out in it. What a provider gave for a session that was ended on
//! purpose is left in a queue, for whoever revokes it there. Rank 1: tells `audit_log`. Timers: `TickExpiry` sweeps
//! what is over; judging compares with the time as well, so the timer only frees memory. If it
//! dies, no token is issued or ended any more and the process ends.

mod ended_grants;
mod flow;
mod handle;
mod messages;
mod people;
mod scope_refusals;
mod state;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use ended_grants::{EndedGrant, EndedGrants, EndedGrantsQueue};
pub use handle::{InvalidToken, SessionsHandle};
pub use messages::{NewSession, OpenedSession, RefreshError, SessionError};
pub(crate) use people::People;
pub use scope_refusals::ScopeRefusal;

use crate::audit_log::AuditLogHandle;
use crate::mailbox::{EndGuard, answered_by};
use crate::model::session::Session;
use crate::model::token::IssuedTokens;
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::session_store::SessionStore;
use actix::{Actor, AsyncContext, Context};
use flow::SessionKeeper;
use messages::{
    EndSession, EndUserSessions, FindBrowserSession, FindSession, HasProviderSession, IssueTokens, ListRefreshDue,
    OpenSession, RefreshTokens, RevokeToken, StoreUpstreamTokens, TickExpiry,
};
use std::sync::Arc;
use std::time::Duration;

/// How often what is over is swept.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(30);

/// What sessions need.
#[derive(Clone, Debug)]
pub(crate) struct SessionPorts {
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) audit_log: AuditLogHandle,
    pub(crate) people: People,
    /// Takes what is to be revoked at the provider.
    pub(crate) ended_grants: EndedGrants,
}

/// The actor: a door in front of [`SessionKeeper`], which holds no state of its own but the
/// store and the view, so that slow commits do not keep other messages waiting.
#[derive(Debug)]
pub(crate) struct Sessions {
    keeper: Arc<SessionKeeper>,
    _guard: EndGuard,
}

impl Sessions {
    fn new(keeper: Arc<SessionKeeper>, guard: EndGuard) -> Self {
        Self { keeper, _guard: guard }
    }
}

impl Actor for Sessions {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(1_024);
        ctx.run_interval(EXPIRY_INTERVAL, |_, ctx| ctx.notify(TickExpiry));
    }
}

answered_by! {
    Sessions, keeper;
    OpenSession => Result<OpenedSession, SessionError>, |keeper, message| keeper.open_session(message.session);
    IssueTokens => Result<IssuedTokens, SessionError>, |keeper, message| keeper.issue_tokens(message.session_id, message.with_refresh);
    RefreshTokens => Result<IssuedTokens, RefreshError>, |keeper, message| keeper.refresh_tokens(message);
    RevokeToken => Result<Option<Session>, SessionError>, |keeper, message| keeper.revoke_token(message.token, message.client_id);
    EndSession => Result<Option<Session>, SessionError>, |keeper, message| keeper.end_session(message.session_id, message.reason);
    EndUserSessions => Result<usize, SessionError>, |keeper, message| keeper.end_user_sessions(message.user_id, message.reason);
    FindSession => Result<Option<Session>, SessionError>, |keeper, message| keeper.find_session(message.session_id);
    FindBrowserSession => Result<Option<Session>, SessionError>, |keeper, message| keeper.find_browser_session(message.cookie);
    HasProviderSession => Result<bool, SessionError>, |keeper, message| keeper.has_provider_session(message.user_id);
    ListRefreshDue => Result<Vec<crate::model::ids::SessionId>, SessionError>, |keeper, message| keeper.list_refresh_due(message.due, message.limit);
    StoreUpstreamTokens => Result<bool, SessionError>, |keeper, message| keeper.store_upstream_tokens(message.session_id, message.tokens);
    TickExpiry => (), |keeper, _message| keeper.sweep();
}

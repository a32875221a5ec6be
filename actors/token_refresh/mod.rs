//! Token refresh: keeps the providers' tokens fresh, and has them revoked when they are done with.
//!
//! Owns the refreshes under way: one per session, however many calls wait for it; and the
//! revocations under way. Rank 2: asks `sessions` and the identity provider, tells `audit_log`.
//! Timers: `TickRefresh` looks for tokens that expire soon. If it dies, calls that need a
//! provider's token fail and the process ends; what was refreshed is in the store, what was to be
//! revoked is not.

mod flow;
mod handle;
mod messages;
mod revoke;
mod state;
#[cfg(test)]
mod tests;

pub use handle::TokenRefreshHandle;
pub use messages::{TokenRefreshError, whole_seconds};

use crate::mailbox::EndGuard;
use crate::model::ids::SessionId;
use crate::model::secret::Secret;
use crate::sessions::EndedGrantsQueue;
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, ResponseFuture, WrapFuture};
use flow::{AHEAD, SKEW, Wish};
pub(crate) use flow::{Memory as RefreshMemory, Refresher};
use futures_util::stream::{self, StreamExt as _};
use messages::{GetFreshToken, RefreshAhead, TickRefresh};
use state::{Flights, Joined, Outcome};
use std::sync::Arc;
use std::time::Duration;

/// How often tokens that expire soon are looked for.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);
/// The most refreshes of the timer that are under way at once.
const REFRESHES_MAX: usize = 8;
/// The most sessions that the timer goes through before it looks again.
const DUE_MAX: usize = 2_000;

/// The actor.
#[derive(Debug)]
pub(crate) struct TokenRefresh {
    refresher: Arc<Refresher>,
    flights: Flights,
    /// Whether the timer's last round is still under way.
    is_refreshing: bool,
    /// Taken when the actor starts.
    ended: Option<EndedGrantsQueue>,
    _guard: EndGuard,
}

impl TokenRefresh {
    pub(crate) fn new(refresher: Refresher, ended: EndedGrantsQueue, guard: EndGuard) -> Self {
        Self {
            refresher: Arc::new(refresher),
            flights: Flights::default(),
            is_refreshing: false,
            ended: Some(ended),
            _guard: guard,
        }
    }

    /// Joins the session's flight, or starts one.
    fn fly(&mut self, id: &SessionId, wish: Wish, ctx: &mut Context<Self>) -> tokio::sync::oneshot::Receiver<Outcome> {
        let (joined, landed) = self.flights.join(id);
        if joined == Joined::First {
            let (refresher, session_id) = (Arc::clone(&self.refresher), id.clone());
            let flight = async move { (refresher.fresh_token(&session_id, &wish).await, session_id) };
            ctx.spawn(flight.into_actor(self).map(|(outcome, id), actor, _| actor.flights.land(&id, &outcome)));
        }
        landed
    }
}

impl Actor for TokenRefresh {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(1_024);
        ctx.run_interval(REFRESH_INTERVAL, |_, ctx| ctx.notify(TickRefresh));
        if let Some(ended) = self.ended.take() {
            ctx.spawn(revoke::revoke_all(Arc::clone(&self.refresher), ended).into_actor(self));
        }
    }
}

impl Handler<GetFreshToken> for TokenRefresh {
    type Result = ResponseFuture<Result<Option<Secret>, TokenRefreshError>>;

    fn handle(&mut self, message: GetFreshToken, ctx: &mut Self::Context) -> Self::Result {
        let wish = message.refused.map_or(Wish::Lasting(SKEW), Wish::Another);
        let landed = self.fly(&message.session_id, wish, ctx);
        Box::pin(async move { landed.await.unwrap_or(Err(TokenRefreshError::SessionEnded)) })
    }
}

impl Handler<RefreshAhead> for TokenRefresh {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, message: RefreshAhead, ctx: &mut Self::Context) -> Self::Result {
        let landed = self.fly(&message.session_id, Wish::Lasting(AHEAD), ctx);
        // What goes wrong is recorded by the flight itself.
        Box::pin(async move { drop(landed.await) })
    }
}

impl Handler<TickRefresh> for TokenRefresh {
    type Result = ();

    fn handle(&mut self, _: TickRefresh, ctx: &mut Self::Context) {
        if std::mem::replace(&mut self.is_refreshing, true) {
            return;
        }
        let (refresher, here) = (Arc::clone(&self.refresher), ctx.address());
        let round = async move {
            let due = refresher.list_due(DUE_MAX).await;
            let refresh = |session_id| {
                let landed = here.send(RefreshAhead { session_id });
                async move {
                    // Only when the actor ends is there nobody to answer.
                    let _ended = landed.await;
                }
            };
            stream::iter(due).for_each_concurrent(REFRESHES_MAX, refresh).await;
        };
        ctx.spawn(round.into_actor(self).map(|(), actor, _| actor.is_refreshing = false));
    }
}

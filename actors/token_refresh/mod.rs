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
pub use messages::TokenRefreshError;

use crate::mailbox::EndGuard;
use crate::model::ids::SessionId;
use crate::model::secret::Secret;
use crate::sessions::EndedGrantsQueue;
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, ResponseFuture, WrapFuture};
pub(crate) use flow::Refresher;
use flow::{AHEAD, SKEW, Wish};
use messages::{GetFreshToken, TickRefresh};
use state::{Flights, Joined, Outcome};
use std::sync::Arc;
use std::time::Duration;

/// How often tokens that expire soon are looked for.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);
/// The most refreshes that the timer starts at once.
const REFRESHES_MAX: usize = 8;

/// The actor.
#[derive(Debug)]
pub(crate) struct TokenRefresh {
    refresher: Arc<Refresher>,
    flights: Flights,
    /// Taken when the actor starts.
    ended: Option<EndedGrantsQueue>,
    _guard: EndGuard,
}

impl TokenRefresh {
    pub(crate) fn new(refresher: Refresher, ended: EndedGrantsQueue, guard: EndGuard) -> Self {
        Self { refresher: Arc::new(refresher), flights: Flights::default(), ended: Some(ended), _guard: guard }
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

impl Handler<TickRefresh> for TokenRefresh {
    type Result = ();

    fn handle(&mut self, _: TickRefresh, ctx: &mut Self::Context) {
        let refresher = Arc::clone(&self.refresher);
        let due = async move { refresher.list_due(REFRESHES_MAX).await };
        ctx.spawn(due.into_actor(self).map(|due, actor, ctx| {
            for id in due {
                // Nobody waits for these; what goes wrong is recorded by the flight itself.
                let _landed = actor.fly(&id, Wish::Lasting(AHEAD), ctx);
            }
        }));
    }
}

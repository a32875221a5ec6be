//! The one place that knows how a mailbox is asked, and what it means when it does not answer.

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, MailboxError, Message};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long an ask may take before the actor counts as unavailable. Longer than any store's
/// commit, shorter than any client's patience.
pub(crate) const ASK_DEADLINE: Duration = Duration::from_secs(10);

/// An actor did not answer: it has ended, or is too busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{actor} is not available")]
pub struct Unavailable {
    /// Which actor.
    pub actor: &'static str,
}

/// Asks `address` and waits for the answer, at most `deadline`.
pub(crate) async fn ask<A, M, T, E>(
    actor: &'static str,
    address: &Addr<A>,
    message: M,
    deadline: Duration,
) -> Result<T, E>
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message<Result = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<Unavailable> + Send + 'static,
{
    match address.send(message).timeout(deadline).await {
        Ok(answer) => answer,
        Err(error) => {
            let what = match error {
                MailboxError::Closed => "has ended",
                MailboxError::Timeout => "did not answer in time",
            };
            tracing::error!(actor, "actor {what}");
            Err(E::from(Unavailable { actor }))
        }
    }
}

/// Reports that an actor is gone, however that came to be: an owned value is dropped when its
/// actor stops and also when one of its handlers panics.
#[derive(Debug)]
pub(crate) struct EndGuard {
    actor: &'static str,
    ended: mpsc::UnboundedSender<&'static str>,
}

impl EndGuard {
    pub(crate) fn new(actor: &'static str, ended: mpsc::UnboundedSender<&'static str>) -> Self {
        Self { actor, ended }
    }
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        // Nobody listens any more once the supervisor itself is gone.
        let _nobody_listens = self.ended.send(self.actor);
    }
}

/// Lets messages of an actor be answered by async methods of what it keeps in `$part`, an
/// `Arc`: the handler starts the method and the actor goes on serving others meanwhile.
macro_rules! answered_by {
    ($actor:ty, $part:ident; $($message:ty => $answer:ty, |$keeper:ident, $this:ident| $call:expr;)*) => {$(
        impl actix::Handler<$message> for $actor {
            type Result = actix::ResponseFuture<$answer>;

            fn handle(&mut self, $this: $message, _: &mut Self::Context) -> Self::Result {
                let $keeper = std::sync::Arc::clone(&self.$part);
                Box::pin(async move { $call.await })
            }
        }
    )*};
}

pub(crate) use answered_by;

//! What streams have in common that stay open: a place among all of them, signs of life, and an
//! end when the server stops or the token does.

use super::McpState;
use super::slots::{StreamSlot, TooManyStreams};
use crate::http::auth::Authenticated;
use actix_web::web::Data;
use tokio::time::sleep;

/// What happens to a stream next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// Nothing has for a while, which is to be said.
    Quiet,
    /// Its caller's token does not work any more.
    Refused,
    /// The server stops.
    Stopping,
}

/// A stream that stays open. Dropping it frees everything that it holds.
#[derive(Debug)]
pub(super) struct OpenStream {
    state: Data<McpState>,
    caller: Authenticated,
    _slot: StreamSlot,
}

impl OpenStream {
    /// Takes a place for a stream of `caller`.
    ///
    /// # Errors
    /// When there is none left.
    pub(super) fn begin(state: &Data<McpState>, caller: &Authenticated) -> Result<Self, TooManyStreams> {
        let slot = state.shared.slots.take(&caller.principal)?;
        Ok(Self { state: Data::clone(state), caller: caller.clone(), _slot: slot })
    }

    /// Waits for what happens next.
    pub(super) async fn next_sign(&self) -> Sign {
        let shared = &self.state.shared;
        let mut is_stopping = shared.is_stopping.clone();
        tokio::select! {
            // Who may not listen any more is not told of the server's end either.
            biased;
            () = shared.guard.wait_for_refusal(&self.caller) => Sign::Refused,
            _ = is_stopping.wait_for(|stopping| *stopping) => Sign::Stopping,
            () = sleep(shared.times.keep_alive) => Sign::Quiet,
        }
    }

    /// What the endpoint shares.
    pub(super) fn state(&self) -> &McpState {
        &self.state
    }

    /// Who holds it open.
    pub(super) fn caller(&self) -> &Authenticated {
        &self.caller
    }
}

//! Calls under way in a session, so that `notifications/cancelled` finds them from whichever
//! worker it arrives at.

use dashmap::DashMap;
use std::sync::Arc;
use tokio::sync::oneshot;

type Key = (Box<str>, Box<str>);

/// All calls under way, by session and request identifier.
#[derive(Debug, Default)]
pub(super) struct CallTable {
    calls: DashMap<Key, oneshot::Sender<()>>,
}

impl CallTable {
    pub(super) fn begin(self: &Arc<Self>, session: &str, request: &str) -> CallInFlight {
        let (cancel, cancelled) = oneshot::channel();
        let key: Key = (session.into(), request.into());
        self.calls.insert(key.clone(), cancel);
        CallInFlight { table: Arc::clone(self), key, cancelled }
    }

    pub(super) fn cancel(&self, session: &str, request: &str) -> bool {
        let key: Key = (session.into(), request.into());
        self.calls.remove(&key).is_some_and(|(_, cancel)| cancel.send(()).is_ok())
    }
}

/// A call under way; it leaves the table when this is dropped.
#[derive(Debug)]
pub struct CallInFlight {
    table: Arc<CallTable>,
    key: Key,
    cancelled: oneshot::Receiver<()>,
}

impl CallInFlight {
    /// Waits until the client takes the call back; for ever if it does not.
    pub async fn cancelled(&mut self) {
        if (&mut self.cancelled).await.is_err() {
            // A second request took over the identifier, so this one can no longer be named.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for CallInFlight {
    fn drop(&mut self) {
        // Only our own entry: one that took over the identifier has a receiver that is open.
        self.cancelled.close();
        self.table.calls.remove_if(&self.key, |_, cancel| cancel.is_closed());
    }
}

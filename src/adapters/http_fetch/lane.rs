//! The thread on which requests run.

use std::future::Future;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// How often it is looked whether anybody still waits.
const PERIOD: Duration = Duration::from_millis(10);

/// A thread with a runtime, so that connections outlive the query that opened them. It ends when
/// this is dropped.
#[derive(Debug)]
pub(super) struct Lane {
    runtime: Handle,
    _alive: oneshot::Sender<()>,
}

impl Lane {
    /// Starts the thread; nothing when the system has none.
    pub(super) fn start() -> Option<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().ok()?;
        let handle = runtime.handle().clone();
        let (alive, ended) = oneshot::channel::<()>();
        let run = move || {
            // Nothing is ever sent: this waits for the other end to be dropped.
            let _dropped = runtime.block_on(ended);
            // A name that is just being resolved must not keep the process.
            runtime.shutdown_background();
        };
        std::thread::Builder::new().name("http-fetch".to_owned()).spawn(run).ok()?;
        Some(Self { runtime: handle, _alive: alive })
    }

    /// Runs `work` and waits for it; nothing when it was cancelled, or failed inside.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Option<T> {
        let (sender, outcome) = sync_channel(1);
        let task = self.runtime.spawn(async move {
            // Nobody waits for what was cancelled.
            let _unwanted = sender.send(work.await);
        });
        loop {
            match outcome.recv_timeout(PERIOD) {
                Ok(outcome) => return Some(outcome),
                Err(RecvTimeoutError::Timeout) if is_cancelled() => {
                    task.abort();
                    return None;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn work_is_waited_for_until_nobody_wants_it() {
        let lane = Lane::start().unwrap();
        assert_eq!(lane.run(async { 1 }, &|| false), Some(1));
        assert_eq!(lane.run(async { panic!("on purpose") }, &|| false), None::<u32>);
        let held = Arc::new(());
        let inside = Arc::clone(&held);
        let endless = async move {
            std::future::pending::<()>().await;
            drop(inside);
        };
        assert_eq!(lane.run(endless, &|| true), None);
        while Arc::strong_count(&held) > 1 {
            std::thread::yield_now();
        }
        assert_eq!(lane.run(async { 2 }, &|| false), Some(2));
    }
}

//! The thread that makes sure that cancelled work stops.

use super::job::JobControl;
use super::lock::Lock;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often a cancelled job is interrupted again while it runs.
const PERIOD: Duration = Duration::from_millis(5);

/// Interrupts cancelled jobs until they are over.
///
/// Once is not enough: DuckDB forgets an interrupt that comes just before it begins a statement,
/// and a job may have several statements. The thread starts with the first cancelled job.
#[derive(Debug, Default)]
pub(super) struct Reaper {
    thread: Lock<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    jobs: Sender<Arc<JobControl>>,
    thread: JoinHandle<()>,
}

impl Reaper {
    /// Sees to it that `job` stops. Without a thread to do it the one interrupt that it had must
    /// do.
    pub(super) fn watch(&self, job: Arc<JobControl>) {
        let mut running = self.thread.lock();
        if running.is_none() {
            *running = start();
        }
        if let Some(running) = &*running {
            // The thread lives as long as the sender.
            let _gone = running.jobs.send(job);
        }
    }

    /// Ends the thread once all its jobs are over.
    pub(super) fn close(&self) {
        let running = self.thread.lock().take();
        if let Some(Running { jobs, thread }) = running {
            drop(jobs);
            // It does not panic, and there is nothing to do if it did.
            let _ended = thread.join();
        }
    }
}

fn start() -> Option<Running> {
    let (jobs, cancelled) = channel();
    let thread = std::thread::Builder::new().name("duckdb-reaper".to_owned()).spawn(move || reap(&cancelled)).ok()?;
    Some(Running { jobs, thread })
}

fn reap(cancelled: &Receiver<Arc<JobControl>>) {
    let mut jobs: Vec<Arc<JobControl>> = Vec::new();
    let mut is_open = true;
    while is_open || !jobs.is_empty() {
        let next = if jobs.is_empty() {
            cancelled.recv().map_err(|_closed| RecvTimeoutError::Disconnected)
        } else {
            cancelled.recv_timeout(PERIOD)
        };
        match next {
            Ok(job) => jobs.push(job),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) if jobs.is_empty() => is_open = false,
            // Closing waits for the workers first, so what is left here ends by itself.
            Err(RecvTimeoutError::Disconnected) => {
                is_open = false;
                std::thread::sleep(PERIOD);
            }
        }
        jobs.retain(|job| job.interrupt());
    }
}

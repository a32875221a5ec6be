//! Group commit: a thread that owns an engine and does what has queued up in one transaction,
//! so that all of it shares one fsync.

use mxcp_actors::ports::{StoreError, StoreResult};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// How many steps may wait. Beyond it callers are told to come again, rather than to wait for a
/// disk that does not keep up.
const QUEUE_MAX: usize = 4_096;
/// How many steps share a transaction: enough to make the fsync cheap, few enough to keep the
/// first of them from waiting long.
const GROUP_MAX: usize = 512;

/// What does the work: a connection of a database.
pub(super) trait Engine: Sized + Send + 'static {
    /// Begins a transaction.
    fn begin(&mut self) -> Result<(), StoreError>;

    /// Ends it; when this returns without an error, everything in it survives a loss of power.
    fn commit(&mut self) -> Result<(), StoreError>;

    /// Takes back everything since `begin`.
    fn rollback(&mut self);

    /// Does one step of the transaction; when it fails, nothing of it remains, and what went
    /// before it does.
    fn step<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError>;
}

/// Does a step, unless there is no transaction to do it in, and says how to answer it once the
/// group is committed or lost.
type Job<E> = Box<dyn FnOnce(Result<&mut E, StoreError>) -> Answer + Send>;
type Answer = Box<dyn FnOnce(&Result<(), StoreError>)>;

/// A thread with an engine. Ends when it is dropped, after what was queued is done.
#[derive(Debug)]
pub(super) struct Lane<E> {
    queue: Option<SyncSender<Job<E>>>,
    thread: Option<JoinHandle<()>>,
}

impl<E: Engine> Lane<E> {
    /// Starts the thread.
    pub(super) fn start(name: &str, engine: E) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE_MAX);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || work(engine, &jobs))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Queues a step; the answer comes when it is committed.
    pub(super) fn run<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut E) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreResult<'static, T> {
        let (answer, answered) = oneshot::channel();
        let job: Job<E> = Box::new(move |engine| {
            let done = engine.and_then(|engine| attempt(engine, step));
            Box::new(move |committed| {
                let result = committed.clone().and(done);
                // Whoever asked may have gone; what was done stays done.
                let _nobody_waits = answer.send(result);
            })
        });
        let queued = self.queue.as_ref().map(|queue| queue.try_send(job));
        Box::pin(async move {
            match queued {
                Some(Ok(())) => answered.await.unwrap_or_else(|_| Err(stopped())),
                Some(Err(TrySendError::Full(_))) => Err(error("too many changes are waiting for the disk")),
                Some(Err(TrySendError::Disconnected(_))) | None => Err(stopped()),
            }
        })
    }
}

impl<E> Drop for Lane<E> {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("a thread of the store has panicked");
        }
    }
}

/// Works until nobody can queue anything any more.
fn work<E: Engine>(mut engine: E, jobs: &Receiver<Job<E>>) {
    while let Ok(first) = jobs.recv() {
        let group = std::iter::once(first).chain(jobs.try_iter().take(GROUP_MAX - 1));
        run_group(&mut engine, group);
    }
}

fn run_group<E: Engine>(engine: &mut E, group: impl Iterator<Item = Job<E>>) {
    if let Err(error) = engine.begin() {
        tracing::error!(%error, "the store cannot begin a group of changes");
        group.for_each(|job| job(Err(error.clone()))(&Ok(())));
        return;
    }
    let answers: Vec<Answer> = group.map(|job| job(Ok(engine))).collect();
    let committed = engine.commit();
    if let Err(error) = &committed {
        engine.rollback();
        tracing::error!(%error, steps = answers.len(), "a group of changes could not be committed");
    }
    answers.into_iter().for_each(|answer| answer(&committed));
}

/// A step that panics fails alone: the store goes on for everybody else.
fn attempt<E: Engine, T>(engine: &mut E, step: impl FnOnce(&mut E) -> Result<T, StoreError>) -> Result<T, StoreError> {
    engine.step(|engine| {
        catch_unwind(AssertUnwindSafe(|| step(engine))).unwrap_or_else(|_| Err(error("a step of the store panicked")))
    })
}

fn stopped() -> StoreError {
    error("the store has stopped")
}

fn error(detail: &str) -> StoreError {
    StoreError { detail: detail.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    /// Adds numbers; fails where it is told to.
    #[derive(Debug, Default)]
    struct Sums {
        total: u32,
        kept: u32,
        groups: u32,
        is_unwilling: bool,
        is_full: bool,
    }

    impl Engine for Sums {
        fn begin(&mut self) -> Result<(), StoreError> {
            if self.is_unwilling { Err(error("unwilling")) } else { Ok(()) }
        }

        fn commit(&mut self) -> Result<(), StoreError> {
            if self.is_full {
                return Err(error("full"));
            }
            (self.kept, self.groups) = (self.total, self.groups + 1);
            Ok(())
        }

        fn rollback(&mut self) {
            self.total = self.kept;
        }

        fn step<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
            let before = self.total;
            step(self).inspect_err(|_| self.total = before)
        }
    }

    fn add(number: u32) -> impl FnOnce(&mut Sums) -> Result<u32, StoreError> + Send + 'static {
        move |sums| {
            sums.total += number;
            Ok(sums.total)
        }
    }

    /// Holds up the thread until the sender is dropped, so that what is queued then is one group.
    fn hold(lane: &Lane<Sums>) -> std::sync::mpsc::Sender<()> {
        let (release, released) = channel::<()>();
        drop(lane.run(move |_| {
            released.recv().unwrap_err();
            Ok(())
        }));
        release
    }

    async fn totals(lane: &Lane<Sums>) -> (u32, u32) {
        lane.run(|sums| Ok((sums.total, sums.groups))).await.unwrap()
    }

    #[actix_rt::test]
    async fn what_queues_up_is_committed_together() {
        let lane = Lane::start("sums", Sums::default()).unwrap();
        let hold = hold(&lane);
        let steps: Vec<_> = (1..=10).map(|number| lane.run(add(number))).collect();
        drop(hold);
        let results = futures_util::future::try_join_all(steps).await.unwrap();
        assert_eq!(results.last(), Some(&55));
        let (total, groups) = totals(&lane).await;
        assert_eq!(total, 55);
        // The held step alone or with the ten, then at most one group more.
        assert!((1..=2).contains(&groups), "{groups}");
    }

    #[actix_rt::test]
    async fn a_step_that_fails_or_panics_takes_only_itself_back() {
        let lane = Lane::start("sums", Sums::default()).unwrap();
        let hold = hold(&lane);
        let first = lane.run(add(1));
        let failed = lane.run(|sums| {
            sums.total += 10;
            Err::<(), _>(error("no"))
        });
        let panicked = lane.run(|sums| -> Result<(), StoreError> {
            sums.total += 100;
            panic!("on purpose")
        });
        let last = lane.run(add(2));
        drop(hold);
        assert_eq!((first.await, last.await), (Ok(1), Ok(3)));
        assert_eq!(failed.await, Err(error("no")));
        assert!(panicked.await.is_err());
    }

    #[actix_rt::test]
    async fn when_the_commit_fails_so_do_all_and_nothing_remains() {
        let lane = Lane::start("sums", Sums::default()).unwrap();
        let hold = hold(&lane);
        let fill = lane.run(|sums| {
            sums.is_full = true;
            Ok(())
        });
        let (one, two) = (lane.run(add(1)), lane.run(add(2)));
        drop(hold);
        assert_eq!((fill.await, one.await, two.await), (Err(error("full")), Err(error("full")), Err(error("full"))));
        let emptied = lane.run(|sums| {
            sums.is_full = false;
            Ok(sums.total)
        });
        assert_eq!(emptied.await, Ok(0), "and the lane goes on");
    }

    #[actix_rt::test]
    async fn without_a_transaction_no_step_is_done() {
        let lane = Lane::start("sums", Sums { is_unwilling: true, ..Sums::default() }).unwrap();
        assert_eq!(lane.run(|_| -> Result<(), StoreError> { panic!("it was done") }).await, Err(error("unwilling")));
    }

    #[actix_rt::test]
    async fn what_is_queued_is_done_before_the_thread_ends() {
        let lane = Lane::start("sums", Sums::default()).unwrap();
        let hold = hold(&lane);
        let queued = lane.run(add(1));
        drop(hold);
        drop(lane);
        assert_eq!(queued.await, Ok(1));
    }
}

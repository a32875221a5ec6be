//! Worker threads, each with a connection of its own, and the queue before them.
//!
//! Threads of our own rather than tokio's blocking ones: a statement stays with its connection and
//! the connection with its thread, an idle worker is handed a job directly (the one that was busy
//! last, whose caches are warm), and closing can wait for all of them.

use super::capi::{Callers, Database};
use super::claim::Claim;
use super::job::{Cancelled, Job, JobControl, Reply, Work};
use super::line::Line;
use super::lock::Lock;
use super::reaper::Reaper;
use super::session::Session;
use mxcp_actors::ports::sql_engine::SqlError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, PoisonError};
use std::thread::JoinHandle;

/// What DuckDB finds on the main thread of a program, and relies on: it walks expressions by
/// recursion, up to a depth that overflows the 2 MiB which threads have here by default.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// The pool.
#[derive(Debug)]
pub(super) struct Pool {
    shared: Arc<Shared>,
    threads: Lock<Vec<JoinHandle<()>>>,
    claim: Lock<Option<Claim>>,
    reaper: Reaper,
}

#[derive(Debug)]
struct Shared {
    database: Lock<Option<Arc<Database>>>,
    callers: Arc<Callers>,
    state: Lock<State>,
    workers_max: usize,
}

#[derive(Debug)]
struct State {
    /// Jobs that found no worker.
    waiting: Line,
    seats: Vec<Seat>,
    /// Idle workers; the last became idle last.
    idle: Vec<usize>,
    is_closing: bool,
}

/// Where a worker sits and waits.
#[derive(Debug, Default)]
struct Seat {
    handed: Option<Job>,
    running: Option<Running>,
    bell: Arc<Condvar>,
}

/// What a worker does.
#[derive(Debug)]
struct Running {
    control: Arc<JobControl>,
    is_look: bool,
}

impl Pool {
    /// Makes a pool of at most `workers` threads, which start when they are needed.
    pub(super) fn new(database: Arc<Database>, callers: Arc<Callers>, claim: Option<Claim>, workers: usize) -> Self {
        let workers_max = workers.max(1);
        let state = Lock::new(State::new(workers_max));
        let shared = Shared { database: Lock::new(Some(database)), callers, state, workers_max };
        Self {
            shared: Arc::new(shared),
            threads: Lock::new(Vec::new()),
            claim: Lock::new(claim),
            reaper: Reaper::default(),
        }
    }

    /// Takes a job; the ticket cancels it when dropped.
    ///
    /// # Errors
    /// `Busy` when too many wait already, `Unavailable` when the pool is closed.
    pub(super) fn submit(&self, work: Work) -> Result<Ticket<'_>, SqlError> {
        let control = Arc::new(JobControl::default());
        let job = Job { work, control: Arc::clone(&control) };
        let mut state = self.shared.state.lock();
        if state.is_closing {
            return Err(SqlError::Unavailable);
        }
        if !state.waiting.admits(&job) {
            state.waiting.push(job)?;
        } else if let Some(index) = state.idle.pop() {
            let bell = state.hand(index, job);
            drop(state);
            bell.inspect(|bell| bell.notify_one());
        } else if state.seats.len() < self.shared.workers_max {
            self.start_worker(&mut state, job)?;
        } else {
            state.waiting.push(job)?;
        }
        Ok(Ticket { pool: self, control: Some(control) })
    }

    /// Stops everything and waits for the workers; the database closes with the last of them.
    pub(super) fn close(&self) {
        let (unserved, running) = self.shared.begin_closing();
        // Dropping a job's reply tells its asker.
        drop(unserved);
        for control in running {
            self.stop(control);
        }
        for thread in std::mem::take(&mut *self.threads.lock()) {
            // A worker contains panics, and there is nothing to do about one that did not.
            let _ended = thread.join();
        }
        self.reaper.close();
        self.shared.database.lock().take();
        // The file is free only now.
        self.claim.lock().take();
    }

    fn start_worker(&self, state: &mut State, job: Job) -> Result<(), SqlError> {
        let index = state.seats.len();
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new()
            .name(format!("duckdb-{index}"))
            .stack_size(STACK_BYTES)
            .spawn(move || work(&shared, index))
            .map_err(|_out_of_threads| SqlError::Busy)?;
        state.seats.push(Seat::default());
        state.hand(index, job);
        self.threads.lock().push(thread);
        Ok(())
    }

    fn stop(&self, control: Arc<JobControl>) -> Cancelled {
        let met = control.cancel();
        match met {
            Cancelled::BeforeStart => self.shared.forget(&control),
            Cancelled::WhileRunning => self.reaper.watch(control),
            Cancelled::TooLate => {}
        }
        met
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
    }
}

/// Stands for a job that somebody waits for.
#[derive(Debug)]
pub(super) struct Ticket<'a> {
    pool: &'a Pool,
    control: Option<Arc<JobControl>>,
}

impl Ticket<'_> {
    /// The answer has come: nothing is left to cancel.
    pub(super) fn done(mut self) {
        self.control = None;
    }

    /// Stops the job and tells how far it was.
    pub(super) fn cancel(mut self) -> Cancelled {
        self.control.take().map_or(Cancelled::TooLate, |control| self.pool.stop(control))
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if let Some(control) = self.control.take() {
            self.pool.stop(control);
        }
    }
}

impl State {
    fn new(workers: usize) -> Self {
        Self { waiting: Line::new(workers), seats: Vec::new(), idle: Vec::new(), is_closing: false }
    }

    /// Gives a job to the worker at `index`, who hears the bell.
    fn hand(&mut self, index: usize, job: Job) -> Option<Arc<Condvar>> {
        let seat = self.seats.get_mut(index)?;
        self.waiting.began(&job);
        seat.handed = Some(job);
        Some(Arc::clone(&seat.bell))
    }

    /// What was handed to the worker at `index`, else what waits for longest.
    fn take_job(&mut self, index: usize) -> Option<Job> {
        let seat = self.seats.get_mut(index)?;
        let job = seat.handed.take().or_else(|| self.waiting.pop())?;
        seat.running = Some(Running { control: Arc::clone(&job.control), is_look: job.work.is_look() });
        Some(job)
    }

    /// Notes that the worker at `index` is done.
    fn put_down(&mut self, index: usize) {
        let running = self.seats.get_mut(index).and_then(|seat| seat.running.take());
        if running.is_some_and(|running| running.is_look) {
            self.waiting.look_ended();
        }
    }
}

impl Shared {
    /// Waits for the next job of the worker at `index`; nothing when the pool closes.
    fn next(&self, index: usize) -> Option<Job> {
        let mut state = self.state.lock();
        state.put_down(index);
        loop {
            if let Some(job) = state.take_job(index) {
                return Some(job);
            }
            if state.is_closing {
                return None;
            }
            if !state.idle.contains(&index) {
                state.idle.push(index);
            }
            let bell = Arc::clone(&state.seats.get(index)?.bell);
            state = bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn forget(&self, control: &Arc<JobControl>) {
        self.state.lock().waiting.forget(control);
    }

    fn begin_closing(&self) -> (Vec<Job>, Vec<Arc<JobControl>>) {
        let mut state = self.state.lock();
        state.is_closing = true;
        let mut unserved: Vec<Job> = state.waiting.drain().collect();
        let mut running = Vec::new();
        for seat in &mut state.seats {
            unserved.extend(seat.handed.take());
            running.extend(seat.running.as_ref().map(|running| Arc::clone(&running.control)));
            seat.bell.notify_one();
        }
        (unserved, running)
    }

    fn open_session(&self) -> Result<Session, String> {
        let database = self.database.lock().clone().ok_or("the database is closed")?;
        Session::open(&database, &self.callers)
    }
}

/// The life of a worker.
fn work(shared: &Shared, index: usize) {
    let mut session = None;
    while let Some(job) = shared.next(index) {
        serve(shared, &mut session, job);
    }
}

fn serve(shared: &Shared, kept: &mut Option<Session>, job: Job) {
    let control = &job.control;
    match job.work {
        Work::Query { query, reply } => {
            perform(shared, kept, control, reply, |session| session.query(&query, control));
        }
        Work::Describe { sql, reply } => perform(shared, kept, control, reply, |session| session.describe(&sql)),
    }
}

/// Does one job. Whatever happens in it, a panic included, the next one finds a clean connection.
fn perform<T>(
    shared: &Shared,
    kept: &mut Option<Session>,
    control: &JobControl,
    reply: Reply<T>,
    run: impl FnOnce(&mut Session) -> Result<T, SqlError>,
) {
    let mut session = match kept.take().map_or_else(|| shared.open_session(), Ok) {
        Ok(session) => session,
        Err(message) => return answer(reply, Err(SqlError::Failed(message))),
    };
    if !control.begin(session.interrupter()) {
        *kept = Some(session);
        return;
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| run(&mut session)));
    let was_cancelled = control.end();
    let has_panicked = outcome.is_err();
    let outcome = outcome.unwrap_or_else(|_panic| Err(SqlError::Failed("the query failed inside mxcp".to_owned())));
    if outcome.is_err() || was_cancelled {
        session.recover();
    }
    if !has_panicked && !session.is_tainted() {
        *kept = Some(session);
    }
    // Who still waits for a cancelled job is there because the pool closes.
    answer(reply, if was_cancelled { outcome.map_err(|_interrupted| SqlError::Unavailable) } else { outcome });
}

fn answer<T>(reply: Reply<T>, outcome: Result<T, SqlError>) {
    // Nobody waits for the answer of a cancelled job.
    let _unwanted = reply.send(outcome);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> Shared {
        Shared {
            database: Lock::new(Some(Arc::new(Database::open(None, &[]).unwrap()))),
            callers: Arc::default(),
            state: Lock::new(State::new(1)),
            workers_max: 1,
        }
    }

    fn performed(shared: &Shared, kept: &mut Option<Session>, run: fn(&mut Session) -> u32) -> Result<u32, SqlError> {
        let (reply, mut answer) = tokio::sync::oneshot::channel();
        perform(shared, kept, &JobControl::default(), reply, |session| Ok(run(session)));
        answer.try_recv().unwrap()
    }

    #[test]
    fn a_panic_costs_its_job_and_its_connection_only() {
        let shared = shared();
        let mut kept = None;
        assert_eq!(performed(&shared, &mut kept, |_| 1), Ok(1));
        assert!(kept.is_some());
        let failed = performed(&shared, &mut kept, |_| panic!("on purpose"));
        assert_eq!(failed, Err(SqlError::Failed("the query failed inside mxcp".to_owned())));
        assert!(kept.is_none());
        assert_eq!(performed(&shared, &mut kept, |_| 2), Ok(2));
    }

    #[test]
    fn a_job_cancelled_before_it_begins_is_not_run() {
        let shared = shared();
        let control = JobControl::default();
        assert_eq!(control.cancel(), Cancelled::BeforeStart);
        let (reply, mut answer) = tokio::sync::oneshot::channel::<Result<u32, SqlError>>();
        perform(&shared, &mut None, &control, reply, |_| panic!("was run"));
        assert!(answer.try_recv().is_err());
    }
}

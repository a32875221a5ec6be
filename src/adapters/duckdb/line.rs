//! The line of jobs that wait for a connection.
//!
//! Strangers write their SQL themselves and can make it slow, so that what only looks has some of the
//! connections and not all: the operator's tools always find one in time.

use super::job::{Job, JobControl};
use mxcp_actors::ports::sql_engine::SqlError;
use std::collections::VecDeque;
use std::sync::Arc;

/// How many jobs may wait for each connection before more are turned away.
const WAITING_PER_WORKER: usize = 256;

/// Two queues that are served as one, in the order of arrival, except that looks wait for their own
/// share.
#[derive(Debug)]
pub(super) struct Line {
    tools: Queue,
    looks: Queue,
    arrivals: u64,
    /// How many connections run a look.
    looking: usize,
    looking_max: usize,
}

#[derive(Debug)]
struct Queue {
    /// With their numbers of arrival.
    jobs: VecDeque<(u64, Job)>,
    length_max: usize,
}

impl Line {
    /// The line before so many workers, half of which may look.
    pub(super) fn new(workers: usize) -> Self {
        let looking_max = (workers / 2).max(1);
        let queue = |workers| Queue { jobs: VecDeque::new(), length_max: workers * WAITING_PER_WORKER };
        Self { tools: queue(workers), looks: queue(looking_max), arrivals: 0, looking: 0, looking_max }
    }

    /// Whether this job may begin as soon as there is a worker.
    pub(super) const fn admits(&self, job: &Job) -> bool {
        !job.work.is_look() || self.looking < self.looking_max
    }

    /// Notes that this job has got a worker. Whoever gives it one says so; see [`Self::ended`].
    pub(super) const fn began(&mut self, job: &Job) {
        if job.work.is_look() {
            self.looking += 1;
        }
    }

    /// Notes that a look has left its worker.
    pub(super) const fn look_ended(&mut self) {
        self.looking = self.looking.saturating_sub(1);
    }

    /// Lets a job wait.
    ///
    /// # Errors
    /// `Busy` when too many of its kind wait already.
    pub(super) fn push(&mut self, job: Job) -> Result<(), SqlError> {
        let queue = if job.work.is_look() { &mut self.looks } else { &mut self.tools };
        if queue.jobs.len() >= queue.length_max {
            return Err(SqlError::Busy);
        }
        queue.jobs.push_back((self.arrivals, job));
        self.arrivals += 1;
        Ok(())
    }

    /// What waits for longest, of that which may begin.
    pub(super) fn pop(&mut self) -> Option<Job> {
        let arrival = |queue: &Queue| queue.jobs.front().map_or(u64::MAX, |(arrival, _)| *arrival);
        let is_look = self.looking < self.looking_max && arrival(&self.looks) < arrival(&self.tools);
        let queue = if is_look { &mut self.looks } else { &mut self.tools };
        let (_arrival, job) = queue.jobs.pop_front()?;
        self.began(&job);
        Some(job)
    }

    /// Takes a cancelled job out, so that it does not fill the line.
    pub(super) fn forget(&mut self, control: &Arc<JobControl>) {
        for queue in [&mut self.tools, &mut self.looks] {
            queue.jobs.retain(|(_, job)| !Arc::ptr_eq(&job.control, control));
        }
    }

    /// Takes all of them out.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Job> {
        let queues = [&mut self.tools, &mut self.looks];
        queues.map(|queue| std::mem::take(&mut queue.jobs)).into_iter().flatten().map(|(_, job)| job)
    }
}

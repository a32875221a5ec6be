//! A piece of work on its way through the pool, and stopping it at the right moment.

use super::capi::Interrupter;
use super::lock::Lock;
use mxcp_actors::model::sql_value::SqlRows;
use mxcp_actors::ports::sql_engine::{SqlAccess, SqlError, SqlQuery};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Where the answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, SqlError>>;

/// What is asked.
#[derive(Debug)]
pub(super) enum Work {
    /// Run statements and read the rows of the last.
    Query { query: SqlQuery, reply: Reply<SqlRows> },
    /// Prepare statements and tell their parameters.
    Describe { sql: Arc<str>, reply: Reply<Vec<String>> },
}

impl Work {
    /// Whether its SQL is a stranger's.
    pub(super) const fn is_look(&self) -> bool {
        matches!(self, Self::Query { query: SqlQuery { access: SqlAccess::Look, .. }, .. })
    }
}

/// Work with its state.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) control: Arc<JobControl>,
}

/// The state of a job, shared between who waits for it, who does it and who stops it.
#[derive(Debug, Default)]
pub(super) struct JobControl {
    stage: Lock<Stage>,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Waiting,
    Running {
        interrupter: Interrupter,
        is_cancelled: bool,
    },
    /// Done, or cancelled before it began.
    Over,
}

/// At which stage a cancellation met the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cancelled {
    BeforeStart,
    WhileRunning,
    TooLate,
}

impl JobControl {
    /// Marks it as running; false when it was cancelled before.
    pub(super) fn begin(&self, interrupter: Interrupter) -> bool {
        let mut stage = self.stage.lock();
        let is_waiting = matches!(*stage, Stage::Waiting);
        if is_waiting {
            *stage = Stage::Running { interrupter, is_cancelled: false };
        }
        is_waiting
    }

    /// Marks it as done. From here on no interrupt of this job can reach the connection, because
    /// interrupting holds the same lock; tells whether one may have.
    pub(super) fn end(&self) -> bool {
        let before = std::mem::replace(&mut *self.stage.lock(), Stage::Over);
        matches!(before, Stage::Running { is_cancelled: true, .. })
    }

    /// Whether the answer is unwanted.
    pub(super) fn is_cancelled(&self) -> bool {
        !matches!(*self.stage.lock(), Stage::Running { is_cancelled: false, .. } | Stage::Waiting)
    }

    /// Stops it. One interrupt may come a moment before DuckDB begins, which forgets it then:
    /// `WhileRunning` asks for more, see [`Self::interrupt`].
    pub(super) fn cancel(&self) -> Cancelled {
        let mut stage = self.stage.lock();
        match &mut *stage {
            Stage::Waiting => {
                *stage = Stage::Over;
                Cancelled::BeforeStart
            }
            Stage::Running { interrupter, is_cancelled } => {
                *is_cancelled = true;
                interrupter.interrupt();
                Cancelled::WhileRunning
            }
            Stage::Over => Cancelled::TooLate,
        }
    }

    /// Interrupts it again; false when it is over.
    pub(super) fn interrupt(&self) -> bool {
        let stage = self.stage.lock();
        if let Stage::Running { interrupter, .. } = &*stage {
            interrupter.interrupt();
            return true;
        }
        false
    }
}

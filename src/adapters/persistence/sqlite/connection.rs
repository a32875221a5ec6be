//! A connection as what a lane works with.

use super::store_error;
use crate::adapters::persistence::lane::Engine;
use mxcp_actors::ports::StoreError;
use rusqlite::{Connection, ErrorCode, ffi};

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Reading; sees what was committed before a transaction began.
    Reading,
    /// Changing.
    Writing,
}

/// A connection with what it is for.
#[derive(Debug)]
pub(super) struct SqliteConnection {
    database: Connection,
    purpose: Purpose,
    /// Set when a commit did not reach the disk. What the system holds of the file in memory is
    /// then not what a restart would find, and only a restart tells, so nothing more is done.
    is_lost: bool,
    /// Why SQLite has ended the transaction in its middle, as it does when the disk is full.
    ended_by: Option<StoreError>,
}

impl SqliteConnection {
    /// Takes charge of `database`.
    pub(super) fn new(database: Connection, purpose: Purpose) -> Self {
        Self { database, purpose, is_lost: false, ended_by: None }
    }

    /// The connection.
    pub(super) fn database(&self) -> &Connection {
        &self.database
    }

    fn run(&self, sql: &str) -> Result<(), StoreError> {
        let done = self.database.prepare_cached(sql).and_then(|mut statement| statement.execute(()));
        done.map(drop).map_err(|error| store_error(&error))
    }
}

impl Engine for SqliteConnection {
    fn begin(&mut self) -> Result<(), StoreError> {
        if self.is_lost {
            let detail = "a change did not reach the disk; restart mxcp when the disk is well again".to_owned();
            return Err(StoreError { detail });
        }
        self.ended_by = None;
        self.run(match self.purpose {
            Purpose::Reading => "BEGIN",
            Purpose::Writing => "BEGIN IMMEDIATE",
        })
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        if let Some(error) = self.ended_by.take() {
            return Err(error);
        }
        let committed = self.database.prepare_cached("COMMIT").and_then(|mut statement| statement.execute(()));
        committed.map(drop).map_err(|error| {
            self.is_lost |= is_failed_sync(&error);
            store_error(&error)
        })
    }

    fn rollback(&mut self) {
        // SQLite may have rolled back by itself already.
        if !self.database.is_autocommit()
            && let Err(error) = self.run("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be rolled back");
            self.is_lost = true;
        }
    }

    fn step<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.purpose == Purpose::Reading {
            return step(self);
        }
        if let Some(error) = &self.ended_by {
            return Err(error.clone());
        }
        self.run("SAVEPOINT step")?;
        let done = step(self);
        if self.database.is_autocommit() {
            self.ended_by = done.as_ref().err().cloned();
            return done;
        }
        if done.is_err() {
            self.run("ROLLBACK TO step")?;
        }
        self.run("RELEASE step")?;
        done
    }
}

fn is_failed_sync(error: &rusqlite::Error) -> bool {
    let syncs = [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_DIR_FSYNC];
    error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
        && error.sqlite_error().is_some_and(|error| syncs.contains(&error.extended_code))
}

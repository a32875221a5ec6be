//! What the lanes work with: one that changes, and one that reads what is on the disk.

use super::disk::Disk;
use super::layout::Span;
use super::view::{Changes, Entry, View, store_error};
use crate::adapters::persistence::lane::Engine;
use mxcp_actors::ports::StoreError;
use sled::{Batch, Db, IVec};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};

/// What both lanes have in common.
#[derive(Debug)]
pub(super) struct Shared {
    database: Db,
    /// What was there before the group that is on its way to the disk: in the tree that group
    /// can be seen before it is safe. The lock is held for as long as a group is put into the
    /// tree, and not while the disk is waited for. After a commit that failed this stays, and
    /// with it the answers of before.
    before: RwLock<Changes>,
}

impl Shared {
    /// Takes charge of `database`.
    pub(super) fn new(database: Db) -> Self {
        Self { database, before: RwLock::default() }
    }

    /// Puts `changes` into the tree, where readers do not see them yet.
    fn apply(&self, changes: Changes) -> sled::Result<()> {
        let mut before = self.before.write().unwrap_or_else(PoisonError::into_inner);
        for key in changes.keys() {
            before.insert(key.clone(), self.database.get(key)?);
        }
        let mut batch = Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.database.apply_batch(batch)
    }

    /// Shows readers what is in the tree.
    fn publish(&self) {
        self.before.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Reads what survives a loss of power.
#[derive(Debug)]
pub(super) struct Reader(Arc<Shared>);

impl Reader {
    /// Reads what is in `shared`.
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Has a look; no group comes in between.
    pub(super) fn look<T>(&self, look: impl FnOnce(&View<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let before = self.0.before.read().unwrap_or_else(PoisonError::into_inner);
        look(&View::new(&self.0.database, &before))
    }
}

impl Engine for Reader {
    fn begin(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn rollback(&mut self) {}

    fn step<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        step(self)
    }
}

/// What a step found where it put a change.
#[derive(Debug)]
enum Replaced {
    /// Nothing: the group had not touched the key.
    Nothing,
    /// A change of an earlier step, or of its own.
    Change(Option<IVec>),
}

/// Changes, and keeps what a group has done to itself until all of it is committed.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    disk: Disk,
    changes: Changes,
    /// What the running step has replaced in `changes`, in order, to take it back.
    replaced: Vec<(IVec, Replaced)>,
    /// Set when a commit failed. What sled holds in memory is then not what a restart would
    /// find, and only a restart tells, so nothing more is done.
    is_lost: bool,
}

impl Writer {
    /// Changes what is in `shared`, whose files are on `disk`.
    pub(super) const fn new(shared: Arc<Shared>, disk: Disk) -> Self {
        Self { shared, disk, changes: Changes::new(), replaced: Vec::new(), is_lost: false }
    }

    /// What it changes, for a reader.
    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    fn view(&self) -> View<'_> {
        View::new(&self.shared.database, &self.changes)
    }

    /// The value of `key`, as the group has it.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        self.view().get(key)
    }

    /// The first `limit` entries of `span`, as the group has them.
    pub(super) fn scan(&self, span: &Span, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.view().scan(span, limit)
    }

    /// Sets `key`.
    pub(super) fn put(&mut self, key: impl Into<IVec>, value: impl Into<IVec>) {
        self.change(key.into(), Some(value.into()));
    }

    /// Sets `key`, which must not be there.
    pub(super) fn put_new(&mut self, key: impl Into<IVec>, value: impl Into<IVec>) -> Result<(), StoreError> {
        let key = key.into();
        if self.get(&key)?.is_some() {
            return Err(StoreError { detail: "a record of that key is there already".to_owned() });
        }
        self.put(key, value);
        Ok(())
    }

    /// Removes `key`.
    pub(super) fn remove(&mut self, key: impl Into<IVec>) {
        self.change(key.into(), None);
    }

    /// Removes `key` and gives what it was.
    pub(super) fn take(&mut self, key: Vec<u8>) -> Result<Option<IVec>, StoreError> {
        let value = self.get(&key)?;
        if value.is_some() {
            self.remove(key);
        }
        Ok(value)
    }

    fn change(&mut self, key: IVec, value: Option<IVec>) {
        let replaced = self.changes.insert(key.clone(), value);
        self.replaced.push((key, replaced.map_or(Replaced::Nothing, Replaced::Change)));
    }

    /// sled's `flush` leaves what it wrote in the drive's cache and the file's length to the
    /// system: under Linux it calls `sync_file_range` alone. Only when the disk has said that it
    /// has everything a change may be answered.
    fn write(&mut self, changes: Changes) -> Result<(), StoreError> {
        self.shared.apply(changes).map_err(|error| store_error(&error))?;
        self.shared.database.flush().map_err(|error| store_error(&error))?;
        self.disk.sync().map_err(|error| StoreError { detail: error.to_string() })?;
        self.shared.publish();
        Ok(())
    }
}

impl Engine for Writer {
    fn begin(&mut self) -> Result<(), StoreError> {
        if self.is_lost {
            let detail = "a change did not reach the disk; restart mxcp when the disk is well again".to_owned();
            return Err(StoreError { detail });
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.replaced.clear();
        let changes = std::mem::take(&mut self.changes);
        if changes.is_empty() {
            return Ok(());
        }
        // sled panics where it finds its files other than it left them.
        let panicked = |_| Err(StoreError { detail: "the database panicked".to_owned() });
        let written = catch_unwind(AssertUnwindSafe(|| self.write(changes))).unwrap_or_else(panicked);
        self.is_lost = written.is_err();
        written
    }

    fn rollback(&mut self) {
        self.changes.clear();
    }

    fn step<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.replaced.clear();
        let done = step(self);
        if done.is_err() {
            while let Some((key, replaced)) = self.replaced.pop() {
                match replaced {
                    Replaced::Change(change) => self.changes.insert(key, change),
                    Replaced::Nothing => self.changes.remove(&key),
                };
            }
        }
        done
    }
}

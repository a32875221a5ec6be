//! Opening a folder: whose it is, what is in it, and whether the keys fit.

use super::SledStore;
use super::disk::{self, Disk, Found};
use super::engine::{Reader, Shared, Writer};
use super::layout::Space;
use crate::adapters::persistence::Surroundings;
use crate::adapters::persistence::error::PersistenceError;
use crate::adapters::persistence::files::{self, StoreLock};
use crate::adapters::persistence::keys::{self, KeySource};
use crate::adapters::persistence::lane::{Engine, Lane};
use crate::adapters::persistence::seal::{Sealer, UserIndex};
use crate::adapters::persistence::vault::{self, Marks};
use sled::{Db, Error};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

/// The layout that this version writes.
const VERSION: i64 = 1;
/// The name of the mark that holds it.
const VERSION_MARK: &str = "version";
/// How much of the pages is kept in memory. sled's own measure is a gigabyte.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// How often sled tidies its log. It also writes then what nobody has flushed, which is nothing
/// here, and makes the drive flush its cache; sled's own measure is twice in a second.
const TIDY_EVERY_MILLIS: u64 = 2_000;

/// Opens the store at `path`, which is created when it is not there.
///
/// # Errors
/// Why it cannot be used, with what to do.
pub(super) fn open(path: &Path, keys: &KeySource, surroundings: &Surroundings) -> Result<SledStore, PersistenceError> {
    files::prepare_folder_of(path)?;
    let lock = StoreLock::take(path)?;
    let Unlocked { marks, sealer, users } = unlock(path, keys, surroundings)?;
    let writer = marks.0.into_inner();
    let reader = Reader::new(writer.shared());
    let failed = || PersistenceError::refused("start a thread for", path);
    Ok(SledStore {
        writes: Lane::start("store-writes", writer).map_err(failed())?,
        reads: Lane::start("store-reads", reader).map_err(failed())?,
        sealer: Arc::new(sealer),
        users,
        _lock: lock,
    })
}

/// An open database whose keys fit.
pub(super) struct Unlocked {
    pub(super) marks: SledMarks,
    pub(super) sealer: Sealer,
    pub(super) users: UserIndex,
}

/// A database that is open, with its marks, before it is clear that its keys are there.
pub(super) struct Opened {
    pub(super) marks: SledMarks,
    /// Whether nothing was ever kept in it.
    pub(super) is_new: bool,
    found: Found,
}

/// Opens the database at `path`, whose lock is held, with the keys that it needs.
pub(super) fn unlock(path: &Path, keys: &KeySource, surroundings: &Surroundings) -> Result<Unlocked, PersistenceError> {
    let Opened { marks, is_new, found } = open_marks(path)?;
    let keys = keys::load(keys, path, is_new, surroundings.entropy.as_ref())?;
    if is_new {
        marks.set(VERSION_MARK, &VERSION.to_be_bytes()).map_err(PersistenceError::database(path))?;
    }
    let sealer = Sealer::new(keys, Arc::clone(&surroundings.entropy));
    let users = vault::unlock(&marks, &sealer, path, surroundings.entropy.as_ref())?;
    if found != Found::Version(VERSION) {
        disk::mark(path, VERSION)?;
    }
    Ok(Unlocked { marks, sealer, users })
}

/// Opens the database at `path`, whose lock is held.
pub(super) fn open_marks(path: &Path) -> Result<Opened, PersistenceError> {
    let found = disk::inspect(path)?;
    if let Found::Version(found) = found
        && found > VERSION
    {
        return Err(PersistenceError::Newer { path: path.to_owned(), found, known: VERSION });
    }
    disk::prepare(path)?;
    disk::wait_until_closed(path)?;
    let database = open_database(path, found)?;
    let is_new = is_new(&database, path, found)?;
    let disk = Disk::open(path).map_err(PersistenceError::refused("sync", path))?;
    let marks = SledMarks(RefCell::new(Writer::new(Arc::new(Shared::new(database)), disk)));
    Ok(Opened { marks, is_new, found })
}

/// Opens the database and reads all of it once: what is damaged shows now, and not when somebody
/// is about to sign in.
fn open_database(path: &Path, found: Found) -> Result<Db, PersistenceError> {
    let opened = || -> sled::Result<Db> {
        let configuration = sled::Config::new().path(path).cache_capacity(CACHE_BYTES);
        let database = configuration.flush_every_ms(Some(TIDY_EVERY_MILLIS)).open()?;
        database.iter().try_for_each(|entry| entry.map(drop))?;
        Ok(database)
    };
    // With some kinds of damage sled panics rather than to say so.
    match catch_unwind(AssertUnwindSafe(opened)) {
        // A database that nobody has marked and that sled 0.34 does not know is of something else.
        Ok(Err(Error::Unsupported(_))) if found == Found::Unmarked => Err(PersistenceError::Foreign(path.to_owned())),
        Ok(opened) => opened.map_err(|error| explain(path, &error)),
        Err(_) => Err(damaged(path, "the database cannot make sense of it")),
    }
}

/// Whether nothing was ever kept in `database`, where `found` was found.
fn is_new(database: &Db, path: &Path, found: Found) -> Result<bool, PersistenceError> {
    let failed = |error: Error| explain(path, &error);
    let mark = database.get(Space::Marks.key(&[VERSION_MARK.as_bytes()])).map_err(failed)?;
    // sled takes what it cannot read at the end of its log, or in all of it, for something that
    // was never finished, and drops it.
    match (found, mark) {
        (Found::Version(_), None) => Err(damaged(path, "what was in it has gone")),
        (Found::Empty, Some(_)) => Err(damaged(path, "it came from nowhere")),
        (Found::Version(_) | Found::Unmarked, Some(_)) => Ok(false),
        (Found::Empty, None) => Ok(true),
        (Found::Unmarked, None) if database.is_empty() && database.tree_names().len() == 1 => Ok(true),
        (Found::Unmarked, None) => Err(PersistenceError::Foreign(path.to_owned())),
    }
}

fn damaged(path: &Path, detail: &str) -> PersistenceError {
    PersistenceError::Damaged { path: path.to_owned(), detail: detail.to_owned() }
}

/// What the operator is told of an error while opening.
fn explain(path: &Path, error: &Error) -> PersistenceError {
    match error {
        Error::Corruption { .. } => damaged(path, "a checksum does not fit"),
        Error::Unsupported(detail) | Error::ReportableBug(detail) => damaged(path, detail),
        Error::CollectionNotFound(_) | Error::Io(_) => PersistenceError::database(path)(error),
    }
}

/// The marks as records beside the others.
pub(super) struct SledMarks(pub(super) RefCell<Writer>);

impl Marks for SledMarks {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let value = self.0.borrow().get(&Space::Marks.key(&[name.as_bytes()]));
        value.map(|value| value.map(|value| value.to_vec())).map_err(|error| error.detail)
    }

    fn set(&self, name: &str, value: &[u8]) -> Result<(), String> {
        let mut writer = self.0.borrow_mut();
        writer.put(Space::Marks.key(&[name.as_bytes()]), value);
        writer.commit().map_err(|error| error.detail)
    }
}

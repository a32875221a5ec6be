//! Opening a file: whose it is, what is in it, and whether the keys fit.

use super::SqliteStore;
use super::connection::{Purpose, SqliteConnection};
use super::reseal::SqliteResealing;
use super::schema::{self, Found};
use crate::adapters::persistence::error::PersistenceError;
use crate::adapters::persistence::files::{self, StoreLock};
use crate::adapters::persistence::keys::{self, KeySource};
use crate::adapters::persistence::lane::Lane;
use crate::adapters::persistence::seal::{Sealer, UserIndex};
use crate::adapters::persistence::vault::{self, Marks};
use crate::adapters::persistence::{PersistenceSettings, Surroundings};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long another program, such as a backup, may hold the file before a change fails.
const BUSY_MAX: Duration = Duration::from_secs(2);
/// How large the write-ahead log may stay after a checkpoint.
const WAL_KEPT_BYTES: i64 = 16 * 1024 * 1024;
/// More than the store has of different statements.
const STATEMENTS_KEPT: usize = 64;

/// Opens the store at `path`, which is created when it is not there.
///
/// # Errors
/// Why it cannot be used, with what to do.
pub(in crate::adapters::persistence) fn open(
    path: &Path,
    keys: &KeySource,
    surroundings: &Surroundings,
) -> Result<SqliteStore, PersistenceError> {
    let (lock, mut writing, found) = lock_and_look(path)?;
    let keys = keys::load(keys, path, found == Found::Empty, surroundings.entropy.as_ref())?;
    make_ready(&mut writing, path, found, surroundings)?;
    let sealer = Arc::new(Sealer::new(keys, Arc::clone(&surroundings.entropy)));
    let users = vault::unlock(&SqliteMarks(&writing), &sealer, path, surroundings.entropy.as_ref())?;
    let reading = connect(path, Purpose::Reading)?;
    let lane = |name, database, purpose| {
        Lane::start(name, SqliteConnection::new(database, purpose))
            .map_err(PersistenceError::refused("start a thread for", path))
    };
    Ok(SqliteStore {
        writes: lane("store-writes", writing, Purpose::Writing)?,
        reads: lane("store-reads", reading, Purpose::Reading)?,
        sealer,
        users,
        _lock: lock,
    })
}

/// A file that is this process's alone.
#[derive(Debug)]
pub(in crate::adapters::persistence) struct OpenedFile {
    pub(super) database: Connection,
    pub(super) path: PathBuf,
    // Released last.
    _lock: StoreLock,
}

/// Opens the store at `path`, which must be there, to seal its records anew.
///
/// # Errors
/// Why it cannot be used, with what to do.
pub(in crate::adapters::persistence) fn open_for_resealing(
    path: &Path,
    surroundings: &Surroundings,
) -> Result<SqliteResealing, PersistenceError> {
    let (lock, mut database, found) = lock_and_look(path)?;
    if found == Found::Empty {
        return Err(PersistenceError::NothingKept(path.to_owned()));
    }
    make_ready(&mut database, path, found, surroundings)?;
    SqliteResealing::new(OpenedFile { database, path: path.to_owned(), _lock: lock })
}

/// Opens the store that `settings` name, which is created when it is not there and whose lock is
/// held, for a command that works on its tables.
pub(super) fn open_tables(
    settings: &PersistenceSettings,
    surroundings: &Surroundings,
) -> Result<OpenTables, PersistenceError> {
    let path = &settings.path;
    let (mut database, found) = look(path)?;
    let keys = keys::load(&settings.keys, path, found == Found::Empty, surroundings.entropy.as_ref())?;
    make_ready(&mut database, path, found, surroundings)?;
    let sealer = Sealer::new(keys, Arc::clone(&surroundings.entropy));
    let users = vault::unlock(&SqliteMarks(&database), &sealer, path, surroundings.entropy.as_ref())?;
    Ok(OpenTables { database, sealer, users })
}

/// Tables, and what their records are sealed with.
#[derive(Debug)]
pub(super) struct OpenTables {
    pub(super) database: Connection,
    pub(super) sealer: Sealer,
    pub(super) users: UserIndex,
}

/// Takes the file at `path` for this process and looks what is in it, changing nothing.
fn lock_and_look(path: &Path) -> Result<(StoreLock, Connection, Found), PersistenceError> {
    files::prepare_folder_of(path)?;
    let lock = StoreLock::take(path)?;
    let (writing, found) = look(path)?;
    Ok((lock, writing, found))
}

fn look(path: &Path) -> Result<(Connection, Found), PersistenceError> {
    if let Err(exposed) = files_of(path).iter().try_for_each(|file| files::check_is_private(file)) {
        // The Python product makes its database so; more than its mode has to be changed then.
        return Err(if is_incumbent(path) { PersistenceError::Incumbent(path.to_owned()) } else { exposed });
    }
    files::create_private(path)?;
    let writing = connect(path, Purpose::Writing)?;
    let found = schema::inspect(&writing, path)?;
    Ok((writing, found))
}

/// Looks without leaving a trace: as immutable, no file is made beside it that would have its mode.
fn is_incumbent(path: &Path) -> bool {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let Ok(mut name) = url::Url::from_file_path(path) else { return false };
    name.set_query(Some("immutable=1"));
    let connection = Connection::open_with_flags(name.as_str(), flags);
    connection.is_ok_and(|connection| schema::is_of_the_python_product(&connection).unwrap_or(false))
}

/// Brings a file up to this version.
fn make_ready(
    database: &mut Connection,
    path: &Path,
    found: Found,
    surroundings: &Surroundings,
) -> Result<(), PersistenceError> {
    configure(database).map_err(|error| schema::explain(path, &error))?;
    schema::migrate(database, path, found, surroundings.clock.now().as_micros())
}

/// The files that a store at `path` may consist of.
fn files_of(path: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|end| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    })
}

fn connect(path: &Path, purpose: Purpose) -> Result<Connection, PersistenceError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connected = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_MAX)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        if purpose == Purpose::Reading {
            connection.pragma_update(None, "query_only", true)?;
        }
        Ok(connection)
    };
    connected().map_err(|error| schema::explain(path, &error))
}

/// What makes a commit survive a loss of power, and reading independent of writing.
fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update_and_check(None, "journal_size_limit", WAL_KEPT_BYTES, |_| Ok(()))
}

/// The `meta` table as the place of the marks.
pub(super) struct SqliteMarks<'a>(pub(super) &'a Connection);

impl Marks for SqliteMarks<'_> {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        schema::meta(self.0, name).map_err(|error| error.to_string())
    }

    fn set(&self, name: &str, value: &[u8]) -> Result<(), String> {
        schema::set_meta(self.0, name, value).map_err(|error| error.to_string())
    }
}

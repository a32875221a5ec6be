//! The files that a sled database consists of: who may read them, and when they are safe.

use crate::adapters::persistence::error::PersistenceError;
use crate::adapters::persistence::files;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// sled's own settings.
const SETTINGS: &str = "conf";
/// Everything that was ever changed.
const LOG: &str = "db";
/// A folder with a file for each value that does not fit into the log.
const BLOBS: &str = "blobs";
/// What names of files begin with that hold where in the log the pages are.
const SNAPSHOTS: &str = "snap.";
/// Our own: the version of the layout. It is written last, so that a folder that has it is whole.
const VERSION: &str = "mxcp-version";

/// How often, and how far apart, it is looked whether a database is closed: for two seconds.
const LOOKS: u32 = 200;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// What is in a folder before anything is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing that was ever used.
    Empty,
    /// A database of which nobody has said that it is whole: it is of something else, or was
    /// begun and not finished.
    Unmarked,
    /// Ours, of that version.
    Version(i64),
}

/// Says what is in the folder at `path`, if nobody else can look into it.
pub(super) fn inspect(path: &Path) -> Result<Found, PersistenceError> {
    if !path.exists() {
        return Ok(Found::Empty);
    }
    if !path.is_dir() {
        let detail = "it is a file, and a sled database is a folder; give persistence.path another place";
        return Err(PersistenceError::database(path)(detail));
    }
    files::check_is_private(path)?;
    for name in [SETTINGS, LOG, BLOBS, VERSION] {
        files::check_is_private(&path.join(name))?;
    }
    let names = names(path).map_err(PersistenceError::refused("read", path))?;
    if !names.iter().all(|name| is_ours(name)) {
        return Err(PersistenceError::Foreign(path.to_owned()));
    }
    look(path)
}

/// Puts there what sled would create with the permissions that the umask leaves, so that nobody
/// else ever gets to see it.
pub(super) fn prepare(path: &Path) -> Result<(), PersistenceError> {
    files::create_private_folder(path)?;
    files::create_private(&path.join(SETTINGS))?;
    files::create_private(&path.join(LOG))?;
    files::create_private_folder(&path.join(BLOBS))
}

/// Whether a database has a file of that name.
fn is_ours(name: &OsStr) -> bool {
    let begins_with = |start: &str| name.as_encoded_bytes().starts_with(start.as_bytes());
    [SETTINGS, LOG, BLOBS].iter().any(|ours| name == *ours) || begins_with(SNAPSHOTS) || begins_with(VERSION)
}

fn look(path: &Path) -> Result<Found, PersistenceError> {
    let version = path.join(VERSION);
    match std::fs::read_to_string(&version) {
        Ok(text) => {
            let damaged = |_| PersistenceError::Damaged {
                path: path.to_owned(),
                detail: format!("{VERSION} does not hold a number"),
            };
            text.trim().parse().map(Found::Version).map_err(damaged)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let is_used = std::fs::metadata(path.join(LOG)).is_ok_and(|log| log.len() > 0);
            Ok(if is_used { Found::Unmarked } else { Found::Empty })
        }
        Err(error) => Err(PersistenceError::refused("read", &version)(error)),
    }
}

/// Waits until nobody else has the log open. sled's threads let go of it a moment after the
/// database was closed, which is when a daemon is started again within its process.
pub(super) fn wait_until_closed(path: &Path) -> Result<(), PersistenceError> {
    let log = path.join(LOG);
    let file = File::open(&log).map_err(PersistenceError::refused("open", &log))?;
    for _ in 0..LOOKS {
        match file.try_lock() {
            // With the file the lock goes, and sled may take it.
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN_LOOKS),
            Err(TryLockError::Error(source)) => return Err(PersistenceError::refused("lock", &log)(source)),
        }
    }
    Err(PersistenceError::database(path)("it is locked by another program; close that one first"))
}

/// Says that the database is whole and of `version`.
pub(super) fn mark(path: &Path, version: i64) -> Result<(), PersistenceError> {
    files::replace_private(&path.join(VERSION), format!("{version}\n").as_bytes())
}

/// The files of an open database.
#[derive(Debug)]
pub(super) struct Disk {
    /// The log. It stays open, so that no error in writing it is told to somebody else only.
    log: File,
    blobs: PathBuf,
    /// Blobs that are safe. They are written once and removed, never changed.
    safe_blobs: BTreeSet<OsString>,
}

impl Disk {
    /// Takes everything that opening the database at `path` has written to the disk, and makes
    /// it the owner's alone.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        for name in names(path)?.iter().filter(|name| name.as_encoded_bytes().starts_with(SNAPSHOTS.as_bytes())) {
            secure(&path.join(name))?;
        }
        File::open(path.join(SETTINGS))?.sync_all()?;
        let log = File::open(path.join(LOG))?;
        let mut disk = Self { log, blobs: path.join(BLOBS), safe_blobs: BTreeSet::new() };
        disk.sync()?;
        File::open(path)?.sync_all()?;
        Ok(disk)
    }

    /// Returns when the disk has everything that was written before, also of sled's threads: a
    /// file is synced as a whole, whoever wrote to it.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        let blobs: BTreeSet<OsString> = names(&self.blobs)?.into_iter().collect();
        let mut is_changed = false;
        for name in blobs.difference(&self.safe_blobs) {
            match secure(&self.blobs.join(name)) {
                // sled may have replaced it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => (),
                secured => secured?,
            }
            is_changed = true;
        }
        if is_changed {
            File::open(&self.blobs)?.sync_all()?;
        }
        self.safe_blobs = blobs;
        // With the length, which is all that reading needs of what the system notes of a file.
        self.log.sync_data()
    }
}

fn secure(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    files::make_private(&file)?;
    file.sync_all()
}

fn names(folder: &Path) -> io::Result<Vec<OsString>> {
    std::fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect()
}

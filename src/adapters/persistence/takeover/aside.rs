//! Making room where the old database is, and undoing it.

use super::super::files::make_private;
use super::super::keys::KeySource;
use super::error::TakeoverError;
use crate::adapters::persistence::error::PersistenceError;
use std::fs::{self, File, Permissions};
use std::io;
use std::path::{Path, PathBuf};

/// What is appended to the name of a database that was moved aside.
const END: &str = ".python-backup";
/// What a store that was begun in its place may consist of.
const STORE_ENDS: [&str; 3] = ["", "-wal", "-shm"];

/// An old database that was moved aside.
#[derive(Debug)]
pub(super) struct Aside {
    from: PathBuf,
    to: PathBuf,
    permissions: Permissions,
    /// The key file, unless it was there before.
    new_key_file: Option<PathBuf>,
}

/// Where the database at `path` is moved to.
pub(super) fn aside_of(path: &Path) -> PathBuf {
    with_end(path, END)
}

impl Aside {
    /// Moves the database at `path` aside, and takes from others what they may do with it: it
    /// may hold tokens that anybody could use who reads it.
    pub(super) fn take(path: &Path, keys: &KeySource) -> Result<Self, TakeoverError> {
        let aside = aside_of(path);
        if fs::symlink_metadata(&aside).is_ok() {
            return Err(TakeoverError::InTheWay { path: path.to_owned(), aside });
        }
        let moved = || -> io::Result<Permissions> {
            let permissions = fs::metadata(path)?.permissions();
            fs::rename(path, &aside)?;
            Ok(permissions)
        };
        let permissions = moved().map_err(PersistenceError::refused("move aside", path))?;
        let new_key_file = match keys {
            KeySource::File(file) if !file.exists() => Some(file.clone()),
            KeySource::File(_) | KeySource::Given(_) => None,
        };
        let taken = Self { from: path.to_owned(), to: aside, permissions, new_key_file };
        let made_private = File::open(&taken.to).and_then(|file| make_private(&file));
        match made_private {
            Ok(()) => Ok(taken),
            Err(error) => {
                let refused = PersistenceError::refused("make private", &taken.to)(error);
                Err(taken.put_back(refused.into()))
            }
        }
    }

    /// Leaves it there, and tells where.
    pub(super) fn keep(self) -> PathBuf {
        self.to
    }

    /// Puts it back, with what was begun in its place removed, and gives the reason for it.
    pub(super) fn put_back(self, cause: TakeoverError) -> TakeoverError {
        let back = || -> io::Result<()> {
            let begun = STORE_ENDS.map(|end| with_end(&self.from, end));
            for file in begun.iter().chain(&self.new_key_file) {
                match fs::remove_file(file) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    removed => removed?,
                }
            }
            fs::set_permissions(&self.to, self.permissions.clone())?;
            fs::rename(&self.to, &self.from)
        };
        match back() {
            Ok(()) => cause,
            Err(error) => TakeoverError::NotPutBack {
                cause: Box::new(cause),
                path: self.from,
                aside: self.to,
                detail: error.to_string(),
            },
        }
    }
}

pub(super) fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

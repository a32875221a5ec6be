//! Files that only their owner may read, and that one process uses at a time.

use super::error::PersistenceError;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Permission bits of files: the owner reads and writes.
const FILE_MODE: u32 = 0o600;
/// Permission bits of folders.
const FOLDER_MODE: u32 = 0o700;
/// What others may not have on files.
const OF_OTHERS: u32 = 0o077;
/// Who may write into a folder may put another file in place of ours.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// In such a folder only a file's owner may replace it.
const STICKY: u32 = 0o1000;

/// Makes sure that the folder of `path` exists and that nobody else may change what is in it.
/// What is created here is open to the owner only, whatever the umask.
pub(super) fn prepare_folder_of(path: &Path) -> Result<(), PersistenceError> {
    let folder = folder_of(path);
    create_private_folder(folder)?;
    let mode = mode_of(folder)?;
    if mode & WRITABLE_BY_OTHERS != 0 && mode & STICKY == 0 {
        return Err(PersistenceError::Exposed { path: folder.to_owned(), mode, remedy: "go-w" });
    }
    Ok(())
}

/// Fails when `path` exists and others may read or write it.
pub(super) fn check_is_private(path: &Path) -> Result<(), PersistenceError> {
    match mode_of(path) {
        Ok(mode) if mode & OF_OTHERS != 0 => {
            let remedy = if path.is_dir() { "700" } else { "600" };
            Err(PersistenceError::Exposed { path: path.to_owned(), mode, remedy })
        }
        Err(PersistenceError::Refused { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(()),
        other => other.map(drop),
    }
}

/// Creates an empty file unless there is one.
pub(super) fn create_private(path: &Path) -> Result<(), PersistenceError> {
    open_private(path).map(drop)
}

/// Creates a folder, and those above it, unless it is there.
pub(super) fn create_private_folder(path: &Path) -> Result<(), PersistenceError> {
    let created = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path);
    created.map_err(PersistenceError::refused("create the folder", path))
}

/// Takes from everybody else what the umask has left them.
pub(super) fn make_private(file: &File) -> std::io::Result<()> {
    file.set_permissions(std::fs::Permissions::from_mode(FILE_MODE))
}

/// Puts `content` into the place of the file at `path`, whole or not at all, and takes it to the
/// disk.
pub(super) fn replace_private(path: &Path, content: &[u8]) -> Result<(), PersistenceError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let written = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(&new)?;
        make_private(&file)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&new, path)?;
        File::open(folder_of(path))?.sync_all()
    };
    written().map_err(PersistenceError::refused("write", path))
}

/// Keeps other processes from the files of a store, as long as it lives: each daemon holds what
/// is live in memory, so that two on one store would not see each other's revocations.
#[derive(Debug)]
pub(super) struct StoreLock {
    // The lock goes with the file, also when the process is killed.
    _file: File,
}

impl StoreLock {
    /// Takes the lock of the store at `path`.
    pub(super) fn take(path: &Path) -> Result<Self, PersistenceError> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let lock = PathBuf::from(name);
        let file = open_private(&lock)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(PersistenceError::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => Err(PersistenceError::refused("lock", &lock)(source)),
        }
    }
}

fn open_private(path: &Path) -> Result<File, PersistenceError> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(path);
    opened.map_err(PersistenceError::refused("open", path))
}

fn mode_of(path: &Path) -> Result<u32, PersistenceError> {
    let metadata = std::fs::metadata(path).map_err(PersistenceError::refused("inspect", path))?;
    Ok(metadata.mode() & 0o7777)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn what_is_created_is_the_owners_alone() {
        let root = tempfile::TempDir::new().unwrap();
        let path = root.path().join("a/b/store.db");
        prepare_folder_of(&path).unwrap();
        create_private(&path).unwrap();
        replace_private(&root.path().join("a/key"), b"text").unwrap();
        assert_eq!((mode(path.parent().unwrap()), mode(&path)), (0o700, 0o600));
        assert_eq!(mode(&root.path().join("a")), 0o700);
        assert_eq!(mode(&root.path().join("a/key")), 0o600);
        assert_eq!(fs::read(root.path().join("a/key")).unwrap(), b"text");
    }

    #[test]
    fn what_others_may_read_is_refused_with_the_remedy() {
        let root = tempfile::TempDir::new().unwrap();
        let path = root.path().join("store.db");
        check_is_private(&path).unwrap();
        create_private(&path).unwrap();
        check_is_private(&path).unwrap();
        for bits in [0o640, 0o604, 0o620, 0o602] {
            fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
            let error = check_is_private(&path).unwrap_err().to_string();
            assert!(error.contains(&format!("{bits:04o}")) && error.contains("run: chmod 600 "), "{error}");
        }
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_refused_unless_it_is_sticky() {
        let root = tempfile::TempDir::new().unwrap();
        let path = root.path().join("shared/store.db");
        prepare_folder_of(&path).unwrap();
        for (bits, is_refused) in [(0o755, false), (0o770, true), (0o707, true), (0o1777, false)] {
            fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(bits)).unwrap();
            assert_eq!(prepare_folder_of(&path).is_err(), is_refused, "{bits:o}");
        }
    }

    #[test]
    fn a_store_is_used_by_one_at_a_time() {
        let root = tempfile::TempDir::new().unwrap();
        let path = root.path().join("store.db");
        let lock = StoreLock::take(&path).unwrap();
        assert!(matches!(StoreLock::take(&path), Err(PersistenceError::InUse(_))));
        drop(lock);
        StoreLock::take(&path).unwrap();
    }
}

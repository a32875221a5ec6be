//! Small files beside the log that are there as a whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What follows the name of a file that is not finished.
pub(super) const UNFINISHED_SUFFIX: &str = ".tmp";

/// Where the file at `path` is while it is written.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED_SUFFIX);
    PathBuf::from(name)
}

/// Begins the file that will be at `path`, readable for its owner alone.
///
/// # Errors
/// When the operating system refuses.
pub(super) fn begin(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(unfinished(path))
}

/// Gives `file` its name, after it is on the disk.
///
/// # Errors
/// When the operating system refuses.
pub(super) fn finish(file: &File, path: &Path) -> io::Result<()> {
    file.sync_all()?;
    fs::rename(unfinished(path), path)
}

/// Writes `bytes` to `path`, in place of what is there.
///
/// # Errors
/// When the operating system refuses; then what was there is still there.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = begin(path)?;
    file.write_all(bytes)?;
    finish(&file, path)
}

/// Makes names that were given or taken in `folder` survive a power loss.
///
/// # Errors
/// When the operating system cannot promise it.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

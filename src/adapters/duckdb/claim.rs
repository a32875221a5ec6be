//! One database per file and process.

use super::lock::Lock;
use std::path::{Path, PathBuf};

/// The files that this process has open.
///
/// DuckDB locks a file against other processes only: a second opening within this one would
/// succeed, and the two would overwrite each other's pages.
static OPEN_FILES: Lock<Vec<PathBuf>> = Lock::new(Vec::new());

/// The right to have a file open; given back when dropped.
#[derive(Debug)]
pub(super) struct Claim(PathBuf);

impl Claim {
    /// Claims `path`; nothing when it is open already.
    pub(super) fn new(path: &Path) -> Option<Self> {
        let file = real_path(path);
        let mut files = OPEN_FILES.lock();
        if files.contains(&file) {
            return None;
        }
        files.push(file.clone());
        Some(Self(file))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        OPEN_FILES.lock().retain(|file| *file != self.0);
    }
}

/// The path without links; the file itself may not exist yet.
fn real_path(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let in_real_folder = || Some(folder.canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(in_real_folder).unwrap_or_else(|| path.to_owned())
}

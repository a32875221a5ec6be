//! Files without a name, in memory.

use std::fs::File;
use std::io::{self, Write as _};

/// A file that DuckDB reads by a path and nobody else finds; gone when dropped.
///
/// It is never on a disk: what a provider answered is one user's and of one moment.
#[derive(Debug)]
pub(super) struct MemoryFile {
    path: String,
    _file: File,
}

impl MemoryFile {
    /// Makes a file with `content`.
    ///
    /// # Errors
    /// Those of the system.
    pub(super) fn new(content: &[u8]) -> io::Result<Self> {
        let mut file = create()?;
        file.write_all(content)?;
        Ok(Self { path: path_of(&file), _file: file })
    }

    /// Where DuckDB finds it, for as long as this lives.
    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

#[cfg(target_os = "linux")]
fn create() -> io::Result<File> {
    use std::os::fd::FromRawFd as _;
    #[expect(unsafe_code, reason = "the standard library has no files in memory")]
    // SAFETY: the name ends with a zero byte; a descriptor that is not negative is new and ours.
    unsafe {
        match libc::memfd_create(c"mxcp".as_ptr(), libc::MFD_CLOEXEC) {
            descriptor @ 0.. => Ok(File::from_raw_fd(descriptor)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

#[cfg(target_os = "linux")]
fn path_of(file: &File) -> String {
    use std::os::fd::AsRawFd as _;
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

#[cfg(not(target_os = "linux"))]
fn create() -> io::Result<File> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no files in memory"))
}

#[cfg(not(target_os = "linux"))]
fn path_of(_: &File) -> String {
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn a_file_lives_as_long_as_its_owner() {
        let file = MemoryFile::new(b"content").unwrap();
        let path = file.path().to_owned();
        assert_eq!(std::fs::read(&path).unwrap(), b"content");
        let target = std::fs::read_link(&path).unwrap().display().to_string();
        assert!(target.contains("memfd:mxcp"), "{target}");
        let number = std::fs::metadata(&path).unwrap().ino();
        drop(file);
        // Another file of another test may be there now.
        assert!(!std::fs::metadata(&path).is_ok_and(|other| other.ino() == number));
    }
}

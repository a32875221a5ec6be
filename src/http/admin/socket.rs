//! The local socket: for the user that the server runs as, and nobody else.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Why the socket cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// A server answers there.
    #[error(
        "another server answers at {}; it keeps the same audit log: stop it first, or give this one a log of its own",
        .0.display()
    )]
    Taken(PathBuf),
    /// Something else is there.
    #[error("{} is no socket; remove it, or name another place in MXCP_ADMIN_SOCKET", .0.display())]
    NotASocket(PathBuf),
    /// The operating system refused.
    #[error("cannot open the local socket {}: {source}; MXCP_ADMIN_SOCKET can name another place", path.display())]
    Refused {
        /// The socket.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// The socket's place. Dropping it removes the socket, unless another server has put its own there.
#[derive(Debug)]
pub struct LocalSocket {
    path: PathBuf,
    inode: u64,
}

impl LocalSocket {
    /// Opens the socket at `path`, in place of one that a killed server has left there.
    ///
    /// # Errors
    /// When a server answers there, or it cannot be opened.
    pub fn open(path: &Path) -> Result<(Self, UnixListener), SocketError> {
        let refused = |source| SocketError::Refused { path: path.to_owned(), source };
        check_free(path)?;
        // It gets its name when nobody else can use it any more, in one step.
        let new = path.with_extension(format!("{}.sock", std::process::id()));
        remove(&new).map_err(refused)?;
        let listener = UnixListener::bind(&new).map_err(refused)?;
        let named = fs::set_permissions(&new, Permissions::from_mode(0o600)).and_then(|()| fs::rename(&new, path));
        if let Err(error) = named {
            remove(&new).map_err(refused)?;
            return Err(refused(error));
        }
        let inode = fs::symlink_metadata(path).map_err(refused)?.ino();
        Ok((Self { path: path.to_owned(), inode }, listener))
    }
}

impl Drop for LocalSocket {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode)
            && let Err(error) = remove(&self.path)
        {
            tracing::warn!(socket = %self.path.display(), %error, "the local socket could not be removed");
        }
    }
}

fn check_free(path: &Path) -> Result<(), SocketError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(SocketError::Refused { path: path.to_owned(), source }),
        Ok(found) if !found.file_type().is_socket() => Err(SocketError::NotASocket(path.to_owned())),
        Ok(_) if UnixStream::connect(path).is_ok() => Err(SocketError::Taken(path.to_owned())),
        Ok(_) => Ok(()),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    #[test]
    fn the_socket_is_for_its_owner_alone_and_goes_with_the_server() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("logs.sock");
        let (socket, listener) = LocalSocket::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(UnixStream::connect(&path).is_ok());
        drop((socket, listener));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_server_left_is_replaced_and_a_living_one_is_not() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("logs.sock");
        drop(UnixListener::bind(&path).unwrap());
        let (socket, _listener) = LocalSocket::open(&path).unwrap();
        assert!(matches!(LocalSocket::open(&path), Err(SocketError::Taken(_))));
        // Another server's socket stays when this one goes.
        fs::remove_file(&path).unwrap();
        let other = UnixListener::bind(&path).unwrap();
        drop(socket);
        assert!(path.exists());
        drop(other);
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("logs.sock");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(LocalSocket::open(&path), Err(SocketError::NotASocket(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}

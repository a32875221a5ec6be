//! Why nothing could be taken over.

use super::super::error::PersistenceError;
use std::path::PathBuf;

/// Why nothing was taken over.
#[derive(Debug, thiserror::Error)]
pub enum TakeoverError {
    /// Our own store cannot be used.
    #[error(transparent)]
    Store(#[from] PersistenceError),
    /// The old database is not there.
    #[error("there is no database at {}", .0.display())]
    Missing(PathBuf),
    /// It is ours by now.
    #[error(
        "{} is a database of this mxcp already; if an earlier run has moved the old one aside, give that one: {}",
        path.display(),
        aside.display()
    )]
    AlreadyOurs {
        /// What was given.
        path: PathBuf,
        /// Where the old one would be.
        aside: PathBuf,
    },
    /// It is something else.
    #[error("{} is not an oauth.db of the Python product", .0.display())]
    NotOld(PathBuf),
    /// Somebody writes to it, or has left in the middle of writing.
    #[error(
        "{} is being written to ({} is there); stop the Python product first, and if it has crashed start \
         and stop it once more",
        path.display(),
        trace.display()
    )]
    Busy {
        /// The database.
        path: PathBuf,
        /// What gives it away.
        trace: PathBuf,
    },
    /// It cannot be read.
    #[error("cannot read {}: {detail}", path.display())]
    Unreadable {
        /// The database.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// It is encrypted, and not with a key that is known.
    #[error(
        "{} is encrypted with a key that is not given; put the old one into auth.persistence.auth_encryption_key, \
         or into a file and give that with --key-file",
        .0.display()
    )]
    KeyNeeded(PathBuf),
    /// The file does not hold a key.
    #[error("{} does not hold a key of the Python product: 32 bytes in URL-safe base64", .0.display())]
    NotAKey(PathBuf),
    /// Where the old database would be moved to is something.
    #[error(
        "{} has to be moved aside, and {} is there already; move that one away first",
        path.display(),
        aside.display()
    )]
    InTheWay {
        /// The database.
        path: PathBuf,
        /// Where it would go.
        aside: PathBuf,
    },
    /// Something failed, and then the old database could not be put back.
    #[error("{cause}; and {} could not be put back to {}: {detail}", aside.display(), path.display())]
    NotPutBack {
        /// What failed first.
        cause: Box<TakeoverError>,
        /// Where the database was.
        path: PathBuf,
        /// Where it is.
        aside: PathBuf,
        /// Why it is still there.
        detail: String,
    },
}

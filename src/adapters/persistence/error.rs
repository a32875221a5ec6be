//! Why state cannot be kept, for the operator who has to mend it.

use std::io;
use std::path::{Path, PathBuf};

/// Why the stores could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum PersistenceError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Refused {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Others than the owner may use a file that holds secrets.
    #[error(
        "{} is open to other users (mode {mode:04o}), and it protects people's sessions; run: chmod {remedy} {}",
        path.display(),
        path.display()
    )]
    Exposed {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What `chmod` must be told.
        remedy: &'static str,
    },
    /// Another process uses the same files.
    #[error("{} is in use by another mxcp; stop that one first, or give this one another persistence.path", .0.display())]
    InUse(PathBuf),
    /// A key is not 32 bytes.
    #[error(
        "{source_name} is not an encryption key: it must be 32 random bytes in base64 or hexadecimal, \
         such as `openssl rand -base64 32` prints"
    )]
    NotAKey {
        /// Where it was given; never the key itself.
        source_name: String,
    },
    /// The key file that a database was written with has gone.
    #[error(
        "the key file {} is missing, and without it {} cannot be read; restore it from a backup, \
         or move the database away to begin anew (then everybody has to sign in again)",
        key_file.display(),
        store.display()
    )]
    KeyFileMissing {
        /// Where it should be.
        key_file: PathBuf,
        /// What needs it.
        store: PathBuf,
    },
    /// The keys are not those that the database was written with.
    #[error(
        "{} was written with the encryption key {wanted}, which is not among the keys given ({given}); \
         list that key too, or restore the key file",
        store.display()
    )]
    WrongKeys {
        /// What cannot be read.
        store: PathBuf,
        /// Identifiers of the keys that are missing.
        wanted: String,
        /// Identifiers of the keys that were given.
        given: String,
    },
    /// There is no store yet.
    #[error("there is no database at {}; it is made when the server starts with auth.persistence", .0.display())]
    NothingKept(PathBuf),
    /// The file was written by the Python product.
    #[error(
        "{} is a database of the Python product; take over its sessions and clients with: \
         mxcp migrate-oauth-db {}",
        .0.display(),
        .0.display()
    )]
    Incumbent(PathBuf),
    /// The file is a database of something else.
    #[error("{} is not a database of mxcp; give persistence.path another place", .0.display())]
    Foreign(PathBuf),
    /// A later version wrote the file.
    #[error(
        "{} was written by a later version of mxcp (schema {found}, this version knows {known}); use that version",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema that it has.
        found: i64,
        /// The newest schema that this version knows.
        known: i64,
    },
    /// The file can be opened but not made sense of.
    #[error("{} is damaged ({detail}); restore a backup, or move it away to begin anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The program was built without what should keep the state.
    #[error("this mxcp was built without sled; build it with the feature sled-store, or use type: sqlite")]
    NotBuilt,
    /// The database refused.
    #[error("cannot use {}: {detail}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What it said.
        detail: String,
    },
}

impl PersistenceError {
    /// For `map_err`: the operating system refused to do `action` with `path`.
    pub(super) fn refused(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Refused { action, path, source }
    }

    /// For `map_err`: the database at `path` could not do it.
    pub(super) fn database<D: std::fmt::Display>(path: &Path) -> impl FnOnce(D) -> Self {
        let path = path.to_owned();
        move |detail| Self::Database { path, detail: detail.to_string() }
    }
}

//! Opening the database.

use super::capi::{Callers, Connection, Database};
use super::claim::Claim;
use super::fetch::Fetcher;
use super::pool::Pool;
use mxcp_actors::model::secret::Secret;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to open, and how.
#[derive(Debug, Default)]
pub struct DuckDbSettings {
    /// The file; a database in memory without one. It is created, with its folder, if absent.
    pub path: Option<PathBuf>,
    /// Refuses every change; the file must exist.
    pub read_only: bool,
    /// The most connections, and so the most queries at one time; `None` leaves it to the number
    /// of cores.
    pub connections: Option<usize>,
    /// Statements to run once at the start: loading extensions, creating DuckDB's secrets,
    /// attaching databases. All of these belong to the database, so every connection has them.
    pub setup: Vec<SetupStatement>,
    /// What sends the requests of calls with `headers`; without it such calls are refused.
    pub fetcher: Option<Arc<dyn Fetcher>>,
}

/// A statement of the start.
#[derive(Debug)]
pub struct SetupStatement {
    /// What it is for, as an error names it: "the extension httpfs".
    pub purpose: String,
    /// The SQL, which may hold credentials.
    pub sql: Secret,
}

/// Why the database cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error(
        "the database {path} is in use by another process; stop that process, or open the database read-only in both: {detail}"
    )]
    Locked {
        /// The file.
        path: String,
        /// DuckDB's text, which names the process.
        detail: String,
    },
    /// This process has it open.
    #[error("the database {path} is open in this process already")]
    AlreadyOpen {
        /// The file.
        path: String,
    },
    /// It must exist to be opened read-only.
    #[error("the database {path} does not exist, and opening it read-only does not create it")]
    Missing {
        /// The file.
        path: String,
    },
    /// It was written by a newer DuckDB.
    #[error("the database {path} was written by a newer version of DuckDB than this program has: {detail}")]
    Newer {
        /// The file.
        path: String,
        /// DuckDB's text.
        detail: String,
    },
    /// It is not a database.
    #[error("the file {path} is not a DuckDB database: {detail}")]
    NotADatabase {
        /// The file.
        path: String,
        /// DuckDB's text.
        detail: String,
    },
    /// The folder for it cannot be created.
    #[error("the folder {folder} for the database cannot be created: {detail}")]
    Folder {
        /// The folder.
        folder: String,
        /// The system's text.
        detail: String,
    },
    /// A statement of the start failed.
    #[error("{purpose} failed: {detail}")]
    Setup {
        /// What it is for.
        purpose: String,
        /// DuckDB's text.
        detail: String,
    },
    /// Anything else.
    #[error("the database {path} cannot be opened: {detail}")]
    Failed {
        /// The file, or `in memory`.
        path: String,
        /// DuckDB's text.
        detail: String,
    },
}

/// Opens the database and makes its pool.
pub(super) fn open(settings: &DuckDbSettings) -> Result<Pool, OpenError> {
    let path = settings.path.as_deref();
    let claim = path.map(|path| claim(path, settings.read_only)).transpose()?;
    let access = if settings.read_only && path.is_some() { "READ_ONLY" } else { "AUTOMATIC" };
    let database = Database::open(path, &[("access_mode", access), ("duckdb_api", "mxcp")])
        .map_err(|detail| classify(path, detail))?;
    let database = Arc::new(database);
    let callers = Arc::new(Callers::new(settings.fetcher.clone()));
    set_up(&database, &callers, settings)?;
    Ok(Pool::new(database, callers, claim, settings.connections.unwrap_or_else(default_connections)))
}

fn claim(path: &Path, read_only: bool) -> Result<Claim, OpenError> {
    prepare_path(path, read_only)?;
    Claim::new(path).ok_or_else(|| OpenError::AlreadyOpen { path: path.display().to_string() })
}

fn set_up(database: &Arc<Database>, callers: &Arc<Callers>, settings: &DuckDbSettings) -> Result<(), OpenError> {
    let failed = |detail| OpenError::Failed { path: display(settings.path.as_deref()), detail };
    let connection = Connection::open(database).map_err(failed)?;
    callers.register(&connection).map_err(failed)?;
    for SetupStatement { purpose, sql } in &settings.setup {
        connection
            .run(sql.expose())
            .map_err(|detail| OpenError::Setup { purpose: purpose.clone(), detail: first_line(&detail) })?;
    }
    Ok(())
}

fn default_connections() -> usize {
    std::thread::available_parallelism().map_or(4, |cores| (cores.get() * 2).max(4))
}

fn prepare_path(path: &Path, read_only: bool) -> Result<(), OpenError> {
    if read_only {
        return if path.exists() { Ok(()) } else { Err(OpenError::Missing { path: path.display().to_string() }) };
    }
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    std::fs::create_dir_all(folder)
        .map_err(|error| OpenError::Folder { folder: folder.display().to_string(), detail: error.to_string() })
}

/// DuckDB tells its reasons apart by text alone.
fn classify(path: Option<&Path>, detail: String) -> OpenError {
    let path = display(path);
    let mentions = |words: &str| detail.contains(words);
    if mentions("Could not set lock") {
        OpenError::Locked { path, detail }
    } else if mentions("a newer version of DuckDB") || mentions("storage version greater than") {
        OpenError::Newer { path, detail }
    } else if mentions("not a valid DuckDB database") {
        OpenError::NotADatabase { path, detail }
    } else {
        OpenError::Failed { path, detail }
    }
}

fn display(path: Option<&Path>) -> String {
    path.map_or_else(|| "in memory".to_owned(), |path| path.display().to_string())
}

/// DuckDB quotes the statement below its message, and the statement may hold credentials.
fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classified(detail: &str) -> OpenError {
        classify(Some(Path::new("data.duckdb")), detail.to_owned())
    }

    #[test]
    fn a_lock_and_a_newer_version_are_told_apart() {
        let lock = "IO Error: Could not set lock on file \"data.duckdb\": Conflicting lock is held in mxcp (PID 7)";
        assert!(matches!(classified(lock), OpenError::Locked { .. }));
        let newer = "IO Error: Trying to read a database file with storage version number 250, but we can only read \
                     storage versions between 64 and 69.\nThe database file was created with a newer version of DuckDB.";
        assert!(matches!(classified(newer), OpenError::Newer { .. }));
        let compatibility = "Invalid Input Error: Error opening \"data.duckdb\": file was written with a storage \
                             version greater than the latest version supported by this DuckDB instance.";
        assert!(matches!(classified(compatibility), OpenError::Newer { .. }));
        assert!(matches!(classified("IO Error: disk on fire"), OpenError::Failed { .. }));
    }
}

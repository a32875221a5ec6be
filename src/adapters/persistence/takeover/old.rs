//! Reading the old database, and nothing but reading.

use super::super::sqlite::{is_of_the_python_product, is_ours};
use super::aside::{aside_of, with_end};
use super::error::TakeoverError;
use super::fernet::{FernetKeys, Stored};
use mxcp_actors::model::ids::ClientId;
use mxcp_actors::model::secret::Secret;
use rusqlite::{Connection, OpenFlags, Row};
use std::path::{Path, PathBuf};

/// What lies beside a database while somebody writes to it.
const TRACES: [&str; 2] = ["-journal", "-wal"];

/// A database of the Python product.
#[derive(Debug)]
pub(super) struct OldDatabase {
    connection: Connection,
    path: PathBuf,
}

/// Everything in it that may be moved.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) sessions: Vec<OldSession>,
    pub(super) clients: Vec<OldClient>,
}

/// A session. Times are in seconds since 1970.
#[derive(Debug)]
pub(super) struct OldSession {
    pub(super) id: String,
    pub(super) access_token_hash: String,
    pub(super) refresh_token_hash: Option<String>,
    pub(super) provider: String,
    pub(super) user_info: Secret,
    pub(super) upstream_access_token: Field,
    pub(super) upstream_refresh_token: Field,
    pub(super) upstream_expires_at: Option<f64>,
    pub(super) access_expires_at: Option<f64>,
    pub(super) refresh_expires_at: Option<f64>,
    pub(super) created_at: f64,
}

/// A client. Lists are JSON.
#[derive(Debug)]
pub(super) struct OldClient {
    pub(super) id: ClientId,
    pub(super) secret: Field,
    pub(super) auth_method: Option<String>,
    pub(super) redirect_uris: String,
    pub(super) grant_types: String,
    pub(super) response_types: String,
    pub(super) scope: Option<String>,
    pub(super) name: Option<String>,
    pub(super) created_at: f64,
}

/// A text that may have been encrypted.
#[derive(Debug)]
pub(super) enum Field {
    /// There is none.
    Absent,
    /// It could be read.
    Present(Secret),
    /// It is encrypted with a key that is not given.
    Locked,
}

impl OldDatabase {
    /// Opens the database at `path`, if it is one.
    pub(super) fn open(path: &Path) -> Result<Self, TakeoverError> {
        if !path.is_file() {
            return Err(TakeoverError::Missing(path.to_owned()));
        }
        for trace in TRACES.map(|end| with_end(path, end)) {
            if std::fs::metadata(&trace).is_ok_and(|found| found.len() > 0) {
                return Err(TakeoverError::Busy { path: path.to_owned(), trace });
            }
        }
        let unreadable = |error: rusqlite::Error| unreadable(path, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(unreadable)?;
        if is_of_the_python_product(&connection).map_err(unreadable)? {
            return Ok(Self { connection, path: path.to_owned() });
        }
        Err(if is_ours(&connection).map_err(unreadable)? {
            TakeoverError::AlreadyOurs { path: path.to_owned(), aside: aside_of(path) }
        } else {
            TakeoverError::NotOld(path.to_owned())
        })
    }

    /// Reads all of it.
    pub(super) fn read(self, keys: &FernetKeys) -> Result<Contents, TakeoverError> {
        let mut reader = FieldReader { keys, opened: 0, locked: 0 };
        let mut read = || -> rusqlite::Result<Contents> {
            Ok(Contents {
                sessions: self.rows(SESSIONS, |row| session(row, &mut reader))?,
                clients: self.rows(CLIENTS, |row| client(row, &mut reader))?,
            })
        };
        let contents = read().map_err(|error| unreadable(&self.path, &error))?;
        // A few that do not open were dead there, too; when none does the key is the wrong one.
        if reader.locked > 0 && reader.opened == 0 {
            return Err(TakeoverError::KeyNeeded(self.path));
        }
        Ok(contents)
    }

    fn rows<T>(&self, sql: &str, mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>) -> rusqlite::Result<Vec<T>> {
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map((), |row| read(row))?;
        rows.collect()
    }
}

const SESSIONS: &str = "SELECT session_id, access_token_hash, refresh_token_hash, provider, user_info,
    provider_access_token, provider_refresh_token, provider_expires_at, access_expires_at, refresh_expires_at,
    created_at FROM sessions ORDER BY created_at";

const CLIENTS: &str = "SELECT client_id, client_secret, token_endpoint_auth_method, redirect_uris, grant_types,
    response_types, scope, client_name, created_at FROM oauth_clients ORDER BY created_at";

fn session(row: &Row<'_>, reader: &mut FieldReader<'_>) -> rusqlite::Result<OldSession> {
    Ok(OldSession {
        id: row.get(0)?,
        access_token_hash: row.get(1)?,
        refresh_token_hash: row.get(2)?,
        provider: row.get(3)?,
        user_info: Secret::new(row.get::<_, String>(4)?),
        upstream_access_token: reader.read(row.get(5)?),
        upstream_refresh_token: reader.read(row.get(6)?),
        upstream_expires_at: row.get(7)?,
        access_expires_at: row.get(8)?,
        refresh_expires_at: row.get(9)?,
        created_at: row.get(10)?,
    })
}

fn client(row: &Row<'_>, reader: &mut FieldReader<'_>) -> rusqlite::Result<OldClient> {
    Ok(OldClient {
        id: ClientId::new(row.get::<_, String>(0)?),
        secret: reader.read(row.get(1)?),
        auth_method: row.get(2)?,
        redirect_uris: row.get(3)?,
        grant_types: row.get(4)?,
        response_types: row.get(5)?,
        scope: row.get(6)?,
        name: row.get(7)?,
        created_at: row.get(8)?,
    })
}

/// Reads texts that may be encrypted, and counts how that went.
struct FieldReader<'a> {
    keys: &'a FernetKeys,
    opened: usize,
    locked: usize,
}

impl FieldReader<'_> {
    fn read(&mut self, text: Option<String>) -> Field {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Field::Absent };
        match self.keys.open(text) {
            Stored::Plain(text) => Field::Present(text),
            Stored::Decrypted(text) => {
                self.opened += 1;
                Field::Present(text)
            }
            Stored::Locked => {
                self.locked += 1;
                Field::Locked
            }
        }
    }
}

fn unreadable(path: &Path, error: &rusqlite::Error) -> TakeoverError {
    TakeoverError::Unreadable { path: path.to_owned(), detail: error.to_string() }
}

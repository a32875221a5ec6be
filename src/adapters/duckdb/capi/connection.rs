//! Connections, and interrupting them.

use super::statement::Extracted;
use super::{Database, NO_MESSAGE, Statement};
use duckdb::ffi;
use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;

/// The handle; disconnects when its last owner goes.
#[derive(Debug)]
pub(super) struct RawConnection {
    pub(super) raw: ffi::duckdb_connection,
    /// Keeps the database open.
    _database: Arc<Database>,
}

// SAFETY: DuckDB does not tie a connection to a thread. From several threads at once only
// `duckdb_interrupt` is called (through `Interrupter`), which only sets an atomic flag; all else
// goes through `Connection` and its statements, which stay on one thread at a time.
unsafe impl Send for RawConnection {}
// SAFETY: as above.
unsafe impl Sync for RawConnection {}

impl Drop for RawConnection {
    fn drop(&mut self) {
        // SAFETY: connected by `Connection::open`, disconnected here alone.
        unsafe { ffi::duckdb_disconnect(&raw mut self.raw) };
    }
}

/// A connection; used by one thread at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    raw: Arc<RawConnection>,
    id: u64,
    /// Makes it `Send` but not `Sync`.
    _one_thread: PhantomData<Cell<()>>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// A message when DuckDB refuses.
    pub(crate) fn open(database: &Arc<Database>) -> Result<Self, String> {
        let mut raw = ptr::null_mut();
        // SAFETY: the database is open and the out pointer valid.
        if unsafe { ffi::duckdb_connect(database.raw(), &raw mut raw) } != ffi::DuckDBSuccess {
            return Err(NO_MESSAGE.to_owned());
        }
        let raw = Arc::new(RawConnection { raw, _database: Arc::clone(database) });
        let id = connection_id(&raw);
        Ok(Self { raw, id, _one_thread: PhantomData })
    }

    /// The number by which DuckDB's callbacks know this connection.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Gives a handle that interrupts what runs here, from any thread.
    pub(crate) fn interrupter(&self) -> Interrupter {
        Interrupter { raw: Arc::clone(&self.raw) }
    }

    /// Parses `sql` into its statements; nothing is run.
    ///
    /// # Errors
    /// DuckDB's text.
    pub(crate) fn extract(&self, sql: &str) -> Result<Extracted, String> {
        Extracted::new(&self.raw, sql)
    }

    /// Runs one statement without parameters and ignores its rows.
    ///
    /// # Errors
    /// DuckDB's text.
    pub(crate) fn run(&self, sql: &str) -> Result<(), String> {
        for statement in self.extract(sql)? {
            let mut statement: Statement = statement?;
            let mut result = statement.execute()?;
            while result.next_chunk()?.is_some() {}
        }
        Ok(())
    }

    pub(super) fn raw(&self) -> ffi::duckdb_connection {
        self.raw.raw
    }
}

fn connection_id(connection: &RawConnection) -> u64 {
    let mut context = ptr::null_mut();
    // SAFETY: the connection is live; the context is destroyed right after its one use.
    unsafe {
        ffi::duckdb_connection_get_client_context(connection.raw, &raw mut context);
        let id = ffi::duckdb_client_context_get_connection_id(context);
        ffi::duckdb_destroy_client_context(&raw mut context);
        id
    }
}

/// Interrupts a connection from any thread, and keeps it alive.
#[derive(Clone, Debug)]
pub(crate) struct Interrupter {
    raw: Arc<RawConnection>,
}

impl Interrupter {
    /// Asks DuckDB to stop what runs on the connection. The next query clears the request.
    pub(crate) fn interrupt(&self) {
        // SAFETY: the connection is live, and DuckDB allows this call from any thread.
        unsafe { ffi::duckdb_interrupt(self.raw.raw) };
    }
}

//! Statements: parsed, prepared, bound, run.

use super::connection::RawConnection;
use super::value::Value;
use super::{Chunk, Kind, NO_MESSAGE, borrowed_text, c_text};
use duckdb::ffi;
use mxcp_actors::model::sql_value::SqlValue;
use std::ffi::c_char;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;

/// The statements of a text, parsed but neither prepared nor run. Iterating prepares them one by
/// one, so that an earlier one may be run before a later one is prepared.
#[derive(Debug)]
pub(crate) struct Extracted {
    raw: ffi::duckdb_extracted_statements,
    next: u64,
    count: u64,
    connection: Arc<RawConnection>,
}

impl Extracted {
    pub(super) fn new(connection: &Arc<RawConnection>, sql: &str) -> Result<Self, String> {
        let text = c_text(sql)?;
        let mut extracted = Self { raw: ptr::null_mut(), next: 0, count: 0, connection: Arc::clone(connection) };
        // SAFETY: the connection is live, the text ends with a zero byte, the out pointer is valid.
        extracted.count =
            unsafe { ffi::duckdb_extract_statements(connection.raw, text.as_ptr(), &raw mut extracted.raw) };
        if extracted.count > 0 {
            return Ok(extracted);
        }
        // SAFETY: the text belongs to the extracted statements, which live until `extracted` drops.
        let message = unsafe { borrowed_text(ffi::duckdb_extract_statements_error(extracted.raw)) };
        Err(message.unwrap_or_else(|| "there is no statement in the SQL".to_owned()))
    }

    /// How many statements are left.
    pub(crate) fn remaining(&self) -> u64 {
        self.count - self.next
    }
}

impl Iterator for Extracted {
    type Item = Result<Statement, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.count {
            return None;
        }
        let index = self.next;
        // Preparing moves the statement out of DuckDB's list, so each is prepared once.
        self.next += 1;
        let mut raw = ptr::null_mut();
        // SAFETY: connection and list are live, the index is in range and used once.
        let state =
            unsafe { ffi::duckdb_prepare_extracted_statement(self.connection.raw, self.raw, index, &raw mut raw) };
        let statement = Statement::new(raw, Arc::clone(&self.connection));
        Some(if state == ffi::DuckDBSuccess { Ok(statement) } else { Err(statement.error()) })
    }
}

impl Drop for Extracted {
    fn drop(&mut self) {
        // SAFETY: extracted by `new`, destroyed here alone.
        unsafe { ffi::duckdb_destroy_extracted(&raw mut self.raw) };
    }
}

/// What a statement may leave behind on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatementKind {
    /// Reads; the connection stays as it was.
    Select,
    /// Changes data; the connection stays as it was.
    Change,
    /// Begins or ends a transaction.
    Transaction,
    /// Anything else: may leave settings, variables or temporary objects on the connection.
    Session,
}

/// A prepared statement.
#[derive(Debug)]
pub(crate) struct Statement {
    raw: ffi::duckdb_prepared_statement,
    parameters: Vec<String>,
    kind: StatementKind,
    has_returning: bool,
    /// Keeps the connection open.
    _connection: Arc<RawConnection>,
}

// SAFETY: DuckDB does not tie a statement to a thread; every use takes `&mut self` or reads what
// was copied out of it.
unsafe impl Send for Statement {}

impl Statement {
    fn new(raw: ffi::duckdb_prepared_statement, connection: Arc<RawConnection>) -> Self {
        // SAFETY: DuckDB accepts null and failed statements here.
        let (count, kind) = unsafe { (ffi::duckdb_nparams(raw), ffi::duckdb_prepared_statement_type(raw)) };
        let parameters = (1..=count).map(|index| parameter_name(raw, index)).collect();
        let kind = statement_kind(kind);
        let has_returning = kind == StatementKind::Change && !is_count(raw);
        Self { raw, parameters, kind, has_returning, _connection: connection }
    }

    /// The names of the parameters by position.
    pub(crate) fn parameters(&self) -> &[String] {
        &self.parameters
    }

    pub(crate) fn kind(&self) -> StatementKind {
        self.kind
    }

    /// Whether a change gives back rows, as with RETURNING, and not only their count.
    pub(crate) fn has_returning(&self) -> bool {
        self.has_returning
    }

    /// Binds `value` to the parameter at `position`, counted from 0.
    ///
    /// # Errors
    /// DuckDB's text.
    pub(crate) fn bind(&self, position: usize, value: &SqlValue) -> Result<(), String> {
        let index = position as u64 + 1;
        if self.bind_raw(index, value)? == ffi::DuckDBSuccess { Ok(()) } else { Err(self.error()) }
    }

    fn bind_raw(&self, index: u64, value: &SqlValue) -> Result<ffi::duckdb_state, String> {
        let raw = self.raw;
        // SAFETY: the statement is live, values are copied by DuckDB, and it checks the index.
        Ok(unsafe {
            match value {
                SqlValue::Null => ffi::duckdb_bind_null(raw, index),
                SqlValue::Boolean(value) => ffi::duckdb_bind_boolean(raw, index, *value),
                SqlValue::Integer(value) => ffi::duckdb_bind_int64(raw, index, *value),
                SqlValue::Unsigned(value) => ffi::duckdb_bind_uint64(raw, index, *value),
                SqlValue::Double(value) => ffi::duckdb_bind_double(raw, index, *value),
                SqlValue::Text(value) => {
                    ffi::duckdb_bind_varchar_length(raw, index, value.as_ptr().cast::<c_char>(), value.len() as u64)
                }
                SqlValue::Date(days) => ffi::duckdb_bind_date(raw, index, ffi::duckdb_date { days: *days }),
                SqlValue::Time(micros) => ffi::duckdb_bind_time(raw, index, ffi::duckdb_time { micros: *micros }),
                SqlValue::TimestampTz(micros) => {
                    ffi::duckdb_bind_timestamp_tz(raw, index, ffi::duckdb_timestamp { micros: *micros })
                }
                SqlValue::Interval { months, days, micros } => {
                    let interval = ffi::duckdb_interval { months: *months, days: *days, micros: *micros };
                    ffi::duckdb_bind_interval(raw, index, interval)
                }
                SqlValue::List(_) | SqlValue::Struct(_) => ffi::duckdb_bind_value(raw, index, Value::new(value)?.raw()),
            }
        })
    }

    /// Forgets the bound values, so that they do not stay in memory.
    pub(crate) fn clear_bindings(&self) {
        // SAFETY: the statement is live. It cannot fail then.
        unsafe { ffi::duckdb_clear_bindings(self.raw) };
    }

    /// Runs it; the rows of a SELECT are computed while they are fetched.
    ///
    /// # Errors
    /// DuckDB's text.
    pub(crate) fn execute(&mut self) -> Result<QueryResult<'_>, String> {
        let mut raw = MaybeUninit::zeroed();
        // SAFETY: the statement is live; DuckDB fills the result. It is deprecated in the C API
        // without a successor in this version; the alternative holds all rows before the first
        // can be read.
        let state = unsafe { ffi::duckdb_execute_prepared_streaming(self.raw, raw.as_mut_ptr()) };
        // SAFETY: all zeroes is a valid empty result, and DuckDB may have filled it.
        let mut raw = unsafe { raw.assume_init() };
        if state == ffi::DuckDBSuccess {
            return Ok(QueryResult::new(raw));
        }
        // SAFETY: the result is destroyed even when the query failed; its text is copied before.
        let message = unsafe {
            let message = borrowed_text(ffi::duckdb_result_error(&raw mut raw));
            ffi::duckdb_destroy_result(&raw mut raw);
            message
        };
        Err(message.unwrap_or_else(|| self.error()))
    }

    fn error(&self) -> String {
        // SAFETY: DuckDB accepts null; the text belongs to the statement and is copied.
        unsafe { borrowed_text(ffi::duckdb_prepare_error(self.raw)) }.unwrap_or_else(|| NO_MESSAGE.to_owned())
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: prepared by `Extracted`, destroyed here alone.
        unsafe { ffi::duckdb_destroy_prepare(&raw mut self.raw) };
    }
}

fn parameter_name(raw: ffi::duckdb_prepared_statement, index: u64) -> String {
    // SAFETY: the statement is live, and DuckDB gives the text away.
    unsafe { super::owned_text(ffi::duckdb_parameter_name(raw, index).cast_mut()) }.unwrap_or_default()
}

/// Whether the result is one number of changed rows.
fn is_count(raw: ffi::duckdb_prepared_statement) -> bool {
    // SAFETY: DuckDB accepts failed statements here, and gives the name away.
    let (columns, first) = unsafe {
        let first = ffi::duckdb_prepared_statement_column_name(raw, 0);
        (ffi::duckdb_prepared_statement_column_count(raw), super::owned_text(first.cast_mut()))
    };
    columns == 1 && first.as_deref() == Some("Count")
}

fn statement_kind(kind: ffi::duckdb_statement_type) -> StatementKind {
    match kind {
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_SELECT => StatementKind::Select,
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_INSERT
        | ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_UPDATE
        | ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_DELETE
        | ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_MERGE_INTO
        | ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_COPY
        | ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_EXPLAIN => StatementKind::Change,
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_TRANSACTION => StatementKind::Transaction,
        _ => StatementKind::Session,
    }
}

/// What a statement gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResultShape {
    /// Rows, possibly the one with the number of changed rows.
    Rows,
    /// Nothing, as after a CREATE.
    Nothing,
}

/// The result of a statement, read chunk by chunk. Dropping it early stops the statement.
#[derive(Debug)]
pub(crate) struct QueryResult<'a> {
    raw: ffi::duckdb_result,
    names: Vec<String>,
    kinds: Vec<Kind>,
    _statement: PhantomData<&'a mut Statement>,
}

impl QueryResult<'_> {
    fn new(mut raw: ffi::duckdb_result) -> Self {
        // SAFETY: the result is live; names are copied and types owned.
        let columns = unsafe {
            (0..ffi::duckdb_column_count(&raw mut raw)).map(|index| {
                let name = borrowed_text(ffi::duckdb_column_name(&raw mut raw, index)).unwrap_or_default();
                (name, Kind::of(ffi::duckdb_column_logical_type(&raw mut raw, index)))
            })
        };
        let (names, kinds) = columns.unzip();
        Self { raw, names, kinds, _statement: PhantomData }
    }

    /// Whether there are rows to expect.
    pub(crate) fn shape(&self) -> ResultShape {
        // SAFETY: the result is live, and passed by value as the C API wants it.
        match unsafe { ffi::duckdb_result_return_type(self.raw) } {
            ffi::duckdb_result_type_DUCKDB_RESULT_TYPE_CHANGED_ROWS
            | ffi::duckdb_result_type_DUCKDB_RESULT_TYPE_QUERY_RESULT => ResultShape::Rows,
            _ => ResultShape::Nothing,
        }
    }

    /// The columns' names.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The columns' types.
    pub(crate) fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// Fetches the next rows, computing them if need be.
    ///
    /// # Errors
    /// DuckDB's text.
    pub(crate) fn next_chunk(&mut self) -> Result<Option<Chunk<'_>>, String> {
        // SAFETY: the result is live; the chunk is given away.
        let chunk = unsafe { ffi::duckdb_fetch_chunk(self.raw) };
        if !chunk.is_null() {
            return Ok(Some(Chunk::new(chunk, &self.kinds)));
        }
        // SAFETY: the result is live; the text belongs to it and is copied.
        match unsafe { borrowed_text(ffi::duckdb_result_error(&raw mut self.raw)) } {
            Some(message) if !message.is_empty() => Err(message),
            _ => Ok(None),
        }
    }
}

impl Drop for QueryResult<'_> {
    fn drop(&mut self) {
        // SAFETY: filled by `Statement::execute`, destroyed here alone.
        unsafe { ffi::duckdb_destroy_result(&raw mut self.raw) };
    }
}

//! A thin safe layer over DuckDB's C API: the only unsafe code of the project.
//!
//! The crate's own `Connection` is not used because it hides the raw handle, and four things need
//! it: functions that know on whose connection they run, extracting statements without running
//! them, binding TIMESTAMP WITH TIME ZONE and typed lists, and reading every type without loss.
//!
//! Lifetimes are kept by ownership: a statement and an interrupter own their connection, a
//! connection owns its database, so that the database is closed last whatever the order of drops.

mod chunk;
mod connection;
mod database;
mod fetch_function;
mod functions;
mod kind;
mod statement;
mod value;

pub(super) use chunk::{Cell, Chunk, Fields, Vector};
pub(super) use connection::{Connection, Interrupter};
pub(super) use database::Database;
pub(super) use functions::{Activity, CallerSlot, Callers};
pub(super) use kind::{Kind, TimeUnit};
pub(super) use statement::{QueryResult, ResultShape, Statement, StatementKind};

use duckdb::ffi;
use std::ffi::{CStr, CString, c_char};

/// What DuckDB says when it says nothing.
const NO_MESSAGE: &str = "DuckDB gave no reason";

/// Copies a text that DuckDB keeps.
///
/// # Safety
/// `text` is null or points to a text that ends with a zero byte and lives during the call.
unsafe fn borrowed_text(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: promised by the caller.
    let text = unsafe { CStr::from_ptr(text) };
    Some(text.to_string_lossy().into_owned())
}

/// Copies a text that DuckDB gave away, and frees it.
///
/// # Safety
/// `text` is null or a text that DuckDB allocated and nobody else frees.
unsafe fn owned_text(text: *mut c_char) -> Option<String> {
    // SAFETY: promised by the caller.
    let copy = unsafe { borrowed_text(text) };
    if !text.is_null() {
        // SAFETY: DuckDB allocated it, and it is not used again.
        unsafe { ffi::duckdb_free(text.cast()) };
    }
    copy
}

/// Turns `text` into a C string.
///
/// # Errors
/// A message when it contains a zero byte, which C strings cannot hold.
fn c_text(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|_zero_byte| "the text contains a zero byte".to_owned())
}

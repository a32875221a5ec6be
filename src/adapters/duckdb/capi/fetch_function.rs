//! The function that calls with `headers` are rewritten to: it fetches, and answers with a path.

use super::functions::{CallerSlot, Callers, Registration, bind, drop_registration};
use super::{Cell, Connection, Vector, c_text};
use crate::adapters::duckdb::fetch::FETCH_FUNCTION;
use duckdb::ffi;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Registers the function in the database of `connection`.
pub(super) fn register(connection: &Connection, callers: Arc<Callers>) -> Result<(), String> {
    let name = c_text(FETCH_FUNCTION)?;
    let registration = Registration::of_fetching(callers);
    // SAFETY: DuckDB copies name and types; it owns the registration from `set_extra_info` on and
    // frees it with `drop_registration`; the callbacks fit their purpose.
    let state = unsafe {
        let mut function = ffi::duckdb_create_scalar_function();
        ffi::duckdb_scalar_function_set_name(function, name.as_ptr());
        let mut text = ffi::duckdb_create_logical_type(ffi::DUCKDB_TYPE_DUCKDB_TYPE_VARCHAR);
        for _parameter in ["url", "headers", "note"] {
            ffi::duckdb_scalar_function_add_parameter(function, text);
        }
        ffi::duckdb_scalar_function_set_return_type(function, text);
        ffi::duckdb_destroy_logical_type(&raw mut text);
        ffi::duckdb_scalar_function_set_volatile(function);
        // A NULL is a mistake to tell, and not an answer of NULL.
        ffi::duckdb_scalar_function_set_special_handling(function);
        ffi::duckdb_scalar_function_set_extra_info(function, registration, Some(drop_registration));
        ffi::duckdb_scalar_function_set_bind(function, Some(bind));
        ffi::duckdb_scalar_function_set_function(function, Some(run));
        let state = ffi::duckdb_register_scalar_function(connection.raw(), function);
        ffi::duckdb_destroy_scalar_function(&raw mut function);
        state
    };
    if state == ffi::DuckDBSuccess {
        Ok(())
    } else {
        Err(format!("the SQL function {FETCH_FUNCTION} cannot be registered"))
    }
}

/// Fetches for every row of a chunk: one row, or one for each URL of a list.
unsafe extern "C" fn run(info: ffi::duckdb_function_info, rows: ffi::duckdb_data_chunk, output: ffi::duckdb_vector) {
    let fetched = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: DuckDB keeps the slot and the chunk alive during the call; the chunk has as many
        // columns as the function has parameters, flat and of its types.
        unsafe {
            let slot = ffi::duckdb_scalar_function_get_bind_data(info).cast::<Arc<CallerSlot>>().as_ref();
            let count = usize::try_from(ffi::duckdb_data_chunk_get_size(rows)).unwrap_or_default();
            let column = |index| Vector::of_texts(ffi::duckdb_data_chunk_get_vector(rows, index), count);
            fetch_all(slot, [column(0), column(1), column(2)], count, output)
        }
    }));
    let message = match fetched {
        Ok(Ok(())) => return,
        Ok(Err(message)) => message,
        Err(_panic) => "the request failed inside mxcp".to_owned(),
    };
    // A zero byte would end the text too early.
    let message = CString::new(message.replace('\0', " ")).unwrap_or_default();
    // SAFETY: `info` is alive; the text is copied.
    unsafe { ffi::duckdb_scalar_function_set_error(info, message.as_ptr()) };
}

/// # Safety
/// `output` is a writable vector of VARCHAR with room for `count` rows.
unsafe fn fetch_all(
    slot: Option<&Arc<CallerSlot>>,
    [urls, headers, notes]: [Vector<'_>; 3],
    count: usize,
    output: ffi::duckdb_vector,
) -> Result<(), String> {
    let fetches = slot.and_then(|slot| slot.fetches());
    let fetches = fetches.ok_or("it is not to be called; give headers to a function that reads files")?;
    for row in 0..count {
        let text = |column: Vector<'_>| match column.cell(row) {
            Cell::Text(text) => Some(text.into_owned()),
            _ => None,
        };
        let (url, headers, note) = (text(urls), text(headers), text(notes));
        let path = fetches.path_of(url.as_deref(), headers.as_deref(), note.as_deref())?;
        // SAFETY: promised by the caller; DuckDB copies the text.
        unsafe {
            let (bytes, length) = (path.as_ptr().cast::<c_char>(), path.len() as u64);
            ffi::duckdb_vector_assign_string_element_len(output, row as u64, bytes, length);
        }
    }
    Ok(())
}

//! The bare queries, prepared once and run again and again: with the `duckdb` crate, as a program
//! would write it, and with nothing but DuckDB's C API, which is the least that it can cost.

use super::load::as_f64;
use super::process::cpu_time;
use super::project::{LARGE, SMALL};
use anyhow::ensure;
use duckdb::ffi;
use std::ffi::CString;
use std::path::Path;
use std::ptr;

/// CPU time of one query in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueryCosts {
    pub(crate) with_crate: f64,
    pub(crate) with_c_api: f64,
    /// The one with a thousand rows, with the crate.
    pub(crate) large: f64,
}

/// Runs `count` queries in each way, on a database in a file as the daemon's.
///
/// # Errors
/// When a query fails.
pub(crate) fn run(count: usize) -> anyhow::Result<QueryCosts> {
    let folder = tempfile::TempDir::new()?;
    let with_crate = with_crate(&folder.path().join("crate.duckdb"), count)?;
    let with_c_api = with_c_api(&folder.path().join("c.duckdb"), count)?;
    let large = large(&folder.path().join("large.duckdb"), count / LARGE_SHARE)?;
    Ok(QueryCosts { with_crate, with_c_api, large })
}

/// Large queries take that many times as long.
const LARGE_SHARE: usize = 20;

fn large(path: &Path, count: usize) -> anyhow::Result<f64> {
    let database = duckdb::Connection::open(path)?;
    let mut statement = database.prepare(LARGE.sql)?;
    time(count, || {
        let mut prices = 0.0;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (id, name, price, city): (i64, String, f64, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            std::hint::black_box((id, name, city));
            prices += price;
        }
        // 1.5 times the numbers below a thousand.
        ensure!((prices - 749_250.0).abs() < 0.1, "the rows add up to {prices}");
        Ok(42)
    })
}

fn with_crate(path: &Path, count: usize) -> anyhow::Result<f64> {
    let database = duckdb::Connection::open(path)?;
    let mut statement = database.prepare(SMALL.sql)?;
    time(count, || Ok(statement.query_row([], |row| row.get(0))?))
}

#[expect(unsafe_code, reason = "the C API is not safe")]
fn with_c_api(path: &Path, count: usize) -> anyhow::Result<f64> {
    let (path, sql) = (CString::new(path.as_os_str().as_encoded_bytes())?, CString::new(SMALL.sql)?);
    let (mut database, mut connection, mut statement) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: texts end with a zero byte, out pointers are valid, each handle is made by the call
    // before it, and all live until the end of the process.
    unsafe {
        ensure!(ffi::duckdb_open(path.as_ptr(), &raw mut database) == ffi::DuckDBSuccess, "cannot open");
        ensure!(ffi::duckdb_connect(database, &raw mut connection) == ffi::DuckDBSuccess, "cannot connect");
        let state = ffi::duckdb_prepare(connection, sql.as_ptr(), &raw mut statement);
        ensure!(state == ffi::DuckDBSuccess, "cannot prepare");
    }
    time(count, || {
        let mut result = std::mem::MaybeUninit::zeroed();
        // SAFETY: the statement is live, all zeroes is an empty result, and what a successful
        // query gives is one chunk with one 32-bit integer.
        unsafe {
            let state = ffi::duckdb_execute_prepared_streaming(statement, result.as_mut_ptr());
            ensure!(state == ffi::DuckDBSuccess, "the query failed");
            let mut result = result.assume_init();
            let mut chunk = ffi::duckdb_fetch_chunk(result);
            ensure!(!chunk.is_null(), "the query gave nothing");
            let answer = ffi::duckdb_vector_get_data(ffi::duckdb_data_chunk_get_vector(chunk, 0)).cast::<i32>().read();
            ffi::duckdb_destroy_data_chunk(&raw mut chunk);
            ensure!(ffi::duckdb_fetch_chunk(result).is_null(), "the query gave too much");
            ffi::duckdb_destroy_result(&raw mut result);
            Ok(i64::from(answer))
        }
    })
}

fn time(count: usize, mut query: impl FnMut() -> anyhow::Result<i64>) -> anyhow::Result<f64> {
    for _ in 0..count / 10 {
        query()?;
    }
    let before = cpu_time(std::process::id())?;
    for _ in 0..count {
        ensure!(query()? == 42, "the query gave another answer");
    }
    let cpu = cpu_time(std::process::id())?.saturating_sub(before);
    Ok(cpu.as_secs_f64() * 1e6 / as_f64(count))
}

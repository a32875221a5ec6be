//! An open database.

use super::{NO_MESSAGE, c_text, owned_text};
use duckdb::ffi;
use std::ffi::CString;
use std::path::Path;
use std::ptr;

/// An open database; closed when dropped, which its connections delay.
#[derive(Debug)]
pub(crate) struct Database {
    raw: ffi::duckdb_database,
}

// SAFETY: the handle points to a database instance that DuckDB shares between threads; this
// layer only connects to it, which DuckDB synchronises, and closes it once.
unsafe impl Send for Database {}
// SAFETY: as above.
unsafe impl Sync for Database {}

impl Database {
    /// Opens the database at `path`, or one in memory, with `options` of the configuration.
    ///
    /// # Errors
    /// DuckDB's text.
    pub(crate) fn open(path: Option<&Path>, options: &[(&str, &str)]) -> Result<Self, String> {
        let path = path.map_or_else(|| c_text(":memory:"), path_text)?;
        let config = Config::new(options)?;
        let mut raw = ptr::null_mut();
        let mut message = ptr::null_mut();
        // SAFETY: every pointer is valid during the call; the configuration is copied.
        let state = unsafe { ffi::duckdb_open_ext(path.as_ptr(), &raw mut raw, config.raw, &raw mut message) };
        if state == ffi::DuckDBSuccess {
            return Ok(Self { raw });
        }
        // SAFETY: DuckDB allocated the message for us to free.
        Err(unsafe { owned_text(message) }.unwrap_or_else(|| NO_MESSAGE.to_owned()))
    }

    pub(super) fn raw(&self) -> ffi::duckdb_database {
        self.raw
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SAFETY: opened by `open`, closed here alone; connections hold an `Arc` of this.
        unsafe { ffi::duckdb_close(&raw mut self.raw) };
    }
}

#[cfg(unix)]
fn path_text(path: &Path) -> Result<CString, String> {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes()).map_err(|_zero_byte| "the path contains a zero byte".to_owned())
}

#[cfg(not(unix))]
fn path_text(path: &Path) -> Result<CString, String> {
    c_text(path.to_str().ok_or("the path is not Unicode")?)
}

struct Config {
    raw: ffi::duckdb_config,
}

impl Config {
    fn new(options: &[(&str, &str)]) -> Result<Self, String> {
        let mut config = Self { raw: ptr::null_mut() };
        // SAFETY: the out pointer is valid; the handle is destroyed by drop also after a failure.
        if unsafe { ffi::duckdb_create_config(&raw mut config.raw) } != ffi::DuckDBSuccess {
            return Err(NO_MESSAGE.to_owned());
        }
        for (name, value) in options {
            let (name_text, value_text) = (c_text(name)?, c_text(value)?);
            // SAFETY: the handle is live and both texts end with a zero byte.
            let state = unsafe { ffi::duckdb_set_config(config.raw, name_text.as_ptr(), value_text.as_ptr()) };
            if state != ffi::DuckDBSuccess {
                return Err(format!("the setting {name} does not accept the value {value}"));
            }
        }
        Ok(config)
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        // SAFETY: created by `new`, destroyed here alone.
        unsafe { ffi::duckdb_destroy_config(&raw mut self.raw) };
    }
}

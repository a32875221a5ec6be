//! `http_fetch` of the user configuration: requests that SQL asks for.

use super::reader::{Field, Table};
use super::site::positive_duration;
use mxcp_actors::model::allowed_target::AllowedTarget;
use std::time::Duration;

/// The most bytes that one query fetches when the file does not say.
const MAX_SIZE: usize = 64 * 1024 * 1024;

/// The most that the file may allow: it is held in memory.
const MAX_SIZE_MAX: u64 = 1 << 32;

/// Requests that SQL asks for with the `headers` of a function that reads files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpFetchConfiguration {
    /// Which hosts may be at private addresses, and be asked by plain http.
    pub allow: Vec<AllowedTarget>,
    /// How long a request may take.
    pub timeout: Duration,
    /// The most bytes that one query may fetch.
    pub max_size: usize,
}

impl Default for HttpFetchConfiguration {
    fn default() -> Self {
        Self { allow: Vec::new(), timeout: Duration::from_secs(30), max_size: MAX_SIZE }
    }
}

/// Reads `http_fetch`.
pub(super) fn read(field: &Field<'_>) -> Option<HttpFetchConfiguration> {
    field.table(|table| {
        let default = HttpFetchConfiguration::default();
        Some(HttpFetchConfiguration {
            allow: read_allow(table).unwrap_or_default(),
            timeout: table.get("timeout").and_then(|field| positive_duration(&field)).unwrap_or(default.timeout),
            max_size: table
                .get("max_size")
                .and_then(|field| field.whole_number(1024..=MAX_SIZE_MAX))
                .and_then(|size| usize::try_from(size).ok())
                .unwrap_or(default.max_size),
        })
    })
}

fn read_allow(table: &mut Table<'_, '_>) -> Option<Vec<AllowedTarget>> {
    table.get("allow")?.list(|item| {
        let target = AllowedTarget::parse(item.nonempty_text()?.trim());
        target.map_err(|error| item.fault(error.to_string())).ok()
    })
}

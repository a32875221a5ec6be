//! The tools: what would keep the server from starting.

use super::Finding;
use crate::config::{Configuration, DuckdbSettings};
use crate::wiring::{open_database, sql_faults, tool_faults};

/// What a server does that finds a faulty tool.
const ADVICE: &str = "correct it, or set enabled: false in the file; the server does not start with it";

pub(super) async fn check(configuration: &Configuration) -> Vec<Finding> {
    let count = configuration.tools.len();
    let faults = tool_faults(configuration);
    if !faults.is_empty() {
        return faults.into_iter().map(|fault| Finding::error("tools", fault, ADVICE)).collect();
    }
    let unchecked =
        |why: String| vec![Finding::skipped("tools", format!("the SQL of {count} tools was not checked: {why}"))];
    if !configuration.duckdb.path.exists() {
        return unchecked(format!("the database {} is not there yet", configuration.duckdb.path.display()));
    }
    // Looking must not change anything, nor create what a start would.
    let duckdb = DuckdbSettings { is_readonly: true, ..configuration.duckdb.clone() };
    let engine = match open_database(&Configuration { duckdb, ..configuration.clone() }) {
        Ok(engine) => engine,
        Err(error) => return unchecked(error.to_string()),
    };
    let faults = sql_faults(configuration, &engine).await;
    engine.close();
    if faults.is_empty() {
        return vec![Finding::ok("tools", format!("the SQL and the policies of {count} tools can be used"))];
    }
    faults.into_iter().map(|fault| Finding::error("tools", fault, ADVICE)).collect()
}

//! The log as a table: a CSV file, or a table of a DuckDB database.

mod csv;
mod duckdb;
#[cfg(test)]
mod tests;

use crate::adapters::jsonl_audit::JsonlAuditReader;
use crate::cli::output::Report;
use anyhow::Context as _;
use mxcp_actors::model::audit_event::AuditRecord;
use mxcp_actors::model::audit_filter::AuditFilter;
use serde::Deserialize;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::ops::ControlFlow;
use std::path::Path;

/// The columns of both, in the order of a record's keys.
const COLUMNS: [&str; 25] = [
    "schema_name",
    "schema_version",
    "record_id",
    "sequence",
    "timestamp",
    "operation_type",
    "operation_name",
    "operation_status",
    "duration_ms",
    "caller_type",
    "user_id",
    "client_id",
    "session_id",
    "trace_id",
    "input_data",
    "output_data",
    "error",
    "policies_evaluated",
    "policy_decision",
    "policy_reason",
    "business_context",
    "execution_events",
    "signature",
    "prev_hash",
    "record_hash",
];

/// One field of a row.
#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Missing,
    Number(u64),
    Text(String),
}

/// What a line says of its place in the chain.
#[derive(Deserialize)]
struct Links<'a> {
    #[serde(borrow, default)]
    prev_hash: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    record_hash: Option<Cow<'a, str>>,
}

/// Writes what `filter` accepts to a new CSV file at `path`, or in place of the one that is there.
pub(super) fn to_csv(reader: &JsonlAuditReader, filter: &AuditFilter, path: &Path) -> anyhow::Result<Report> {
    let refused = || format!("cannot write {}", path.display());
    let mut file = csv::CsvFile::create(path).with_context(refused)?;
    each_row(reader, filter, |row| file.write(&row).with_context(refused))?;
    let count = file.finish().with_context(refused)?;
    Ok(report(count, "csv", path))
}

/// Adds what `filter` accepts to the database at `path`, but for what it has already.
pub(super) fn to_duckdb(reader: &JsonlAuditReader, filter: &AuditFilter, path: &Path) -> anyhow::Result<Report> {
    let mut table = duckdb::AuditTable::open(path)?;
    let count = table.add(|append| each_row(reader, filter, append))?;
    Ok(report(count, "duckdb", path))
}

fn report(count: usize, format: &str, path: &Path) -> Report {
    let text = format!("Exported {count} records to {}", path.display());
    Report::new(text, json!({"exported": count, "format": format, "path": path.display().to_string()}))
}

/// Shows every row to `take`, oldest first.
fn each_row(
    reader: &JsonlAuditReader,
    filter: &AuditFilter,
    mut take: impl FnMut([Cell; 25]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut outcome = Ok(());
    reader.visit_oldest_first(filter, |line, record| {
        outcome = take(row(line, record));
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome
}

fn row(line: &[u8], record: AuditRecord) -> [Cell; 25] {
    let (prev_hash, record_hash) = serde_json::from_slice::<Links<'_>>(line)
        .map_or((None, None), |links| (links.prev_hash.map(Cow::into_owned), links.record_hash.map(Cow::into_owned)));
    [
        Cell::Text(record.schema_name),
        Cell::Number(record.schema_version.into()),
        Cell::Text(record.record_id),
        if record.sequence == 0 { Cell::Missing } else { Cell::Number(record.sequence) },
        Cell::Text(record.timestamp),
        name(&json!(record.operation_type)),
        Cell::Text(record.operation_name),
        name(&json!(record.operation_status)),
        Cell::Number(record.duration_ms),
        Cell::Text(record.caller_type),
        optional(record.user_id),
        optional(record.client_id.map(|id| id.as_str().to_owned())),
        optional(record.session_id.map(|id| id.as_str().to_owned())),
        optional(record.trace_id),
        document(record.input_data.as_ref()),
        document(record.output_data.as_deref()),
        optional(record.error),
        document(Some(&json!(record.policies_evaluated))),
        name(&json!(record.policy_decision)),
        optional(record.policy_reason),
        document(Some(&record.business_context)),
        document(Some(&json!(record.execution_events))),
        optional(record.signature),
        optional(prev_hash),
        optional(record_hash),
    ]
}

fn optional(text: Option<String>) -> Cell {
    text.map_or(Cell::Missing, Cell::Text)
}

fn name(value: &Value) -> Cell {
    value.as_str().map_or(Cell::Missing, |name| Cell::Text(name.to_owned()))
}

fn document(value: Option<&Value>) -> Cell {
    value.filter(|value| !value.is_null()).map_or(Cell::Missing, |value| Cell::Text(value.to_string()))
}

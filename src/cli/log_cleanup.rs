//! `mxcp log-cleanup`: removes what the audit log does not have to hold any longer. The daemon
//! does so by itself once an hour.

use super::context::StoreOptions;
use super::output::Report;
use crate::adapters::jsonl_audit::{Retention, find_expired, remove_expired};
use crate::adapters::system::SystemClock;
use anyhow::Context as _;
use clap::Args;
use mxcp_actors::ports::clock::Clock as _;
use serde_json::json;

/// What the records are called, as earlier versions count them.
const SCHEMA: &str = "mxcp.endpoints:v2";

#[derive(Args, Clone, Debug)]
pub(super) struct LogCleanupArgs {
    /// Only tell what would be removed
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(super) store: StoreOptions,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Removed,
    Found,
    Off,
}

pub(super) fn run(args: &LogCleanupArgs) -> anyhow::Result<Report> {
    let configuration = args.store.load()?;
    let audit = &configuration.audit;
    if !audit.is_enabled {
        return Ok(report(Outcome::Off, &Retention::default()));
    }
    let now = SystemClock.now();
    let cutoff = now - audit.keeping.retention;
    let (outcome, retention) = if args.dry_run {
        (Outcome::Found, find_expired(&audit.path, cutoff))
    } else {
        (Outcome::Removed, remove_expired(&audit.path, cutoff, now))
    };
    Ok(report(outcome, &retention.context("the audit log cannot be cleaned up")?))
}

fn report(outcome: Outcome, retention: &Retention) -> Report {
    let records = retention.records();
    let (status, message) = match outcome {
        Outcome::Removed => ("success", format!("Deleted {records} records")),
        Outcome::Found => ("dry_run", format!("Would delete {records} records")),
        Outcome::Off => ("skipped", "Audit logging is not enabled".to_owned()),
    };
    let files: Vec<&str> = retention.segments.iter().map(|segment| segment.file.as_str()).collect();
    let mut per_schema = serde_json::Map::new();
    if records > 0 {
        per_schema.insert(SCHEMA.to_owned(), json!(records));
    }
    let text = files.iter().map(|file| format!("  {file}")).fold(message.clone(), |text, line| text + "\n" + &line);
    let result = json!({"status": status, "message": message, "deleted_per_schema": per_schema, "files": files});
    Report::new(text, result)
}

//! `mxcp log verify`: is the audit log as it was written?

use crate::adapters::jsonl_audit::{Fault, Link, Verification, verify};
use crate::adapters::system::SystemClock;
use crate::cli::context::StoreOptions;
use crate::cli::output::Report;
use anyhow::{Context as _, bail};
use clap::Args;
use mxcp_actors::ports::clock::Clock as _;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::str::FromStr as _;
use std::time::Duration;

/// How many faults a person is told one by one.
const FAULTS_SHOWN: usize = 50;

#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct VerifyArgs {
    /// Check that this record is there with that hash: the newest one, as a former check told it and you noted elsewhere
    #[arg(long, value_name = "NUMBER:HASH", value_parser = Link::from_str)]
    expect: Vec<Link>,
    #[command(flatten)]
    pub(in crate::cli) store: StoreOptions,
}

/// Checks the log of the profile in force, also where it is off by now.
pub(super) fn run(args: &VerifyArgs) -> anyhow::Result<Report> {
    let configuration = args.store.load()?;
    let started = SystemClock.now();
    let found = verify(&configuration.audit.path, &args.expect).context("the audit log cannot be checked")?;
    if found.files == 0 && found.is_intact() {
        // Where there should be a log, its absence is what somebody wants to hear of.
        bail!("there is no audit log at {}", configuration.audit.path.display());
    }
    Ok(report(&found, SystemClock.now().since(started)))
}

fn report(found: &Verification, took: Duration) -> Report {
    let result = json!({
        "is_intact": found.is_intact(),
        "records": found.records,
        "unchained_lines": found.unchained,
        "files": found.files,
        "bytes": found.bytes,
        "first_sequence": found.first_sequence,
        "last_sequence": found.last_sequence,
        "newest": found.newest.map(|newest| newest.to_string()),
        "is_end_torn": found.is_end_torn,
        "duration_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "faults": found.faults.iter().map(fault_as_json).collect::<Vec<_>>(),
        "more_faults": found.more_faults,
    });
    Report { is_failure: !found.is_intact(), ..Report::new(as_text(found, took), result) }
}

fn as_text(found: &Verification, took: Duration) -> String {
    let mut text = String::new();
    for fault in found.faults.iter().take(FAULTS_SHOWN) {
        // Writing to a string does not fail.
        let _infallible = writeln!(text, "❌ {}", fault_as_text(fault));
    }
    let untold = u64::try_from(found.faults.len().saturating_sub(FAULTS_SHOWN)).unwrap_or(0) + found.more_faults;
    if untold > 0 {
        let _infallible = writeln!(text, "... and {untold} more faults");
    }
    if found.unchained > 0 {
        let _infallible = writeln!(
            text,
            "{} lines of the file of older versions are from before records were chained: nothing proves them",
            found.unchained
        );
    }
    if found.is_end_torn {
        text.push_str("the last line is not whole yet; if the server was killed, its next start repairs it\n");
    }
    if let Some(newest) = found.newest {
        let _infallible =
            writeln!(text, "newest record {newest} (noted elsewhere, --expect tells later whether it is there)");
    }
    let verdict = if found.is_intact() {
        "✅ the audit log is as it was written"
    } else {
        "❌ the audit log is not as it was written"
    };
    let _infallible = write!(
        text,
        "{verdict}: {} records{} in {} files, {} ({})",
        found.records,
        numbers(found),
        found.files,
        megabytes(found.bytes),
        speed(found.bytes, took)
    );
    text
}

fn numbers(found: &Verification) -> String {
    match (found.first_sequence, found.last_sequence) {
        (Some(first), Some(last)) => format!(" (numbers {first} to {last})"),
        _ => String::new(),
    }
}

fn fault_as_text(fault: &Fault) -> String {
    let mut place = fault.file.clone();
    if fault.line > 0 {
        let _infallible = write!(place, ":{}", fault.line);
    }
    if let Some(sequence) = fault.sequence {
        let _infallible = write!(place, " (number {sequence})");
    }
    format!("{place}: {}", fault.kind)
}

fn fault_as_json(fault: &Fault) -> Value {
    json!({
        "file": fault.file,
        "line": (fault.line > 0).then_some(fault.line),
        "sequence": fault.sequence,
        "fault": fault.kind.name(),
        "message": fault.kind.to_string(),
    })
}

fn megabytes(bytes: u64) -> String {
    const MEGABYTE: u64 = 1_000_000;
    format!("{}.{} MB", bytes / MEGABYTE, bytes % MEGABYTE / 100_000)
}

fn speed(bytes: u64, took: Duration) -> String {
    // Bytes in a microsecond are megabytes in a second.
    let micros = took.as_micros().max(1);
    format!("{} MB/s", u128::from(bytes) / micros)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::jsonl_audit::FaultKind;

    #[test]
    fn a_fault_names_its_place_and_makes_the_command_fail() {
        let fault = Fault {
            file: "logs-default-20261123T100712.jsonl".to_owned(),
            line: 17,
            sequence: Some(42),
            kind: FaultKind::Changed,
        };
        let found =
            Verification { records: 50, files: 2, bytes: 1_230_000, faults: vec![fault], ..Verification::default() };
        let report = report(&found, Duration::from_millis(10));
        assert!(report.is_failure);
        let first = report.text.lines().next().unwrap();
        assert_eq!(
            first,
            "❌ logs-default-20261123T100712.jsonl:17 (number 42): the record was changed after it was written"
        );
        assert!(report.text.ends_with("50 records in 2 files, 1.2 MB (123 MB/s)"), "{}", report.text);
        assert_eq!(report.result["faults"][0]["fault"], "changed");
        assert_eq!(report.result["is_intact"], false);
    }

    #[test]
    fn a_whole_log_is_no_failure() {
        let report = report(&Verification::default(), Duration::ZERO);
        assert!(!report.is_failure);
        assert!(
            report.text.starts_with("✅ the audit log is as it was written: 0 records in 0 files"),
            "{}",
            report.text
        );
    }
}

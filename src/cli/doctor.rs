//! `mxcp doctor`: checks a project before it goes live.

use super::context::{Common, LoadWishes};
use super::output::Report;
use crate::config::{EndpointFaults, LogLevel};
use crate::doctor::{Finding, Verdict, examine};
use clap::Args;
use serde_json::json;
use std::fmt::Write as _;

#[derive(Args, Clone, Debug)]
pub(super) struct DoctorArgs {
    /// Print one JSON document
    #[arg(long = "json-output")]
    pub(super) is_json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Fails the command when a check found an error; warnings alone do not.
pub(super) async fn run(args: DoctorArgs) -> anyhow::Result<Report> {
    let wishes = LoadWishes {
        is_profile_required: args.common.profile.is_some(),
        // What keeps the server from starting is a fault here.
        endpoint_faults: EndpointFaults::Refuse,
        log_level: LogLevel::Error,
        sql_tools: None,
    };
    let findings = match args.common.load_quietly(wishes)? {
        Ok(configuration) => examine(&configuration).await,
        Err(errors) => errors
            .errors
            .iter()
            .map(|error| Finding::error("configuration", error.to_string(), "correct it; nothing else was checked"))
            .collect(),
    };
    let worst = findings.iter().map(|finding| finding.status).max().unwrap_or(Verdict::Ok);
    let worst = if worst == Verdict::Skipped { Verdict::Ok } else { worst };
    let report = Report::new(describe(&findings), json!({"status": worst, "checks": findings}));
    Ok(Report { is_failure: worst == Verdict::Error, ..report })
}

fn describe(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        // Writing to a String cannot fail.
        let _infallible = writeln!(text, "{} {}: {}", mark(finding.status), finding.check, finding.message);
        if let Some(advice) = &finding.advice {
            let _infallible = writeln!(text, "    → {advice}");
        }
    }
    let count = |status| findings.iter().filter(|finding| finding.status == status).count();
    let number = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let (errors, warnings) = (number(count(Verdict::Error), "error"), number(count(Verdict::Warning), "warning"));
    let _infallible = write!(text, "\n{errors}, {warnings}");
    text
}

const fn mark(status: Verdict) -> &'static str {
    match status {
        Verdict::Ok => "✓",
        Verdict::Skipped => "-",
        Verdict::Warning => "!",
        Verdict::Error => "✗",
    }
}

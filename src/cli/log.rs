//! `mxcp log`: shows the newest records of the audit log.

mod time_span;

use crate::adapters::jsonl_audit::{AuditFileError, JsonlAuditReader};
use crate::cli::json_output;
use clap::{Args, ValueEnum};
use mxcp_actors::model::audit_event::{AuditFilter, AuditRecord, OperationStatus, OperationType, PolicyDecision};
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::ports::clock::Clock;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use time_span::TimeSpan;

/// Shows the newest records of the audit log, also while the server runs.
#[derive(Args, Clone, Debug)]
pub struct LogArgs {
    /// Show records of this tool; may be combined with others, and with --resource and --prompt.
    #[arg(long, value_name = "NAME")]
    pub tool: Vec<String>,
    /// Show records of this resource.
    #[arg(long, value_name = "URI")]
    pub resource: Vec<String>,
    /// Show records of this prompt.
    #[arg(long, value_name = "NAME")]
    pub prompt: Vec<String>,
    /// Show records of this kind.
    #[arg(long = "type", value_name = "KIND")]
    pub kind: Option<KindArg>,
    /// Show records with this decision of the policies; n/a shows all.
    #[arg(long)]
    pub policy: Option<PolicyArg>,
    /// Show records of calls that ended like this.
    #[arg(long)]
    pub status: Option<StatusArg>,
    /// Show records not older than this: 10s, 5m, 2h, 1d.
    #[arg(long, value_name = "SPAN")]
    pub since: Option<String>,
    /// Show at most so many records.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
    /// Use this profile.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Tell more: errors and context of each record, and the command's own log.
    #[arg(long)]
    pub debug: bool,
}

/// The kinds that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KindArg {
    /// Calls of tools.
    Tool,
    /// Reads of resources.
    Resource,
    /// Uses of prompts.
    Prompt,
    /// Logins, tokens, clients and sessions.
    Auth,
}

/// The decisions that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PolicyArg {
    /// Every rule let the call pass.
    Allow,
    /// A rule refused the call.
    Deny,
    /// A rule changed the response.
    Warn,
    /// Any decision, or none.
    #[value(name = "n/a")]
    Any,
}

/// The endings that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StatusArg {
    /// It worked.
    Success,
    /// It did not.
    Error,
}

/// What the command has to know of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct AuditSource<'a> {
    /// The profile in force.
    pub profile: &'a str,
    /// Whether that profile keeps an audit log.
    pub is_enabled: bool,
    /// The configured path of the log.
    pub path: &'a Path,
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// There is no log.
    #[error(
        "Audit logging is not enabled for profile '{profile}'. \
         Enable it in mxcp-site.yml under profiles.{profile}.audit.enabled"
    )]
    Disabled {
        /// The profile in force.
        profile: String,
    },
    /// `--since` could not be understood.
    #[error("Invalid time format: {0}. Use format like '10m', '2h', '1d'")]
    InvalidTime(String),
    /// The log could not be read.
    #[error(transparent)]
    Files(#[from] AuditFileError),
    /// The records could not be written out.
    #[error("cannot write the records: {0}")]
    Output(#[from] io::Error),
}

/// Shows on `out` what `args` ask for; creates no file.
///
/// # Errors
/// When there is no audit log or it cannot be read, the arguments make no sense, or `out` cannot
/// be written. A reader that has seen enough, such as `head`, is no error.
pub fn run(args: &LogArgs, source: AuditSource<'_>, clock: &dyn Clock, out: &mut dyn Write) -> Result<(), LogError> {
    if !source.is_enabled {
        return Err(LogError::Disabled { profile: source.profile.to_owned() });
    }
    let filter = filter(args, clock.now())?;
    let records = JsonlAuditReader::new(source.path)?.read_newest(&filter, args.limit)?;
    let written = if args.json { write_json(&records, out) } else { write_text(&records, args.debug, out) };
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => Ok(outcome?),
    }
}

fn filter(args: &LogArgs, now: Timestamp) -> Result<AuditFilter, LogError> {
    let since = args.since.as_deref().map(|text| {
        let span = TimeSpan::parse(text).ok_or_else(|| LogError::InvalidTime(text.to_owned()))?;
        Ok::<_, LogError>(span.before(now))
    });
    Ok(AuditFilter {
        names: [&args.tool, &args.resource, &args.prompt].into_iter().flatten().cloned().collect(),
        operation_type: args.kind.map(|kind| match kind {
            KindArg::Tool => OperationType::Tool,
            KindArg::Resource => OperationType::Resource,
            KindArg::Prompt => OperationType::Prompt,
            KindArg::Auth => OperationType::Auth,
        }),
        policy: args.policy.and_then(|policy| match policy {
            PolicyArg::Allow => Some(PolicyDecision::Allow),
            PolicyArg::Deny => Some(PolicyDecision::Deny),
            PolicyArg::Warn => Some(PolicyDecision::Warn),
            PolicyArg::Any => None,
        }),
        status: args.status.map(|status| match status {
            StatusArg::Success => OperationStatus::Success,
            StatusArg::Error => OperationStatus::Error,
        }),
        since: since.transpose()?,
    })
}

fn write_json(records: &[AuditRecord], out: &mut dyn Write) -> io::Result<()> {
    let records: Vec<_> = records.iter().map(record_as_json).collect();
    json_output::write_result(out, &json!({"count": records.len(), "records": records}))
}

/// What a list of records tells of one. Arguments and results stay in the log: a list is often
/// passed on.
fn record_as_json(record: &AuditRecord) -> Value {
    json!({
        "record_id": record.record_id,
        "timestamp": record.timestamp,
        "caller_type": record.caller_type,
        "operation_type": record.operation_type,
        "operation_name": record.operation_name,
        "duration_ms": record.duration_ms,
        "user_id": record.user_id,
        "session_id": record.session_id,
        "trace_id": record.trace_id,
        "operation_status": record.operation_status,
        "error": record.error,
        "business_context": record.business_context,
        "policy_decision": record.policy_decision,
    })
}

fn write_text(records: &[AuditRecord], is_detailed: bool, out: &mut dyn Write) -> io::Result<()> {
    if records.is_empty() {
        return writeln!(out, "No audit records found matching the criteria.");
    }
    let rule = "=".repeat(80);
    writeln!(out, "{rule}")?;
    for record in records {
        writeln!(out, "{}", record_as_text(record))?;
        if is_detailed {
            write_details(record, out)?;
        }
    }
    writeln!(out, "{rule}\nTotal records: {}", records.len())
}

fn record_as_text(record: &AuditRecord) -> String {
    format!(
        "{} {} [{}] {} ({}ms) - {}",
        if record.operation_status == OperationStatus::Success { "✅" } else { "❌" },
        date_and_time(&record.timestamp),
        kind_name(record.operation_type),
        printable(&record.operation_name),
        record.duration_ms,
        printable(record.user_id.as_deref().unwrap_or("unknown")),
    )
}

fn write_details(record: &AuditRecord, out: &mut dyn Write) -> io::Result<()> {
    if let Some(error) = &record.error {
        writeln!(out, "  Error: {}", printable(error))?;
    }
    writeln!(out, "  Context: {}", printable(&record.business_context.to_string()))
}

fn kind_name(kind: OperationType) -> &'static str {
    match kind {
        OperationType::Tool => "tool",
        OperationType::Resource => "resource",
        OperationType::Prompt => "prompt",
        OperationType::Auth => "auth",
    }
}

/// `timestamp` in UTC to the second; as it stands when it is not a time.
fn date_and_time(timestamp: &str) -> String {
    let utc = Timestamp::parse_rfc3339(timestamp).map(Timestamp::to_rfc3339);
    let parts = utc.as_deref().and_then(|utc| Some((utc.get(..10)?, utc.get(11..19)?)));
    parts.map_or_else(|| printable(timestamp), |(date, time)| format!("{date} {time}"))
}

/// `text` with everything escaped that could steer the terminal, forge a line or turn the
/// direction of writing: names in the log were chosen by callers.
fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        let is_steering = character.is_control()
            || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if is_steering {
            // Writing to a string does not fail.
            let _infallible = write!(safe, "{}", character.escape_unicode());
        } else {
            safe.push(character);
        }
    }
    safe
}

#[cfg(test)]
mod tests;

//! `mxcp log`: shows the newest records of the audit log.

mod time_span;
mod verify;

use super::context::{Common, LoadWishes};
use super::output::Report;
use crate::adapters::jsonl_audit::{AuditFileError, JsonlAuditReader};
use crate::adapters::system::SystemClock;
use clap::{Args, Subcommand, ValueEnum};
use mxcp_actors::model::audit_event::{AuditRecord, OperationStatus, OperationType, PolicyDecision};
use mxcp_actors::model::audit_filter::{AuditFilter, AuditName};
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::ports::clock::Clock;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use time_span::TimeSpan;

#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct LogArgs {
    #[command(subcommand)]
    command: Option<LogCommand>,
    /// Show records of this tool; may be combined with others, and with --resource and --prompt
    #[arg(long, value_name = "NAME")]
    tool: Vec<String>,
    /// Show records of this resource
    #[arg(long, value_name = "URI")]
    resource: Vec<String>,
    /// Show records of this prompt
    #[arg(long, value_name = "NAME")]
    prompt: Vec<String>,
    /// Show records of this kind
    #[arg(long = "type", value_name = "KIND")]
    kind: Option<KindArg>,
    /// Show records with this decision of the policies; n/a shows all
    #[arg(long)]
    policy: Option<PolicyArg>,
    /// Show records of calls that ended like this
    #[arg(long)]
    status: Option<StatusArg>,
    /// Show records not older than this: 10s, 5m, 2h, 1d
    #[arg(long, value_name = "SPAN")]
    since: Option<String>,
    /// Show at most so many records
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// Write JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Use this profile
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Tell more: errors and context of each record, and the command's own log
    #[arg(long)]
    debug: bool,
}

#[derive(Subcommand, Clone, Debug)]
enum LogCommand {
    /// Check that no record was changed, removed, moved or added since it was written
    Verify(verify::VerifyArgs),
}

impl LogArgs {
    /// Whether one JSON document is to be written.
    pub(super) fn is_json(&self) -> bool {
        match &self.command {
            Some(LogCommand::Verify(args)) => args.store.is_json,
            None => self.json,
        }
    }
}

/// The kinds that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum KindArg {
    /// Calls of tools.
    Tool,
    /// Reads of resources.
    Resource,
    /// Uses of prompts
    Prompt,
    /// Logins, tokens, clients and sessions.
    Auth,
}

/// The decisions that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PolicyArg {
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
pub(super) enum StatusArg {
    /// It worked.
    Success,
    /// It did not.
    Error,
}

/// What the command has to know of the configuration.
#[derive(Clone, Copy, Debug)]
struct AuditSource<'a> {
    /// The profile in force.
    profile: &'a str,
    /// Whether that profile keeps an audit log.
    is_enabled: bool,
    /// The configured path of the log.
    path: &'a Path,
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
enum LogError {
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
}

pub(super) fn run(args: &LogArgs) -> anyhow::Result<Report> {
    if let Some(LogCommand::Verify(args)) = &args.command {
        return verify::run(args);
    }
    let common = Common { profile: args.profile.clone(), debug: args.debug, readonly: false };
    let configuration = common.load(LoadWishes::default())?;
    let (profile, audit) = (&configuration.profile, &configuration.audit);
    let source = AuditSource { profile, is_enabled: audit.is_enabled, path: &audit.path };
    Ok(report(args, source, SystemClock.now())?)
}

/// What `args` ask for; creates no file.
fn report(args: &LogArgs, source: AuditSource<'_>, now: Timestamp) -> Result<Report, LogError> {
    if !source.is_enabled {
        return Err(LogError::Disabled { profile: source.profile.to_owned() });
    }
    let filter = filter(args, now)?;
    let records = JsonlAuditReader::new(source.path)?.read_newest(&filter, args.limit)?;
    Ok(Report::new(as_text(&records, args.debug), as_json(&records)))
}

fn filter(args: &LogArgs, now: Timestamp) -> Result<AuditFilter, LogError> {
    let since = args.since.as_deref().map(|text| {
        let span = TimeSpan::parse(text).ok_or_else(|| LogError::InvalidTime(text.to_owned()))?;
        Ok::<_, LogError>(span.before(now))
    });
    Ok(AuditFilter {
        names: names(args),
        kinds: args
            .kind
            .into_iter()
            .map(|kind| match kind {
                KindArg::Tool => OperationType::Tool,
                KindArg::Resource => OperationType::Resource,
                KindArg::Prompt => OperationType::Prompt,
                KindArg::Auth => OperationType::Auth,
            })
            .collect(),
        policies: args
            .policy
            .and_then(|policy| match policy {
                PolicyArg::Allow => Some(PolicyDecision::Allow),
                PolicyArg::Deny => Some(PolicyDecision::Deny),
                PolicyArg::Warn => Some(PolicyDecision::Warn),
                PolicyArg::Any => None,
            })
            .into_iter()
            .collect(),
        statuses: args
            .status
            .into_iter()
            .map(|status| match status {
                StatusArg::Success => OperationStatus::Success,
                StatusArg::Error => OperationStatus::Error,
            })
            .collect(),
        since: since.transpose()?,
        ..AuditFilter::default()
    })
}

fn names(args: &LogArgs) -> Vec<AuditName> {
    let tools = args.tool.iter().cloned().map(AuditName::Tool);
    let resources = args.resource.iter().cloned().map(AuditName::Resource);
    tools.chain(resources).chain(args.prompt.iter().cloned().map(AuditName::Prompt)).collect()
}

fn as_json(records: &[AuditRecord]) -> Value {
    let records: Vec<_> = records.iter().map(record_as_json).collect();
    json!({"count": records.len(), "records": records})
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

fn as_text(records: &[AuditRecord], is_detailed: bool) -> String {
    if records.is_empty() {
        return "No audit records found matching the criteria.".to_owned();
    }
    let rule = "=".repeat(80);
    let mut lines = vec![rule.clone()];
    for record in records {
        lines.push(record_as_text(record));
        if is_detailed {
            lines.extend(details(record));
        }
    }
    lines.extend([rule, format!("Total records: {}", records.len())]);
    lines.join("\n")
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

fn details(record: &AuditRecord) -> impl Iterator<Item = String> {
    let error = record.error.as_deref().map(|error| format!("  Error: {}", printable(error)));
    error.into_iter().chain([format!("  Context: {}", printable(&record.business_context.to_string()))])
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
pub(super) fn printable(text: &str) -> String {
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

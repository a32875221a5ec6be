//! `mxcp log`: shows the audit log, live if asked, or exports it.

mod daemon;
mod export;
mod follow;
mod listing;
mod render;
mod table;
mod time_point;
mod verify;
mod wishes;

use super::context::{Common, LoadWishes};
use super::output::Report;
use crate::adapters::jsonl_audit::JsonlAuditReader;
use crate::adapters::system::SystemClock;
use clap::{Args, Subcommand};
use follow::Wish;
use mxcp_actors::model::audit_filter::AuditFilter;
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::ports::clock::Clock;
pub(super) use render::printable;
use render::{Layout, Look};
use std::io::Write;
use std::path::{Path, PathBuf};
use table::Screen;
use wishes::FilterArgs;

#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct LogArgs {
    #[command(subcommand)]
    command: Option<LogCommand>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Show at most so many records, the newest; without it 100, and with --since or --until all; exports take all
    #[arg(long, value_name = "N", value_parser = wishes::limit, allow_negative_numbers = true)]
    limit: Option<usize>,
    /// Go on with what happens now, oldest first, until interrupted
    #[arg(short, long, conflicts_with_all = ["export_csv", "export_duckdb"])]
    follow: bool,
    /// Tell all of each record: causes, clients, policies, details
    #[arg(long)]
    full: bool,
    /// Write JSON
    #[arg(long, conflicts_with = "follow")]
    pub(super) json: bool,
    /// Write each record as a line of JSON
    #[arg(long, conflicts_with = "json")]
    jsonl: bool,
    /// Write every record that matches to this CSV file, with all that it holds
    #[arg(long, value_name = "FILE", conflicts_with = "export_duckdb")]
    export_csv: Option<PathBuf>,
    /// Add every record that matches to the table `audit_logs` of this database, unless it is there
    #[arg(long, value_name = "FILE")]
    export_duckdb: Option<PathBuf>,
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

/// What the command has to know of the configuration.
#[derive(Clone, Copy, Debug)]
struct AuditSource<'a> {
    /// The profile in force.
    profile: &'a str,
    /// Whether that profile keeps an audit log.
    is_enabled: bool,
    /// The configured path of the log.
    path: &'a Path,
    /// Where the server answers that writes it.
    socket: Option<&'a Path>,
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
    /// `--since` or `--until` could not be understood.
    #[error(
        "Invalid time format: {0}. Use format like '10m', '2h', '1d', \
         or a time such as '2026-11-23 14:30' or '2026-11-23T14:30:00Z'"
    )]
    InvalidTime(String),
}

/// How many records are shown when nobody says anything.
const LIMIT_DEFAULT: usize = 100;

pub(super) fn run(args: &LogArgs) -> anyhow::Result<Report> {
    if let Some(LogCommand::Verify(args)) = &args.command {
        return verify::run(args);
    }
    let common = Common { profile: args.profile.clone(), debug: args.debug, readonly: false };
    let configuration = common.load(LoadWishes::default())?;
    let (profile, audit) = (&configuration.profile, &configuration.audit);
    let socket = audit.socket.as_deref();
    let source = AuditSource { profile, is_enabled: audit.is_enabled, path: &audit.path, socket };
    report(args, source, SystemClock.now(), Screen::of_stdout(), &mut std::io::stdout())
}

/// What `args` ask for, unless it is written to `out` as it is found; creates no file but exports.
fn report(
    args: &LogArgs,
    source: AuditSource<'_>,
    now: Timestamp,
    screen: Option<Screen>,
    out: &mut dyn Write,
) -> anyhow::Result<Report> {
    if !source.is_enabled {
        return Err(LogError::Disabled { profile: source.profile.to_owned() }.into());
    }
    let filter = args.filter.to_filter(now)?;
    let reader = JsonlAuditReader::new(source.path)?;
    if let Some(path) = &args.export_csv {
        return Ok(with_damage(export::to_csv(&reader, &filter, path)?, &reader));
    }
    if let Some(path) = &args.export_duckdb {
        return Ok(with_damage(export::to_duckdb(&reader, &filter, path)?, &reader));
    }
    let look = Look { layout: args.layout(screen), is_full: args.full, is_detailed: args.debug };
    let limit = args.limit_for(&filter);
    if args.follow {
        let has_all = follow::run(&reader, source.socket, &Wish::new(filter, limit, look, now)?, out)?;
        return Ok(Report { is_failure: !has_all, ..Report::text("") });
    }
    let Some(limit) = limit else {
        let list = listing::Listing { reader: &reader, filter: &filter, look, is_json: args.json };
        return list.write(out);
    };
    let mut records = reader.read_newest(&filter, limit.saturating_add(1))?;
    let has_more = records.len() > limit;
    records.truncate(limit);
    let mut report = Report::new(look.list(&records), render::as_json(&records, args.full));
    if has_more && args.limit.is_none() {
        report.warnings.push(format!("more records match; these are the newest {limit}: see --limit and --since"));
    }
    Ok(with_damage(report, &reader))
}

/// `report`, and what could not be read: then it is no success.
fn with_damage(mut report: Report, reader: &JsonlAuditReader) -> Report {
    for damage in reader.take_damage() {
        report.is_failure = true;
        report.warnings.push(with_advice(&damage));
    }
    report
}

/// What is said of `damage`, and what to do.
fn with_advice(damage: &str) -> String {
    format!("{damage}: see mxcp log verify")
}

impl LogArgs {
    /// How many records there may be: who asks for a time wants all of it.
    fn limit_for(&self, filter: &AuditFilter) -> Option<usize> {
        let has_span = filter.since.is_some() || filter.until.is_some();
        self.limit.or_else(|| (!has_span).then_some(LIMIT_DEFAULT))
    }

    fn layout(&self, screen: Option<Screen>) -> Layout {
        match screen {
            _ if self.jsonl => Layout::JsonLines,
            Some(screen) => Layout::Table(screen),
            None => Layout::Plain,
        }
    }
}

#[cfg(test)]
mod tests;

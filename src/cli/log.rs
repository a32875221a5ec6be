//! `mxcp log`: shows the audit log, live if asked, or exports it.

mod daemon;
mod export;
mod follow;
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
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::ports::clock::Clock;
pub(super) use render::printable;
use render::{Layout, Look};
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
    /// Show at most so many records; exports take all
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
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

pub(super) fn run(args: &LogArgs) -> anyhow::Result<Report> {
    if let Some(LogCommand::Verify(args)) = &args.command {
        return verify::run(args);
    }
    let common = Common { profile: args.profile.clone(), debug: args.debug, readonly: false };
    let configuration = common.load(LoadWishes::default())?;
    let (profile, audit) = (&configuration.profile, &configuration.audit);
    let socket = audit.socket.as_deref();
    let source = AuditSource { profile, is_enabled: audit.is_enabled, path: &audit.path, socket };
    report(args, source, SystemClock.now(), Screen::of_stdout())
}

/// What `args` ask for; creates no file but exports.
fn report(args: &LogArgs, source: AuditSource<'_>, now: Timestamp, screen: Option<Screen>) -> anyhow::Result<Report> {
    if !source.is_enabled {
        return Err(LogError::Disabled { profile: source.profile.to_owned() }.into());
    }
    let filter = args.filter.to_filter(now)?;
    let reader = JsonlAuditReader::new(source.path)?;
    if let Some(path) = &args.export_csv {
        return export::to_csv(&reader, &filter, path);
    }
    if let Some(path) = &args.export_duckdb {
        return export::to_duckdb(&reader, &filter, path);
    }
    let look = Look { layout: args.layout(screen), is_full: args.full, is_detailed: args.debug };
    if args.follow {
        follow::run(&reader, source.socket, &Wish { filter, limit: args.limit, look })?;
        return Ok(Report::text(""));
    }
    let records = reader.read_newest(&filter, args.limit)?;
    Ok(Report::new(look.list(&records), render::as_json(&records, args.full)))
}

impl LogArgs {
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

//! The commands: each reads its options, does one thing through the same parts as the daemon,
//! and writes its answer to a given writer.
//!
//! Exit codes: 0 fine, 1 handled failure, 2 wrong usage.

mod context;
mod doctor;
mod hash_password;
mod log;
mod log_cleanup;
mod migrate_oauth_db;
mod output;
mod policy;
mod query;
mod rotate_key;
mod run;
mod serve;
mod user_context;
mod validate;

use clap::{CommandFactory as _, Parser, Subcommand};
use output::Report;
use std::process::ExitCode;

/// mxcp puts an organisation's data behind a safe door for AI agents.
#[derive(Debug, Parser)]
#[command(name = "mxcp", version, about, propagate_version = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the project's tools, resources and prompts to MCP clients
    Serve(serve::ServeArgs),
    /// Call one tool, resource or prompt and print its result
    Run(run::RunArgs),
    /// Run SQL on the project's database and print the rows of the last statement
    Query(query::QueryArgs),
    /// Check endpoint files and their policies without serving them
    Validate(validate::ValidateArgs),
    /// Ask what the policies would make of a call
    Policy(policy::PolicyArgs),
    /// Check the project before it goes live: providers, addresses, files, the production checklist
    Doctor(doctor::DoctorArgs),
    /// Show the newest records of the audit log, also while the server runs
    Log(Box<log::LogArgs>),
    /// Remove files of the audit log that are older than `retention_days`
    LogCleanup(log_cleanup::LogCleanupArgs),
    /// Move sessions and clients of the Python product's oauth.db into auth.persistence; stop both servers first
    MigrateOauthDb(migrate_oauth_db::MigrateOauthDbArgs),
    /// Make the hash of a password for auth.local.users
    HashPassword,
    /// Encrypt everything that auth.persistence keeps under another key; stop the server first
    RotateKey(rotate_key::RotateKeyArgs),
}

/// Runs a command to its end and tells the exit code.
#[must_use]
pub fn run(arguments: Arguments) -> ExitCode {
    let mut out = std::io::stdout();
    let Some(command) = arguments.command else {
        let help = Arguments::command().render_help().to_string();
        return output::finish(&mut out, false, Ok(Report::text(help)));
    };
    match command {
        Command::Serve(args) => in_system(false, serve::run(args)),
        Command::Run(args) => in_system(args.is_json, run::run(args)),
        Command::Query(args) => in_system(args.is_json, query::run(args)),
        Command::Validate(args) => in_system(args.is_json, validate::run(args)),
        Command::Policy(args) => output::finish(&mut out, args.is_json(), policy::run(&args)),
        Command::Doctor(args) => in_system(args.is_json, doctor::run(args)),
        Command::Log(args) => output::finish(&mut out, args.is_json(), log::run(&args)),
        Command::LogCleanup(args) => output::finish(&mut out, args.store.is_json, log_cleanup::run(&args)),
        Command::MigrateOauthDb(args) => output::finish(&mut out, args.store.is_json, migrate_oauth_db::run(&args)),
        Command::HashPassword => output::finish(&mut out, false, hash_password::run()),
        Command::RotateKey(args) => output::finish(&mut out, args.store.is_json, rotate_key::run(&args)),
    }
}

/// Runs a command that needs actors, and writes what it reports.
fn in_system(is_json: bool, command: impl Future<Output = anyhow::Result<Report>>) -> ExitCode {
    let outcome = actix_rt::System::new().block_on(command);
    output::finish(&mut std::io::stdout(), is_json, outcome)
}

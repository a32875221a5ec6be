//! `mxcp query`: SQL on the project's database, for the operator.

use super::context::{Common, LoadWishes};
use super::output::{Report, UsageError, render};
use super::run::read_params;
use crate::wiring::open_database;
use anyhow::{Context as _, anyhow};
use clap::Args;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// An operator's statement may take long; Ctrl-C ends it.
const DEADLINE: Duration = Duration::from_secs(24 * 60 * 60);
/// More rows than this belong into a file (`COPY … TO`).
const ROWS_MAX: usize = 1_000_000;

#[derive(Args, Clone, Debug)]
pub(super) struct QueryArgs {
    /// The SQL, one or several statements
    sql: Option<String>,
    /// Read the SQL from a file
    #[arg(long)]
    file: Option<PathBuf>,
    /// A parameter of the SQL as name=value
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// Print one JSON document
    #[arg(long = "json-output")]
    pub(super) is_json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

pub(super) async fn run(args: QueryArgs) -> anyhow::Result<Report> {
    let sql = match (&args.sql, &args.file) {
        (Some(sql), None) => sql.clone(),
        (None, Some(file)) => {
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?
        }
        (None, None) | (Some(_), Some(_)) => {
            return Err(UsageError("give either the SQL or --file".to_owned()).into());
        }
    };
    let params = read_params(&args.params)?.into_iter().map(|(name, value)| match value {
        Value::String(text) => (name, text),
        other => (name, other.to_string()),
    });
    let configuration = args.common.load(LoadWishes::default())?;
    let engine = open_database(&configuration)?;
    let outcome = engine.run_script(&sql, params.collect(), DEADLINE, ROWS_MAX).await;
    tokio::task::spawn_blocking(move || engine.close()).await?;
    let rows = outcome.map_err(|error| anyhow!("Failed to execute SQL: {error}"))?;
    let result = Value::Array(rows.rows.into_iter().map(Value::Object).collect());
    let text = if result.as_array().is_some_and(Vec::is_empty) {
        "ℹ️  No results returned".to_owned()
    } else {
        format!("✅ Query executed successfully!\n\n{}", render(&result))
    };
    Ok(Report { text, result })
}

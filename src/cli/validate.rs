//! `mxcp validate`: whether endpoint files can be served, without serving them.

use super::context::{Common, LoadWishes};
use super::output::{Report, UsageError};
use crate::config::{Configuration, DuckdbSettings};
use crate::wiring::{open_database, sql_faults, tool_faults};
use anyhow::anyhow;
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

#[derive(Args, Clone, Debug)]
pub(super) struct ValidateArgs {
    /// One endpoint file; otherwise all of them
    path: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long = "json-output")]
    pub(super) is_json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// One file, and what is wrong with it.
struct Checked {
    path: PathBuf,
    faults: Vec<String>,
}

pub(super) async fn run(args: ValidateArgs) -> anyhow::Result<Report> {
    let configuration = args.common.load_quietly(LoadWishes::default())?.map_err(|errors| anyhow!("{errors}"))?;
    warn(&configuration, args.path.as_deref());
    let (found, unchecked) = faults(&configuration).await;
    let (mut files, general) = by_file(&configuration, found);
    if let Some(path) = &args.path {
        let wanted = find(&configuration.root, path, &files)?;
        files.retain(|file| file.path == wanted);
    }
    let is_failure = files.iter().any(|file| !file.faults.is_empty()) || !general.is_empty() || files.is_empty();
    let result = match (&args.path, files.as_slice()) {
        (Some(_), [file]) => document(file),
        _ => all_documents(&files, &general, unchecked.as_deref(), is_failure),
    };
    Ok(Report { is_failure, ..Report::new(describe(&files, &general, unchecked.as_deref()), result) })
}

/// Logs what deserves a look, of one file when it is about that. Faults of endpoints are warnings too,
/// where they stop nothing; here they are told by file.
fn warn(configuration: &Configuration, path: Option<&Path>) {
    let faults = configuration.endpoint_files.iter().filter_map(|file| file.errors.as_ref());
    let faults: Vec<String> = faults.flat_map(|errors| &errors.errors).map(ToString::to_string).collect();
    let is_meant = |warning: &&String| path.is_none_or(|path| warning.starts_with(&format!("{}:", path.display())));
    for warning in configuration.warnings.iter().filter(|warning| !faults.contains(warning)).filter(is_meant) {
        tracing::warn!("{warning}");
    }
}

/// Every fault as a text that begins with its file, and why the SQL could not be checked.
async fn faults(configuration: &Configuration) -> (Vec<String>, Option<String>) {
    let mut faults = tool_faults(configuration);
    let path = &configuration.duckdb.path;
    if !path.exists() {
        return (faults, Some(format!("the SQL was not checked: the database {} is not there yet", path.display())));
    }
    // Looking must not change anything.
    let duckdb = DuckdbSettings { is_readonly: true, ..configuration.duckdb.clone() };
    match open_database(&Configuration { duckdb, ..configuration.clone() }) {
        Ok(engine) => {
            faults.extend(sql_faults(configuration, &engine).await);
            engine.close();
            (faults, None)
        }
        Err(error) => (faults, Some(format!("the SQL was not checked: {error}"))),
    }
}

/// The enabled files with their faults, and the faults of none of them.
fn by_file(configuration: &Configuration, faults: Vec<String>) -> (Vec<Checked>, Vec<String>) {
    let mut files: Vec<Checked> = configuration
        .endpoint_files
        .iter()
        .filter(|file| file.is_enabled)
        .map(|file| {
            let errors = file.errors.iter().flat_map(|errors| &errors.errors);
            Checked { path: file.path.clone(), faults: errors.map(ToString::to_string).collect() }
        })
        .collect();
    let mut general = Vec::new();
    for fault in faults {
        let prefix = |file: &Checked| format!("{}: ", file.path.display());
        match files.iter_mut().find(|file| fault.starts_with(&prefix(file))) {
            Some(file) => file.faults.push(fault),
            None => general.push(fault),
        }
    }
    (files, general)
}

/// The file that `path` means, seen from the working directory or from the project's root.
fn find(root: &Path, path: &Path, files: &[Checked]) -> anyhow::Result<PathBuf> {
    let here = std::path::absolute(path)?;
    let found = files.iter().find(|file| root.join(&file.path) == here || file.path == path);
    let found = found.map(|file| file.path.clone());
    let text = || format!("{} is no endpoint file of this project that is enabled", path.display());
    found.ok_or_else(|| UsageError(text()).into())
}

fn document(file: &Checked) -> Value {
    let mut document = json!({"status": status(!file.faults.is_empty()), "path": file.path.display().to_string()});
    if let Some(fields) = document.as_object_mut().filter(|_| !file.faults.is_empty()) {
        fields.insert("message".to_owned(), file.faults.join("\n").into());
    }
    document
}

fn all_documents(files: &[Checked], general: &[String], unchecked: Option<&str>, is_failure: bool) -> Value {
    let validated: Vec<Value> = files.iter().map(document).collect();
    let mut document = json!({"status": status(is_failure), "validated": validated});
    let none = files.is_empty().then_some("No endpoints found");
    let messages: Vec<&str> = none.into_iter().chain(general.iter().map(String::as_str)).chain(unchecked).collect();
    if let Some(fields) = document.as_object_mut().filter(|_| !messages.is_empty()) {
        fields.insert("message".to_owned(), messages.join("\n").into());
    }
    document
}

const fn status(is_failure: bool) -> &'static str {
    if is_failure { "error" } else { "ok" }
}

fn describe(files: &[Checked], general: &[String], unchecked: Option<&str>) -> String {
    let mut text = String::new();
    for file in files {
        let mark = if file.faults.is_empty() { "✓" } else { "✗" };
        // Writing to a String cannot fail.
        let _infallible = writeln!(text, "{mark} {}", file.path.display());
        for line in file.faults.iter().flat_map(|fault| fault.lines()) {
            let _infallible = writeln!(text, "    {line}");
        }
    }
    for line in general.iter().flat_map(|fault| fault.lines()) {
        let _infallible = writeln!(text, "✗ {line}");
    }
    if let Some(unchecked) = unchecked {
        let _infallible = writeln!(text, "! {unchecked}");
    }
    let faulty = files.iter().filter(|file| !file.faults.is_empty()).count();
    let _infallible = match files.len() {
        0 => write!(text, "No endpoints found"),
        count => write!(text, "\n{} of {count} can be served", count - faulty),
    };
    text
}

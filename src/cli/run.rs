//! `mxcp run`: one call, through the same actors as the server's.

use super::context::{Common, LoadWishes};
use super::output::{Report, UsageError, render};
use super::user_context::GivenUser;
use crate::wiring::Workshop;
use anyhow::anyhow;
use clap::{Args, ValueEnum};
use mxcp_actors::model::endpoint::EndpointKind;
use mxcp_actors::tool_calls::CallTool;
use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

#[derive(Args, Clone, Debug)]
pub(super) struct RunArgs {
    /// What to run
    kind: Kind,
    /// Its name; of a resource the template of its URI, with parameters, or a URI that holds them
    name: String,
    /// A parameter as name=value; name=@file reads JSON from a file
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// Who calls, as a JSON object or @file: username, email, role, permissions, groups, …;
    /// also the token at their provider, which is shown nowhere, as `external_token`
    #[arg(short, long, value_name = "JSON|@FILE")]
    user_context: Option<String>,
    /// Print one JSON document
    #[arg(long = "json-output")]
    pub(super) is_json: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Tool,
    Resource,
    Prompt,
}

impl From<Kind> for EndpointKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Tool => Self::Tool,
            Kind::Resource => Self::Resource,
            Kind::Prompt => Self::Prompt,
        }
    }
}

pub(super) async fn run(args: RunArgs) -> anyhow::Result<Report> {
    let arguments = read_params(&args.params)?;
    let given = GivenUser::read(args.user_context.as_deref())?;
    let configuration = args.common.load(LoadWishes::default())?;
    given.warn();
    let GivenUser { principal, external_token, .. } = given;
    let workshop = Workshop::start(&configuration).await?;
    let call = CallTool {
        principal: Arc::new(principal),
        kind: args.kind.into(),
        name: args.name.clone(),
        arguments,
        caller_type: "cli",
        trace_id: None,
        external_token,
    };
    let outcome = workshop.worker.tool_calls.call_tool(call).await;
    workshop.stop().await?;
    let result = outcome.map_err(|error| anyhow!("{error}"))?;
    Ok(Report::new(describe(&args, &result.value), Arc::unwrap_or_clone(result.value)))
}

fn describe(args: &RunArgs, value: &Value) -> String {
    let mut text = format!("🚀 Running {} {}\n", EndpointKind::from(args.kind).as_str(), args.name);
    if !args.params.is_empty() {
        text.push_str("📋 Parameters:\n");
        for param in &args.params {
            let (name, value) = param.split_once('=').unwrap_or((param, ""));
            let shown = value
                .strip_prefix('@')
                .map_or_else(|| value.chars().take(50).collect::<String>(), |file| format!("<from file: {file}>"));
            // Writing to a String cannot fail.
            let _infallible = writeln!(text, "  {name} = {shown}");
        }
    }
    let separator = if value.is_array() || value.is_object() { "\n\n" } else { " " };
    text.push_str("\n✅ Success!");
    text.push_str(separator);
    text.push_str(&render(value));
    text
}

pub(super) fn usage(text: String) -> anyhow::Error {
    UsageError(text).into()
}

pub(super) fn read_params(params: &[String]) -> anyhow::Result<Map<String, Value>> {
    let mut arguments = Map::new();
    for param in params {
        let (name, value) =
            param.split_once('=').ok_or_else(|| usage(format!("--param must be name=value, but it is '{param}'")))?;
        let value = match value.strip_prefix('@') {
            Some(file) => read_json_file(file)?,
            None => Value::from(value),
        };
        arguments.insert(name.to_owned(), value);
    }
    Ok(arguments)
}

/// The value of `option`: JSON, or @ and the name of a file with JSON in it.
pub(super) fn read_json(option: &str, text: &str) -> anyhow::Result<Value> {
    match text.strip_prefix('@') {
        Some(file) => read_json_file(file),
        None => serde_json::from_str(text).map_err(|error| usage(format!("{option} is not JSON: {error}"))),
    }
}

fn read_json_file(file: &str) -> anyhow::Result<Value> {
    let text =
        std::fs::read_to_string(Path::new(file)).map_err(|error| usage(format!("cannot read {file}: {error}")))?;
    serde_json::from_str(&text).map_err(|error| usage(format!("{file} is not JSON: {error}")))
}

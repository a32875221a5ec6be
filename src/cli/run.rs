//! `mxcp run`: one call, through the same actors as the server's.

use super::context::{Common, LoadWishes};
use super::output::{Report, UsageError, render};
use crate::wiring::Workshop;
use anyhow::anyhow;
use clap::{Args, ValueEnum};
use mxcp_actors::model::endpoint::EndpointKind;
use mxcp_actors::model::ids::UserId;
use mxcp_actors::model::principal::{Principal, User};
use mxcp_actors::model::secret::Secret;
use mxcp_actors::tool_calls::CallTool;
use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

/// The provider of users that the command line makes up.
const PROVIDER: &str = "cli";
/// The field with the user's token at their provider.
const EXTERNAL_TOKEN: &str = "external_token";
const DEFAULT_USER: &str = "cli_user";

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
    let (principal, external_token) = match args.user_context.as_deref().map(read_user).transpose()? {
        Some((principal, external_token)) => (principal, external_token),
        None => (Principal::anonymous(), None),
    };
    let configuration = args.common.load(LoadWishes::default())?;
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

fn usage(text: String) -> anyhow::Error {
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

/// A user made up on the command line, to see what a tool does for them, and their token at the
/// provider, which is kept apart: rules and records see the user whole.
pub(super) fn read_user(text: &str) -> anyhow::Result<(Principal, Option<Secret>)> {
    let mut value = read_json("--user-context", text)?;
    let Value::Object(fields) = &mut value else {
        return Err(usage("--user-context must be a JSON object".to_owned()));
    };
    let external_token = match fields.shift_remove(EXTERNAL_TOKEN) {
        None | Some(Value::Null) => None,
        Some(Value::String(token)) => Some(Secret::new(token)),
        Some(_) => return Err(usage(format!("{EXTERNAL_TOKEN} in --user-context must be a text"))),
    };
    let text_of = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let list_of = |name: &str| {
        let items = fields.get(name).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<String>>()
    };
    let subject = text_of("user_id").or_else(|| text_of("id")).unwrap_or_else(|| DEFAULT_USER.to_owned());
    let user = User {
        id: UserId::of(PROVIDER, &subject),
        provider: PROVIDER.to_owned(),
        subject,
        username: text_of("username").unwrap_or_else(|| DEFAULT_USER.to_owned()),
        email: text_of("email"),
        email_verified: fields.get("email_verified").and_then(Value::as_bool).unwrap_or(false),
        name: text_of("name"),
        role: text_of("role"),
        permissions: list_of("permissions"),
        groups: list_of("groups"),
        capabilities: list_of("capabilities"),
        claims: value.clone(),
    };
    // The operator needs no scopes: nothing of a command goes through the door that asks for them.
    let principal = Principal { user: Some(Arc::new(user)), ..Principal::anonymous() };
    Ok((principal, external_token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_of_a_made_up_user_is_no_claim() {
        let text = r#"{"username": "ada", "external_token": "gho_0123456789", "team": "x"}"#;
        let (principal, token) = read_user(text).unwrap();
        assert!(token.unwrap().matches("gho_0123456789"));
        assert!(!format!("{principal:?}").contains("gho_"));
        assert_eq!(principal.user.unwrap().claims, serde_json::json!({"username": "ada", "team": "x"}));
        assert!(read_user(r#"{"external_token": null}"#).unwrap().1.is_none());
        let error = read_user(r#"{"external_token": ["gho_0123456789"]}"#).unwrap_err().to_string();
        assert_eq!(error, "external_token in --user-context must be a text");
    }
}

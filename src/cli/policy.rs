//! `mxcp policy explain`: what the rules would make of a call, and why.

mod report;

use super::context::{Common, LoadWishes};
use super::output::Report;
use super::run::{read_json, read_params, read_user};
use crate::wiring::endpoints;
use anyhow::anyhow;
use clap::{Args, Subcommand};
use mxcp_actors::model::principal::Principal;
use report::Explained;

#[derive(Args, Clone, Debug)]
pub(super) struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum PolicyCommand {
    /// Show what each rule would make of a call, and why; runs nothing and opens no database
    Explain(ExplainArgs),
}

#[derive(Args, Clone, Debug)]
struct ExplainArgs {
    /// The name of the endpoint; of a resource its URI as it is written in its file
    endpoint: String,
    /// A parameter as name=value; name=@file reads JSON from a file
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// Who calls, as a JSON object or @file, as for `mxcp run`; otherwise nobody known
    #[arg(short, long, value_name = "JSON|@FILE")]
    user_context: Option<String>,
    /// What the endpoint would give, as JSON or @file, to be judged by the output rules
    #[arg(long, value_name = "JSON|@FILE")]
    result: Option<String>,
    /// Print one JSON document
    #[arg(long = "json", alias = "json-output")]
    is_json: bool,
    #[command(flatten)]
    common: Common,
}

impl PolicyArgs {
    pub(super) const fn is_json(&self) -> bool {
        let PolicyCommand::Explain(args) = &self.command;
        args.is_json
    }
}

pub(super) fn run(args: &PolicyArgs) -> anyhow::Result<Report> {
    let PolicyCommand::Explain(args) = &args.command;
    let params = read_params(&args.params)?;
    let result = args.result.as_deref().map(|text| read_json("--result", text)).transpose()?;
    let principal = match args.user_context.as_deref() {
        Some(text) => read_user(text)?.0,
        None => Principal::anonymous(),
    };
    let configuration = args.common.load(LoadWishes::default())?;
    let (catalog, book) = endpoints(&configuration).map_err(|faults| anyhow!("{}", faults.join("\n")))?;
    let entry = catalog.iter().find(|entry| entry.definition.name == args.endpoint);
    let entry = entry.ok_or_else(|| anyhow!("there is no endpoint '{}'", args.endpoint))?;
    let arguments = entry.convert_arguments(params);
    let arguments = arguments.map_err(|why| anyhow!("such a call is refused before any rule is looked at: {why}"))?;
    let input = book.explain_input(&args.endpoint, &principal, &arguments);
    // A denied call never runs, so there is nothing to judge.
    let response = result.filter(|_| input.verdict.denial.is_none());
    let output = response.map(|mut response| {
        let report = book.explain_output(&args.endpoint, &principal, &mut response);
        (report, response)
    });
    let (_, output_rules) = book.count(&args.endpoint);
    let explained = Explained { endpoint: &args.endpoint, input, output, output_rules };
    Ok(Report::new(explained.text(), explained.json()))
}

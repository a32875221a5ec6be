//! `mxcp policy explain`: what the rules would make of a call, and why.

mod report;

use super::context::{Common, LoadWishes};
use super::output::Report;
use super::run::{read_json, read_params};
use super::user_context::GivenUser;
use crate::config::Configuration;
use crate::wiring::{endpoints, scope_rules};
use anyhow::anyhow;
use clap::{Args, Subcommand};
use mxcp_actors::model::endpoint::EndpointKind;
use mxcp_actors::model::principal::Principal;
use mxcp_actors::tool_calls::{CatalogEntry, ToolCatalog};
use report::{Explained, NeededScopes};
use serde_json::{Map, Value};
use std::sync::Arc;

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
    /// The name of the endpoint; of a resource the template of its URI, with parameters, or a URI that holds them
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
    let given = GivenUser::read(args.user_context.as_deref())?;
    let configuration = args.common.load(LoadWishes::default())?;
    given.warn();
    let principal = given.principal;
    let (catalog, book) = endpoints(&configuration).map_err(|faults| anyhow!("{}", faults.join("\n")))?;
    let (entry, arguments) = find(&catalog, &args.endpoint, &params)?;
    let endpoint = entry.definition.name.as_str();
    let arguments = entry.convert_arguments(arguments);
    let arguments = arguments.map_err(|why| anyhow!("such a call is refused before any rule is looked at: {why}"))?;
    let input = book.explain_input(endpoint, &principal, &arguments);
    // A denied call never runs, so there is nothing to judge.
    let response = result.filter(|_| input.verdict.denial.is_none());
    let output = response.map(|mut response| {
        let report = book.explain_output(endpoint, &principal, &mut response);
        (report, response)
    });
    let (_, output_rules) = book.count(endpoint);
    let scopes = needed_scopes(&configuration, &entry, &principal);
    let explained = Explained { endpoint, scopes, input, output, output_rules };
    Ok(Report::new(explained.text(), explained.json()))
}

/// The endpoint of that name, whatever its kind, or the resource that a URI means, with the arguments.
fn find(
    catalog: &ToolCatalog,
    name: &str,
    params: &Map<String, Value>,
) -> anyhow::Result<(Arc<CatalogEntry>, Map<String, Value>)> {
    let has_params = !params.is_empty();
    let found = EndpointKind::ALL.into_iter().find_map(|kind| catalog.resolve(kind, name, params.clone()));
    found.ok_or_else(|| {
        let is_uri = has_params && catalog.resolve(EndpointKind::Resource, name, Map::new()).is_some();
        let why = if is_uri { "; a URI holds its parameters itself, so leave out --param" } else { "" };
        anyhow!("there is no endpoint '{name}'{why}")
    })
}

/// What a caller's token must allow, and what of it a login of this user could give.
fn needed_scopes(configuration: &Configuration, entry: &CatalogEntry, principal: &Principal) -> NeededScopes {
    let required = configuration.auth.authorization.required_scopes.union(&entry.definition.scopes);
    let rules = scope_rules(&configuration.auth);
    let granted =
        principal.user.as_ref().map(|user| rules.rights(&required, &rules.entitlement(user)).narrow(&required));
    NeededScopes { required, granted }
}

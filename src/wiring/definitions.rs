//! From endpoint files to definitions that every worker shares.

use crate::adapters::duckdb::DuckDbEngine;
use crate::config::{
    AuthConfiguration, AuthorizationConfiguration, Configuration, ProviderSettings, VerifierConfiguration,
};
use anyhow::anyhow;
use mxcp_actors::policy::{Endpoint, PolicyBook, PolicyCompileError};
use mxcp_actors::ports::sql_engine::SqlEngine;
use mxcp_actors::scope_rules::ScopeRules;
use mxcp_actors::supervisor::Definitions;
use mxcp_actors::tool_calls::ToolCatalog;
use mxcp_actors::user_mapping::UserMapping;
use std::sync::Arc;

/// Everything about endpoints that can be worked out before the first call: schemas, validators,
/// compiled rules, and whether the SQL makes sense to the database as it is now.
pub(super) async fn definitions(configuration: &Configuration, engine: &DuckDbEngine) -> anyhow::Result<Definitions> {
    let compiled = endpoints(configuration);
    let mut faults = sql_faults(configuration, engine).await;
    match compiled {
        Ok((catalog, book)) if faults.is_empty() => {
            let user_mapping = Arc::new(user_mapping(&configuration.auth));
            let scope_rules = Arc::new(scope_rules(&configuration.auth));
            Ok(Definitions { catalog: Arc::new(catalog), policy_book: Arc::new(book), user_mapping, scope_rules })
        }
        compiled => {
            let mut all = compiled.err().unwrap_or_default();
            all.append(&mut faults);
            Err(anyhow!("Found {} endpoint(s) with errors\n{}", all.len(), all.join("\n")))
        }
    }
}

/// What is wrong with endpoints whatever the database holds.
#[must_use]
pub fn tool_faults(configuration: &Configuration) -> Vec<String> {
    endpoints(configuration).err().unwrap_or_default()
}

/// Which SQL makes no sense to the database as it is now.
pub async fn sql_faults(configuration: &Configuration, engine: &DuckDbEngine) -> Vec<String> {
    let mut faults = Vec::new();
    for tool in configuration.tools.iter().filter(|tool| !tool.sql.is_empty()) {
        if let Err(fault) = check_sql(engine, tool).await {
            faults.push(format!("{}: {} '{}': {fault}", tool.path.display(), tool.kind().as_str(), tool.name));
        }
    }
    faults
}

/// The endpoints and their rules, without a look at the database.
///
/// # Errors
/// Whatever is wrong with them.
pub fn endpoints(configuration: &Configuration) -> Result<(ToolCatalog, PolicyBook), Vec<String>> {
    let tools = configuration.tools.clone();
    let ruled = tools.iter().map(|tool| Endpoint {
        name: tool.name.clone(),
        kind: tool.kind(),
        parameters: tool.parameters.iter().map(|parameter| parameter.name.clone()).collect(),
        returns: tool.returns.clone(),
        policies: tool.policies.clone(),
    });
    let mut faults = Vec::new();
    let book = PolicyBook::compile(&configuration.auth.policies, ruled.collect());
    let book = book.map_err(|errors| faults.extend(errors.iter().map(|error| policy_fault(configuration, error))));
    let catalog = ToolCatalog::build(tools);
    let catalog = catalog.map_err(|errors| faults.extend(errors.iter().map(ToString::to_string)));
    match (catalog, book) {
        (Ok(catalog), Ok(book)) => Ok((catalog.under(&book), book)),
        _ => Err(faults),
    }
}

/// The fault with the file that it is in.
fn policy_fault(configuration: &Configuration, error: &PolicyCompileError) -> String {
    let tool = configuration.tools.iter().find(|tool| tool.name == error.place);
    tool.map_or_else(|| error.to_string(), |tool| format!("{}: {error}", tool.path.display()))
}

fn user_mapping(auth: &AuthConfiguration) -> UserMapping {
    let of_provider = |provider: &ProviderSettings| (provider.name.clone(), provider.claim_mappings.clone());
    let of_issuer = |issuer: &VerifierConfiguration| (issuer.provider_name.clone(), issuer.claim_mappings.clone());
    let by_provider = auth.providers.iter().map(of_provider).chain(auth.verifier.iter().map(of_issuer));
    UserMapping::new(by_provider.collect(), auth.user_mapping.clone())
}

/// Who may have which scopes.
#[must_use]
pub fn scope_rules(auth: &AuthConfiguration) -> ScopeRules {
    let AuthorizationConfiguration { hierarchy, grants, .. } = auth.authorization.clone();
    ScopeRules::new(hierarchy, grants, auth.clients.iter().map(|client| (&client.id, &client.scopes)))
}

async fn check_sql(engine: &DuckDbEngine, tool: &mxcp_actors::model::tool::ToolDefinition) -> Result<(), String> {
    let used = engine.describe(Arc::clone(&tool.sql)).await.map_err(|error| error.to_string())?;
    let declared = |name: &String| tool.parameters.iter().any(|parameter| parameter.name == *name);
    let undeclared: Vec<&str> = used.iter().filter(|name| !declared(name)).map(String::as_str).collect();
    let unused: Vec<&str> = tool
        .parameters
        .iter()
        .map(|parameter| parameter.name.as_str())
        .filter(|name| !used.iter().any(|other| other == name))
        .collect();
    if undeclared.is_empty() && unused.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the parameters and the SQL do not fit: missing in parameters: [{}], unused in the SQL: [{}]",
        undeclared.join(", "),
        unused.join(", ")
    ))
}

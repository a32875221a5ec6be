//! The rules of a profile that change results, against what there is to change.

use super::error::ConfigError;
use super::sql_tools::SqlTools;
use mxcp_actors::model::endpoint::EndpointKind;
use mxcp_actors::model::field_name::is_same_field;
use mxcp_actors::model::policy::PolicyAction;
use mxcp_actors::model::schema::TypeDefinition;
use mxcp_actors::model::tool::ToolDefinition;
use mxcp_actors::policy::{PathFit, Room, fit};

/// A rule of a profile that changes results, with its places in the file.
#[derive(Clone, Debug)]
pub(super) struct ResultRule {
    /// Where its action stands.
    pub(super) at: ConfigError,
    pub(super) action: PolicyAction,
    /// The fields that it names, each with its place.
    pub(super) fields: Vec<(String, ConfigError)>,
}

/// The one field of a prompt's messages that rules can do something about: `role` and `type` are the
/// author's.
pub(super) fn is_of_messages(path: &str) -> bool {
    is_same_field(path, "prompt")
}

/// Refuses rules that would seem to protect something from callers who write their own SQL.
pub(super) fn refuse_beside_sql_tools(rules: &[ResultRule], sql_tools: &SqlTools) -> Vec<ConfigError> {
    if sql_tools.may_bypass_field_policies {
        return Vec::new();
    }
    let refuse = |rule: &ResultRule| {
        let message = format!(
            "{} cannot hold while sql_tools are enabled: callers of execute_sql_query write their own SQL and may name \
             columns as they like; set sql_tools.enabled to false in mxcp-site.yml (or serve without --sql-tools), or \
             set sql_tools.may_bypass_field_policies to true there if whoever may call them may see these fields; an input \
             rule can keep the others away: endpoint.name == 'execute_sql_query' && user.role != 'admin'",
            rule.action.as_str()
        );
        ConfigError { message, ..rule.at.clone() }
    };
    rules.iter().map(refuse).collect()
}

/// Warns of fields that no result has, where all results are declared: a slip of the pen would protect
/// nothing.
pub(super) fn idle_rules(rules: &[ResultRule], endpoints: &[ToolDefinition]) -> Vec<String> {
    if endpoints.is_empty() {
        return Vec::new();
    }
    let mut warnings = Vec::new();
    let mut warn = |at: &ConfigError, message: &str| {
        warnings.push(ConfigError { message: message.to_owned(), ..at.clone() }.to_string());
    };
    for rule in rules {
        let is_idle = !endpoints.iter().any(|of| of.returns.as_ref().is_some_and(TypeDefinition::has_sensitive));
        if rule.action == PolicyAction::FilterSensitiveFields && is_idle {
            warn(&rule.at, "filter_sensitive_fields does nothing: no endpoint marks anything with sensitive: true");
        }
        for (path, at) in &rule.fields {
            if !endpoints.iter().any(|endpoint| may_have(endpoint, path)) {
                warn(at, "no endpoint's return has such a field, so the rule does nothing; correct the name");
            }
        }
    }
    warnings
}

/// Whether there may be something at `path` in a result of `endpoint`.
fn may_have(endpoint: &ToolDefinition, path: &str) -> bool {
    if endpoint.kind() == EndpointKind::Prompt {
        return is_of_messages(path);
    }
    let Some(of) = &endpoint.returns else { return true };
    matches!(fit(of, path), PathFit::Fits | PathFit::Misses { room: Room::Open, .. })
}

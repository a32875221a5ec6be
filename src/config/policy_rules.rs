//! `policies` of an endpoint or of a profile.

use super::reader::{Field, Table};
use mxcp_actors::model::policy::{PolicyAction, PolicyRule, PolicySet, PolicyTarget};
use mxcp_actors::model::tool::Parameter;

/// The values of `action`.
const ACTIONS: [(&str, PolicyAction); 4] = [
    ("deny", PolicyAction::Deny),
    ("filter_fields", PolicyAction::FilterFields),
    ("mask_fields", PolicyAction::MaskFields),
    ("filter_sensitive_fields", PolicyAction::FilterSensitiveFields),
];

/// Reads the rules of an endpoint with these parameters, or those of a profile.
pub(super) fn read(field: &Field<'_>, parameters: &[Parameter]) -> Option<PolicySet> {
    let parameters: Vec<String> = parameters.iter().map(|parameter| parameter.name.clone()).collect();
    field.table(|table| {
        let mut rules = |target: PolicyTarget| {
            let known = target.variables(&parameters);
            let rules = table.get(target.as_str()).map(|field| field.list(|item| read_rule(&item, target, &known)));
            rules.unwrap_or_else(|| Some(Vec::new()))
        };
        let (input, output) = (rules(PolicyTarget::Input), rules(PolicyTarget::Output));
        if parameters.iter().any(|name| name == "user") && input.as_ref().is_some_and(|rules| !rules.is_empty()) {
            table.field().warn("no condition can ask about the parameter 'user', because there user is the caller");
        }
        Some(PolicySet { input: input?, output: output? })
    })
}

fn read_rule(field: &Field<'_>, target: PolicyTarget, known: &[&str]) -> Option<PolicyRule> {
    field.table(|table| {
        let condition = table.require("condition").and_then(|field| field.condition(known));
        let action = table.require("action").and_then(|field| read_action(&field, target));
        let reason = table.get("reason").and_then(|field| field.nonempty_text());
        let fields = read_fields(table, action);
        Some(PolicyRule { condition: condition?, action: action?, reason, fields: fields? })
    })
}

fn read_action(field: &Field<'_>, target: PolicyTarget) -> Option<PolicyAction> {
    let action = field.choice(&ACTIONS)?;
    if target == PolicyTarget::Input && action != PolicyAction::Deny {
        // It would do nothing, and its author believes that it protects something.
        field.fault("an input rule can only deny; rules that change the response belong under output");
        return None;
    }
    Some(action)
}

fn read_fields(table: &mut Table<'_, '_>, action: Option<PolicyAction>) -> Option<Vec<String>> {
    let needs_fields = matches!(action, Some(PolicyAction::FilterFields | PolicyAction::MaskFields));
    if !needs_fields {
        let given = table.get("fields").filter(|field| !field.is_empty() && action.is_some());
        given.inspect(|field| field.warn("has no effect with this action"));
        return Some(Vec::new());
    }
    let field = table.require("fields")?;
    if field.is_list() && field.is_empty() {
        field.fault("must name at least one field");
        return None;
    }
    field.list(|item| item.nonempty_text())
}

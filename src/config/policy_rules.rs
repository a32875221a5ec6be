//! `policies` of an endpoint.

use super::reader::{Field, Table};
use mxcp_actors::model::policy::{PolicyAction, PolicyRule, PolicySet};

/// The values of `action`.
const ACTIONS: [(&str, PolicyAction); 4] = [
    ("deny", PolicyAction::Deny),
    ("filter_fields", PolicyAction::FilterFields),
    ("mask_fields", PolicyAction::MaskFields),
    ("filter_sensitive_fields", PolicyAction::FilterSensitiveFields),
];

/// Reads the rules. Whether a condition makes sense is for the one to say who evaluates it.
pub(super) fn read(field: &Field<'_>) -> Option<PolicySet> {
    field.table(|table| {
        let mut rules = |key, is_input| {
            let rules = table.get(key).map(|field| field.list(|item| read_rule(&item, is_input)));
            rules.unwrap_or_else(|| Some(Vec::new()))
        };
        let (input, output) = (rules("input", true), rules("output", false));
        Some(PolicySet { input: input?, output: output? })
    })
}

fn read_rule(field: &Field<'_>, is_input: bool) -> Option<PolicyRule> {
    field.table(|table| {
        let condition = table.require("condition").and_then(|field| field.nonempty_text());
        let action = table.require("action").and_then(|field| read_action(&field, is_input));
        let reason = table.get("reason").and_then(|field| field.nonempty_text());
        let fields = read_fields(table, action);
        Some(PolicyRule { condition: condition?, action: action?, reason, fields: fields? })
    })
}

fn read_action(field: &Field<'_>, is_input: bool) -> Option<PolicyAction> {
    let action = field.choice(&ACTIONS)?;
    if is_input && action != PolicyAction::Deny {
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

//! `policies` of an endpoint or of a profile.

use super::reader::{Field, Table};
use mxcp_actors::model::policy::{PolicyAction, PolicyRule, PolicySet, PolicyTarget};
use mxcp_actors::model::schema::TypeDefinition;
use mxcp_actors::model::tool::Parameter;
use mxcp_actors::policy::{PathFit, fit, is_path};

/// The values of `action`.
const ACTIONS: [(&str, PolicyAction); 4] = [
    ("deny", PolicyAction::Deny),
    ("filter_fields", PolicyAction::FilterFields),
    ("mask_fields", PolicyAction::MaskFields),
    ("filter_sensitive_fields", PolicyAction::FilterSensitiveFields),
];

/// What is known of the results that rules are about.
#[derive(Clone, Copy)]
pub(super) enum Results<'a> {
    /// They are those of any endpoint, or what is declared of them is at fault or told elsewhere.
    Unknown,
    /// An endpoint's, as it declares them, if it does.
    Declared(Option<&'a TypeDefinition>),
}

/// Reads the rules of an endpoint with these parameters and results, or those of a profile.
pub(super) fn read(field: &Field<'_>, parameters: &[Parameter], results: Results<'_>) -> Option<PolicySet> {
    let parameters: Vec<String> = parameters.iter().map(|parameter| parameter.name.clone()).collect();
    field.table(|table| {
        let mut rules = |target: PolicyTarget| {
            let known = target.variables(&parameters);
            let rules =
                table.get(target.as_str()).map(|field| field.list(|item| read_rule(&item, target, &known, results)));
            rules.unwrap_or_else(|| Some(Vec::new()))
        };
        let (input, output) = (rules(PolicyTarget::Input), rules(PolicyTarget::Output));
        if parameters.iter().any(|name| name == "user") && input.as_ref().is_some_and(|rules| !rules.is_empty()) {
            table.field().warn("no condition can ask about the parameter 'user', because there user is the caller");
        }
        Some(PolicySet { input: input?, output: output? })
    })
}

fn read_rule(field: &Field<'_>, target: PolicyTarget, known: &[&str], results: Results<'_>) -> Option<PolicyRule> {
    field.table(|table| {
        let condition = table.require("condition").and_then(|field| field.condition(known));
        let action = table.require("action").and_then(|field| read_action(&field, target, results));
        let reason = table.get("reason").and_then(|field| field.nonempty_text());
        let fields = read_fields(table, action, results);
        Some(PolicyRule { condition: condition?, action: action?, reason, fields: fields? })
    })
}

fn read_action(field: &Field<'_>, target: PolicyTarget, results: Results<'_>) -> Option<PolicyAction> {
    let action = field.choice(&ACTIONS)?;
    if target == PolicyTarget::Input && action != PolicyAction::Deny {
        // It would do nothing, and its author believes that it protects something.
        field.fault("an input rule can only deny; rules that change the response belong under output");
        return None;
    }
    let has_sensitive = |of: Option<&TypeDefinition>| of.is_some_and(TypeDefinition::has_sensitive);
    if let (PolicyAction::FilterSensitiveFields, Results::Declared(of)) = (action, results)
        && !has_sensitive(of)
    {
        field.fault("filter_sensitive_fields has nothing to filter: mark fields of return with sensitive: true");
        return None;
    }
    Some(action)
}

fn read_fields(table: &mut Table<'_, '_>, action: Option<PolicyAction>, results: Results<'_>) -> Option<Vec<String>> {
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
    field.list(|item| read_path(&item, results))
}

/// A path that leads nowhere would let through what its author believes to be protected.
fn read_path(field: &Field<'_>, results: Results<'_>) -> Option<String> {
    let path = field.nonempty_text()?;
    if !is_path(&path) {
        field.fault("expected names joined by single dots, such as customer.email");
        return None;
    }
    let Results::Declared(Some(of)) = results else { return Some(path) };
    match fit(of, &path) {
        PathFit::Fits => {}
        PathFit::Unlisted => field.warn("return does not list such a field; if there is none, the rule does nothing"),
        PathFit::Impossible => {
            field.fault("return can have no such field, so the rule would protect nothing; correct the name");
            return None;
        }
    }
    Some(path)
}

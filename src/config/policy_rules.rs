//! `policies` of an endpoint or of a profile.

use super::error::ConfigError;
use super::reader::{Field, Table};
use super::result_rules::{ResultRule, is_of_messages};
use super::suggestion;
use mxcp_actors::model::policy::{PolicyAction, PolicyRule, PolicySet, PolicyTarget};
use mxcp_actors::model::schema::TypeDefinition;
use mxcp_actors::model::tool::Parameter;
use mxcp_actors::policy::{PathFit, Room, fit, is_path};

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
    /// The messages of a prompt.
    Messages,
}

/// Reads the rules of an endpoint with these parameters and results.
pub(super) fn read(field: &Field<'_>, parameters: &[Parameter], results: Results<'_>) -> Option<PolicySet> {
    let has_sensitive = match results {
        Results::Unknown => true,
        Results::Declared(of) => of.is_some_and(TypeDefinition::has_sensitive),
        Results::Messages => parameters.iter().any(|parameter| parameter.of.has_sensitive()),
    };
    RuleReader { results, has_sensitive, changes: Vec::new() }.read(field, Some(parameters))
}

/// Reads the rules of a profile, and where those stand that change results.
pub(super) fn read_of_profile(field: &Field<'_>) -> (Option<PolicySet>, Vec<ResultRule>) {
    let mut reader = RuleReader { results: Results::Unknown, has_sensitive: true, changes: Vec::new() };
    (reader.read(field, None), reader.changes)
}

/// The rules of one block while they are read.
struct RuleReader<'a> {
    results: Results<'a>,
    /// Whether there is something for `filter_sensitive_fields`.
    has_sensitive: bool,
    /// The rules so far that change results.
    changes: Vec<ResultRule>,
}

impl RuleReader<'_> {
    /// The rules of an endpoint with these parameters, or of a profile.
    fn read(&mut self, field: &Field<'_>, parameters: Option<&[Parameter]>) -> Option<PolicySet> {
        let names = |of: &[Parameter]| of.iter().map(|parameter| parameter.name.clone()).collect::<Vec<_>>();
        let parameters = parameters.map(names);
        field.table(|table| {
            let mut rules = |target: PolicyTarget| {
                let known = match &parameters {
                    Some(parameters) => target.variables(parameters),
                    None => target.variables_of_profile(),
                };
                let rules = table.get(target.as_str());
                let rules = rules.map(|field| field.list(|item| self.read_rule(&item, target, &known)));
                rules.unwrap_or_else(|| Some(Vec::new()))
            };
            let (input, output) = (rules(PolicyTarget::Input), rules(PolicyTarget::Output));
            let has_user = parameters.iter().flatten().any(|name| name == "user");
            if has_user && input.as_ref().is_some_and(|rules| !rules.is_empty()) {
                table.field().warn("no condition can ask about the parameter 'user', because there user is the caller");
            }
            Some(PolicySet { input: input?, output: output? })
        })
    }

    fn read_rule(&mut self, field: &Field<'_>, target: PolicyTarget, known: &[&str]) -> Option<PolicyRule> {
        field.table(|table| {
            let condition = table.require("condition").and_then(|field| field.condition(known));
            let action_field = table.require("action");
            let action = action_field.as_ref().and_then(|field| self.read_action(field, target));
            let reason = table.get("reason").and_then(|field| field.nonempty_text());
            let fields = self.read_fields(table, action);
            if let (Some(at), Some(action), Some(fields)) = (action_field, action, &fields)
                && action != PolicyAction::Deny
            {
                self.changes.push(ResultRule { at: at.place(), action, fields: fields.clone() });
            }
            let fields = fields?.into_iter().map(|(path, _)| path).collect();
            Some(PolicyRule { condition: condition?, action: action?, reason, fields })
        })
    }

    fn read_action(&self, field: &Field<'_>, target: PolicyTarget) -> Option<PolicyAction> {
        let action = field.choice(&ACTIONS)?;
        if target == PolicyTarget::Input && action != PolicyAction::Deny {
            // It would do nothing, and its author believes that it protects something.
            field.fault("an input rule can only deny; rules that change the response belong under output");
            return None;
        }
        if action == PolicyAction::FilterSensitiveFields && !self.has_sensitive {
            field.fault(match self.results {
                Results::Messages => {
                    "filter_sensitive_fields has nothing to filter: messages are sensitive when a parameter is; mark \
                     one with sensitive: true"
                }
                Results::Unknown | Results::Declared(_) => {
                    "filter_sensitive_fields has nothing to filter: mark fields of return with sensitive: true"
                }
            });
            return None;
        }
        Some(action)
    }

    /// The paths, each with its place.
    fn read_fields(
        &self,
        table: &mut Table<'_, '_>,
        action: Option<PolicyAction>,
    ) -> Option<Vec<(String, ConfigError)>> {
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
        field.list(|item| Some((read_path(&item, self.results)?, item.place())))
    }
}

/// A path that leads nowhere would let through what its author believes to be protected.
fn read_path(field: &Field<'_>, results: Results<'_>) -> Option<String> {
    let path = field.nonempty_text()?;
    if !is_path(&path) {
        field.fault("expected names joined by single dots, such as customer.email");
        return None;
    }
    let misfit = match results {
        Results::Unknown | Results::Declared(None) => None,
        Results::Declared(Some(of)) => misfit(of, &path),
        Results::Messages if is_of_messages(&path) => None,
        Results::Messages => Some((Room::Closed, NO_MESSAGE_FIELD.to_owned())),
    };
    match misfit {
        None => {}
        Some((Room::Open, why)) => field.warn(&why),
        Some((Room::Unsaid | Room::Closed, why)) => {
            field.fault(why);
            return None;
        }
    }
    Some(path)
}

/// What is said of a field of a prompt.
const NO_MESSAGE_FIELD: &str = "a prompt gives messages, of which only the field 'prompt', their text, can be taken \
     out or covered; name that one";

/// What is wrong with a path that leads to nothing that is declared.
fn misfit(of: &TypeDefinition, path: &str) -> Option<(Room, String)> {
    let PathFit::Misses { room, declared } = fit(of, path) else { return None };
    let declared: Vec<&str> = declared.iter().map(String::as_str).collect();
    let hint = suggestion::closest(path, &declared).map(|path| format!("; did you mean '{path}'?"));
    let why = match room {
        Room::Open => "return does not list such a field; if there is none, the rule does nothing",
        Room::Unsaid => "return lists other fields and not this one, so the rule may protect nothing",
        Room::Closed => "return can have no such field, so the rule would protect nothing",
    };
    let hint = hint.unwrap_or_else(|| match room {
        Room::Open => String::new(),
        Room::Unsaid => "; correct the name, add it to return, or say additionalProperties: true there".to_owned(),
        Room::Closed => "; correct the name".to_owned(),
    });
    Some((room, format!("{why}{hint}")))
}

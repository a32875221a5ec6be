//! The compiled rules, and how they are judged by.

use super::reshape;
use super::rule::CompiledRule;
use crate::expression::{Budget, cel_value};
use crate::model::policy::{PolicyAction, PolicyRule, Verdict};
use crate::model::schema::TypeDefinition;
use cel_interpreter::Context;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// The variable that is the caller.
pub(super) const USER: &str = "user";
/// The variable that is the response.
pub(super) const RESPONSE: &str = "response";

/// The rules of one endpoint, those of the profile before its own.
#[derive(Debug, Default)]
pub(super) struct CompiledPolicies {
    pub(super) input: Vec<Arc<CompiledRule>>,
    pub(super) output: Vec<Arc<CompiledRule>>,
    pub(super) returns: Option<TypeDefinition>,
}

/// All compiled rules, by endpoint. Read-only; shared by all workers.
#[derive(Debug, Default)]
pub struct PolicyBook {
    endpoints: HashMap<String, CompiledPolicies>,
    /// The rules of the profile, which hold for whatever has no entry too.
    anything_else: CompiledPolicies,
}

impl PolicyBook {
    pub(super) fn new(endpoints: HashMap<String, CompiledPolicies>, anything_else: CompiledPolicies) -> Self {
        Self { endpoints, anything_else }
    }

    pub(super) fn of(&self, endpoint: &str) -> &CompiledPolicies {
        self.endpoints.get(endpoint).unwrap_or(&self.anything_else)
    }

    pub(super) fn judges_input(&self, endpoint: &str) -> bool {
        !self.of(endpoint).input.is_empty()
    }

    pub(super) fn judges_output(&self, endpoint: &str) -> bool {
        !self.of(endpoint).output.is_empty()
    }

    /// Judges a call: the first rule whose condition holds, or cannot be evaluated, refuses it.
    pub(super) fn decide_input(
        &self,
        endpoint: &str,
        user: &Context<'_, '_>,
        arguments: &Map<String, Value>,
    ) -> Verdict {
        let rules = &self.of(endpoint).input;
        let context = context_of_input(rules, user, arguments);
        let (mut verdict, mut budget) = (Verdict::default(), Budget::default());
        for rule in rules {
            verdict.evaluated.push(rule.label.clone());
            verdict.denial = match rule.holds(&context, &mut budget) {
                Ok(false) => None,
                Ok(true) => Some(rule.denial()),
                Err(why) => Some(rule.failure(&why)),
            };
            if verdict.denial.is_some() {
                break;
            }
        }
        verdict
    }

    /// Judges a response and changes it as the rules say. All conditions see the response as it
    /// came; what a rule takes out stays out.
    pub(super) fn decide_output(&self, endpoint: &str, user: &Context<'_, '_>, response: &mut Value) -> Verdict {
        let policies = self.of(endpoint);
        let mut verdict = Verdict::default();
        let Some(changes) = judge_output(policies, user, response, &mut verdict) else {
            *response = Value::Null;
            return verdict;
        };
        for rule in changes {
            if apply(rule, policies.returns.as_ref(), response) {
                verdict.modified_by = Some(rule.action);
            }
        }
        verdict
    }
}

/// The rules that change the response, in order; none when it is withheld. They are applied once
/// all conditions were judged, so that the response need not be copied for them.
fn judge_output<'p>(
    policies: &'p CompiledPolicies,
    user: &Context<'_, '_>,
    response: &Value,
    verdict: &mut Verdict,
) -> Option<Vec<&'p PolicyRule>> {
    let context = context_of_output(&policies.output, user, response);
    let (mut changes, mut budget) = (Vec::new(), Budget::default());
    for rule in &policies.output {
        verdict.evaluated.push(rule.label.clone());
        match rule.holds(&context, &mut budget) {
            Ok(false) => {}
            Ok(true) if rule.rule.action == PolicyAction::Deny => verdict.denial = Some(rule.denial()),
            Ok(true) => changes.push(&rule.rule),
            Err(why) => verdict.denial = Some(rule.failure(&why)),
        }
        if verdict.denial.is_some() {
            return None;
        }
    }
    Some(changes)
}

/// The arguments that the rules ask for, beside the user, whom no parameter can stand in for.
pub(super) fn context_of_input<'c, 'v: 'c>(
    rules: &[Arc<CompiledRule>],
    user: &'c Context<'c, 'v>,
    arguments: &'v Map<String, Value>,
) -> Context<'c, 'v> {
    let mut context = user.new_inner_scope();
    for (name, value) in arguments {
        if name != USER && rules.iter().any(|rule| rule.names(name)) {
            context.add_variable_as_val(name.as_str(), cel_value(value));
        }
    }
    context
}

/// The response, if a rule asks for it, beside the user.
pub(super) fn context_of_output<'c, 'v: 'c>(
    rules: &[Arc<CompiledRule>],
    user: &'c Context<'c, 'v>,
    response: &'v Value,
) -> Context<'c, 'v> {
    let mut context = user.new_inner_scope();
    if rules.iter().any(|rule| rule.names(RESPONSE)) {
        context.add_variable_as_val(RESPONSE, cel_value(response));
    }
    context
}

/// Tells whether there was anything to change, which need not be looked for again.
fn apply(rule: &PolicyRule, returns: Option<&TypeDefinition>, response: &mut Value) -> bool {
    let mut for_each = |change: fn(&mut Value, &str) -> bool| {
        rule.fields.iter().fold(false, |is_changed, path| change(response, path) | is_changed)
    };
    match rule.action {
        PolicyAction::Deny => {
            *response = Value::Null;
            true
        }
        PolicyAction::FilterFields => for_each(reshape::filter),
        PolicyAction::MaskFields => for_each(reshape::mask),
        PolicyAction::FilterSensitiveFields => returns.is_some_and(|of| reshape::filter_sensitive(response, of)),
    }
}

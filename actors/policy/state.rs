//! The compiled rules, and how they are judged by.

use super::contexts::Contexts;
use super::reshape;
use super::rule::CompiledRule;
use crate::expression::Budget;
use crate::model::endpoint::EndpointKind;
use crate::model::policy::{PolicyAction, PolicyRule, Verdict};
use crate::model::schema::TypeDefinition;
use cel_interpreter::Context;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// The rules of one endpoint, those of the profile before its own.
#[derive(Debug, Default)]
pub(super) struct CompiledPolicies {
    /// What `endpoint` is in the rules of the profile; `None` for whatever the book does not know.
    pub(super) endpoint: Option<Value>,
    pub(super) input: Vec<Arc<CompiledRule>>,
    pub(super) output: Vec<Arc<CompiledRule>>,
    pub(super) returns: Option<TypeDefinition>,
}

/// What conditions of a profile may ask about an endpoint.
pub(super) fn describe(name: &str, kind: Option<EndpointKind>) -> Value {
    match kind {
        Some(kind) => json!({"name": name, "type": kind.as_str()}),
        // A rule that asks for the type of something unknown cannot be evaluated, and refuses.
        None => json!({"name": name}),
    }
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
        let policies = self.of(endpoint);
        let rules = &policies.input;
        let contexts = Contexts::of_input(policies, endpoint, user, arguments);
        let (mut verdict, mut budget) = (Verdict::default(), Budget::default());
        for rule in rules {
            verdict.evaluated.push(rule.label.clone());
            verdict.denial = match rule.holds(contexts.of(rule), &mut budget) {
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
        let Some(changes) = judge_output((endpoint, policies), user, response, &mut verdict) else {
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
    (endpoint, policies): (&str, &'p CompiledPolicies),
    user: &Context<'_, '_>,
    response: &Value,
    verdict: &mut Verdict,
) -> Option<Vec<&'p PolicyRule>> {
    let contexts = Contexts::of_output(policies, endpoint, user, response);
    let (mut changes, mut budget) = (Vec::new(), Budget::default());
    for rule in &policies.output {
        verdict.evaluated.push(rule.label.clone());
        match rule.holds(contexts.of(rule), &mut budget) {
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

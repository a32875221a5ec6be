//! The compiled rules, and how they are judged by.

use super::compile::PolicyTarget;
use super::reshape;
use crate::expression::{Expression, context};
use crate::model::policy::{Denial, PolicyAction, PolicyRule, Verdict};
use crate::model::principal::Principal;
use crate::model::schema::TypeDefinition;
use cel_interpreter::{Context, Value as CelValue, to_value};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;

const INPUT_REASON: &str = "Access denied by policy";
const OUTPUT_REASON: &str = "Output blocked by policy";
/// Users whose CEL form is kept; beyond it all are forgotten and made anew when needed.
const CACHED_USERS_MAX: usize = 1_024;

/// A rule that compiled.
#[derive(Debug)]
pub(super) struct CompiledRule {
    condition: Expression,
    rule: PolicyRule,
    label: String,
}

impl CompiledRule {
    pub(super) fn new(condition: Expression, rule: PolicyRule, target: PolicyTarget, index: usize) -> Self {
        let label = format!("{}[{index}]: {}", target.as_str(), rule.condition);
        Self { condition, rule, label }
    }

    fn holds(&self, context: &Context<'_, '_>) -> Result<bool, String> {
        self.condition.holds(context)
    }

    fn denial(&self, default_reason: &str) -> Denial {
        Denial { reason: self.rule.reason.clone().unwrap_or_else(|| default_reason.to_owned()), detail: None }
    }

    /// The refusal when the condition could not be evaluated: the operator learns why, the
    /// caller does not.
    fn failure(&self, why: &str, default_reason: &str) -> Denial {
        let detail = format!("{} could not be evaluated: {why}", self.label);
        Denial { reason: default_reason.to_owned(), detail: Some(detail) }
    }
}

/// The rules of one endpoint.
#[derive(Debug)]
pub(super) struct CompiledPolicies {
    pub(super) input: Vec<CompiledRule>,
    pub(super) output: Vec<CompiledRule>,
    pub(super) returns: Option<TypeDefinition>,
}

/// All compiled rules, by endpoint. Read-only; shared by all workers.
#[derive(Debug, Default)]
pub struct PolicyBook {
    endpoints: HashMap<String, CompiledPolicies>,
}

impl PolicyBook {
    pub(super) fn new(endpoints: HashMap<String, CompiledPolicies>) -> Self {
        Self { endpoints }
    }

    /// Judges a call: the first rule whose condition holds, or cannot be evaluated, refuses it.
    pub(super) fn decide_input(&self, endpoint: &str, user: &CelValue, arguments: &Map<String, Value>) -> Verdict {
        let mut verdict = Verdict::default();
        let Some(policies) = self.endpoints.get(endpoint) else { return verdict };
        let mut context = context();
        for (name, value) in arguments {
            // One without a CEL form stays out: a rule that reads it finds it missing and denies.
            if let Ok(value) = to_value(value) {
                context.add_variable_from_value(name.as_str(), value);
            }
        }
        // Last, so that no parameter can stand in for the user.
        context.add_variable_from_value("user", user.clone());
        for rule in &policies.input {
            verdict.evaluated.push(rule.label.clone());
            verdict.denial = match rule.holds(&context) {
                Ok(false) => None,
                Ok(true) => Some(rule.denial(INPUT_REASON)),
                Err(why) => Some(rule.failure(&why, INPUT_REASON)),
            };
            if verdict.denial.is_some() {
                break;
            }
        }
        verdict
    }

    /// Judges a response and changes it as the rules say. All conditions see the response as it
    /// came; what a rule takes out stays out.
    pub(super) fn decide_output(&self, endpoint: &str, user: &CelValue, response: &mut Value) -> Verdict {
        let mut verdict = Verdict::default();
        let Some(policies) = self.endpoints.get(endpoint) else { return verdict };
        if policies.output.is_empty() {
            return verdict;
        }
        let mut context = context();
        if let Ok(original) = to_value(&*response) {
            context.add_variable_from_value("response", original);
        }
        context.add_variable_from_value("user", user.clone());
        for rule in &policies.output {
            verdict.evaluated.push(rule.label.clone());
            match rule.holds(&context) {
                Ok(false) => continue,
                Ok(true) if rule.rule.action == PolicyAction::Deny => {
                    verdict.denial = Some(rule.denial(OUTPUT_REASON));
                }
                Ok(true) => {
                    apply(&rule.rule, policies.returns.as_ref(), response);
                    verdict.modified_by = Some(rule.rule.action);
                }
                Err(why) => verdict.denial = Some(rule.failure(&why, OUTPUT_REASON)),
            }
            if verdict.denial.is_some() {
                *response = Value::Null;
                break;
            }
        }
        verdict
    }
}

fn apply(rule: &PolicyRule, returns: Option<&TypeDefinition>, response: &mut Value) {
    match rule.action {
        PolicyAction::Deny => *response = Value::Null,
        PolicyAction::FilterFields => rule.fields.iter().for_each(|path| reshape::filter(response, path)),
        PolicyAction::MaskFields => rule.fields.iter().for_each(|path| reshape::mask(response, path)),
        PolicyAction::FilterSensitiveFields => {
            if let Some(of) = returns {
                reshape::filter_sensitive(response, of);
            }
        }
    }
}

/// The CEL form of users who called lately: it is made once per session, not once per call.
///
/// Keyed by the address of the shared principal, which stays taken as long as it is kept here.
#[derive(Debug, Default)]
pub(super) struct UserCache {
    users: HashMap<*const Principal, (Arc<Principal>, CelValue)>,
}

impl UserCache {
    pub(super) fn get(&mut self, principal: &Arc<Principal>) -> &CelValue {
        if self.users.len() >= CACHED_USERS_MAX {
            self.users.clear();
        }
        let make = || {
            // A user without a CEL form is null, so that every rule that reads it denies.
            let user = to_value(principal.policy_user()).unwrap_or(CelValue::Null);
            (Arc::clone(principal), user)
        };
        &self.users.entry(Arc::as_ptr(principal)).or_insert_with(make).1
    }
}

//! How the rules came to a verdict, for a person who wonders.

use super::contexts::Contexts;
use super::rule::CompiledRule;
use super::state::PolicyBook;
use super::users::context_of;
use crate::expression::Explanation;
use crate::model::policy::{PolicyAction, Verdict};
use crate::model::principal::Principal;
use serde_json::{Map, Value};
use std::sync::Arc;

/// What the rules made of a call or a response, and how.
#[derive(Clone, Debug)]
pub struct PolicyReport {
    /// The verdict, which is that of a real call.
    pub verdict: Verdict,
    /// Every rule in order, also those that were not looked at.
    pub rules: Vec<RuleReport>,
}

/// What a rule had to say.
#[derive(Clone, Debug)]
pub struct RuleReport {
    /// Its list, its place there and its condition, as in the audit log.
    pub label: String,
    /// What it does when its condition holds.
    pub action: PolicyAction,
    /// The fields that it filters or masks.
    pub fields: Vec<String>,
    /// What a caller is told.
    pub reason: Option<String>,
    /// How its condition came to what it says; `None` when an earlier rule had refused.
    pub explanation: Option<Explanation>,
}

impl PolicyBook {
    /// Judges a call as it would be judged, and tells how. The arguments are those after conversion.
    #[must_use]
    pub fn explain_input(&self, endpoint: &str, principal: &Principal, arguments: &Map<String, Value>) -> PolicyReport {
        let (policies, user) = (self.of(endpoint), context_of(principal));
        let verdict = self.decide_input(endpoint, &user, arguments);
        let contexts = Contexts::of_input(policies, endpoint, &user, arguments);
        let explain = |rule: &CompiledRule| rule.explain(contexts.of(rule));
        PolicyReport { rules: reports(&policies.input, &verdict, explain), verdict }
    }

    /// Judges a response as it would be judged, changes it, and tells how.
    #[must_use]
    pub fn explain_output(&self, endpoint: &str, principal: &Principal, response: &mut Value) -> PolicyReport {
        let (policies, user, original) = (self.of(endpoint), context_of(principal), response.clone());
        let verdict = self.decide_output(endpoint, &user, response);
        let contexts = Contexts::of_output(policies, endpoint, &user, &original);
        let explain = |rule: &CompiledRule| rule.explain(contexts.of(rule));
        PolicyReport { rules: reports(&policies.output, &verdict, explain), verdict }
    }

    /// How many rules are judged by before a call of `endpoint`, and how many on its response.
    #[must_use]
    pub fn count(&self, endpoint: &str) -> (usize, usize) {
        let policies = self.of(endpoint);
        (policies.input.len(), policies.output.len())
    }
}

fn reports(
    rules: &[Arc<CompiledRule>],
    verdict: &Verdict,
    explain: impl Fn(&CompiledRule) -> Explanation,
) -> Vec<RuleReport> {
    let report = |(index, rule): (usize, &Arc<CompiledRule>)| RuleReport {
        label: rule.label.clone(),
        action: rule.rule.action,
        fields: rule.rule.fields.clone(),
        reason: rule.rule.reason.clone(),
        explanation: (index < verdict.evaluated.len()).then(|| explain(rule)),
    };
    rules.iter().enumerate().map(report).collect()
}

//! A rule that compiled.

use crate::expression::{Budget, Explanation, Expression};
use crate::model::policy::{Denial, PolicyRule, PolicyTarget};
use cel_interpreter::Context;

/// A rule that compiled.
#[derive(Debug)]
pub(super) struct CompiledRule {
    condition: Expression,
    pub(super) rule: PolicyRule,
    target: PolicyTarget,
    /// What it is called in records: its list, its place there and its condition.
    pub(super) label: String,
}

impl CompiledRule {
    pub(super) fn new(condition: Expression, rule: PolicyRule, target: PolicyTarget, label: String) -> Self {
        Self { condition, rule, target, label }
    }

    pub(super) fn holds(&self, context: &Context<'_, '_>, budget: &mut Budget) -> Result<bool, String> {
        self.condition.holds_within(context, budget)
    }

    pub(super) fn explain(&self, context: &Context<'_, '_>) -> Explanation {
        self.condition.explain(context)
    }

    /// Whether the condition names `variable`, so that it need not be there otherwise.
    pub(super) fn names(&self, variable: &str) -> bool {
        self.condition.variables().iter().any(|name| name == variable)
    }

    /// The refusal when the condition holds.
    pub(super) fn denial(&self) -> Denial {
        Denial { reason: self.rule.reason.clone().unwrap_or_else(|| self.default_reason().to_owned()), detail: None }
    }

    /// The refusal when the condition could not be evaluated: the operator learns why, the
    /// caller does not.
    pub(super) fn failure(&self, why: &str) -> Denial {
        let detail = format!("{} could not be evaluated: {why}", self.label);
        Denial { reason: self.default_reason().to_owned(), detail: Some(detail) }
    }

    const fn default_reason(&self) -> &'static str {
        match self.target {
            PolicyTarget::Input => "Access denied by policy",
            PolicyTarget::Output => "Output blocked by policy",
        }
    }
}

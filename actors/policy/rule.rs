//! A rule that compiled.

use crate::expression::{Budget, Explanation, Expression};
use crate::model::policy::{Denial, PolicyAction, PolicyRule, PolicyTarget};
use cel_interpreter::Context;

/// Whose rule it is, and so what its condition may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The profile's: it knows the endpoint, and none of its parameters.
    Profile,
    /// The endpoint's own.
    Endpoint,
}

impl Owner {
    /// What stands in front of the labels of its rules.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Profile => "profile.",
            Self::Endpoint => "",
        }
    }
}

/// A rule that compiled.
#[derive(Debug)]
pub(super) struct CompiledRule {
    condition: Expression,
    pub(super) rule: PolicyRule,
    target: PolicyTarget,
    pub(super) owner: Owner,
    /// What it is called in records: its list, its place there and its condition.
    pub(super) label: String,
}

impl CompiledRule {
    /// Compiles a rule that stands at `index` of its list.
    ///
    /// # Errors
    /// Why it cannot be judged by.
    pub(super) fn compile(
        rule: &PolicyRule,
        (target, index): (PolicyTarget, usize),
        owner: Owner,
        known: &[&str],
    ) -> Result<Self, String> {
        if target == PolicyTarget::Input && rule.action != PolicyAction::Deny {
            return Err("only the action 'deny' makes sense before a call; move the rule to policies.output".to_owned());
        }
        let condition = Expression::compile(&rule.condition, known).map_err(|error| error.to_string())?;
        let label = format!("{}{}[{index}]: {}", owner.prefix(), target.as_str(), rule.condition);
        Ok(Self { condition, rule: rule.clone(), target, owner, label })
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

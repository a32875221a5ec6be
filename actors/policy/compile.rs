//! From rules as text to rules that can be judged by.

use super::state::{CompiledPolicies, CompiledRule, PolicyBook};
use crate::expression::Expression;
use crate::model::policy::{PolicyAction, PolicyRule, PolicySet};
use crate::model::schema::TypeDefinition;
use std::collections::HashMap;

/// An endpoint as far as policy is concerned.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// The names of its parameters, which conditions on input may use.
    pub parameters: Vec<String>,
    /// The type of its result, for `filter_sensitive_fields`.
    pub returns: Option<TypeDefinition>,
    /// Its rules.
    pub policies: PolicySet,
}

/// Which list a rule stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyTarget {
    /// `policies.input`.
    Input,
    /// `policies.output`.
    Output,
}

impl PolicyTarget {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

/// A rule that cannot be judged by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{endpoint}: policies.{}[{index}].condition: {message}", .target.as_str())]
pub struct PolicyCompileError {
    /// The endpoint.
    pub endpoint: String,
    /// The list.
    pub target: PolicyTarget,
    /// The place in the list, from zero.
    pub index: usize,
    /// What is wrong.
    pub message: String,
}

impl PolicyBook {
    /// Compiles the rules of all endpoints.
    ///
    /// # Errors
    /// Every rule that does not parse, uses a name that does not exist, or cannot do what it says.
    pub fn compile(endpoints: Vec<Endpoint>) -> Result<Self, Vec<PolicyCompileError>> {
        let mut compiled = HashMap::new();
        let mut errors = Vec::new();
        for endpoint in endpoints.into_iter().filter(|endpoint| !endpoint.policies.is_empty()) {
            let input = compile_rules(&endpoint, PolicyTarget::Input, &mut errors);
            let output = compile_rules(&endpoint, PolicyTarget::Output, &mut errors);
            compiled.insert(endpoint.name, CompiledPolicies { input, output, returns: endpoint.returns });
        }
        if errors.is_empty() { Ok(Self::new(compiled)) } else { Err(errors) }
    }
}

fn compile_rules(endpoint: &Endpoint, target: PolicyTarget, errors: &mut Vec<PolicyCompileError>) -> Vec<CompiledRule> {
    let rules = match target {
        PolicyTarget::Input => &endpoint.policies.input,
        PolicyTarget::Output => &endpoint.policies.output,
    };
    let mut done = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        match compile_rule(endpoint, target, rule) {
            Ok(condition) => done.push(CompiledRule::new(condition, rule.clone(), target, index)),
            Err(message) => {
                errors.push(PolicyCompileError { endpoint: endpoint.name.clone(), target, index, message });
            }
        }
    }
    done
}

fn compile_rule(endpoint: &Endpoint, target: PolicyTarget, rule: &PolicyRule) -> Result<Expression, String> {
    if target == PolicyTarget::Input && rule.action != PolicyAction::Deny {
        return Err("only the action 'deny' makes sense before a call; move the rule to policies.output".to_owned());
    }
    let mut known = vec!["user"];
    match target {
        PolicyTarget::Input => known.extend(endpoint.parameters.iter().map(String::as_str)),
        PolicyTarget::Output => known.push("response"),
    }
    Expression::compile(&rule.condition, &known).map_err(|error| error.to_string())
}

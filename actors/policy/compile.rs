//! From rules as text to rules that can be judged by.

use super::names::{USER_FIELDS, UnknownName, unknown_names};
use super::state::{CompiledPolicies, CompiledRule, PolicyBook};
use crate::model::policy::{PolicyAction, PolicyRule, PolicySet};
use crate::model::schema::TypeDefinition;
use cel_interpreter::{Env, Program};
use std::collections::HashMap;
use std::sync::Arc;

/// Longer conditions are refused: the evaluator is recursive, and a chain of thousands of
/// operators would exhaust its stack.
const CONDITION_BYTES_MAX: usize = 4_096;
/// The parser needs several KiB of stack per level of nesting.
const COMPILER_STACK_BYTES: usize = 16 * 1024 * 1024;

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
        if endpoints.iter().all(|endpoint| endpoint.policies.is_empty()) {
            return Ok(Self::default());
        }
        let work = std::thread::Builder::new()
            .name("policy-compiler".to_owned())
            .stack_size(COMPILER_STACK_BYTES)
            .spawn(move || compile_all(endpoints));
        let failed = |message: &str| {
            vec![PolicyCompileError {
                endpoint: "policies".to_owned(),
                target: PolicyTarget::Input,
                index: 0,
                message: message.to_owned(),
            }]
        };
        match work.map(std::thread::JoinHandle::join) {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(failed("the compiler failed on these conditions")),
            Err(error) => Err(failed(&format!("the compiler could not start: {error}"))),
        }
    }
}

fn compile_all(endpoints: Vec<Endpoint>) -> Result<PolicyBook, Vec<PolicyCompileError>> {
    let env = Arc::new(Env::stdlib());
    let mut compiled = HashMap::new();
    let mut errors = Vec::new();
    for endpoint in endpoints.into_iter().filter(|endpoint| !endpoint.policies.is_empty()) {
        let mut compile = |target, rules: &[PolicyRule]| {
            let mut done = Vec::new();
            for (index, rule) in rules.iter().enumerate() {
                match compile_rule(&env, &endpoint, target, rule) {
                    Ok(program) => done.push(CompiledRule::new(program, rule.clone(), target, index)),
                    Err(message) => {
                        errors.push(PolicyCompileError { endpoint: endpoint.name.clone(), target, index, message });
                    }
                }
            }
            done
        };
        let input = compile(PolicyTarget::Input, &endpoint.policies.input);
        let output = compile(PolicyTarget::Output, &endpoint.policies.output);
        compiled.insert(endpoint.name, CompiledPolicies { input, output, returns: endpoint.returns });
    }
    if errors.is_empty() { Ok(PolicyBook::new(env, compiled)) } else { Err(errors) }
}

fn compile_rule(env: &Env, endpoint: &Endpoint, target: PolicyTarget, rule: &PolicyRule) -> Result<Program, String> {
    if rule.condition.len() > CONDITION_BYTES_MAX {
        return Err(format!("is longer than {CONDITION_BYTES_MAX} bytes"));
    }
    if target == PolicyTarget::Input && rule.action != PolicyAction::Deny {
        return Err("only the action 'deny' makes sense before a call; move the rule to policies.output".to_owned());
    }
    let program = env.compile(&rule.condition).map_err(|errors| {
        let first = errors.errors.first();
        first.map_or_else(
            || "does not parse".to_owned(),
            |error| format!("does not parse at line {}, column {}: {}", error.pos.0, error.pos.1, error.msg),
        )
    })?;
    let mut known = vec!["user"];
    match target {
        PolicyTarget::Input => known.extend(endpoint.parameters.iter().map(String::as_str)),
        PolicyTarget::Output => known.push("response"),
    }
    match unknown_names(program.expression(), &known).first() {
        None => Ok(program),
        Some(UnknownName::Variable(name)) => {
            Err(format!("'{name}' is not known here; the names are: {}", known.join(", ")))
        }
        Some(UnknownName::UserField(name)) => {
            Err(format!("'user.{name}' does not exist; the fields of user are: {}", USER_FIELDS.join(", ")))
        }
    }
}

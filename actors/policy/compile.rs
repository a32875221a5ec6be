//! From rules as text to rules that can be judged by.

use super::rule::{CompiledRule, Owner};
use super::state::{CompiledPolicies, PolicyBook, describe};
use crate::model::endpoint::EndpointKind;
use crate::model::policy::{PolicyAction, PolicyRule, PolicySet, PolicyTarget};
use crate::model::schema::TypeDefinition;
use std::collections::HashMap;
use std::sync::Arc;

/// An endpoint as far as policy is concerned.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: EndpointKind,
    /// The names of its parameters, which conditions on input may use.
    pub parameters: Vec<String>,
    /// The type of its result, for `filter_sensitive_fields`.
    pub returns: Option<TypeDefinition>,
    /// Its rules.
    pub policies: PolicySet,
}

/// A rule that cannot be judged by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: policies.{}[{index}]: {message}", .target.as_str())]
pub struct PolicyCompileError {
    /// The endpoint, or `profile`.
    pub place: String,
    /// The list.
    pub target: PolicyTarget,
    /// The place in the list, from zero.
    pub index: usize,
    /// What is wrong.
    pub message: String,
}

impl PolicyBook {
    /// Compiles the rules of all endpoints, and those of the profile, which are judged by before the
    /// rules of any endpoint.
    ///
    /// # Errors
    /// Every rule that does not parse, uses a name that does not exist, or cannot do what it says.
    pub fn compile(profile: &PolicySet, endpoints: Vec<Endpoint>) -> Result<Self, Vec<PolicyCompileError>> {
        let mut compiler = Compiler::default();
        let common = compiler.compile("profile", Owner::Profile, profile, &[]);
        let mut of_endpoints = HashMap::new();
        for endpoint in endpoints {
            compiler.refuse_useless_filters(&endpoint);
            let own = compiler.compile(&endpoint.name, Owner::Endpoint, &endpoint.policies, &endpoint.parameters);
            let all = CompiledPolicies {
                endpoint: Some(describe(&endpoint.name, Some(endpoint.kind))),
                input: common.input.iter().cloned().chain(own.input).collect(),
                output: common.output.iter().cloned().chain(own.output).collect(),
                returns: endpoint.returns,
            };
            of_endpoints.insert(endpoint.name, all);
        }
        let anything_else =
            CompiledPolicies { endpoint: None, input: common.input, output: common.output, returns: None };
        if compiler.errors.is_empty() { Ok(Self::new(of_endpoints, anything_else)) } else { Err(compiler.errors) }
    }
}

/// Compiled rules of one place.
struct Rules {
    input: Vec<Arc<CompiledRule>>,
    output: Vec<Arc<CompiledRule>>,
}

#[derive(Default)]
struct Compiler {
    errors: Vec<PolicyCompileError>,
}

impl Compiler {
    fn compile(&mut self, place: &str, owner: Owner, policies: &PolicySet, parameters: &[String]) -> Rules {
        let mut compile = |target: PolicyTarget, rules: &[PolicyRule]| {
            let known = match owner {
                Owner::Profile => target.variables_of_profile(),
                Owner::Endpoint => target.variables(parameters),
            };
            let mut done = Vec::new();
            for (index, rule) in rules.iter().enumerate() {
                match CompiledRule::compile(rule, (target, index), owner, &known) {
                    Ok(rule) => done.push(Arc::new(rule)),
                    Err(message) => {
                        self.errors.push(PolicyCompileError { place: place.to_owned(), target, index, message });
                    }
                }
            }
            done
        };
        Rules {
            input: compile(PolicyTarget::Input, &policies.input),
            output: compile(PolicyTarget::Output, &policies.output),
        }
    }

    /// Whoever wrote the rule believes that it protects something.
    fn refuse_useless_filters(&mut self, endpoint: &Endpoint) {
        if endpoint.returns.as_ref().is_some_and(TypeDefinition::has_sensitive) {
            return;
        }
        let is_useless = |(_, rule): &(usize, &PolicyRule)| rule.action == PolicyAction::FilterSensitiveFields;
        for (index, _) in endpoint.policies.output.iter().enumerate().filter(is_useless) {
            let message = "filter_sensitive_fields has nothing to filter: mark fields of return with sensitive: true";
            let (place, target) = (endpoint.name.clone(), PolicyTarget::Output);
            self.errors.push(PolicyCompileError { place, target, index, message: message.to_owned() });
        }
    }
}

//! What conditions see: the caller, and what the rules in question ask for beside.

use super::rule::{CompiledRule, Owner};
use super::state::{CompiledPolicies, describe};
use crate::expression::{cel_value, kept_cel_value};
use cel_interpreter::Context;
use serde_json::{Map, Value};
use std::sync::Arc;

/// The variable that is the caller.
pub(super) const USER: &str = "user";
/// The variable that is the response.
const RESPONSE: &str = "response";
/// The variable that is the endpoint, in the rules of a profile.
const ENDPOINT: &str = "endpoint";

/// Two contexts, because a parameter may have the name of what a profile's rules ask for.
pub(super) struct Contexts<'c, 'v> {
    of_profile: Context<'c, 'v>,
    of_endpoint: Context<'c, 'v>,
}

impl<'c, 'v: 'c> Contexts<'c, 'v> {
    /// For rules on a call: the arguments that they ask for, beside the user, whom no parameter can
    /// stand in for.
    pub(super) fn of_input(
        policies: &'v CompiledPolicies,
        endpoint: &str,
        user: &'c Context<'c, 'v>,
        arguments: &'v Map<String, Value>,
    ) -> Self {
        let mut of_endpoint = user.new_inner_scope();
        for (name, value) in arguments {
            if name != USER && asks(&policies.input, Owner::Endpoint, name) {
                of_endpoint.add_variable_as_val(name.as_str(), cel_value(value));
            }
        }
        Self { of_profile: with_endpoint(user, endpoint, policies, &policies.input), of_endpoint }
    }

    /// For rules on a response: that, if they ask for it, beside the user.
    pub(super) fn of_output(
        policies: &'v CompiledPolicies,
        endpoint: &str,
        user: &'c Context<'c, 'v>,
        response: &'v Value,
    ) -> Self {
        let mut of_endpoint = user.new_inner_scope();
        let mut of_profile = with_endpoint(user, endpoint, policies, &policies.output);
        for (owner, context) in [(Owner::Endpoint, &mut of_endpoint), (Owner::Profile, &mut of_profile)] {
            if asks(&policies.output, owner, RESPONSE) {
                context.add_variable_as_val(RESPONSE, cel_value(response));
            }
        }
        Self { of_profile, of_endpoint }
    }

    /// What the condition of this rule sees.
    pub(super) const fn of(&self, rule: &CompiledRule) -> &Context<'c, 'v> {
        match rule.owner {
            Owner::Profile => &self.of_profile,
            Owner::Endpoint => &self.of_endpoint,
        }
    }
}

fn with_endpoint<'c, 'v: 'c>(
    user: &'c Context<'c, 'v>,
    name: &str,
    policies: &'v CompiledPolicies,
    rules: &[Arc<CompiledRule>],
) -> Context<'c, 'v> {
    let mut context = user.new_inner_scope();
    if asks(rules, Owner::Profile, ENDPOINT) {
        let endpoint = policies.endpoint.as_ref();
        let endpoint = endpoint.map_or_else(|| kept_cel_value(&describe(name, None)), cel_value);
        context.add_variable_as_val(ENDPOINT, endpoint);
    }
    context
}

fn asks(rules: &[Arc<CompiledRule>], owner: Owner, variable: &str) -> bool {
    rules.iter().any(|rule| rule.owner == owner && rule.names(variable))
}

//! What the operator says about people, beyond what their provider says: capabilities by
//! `claim_mappings`, and role, permissions and groups by `user_mapping`.
//!
//! Plain rules without a mailbox. They only ever add, except that a role that is given here takes
//! the place of the provider's; and a claim that is missing, or not of the expected kind, gives
//! nothing. A session keeps what the provider said, and what follows from it is worked out anew
//! whenever the session is looked up: who changes the rules changes what they give to everybody.

mod claims;
#[cfg(test)]
mod tests;

pub use claims::ClaimMapping;

use crate::expression::{Expression, ExpressionError, context, kept_cel_value};
use crate::model::principal::{Principal, User};
use claims::capabilities;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What `when` may name.
const VARIABLES: [&str; 2] = ["claims", "user"];

/// One entry of `auth.user_mapping`.
#[derive(Clone, Debug)]
pub struct MappingRule {
    when: Expression,
    role: Option<String>,
    permissions: Vec<String>,
    groups: Vec<String>,
    /// Whether the log has said that it cannot be evaluated for some people.
    was_told: Arc<AtomicBool>,
}

impl MappingRule {
    /// Compiles the condition, which may name `claims`, the raw profile, and `user`, what is made
    /// of it without these rules. Whoever it holds for gets the rest.
    ///
    /// # Errors
    /// When the condition does not parse, or names something that does not exist.
    pub fn new(
        when: &str,
        role: Option<String>,
        permissions: Vec<String>,
        groups: Vec<String>,
    ) -> Result<Self, ExpressionError> {
        let when = Expression::compile(when, &VARIABLES)?;
        Ok(Self { when, role, permissions, groups, was_told: Arc::default() })
    }
}

/// All of it, compiled.
#[derive(Clone, Debug, Default)]
pub struct UserMapping {
    by_provider: HashMap<String, Vec<ClaimMapping>>,
    rules: Vec<MappingRule>,
}

impl UserMapping {
    /// The mappings of each provider, by its name, and the rules for everybody, in order.
    #[must_use]
    pub fn new(by_provider: HashMap<String, Vec<ClaimMapping>>, rules: Vec<MappingRule>) -> Self {
        Self { by_provider, rules }
    }

    /// What follows for somebody whom a provider described as `user`.
    #[must_use]
    pub fn apply(&self, user: Arc<User>) -> Arc<User> {
        let mappings = self.by_provider.get(&user.provider).map(Vec::as_slice).unwrap_or_default();
        if mappings.is_empty() && self.rules.is_empty() {
            return user;
        }
        let mut user = Arc::unwrap_or_clone(user);
        add(&mut user.capabilities, &capabilities(mappings, &user.claims));
        if !self.rules.is_empty() {
            self.apply_rules(&mut user);
        }
        Arc::new(user)
    }

    /// All conditions see the person as they were before: the order of rules matters for the role
    /// alone, which is that of the first rule that gives one.
    fn apply_rules(&self, user: &mut User) {
        let mut context = context();
        context.add_variable_as_val("claims", kept_cel_value(&user.claims));
        context.add_variable_as_val("user", kept_cel_value(&Principal::policy_user_of(user)));
        let mut role = None;
        for (index, rule) in self.rules.iter().enumerate() {
            match rule.when.holds(&context) {
                Ok(false) => {}
                Ok(true) => {
                    role = role.or_else(|| rule.role.clone());
                    add(&mut user.permissions, &rule.permissions);
                    add(&mut user.groups, &rule.groups);
                }
                // Most often a claim that this person does not have; but it may be a slip of the pen.
                Err(why) if rule.was_told.swap(true, Ordering::Relaxed) => {
                    tracing::debug!(user_id = %user.id, why, "auth.user_mapping[{index}] gives somebody nothing");
                }
                Err(why) => tracing::info!(
                    why,
                    "auth.user_mapping[{index}] cannot be evaluated for some people, and gives them nothing"
                ),
            }
        }
        user.role = role.or_else(|| user.role.take());
    }
}

fn add(all: &mut Vec<String>, more: &[String]) {
    for name in more {
        if !all.contains(name) {
            all.push(name.clone());
        }
    }
}

//! Who may have which scopes: what follows from which (`authorization.implies`), what people are
//! entitled to (`authorization.grants`), and what the operator lets a client have.
//!
//! Plain rules without a mailbox. A token's scopes are what was asked, as far as the client and the
//! person reach; its rights are worked out anew whenever its session is looked up, so that what is
//! taken away from somebody is gone from their sessions too.

#[cfg(test)]
mod tests;

use crate::expression::{Expression, ExpressionError, context, kept_cel_value};
use crate::model::ids::ClientId;
use crate::model::principal::{Principal, User};
use crate::model::scope::ScopeSet;
use crate::model::scope_hierarchy::{Reach, ScopeHierarchy};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What `when` may name.
const VARIABLES: [&str; 1] = ["user"];

/// One entry of `authorization.grants`.
#[derive(Clone, Debug)]
pub struct GrantRule {
    when: Expression,
    scopes: ScopeSet,
    /// Whether the log has said that it cannot be evaluated for some people.
    was_told: Arc<AtomicBool>,
}

impl GrantRule {
    /// Compiles the condition, which may name `user`. Whoever it holds for is entitled to `scopes`.
    ///
    /// # Errors
    /// When the condition does not parse, or names something that does not exist.
    pub fn new(when: &str, scopes: ScopeSet) -> Result<Self, ExpressionError> {
        Ok(Self { when: Expression::compile(when, &VARIABLES)?, scopes, was_told: Arc::default() })
    }

    /// What it gives.
    #[must_use]
    pub const fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// Whether it holds for everybody, whoever they are.
    #[must_use]
    pub fn is_for_everybody(&self) -> bool {
        // A condition that needs to know the person cannot be told without one.
        self.when.holds(&context()).unwrap_or(false)
    }
}

/// All of it, worked out as far as it can be without knowing the person.
#[derive(Clone, Debug, Default)]
pub struct ScopeRules {
    hierarchy: ScopeHierarchy,
    grants: Option<Vec<GrantRule>>,
    /// What clients may have that the operator wrote down.
    client_limits: HashMap<ClientId, Reach>,
}

impl ScopeRules {
    /// Puts the rules together. Without `grants` people are entitled to everything; `clients` are
    /// those of the configuration, with what they may have.
    #[must_use]
    pub fn new<'c>(
        hierarchy: ScopeHierarchy,
        grants: Option<Vec<GrantRule>>,
        clients: impl IntoIterator<Item = (&'c ClientId, &'c ScopeSet)>,
    ) -> Self {
        let limit = |(id, scope): (&ClientId, &ScopeSet)| (id.clone(), Reach::Only(hierarchy.closure(scope)));
        let client_limits = clients.into_iter().map(limit).collect();
        Self { hierarchy, grants, client_limits }
    }

    /// The scopes and all that follows from them.
    #[must_use]
    pub fn closure(&self, scopes: &ScopeSet) -> ScopeSet {
        self.hierarchy.closure(scopes)
    }

    /// What is granted of `asked` within `reach`.
    #[must_use]
    pub fn grant(&self, asked: &ScopeSet, reach: &Reach) -> ScopeSet {
        self.hierarchy.grant(asked, reach)
    }

    /// Everything that `scopes` allow within `reach`.
    #[must_use]
    pub fn rights(&self, scopes: &ScopeSet, reach: &Reach) -> ScopeSet {
        self.hierarchy.rights(scopes, reach)
    }

    /// What a client may have. What one that registered itself wrote there is its own word, and
    /// another registration would say something else: it limits nothing, and is what the client
    /// gets when it asks for nothing in particular.
    #[must_use]
    pub fn client_limit(&self, client: &ClientId) -> Reach {
        self.client_limits.get(client).cloned().unwrap_or_default()
    }

    /// What a person is entitled to. A rule that cannot be evaluated gives nothing.
    #[must_use]
    pub fn entitlement(&self, user: &User) -> Reach {
        let Some(grants) = &self.grants else { return Reach::Everything };
        let mut context = context();
        context.add_variable_as_val("user", kept_cel_value(&Principal::policy_user_of(user)));
        let mut scopes = ScopeSet::default();
        for (index, rule) in grants.iter().enumerate() {
            match rule.when.holds(&context) {
                Ok(false) => {}
                Ok(true) => scopes = scopes.union(&rule.scopes),
                // Most often a claim that this person does not have; but it may be a slip of the pen.
                Err(why) if rule.was_told.swap(true, Ordering::Relaxed) => {
                    tracing::debug!(user_id = %user.id, why, "auth.authorization.grants[{index}] grants somebody nothing");
                }
                Err(why) => tracing::info!(
                    why,
                    "auth.authorization.grants[{index}] cannot be evaluated for some people, and grants them nothing"
                ),
            }
        }
        Reach::Only(self.hierarchy.closure(&scopes))
    }

    /// How far a login of a person through a client could go.
    #[must_use]
    pub fn reach(&self, user: &User, client: Option<&ClientId>) -> Reach {
        let entitlement = self.entitlement(user);
        match client {
            Some(client) => entitlement.and(&self.client_limit(client)),
            None => entitlement,
        }
    }
}

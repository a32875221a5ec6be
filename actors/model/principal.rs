//! Who is calling.

use super::ids::{ClientId, SessionId, UserId};
use super::scope::ScopeSet;
use super::scope_hierarchy::Reach;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// A person as a provider described them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Provider and subject together: the identity.
    pub id: UserId,
    /// The provider's name, such as `github` or `local`.
    pub provider: String,
    /// The provider's own identifier of the person.
    pub subject: String,
    /// The login name.
    pub username: String,
    /// The e-mail address, when the provider gave one.
    pub email: Option<String>,
    /// Whether the provider vouches for the address.
    pub email_verified: bool,
    /// The name for showing.
    pub name: Option<String>,
    /// The role, when one is configured or claimed.
    pub role: Option<String>,
    /// What the person may do, by name.
    pub permissions: Vec<String>,
    /// The groups that the person is in.
    pub groups: Vec<String>,
    /// Names derived by `claim_mappings`.
    pub capabilities: Vec<String>,
    /// The profile as the provider sent it.
    pub claims: Value,
}

/// Who a call is made for: a signed-in person through a client, or nobody known.
#[derive(Clone, Debug, PartialEq)]
pub struct Principal {
    /// The person; `None` when authentication is off.
    pub user: Option<Arc<User>>,
    /// The client that calls for them.
    pub client_id: Option<ClientId>,
    /// The session that the call belongs to.
    pub session_id: Option<SessionId>,
    /// What the token allows, with everything that follows from it.
    pub scopes: ScopeSet,
    /// What a login of theirs could give: more than this they are not shown.
    pub reach: Reach,
}

impl Principal {
    /// Nobody known.
    #[must_use]
    pub fn anonymous() -> Self {
        Self { user: None, client_id: None, session_id: None, scopes: ScopeSet::default(), reach: Reach::Everything }
    }

    /// Whether the token allows what needs `scopes`, beyond what every call needs. The one judgement
    /// before a call.
    #[must_use]
    pub fn holds(&self, scopes: &ScopeSet) -> bool {
        self.scopes.contains_all(scopes)
    }

    /// Whether a fresh login could allow what needs `scopes`, so that it is shown to them.
    #[must_use]
    pub fn could_hold(&self, scopes: &ScopeSet) -> bool {
        self.reach.covers(scopes)
    }

    /// The `user` variable of policies. Every known field is there; what is not known is null,
    /// so that a rule that reads it fails to evaluate and denies.
    #[must_use]
    pub fn policy_user(&self) -> Value {
        match &self.user {
            Some(user) => Self::policy_user_of(user),
            None => json!({
                "id": null,
                "user_id": null,
                "username": null,
                "email": null,
                "email_verified": false,
                "name": null,
                "provider": null,
                "role": "anonymous",
                "permissions": [],
                "groups": [],
                "capabilities": [],
                "claims": {},
            }),
        }
    }

    /// The same for somebody who is known.
    #[must_use]
    pub fn policy_user_of(user: &User) -> Value {
        json!({
            "id": user.id,
            "user_id": user.subject,
            "username": user.username,
            "email": user.email,
            "email_verified": user.email_verified,
            "name": user.name,
            "provider": user.provider,
            "role": user.role,
            "permissions": user.permissions,
            "groups": user.groups,
            "capabilities": user.capabilities,
            "claims": user.claims,
        })
    }
}

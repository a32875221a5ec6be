//! Whether somebody who signed in earlier may still be signed in, and as whom.
//!
//! Sessions outlive the process, and the configuration may have changed meanwhile.

use crate::model::principal::User;
use crate::ports::password_directory::PasswordDirectory;
use crate::scope_rules::ScopeRules;
use crate::user_mapping::UserMapping;
use std::sync::Arc;

/// The people who can sign in now; nobody when authentication is off.
#[derive(Clone, Debug, Default)]
pub(crate) struct People {
    /// Those of a directory, which also knows their present roles.
    pub(crate) directory: Option<Arc<dyn PasswordDirectory>>,
    /// Whoever the providers of these names let in.
    pub(crate) providers: Vec<String>,
    /// What the operator says about them.
    pub(crate) mapping: Arc<UserMapping>,
    /// What they may have.
    pub(crate) scope_rules: Arc<ScopeRules>,
}

/// What has become of somebody.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Standing {
    /// They may be signed in, and this is what is known of them now.
    Known(Arc<User>),
    /// They signed in where nobody signs in at present.
    Elsewhere,
    /// They are not in the directory any more.
    Gone,
}

impl People {
    /// What has become of somebody who signed in as `user`.
    pub(super) fn standing(&self, user: &User) -> Standing {
        match &self.directory {
            Some(directory) if directory.name() == user.provider => match directory.find_user(&user.id) {
                Some(user) => Standing::Known(self.mapping.apply(user)),
                None => Standing::Gone,
            },
            _ if self.providers.contains(&user.provider) => Standing::Known(self.mapping.apply(Arc::new(user.clone()))),
            _ => Standing::Elsewhere,
        }
    }

    /// What is known of somebody who is just signing in.
    pub(super) fn described(&self, user: &User) -> Arc<User> {
        self.mapping.apply(Arc::new(user.clone()))
    }
}

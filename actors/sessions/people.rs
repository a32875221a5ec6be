//! Whether somebody who signed in earlier may still be signed in, and as whom.
//!
//! Sessions outlive the process, and the configuration may have changed meanwhile.

use crate::model::principal::User;
use crate::ports::password_directory::PasswordDirectory;
use std::sync::Arc;

/// The people who can sign in now.
#[derive(Clone, Debug)]
pub(crate) enum People {
    /// Those of a directory, which also knows their present roles.
    Listed(Arc<dyn PasswordDirectory>),
    /// Whoever the provider of that name lets in.
    OfProvider(String),
    /// Nobody: authentication is off.
    Nobody,
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
    /// What has become of `user`.
    pub(super) fn standing(&self, user: &User) -> Standing {
        match self {
            Self::Listed(directory) if directory.name() == user.provider => {
                directory.find_user(&user.id).map_or(Standing::Gone, Standing::Known)
            }
            Self::OfProvider(name) if *name == user.provider => Standing::Known(Arc::new(user.clone())),
            Self::Listed(_) | Self::OfProvider(_) | Self::Nobody => Standing::Elsewhere,
        }
    }
}

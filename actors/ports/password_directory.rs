//! People who log in with a password of ours.

use super::PortFuture;
use crate::model::ids::UserId;
use crate::model::principal::User;
use crate::model::secret::Secret;
use std::sync::Arc;

/// The check itself failed, so that nothing is known of the password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the password could not be checked: {0}")]
pub struct PasswordCheckError(pub String);

/// Knows local users.
pub trait PasswordDirectory: Send + Sync + std::fmt::Debug {
    /// What stands as the provider in the identities of its users.
    fn name(&self) -> &str;

    /// The user of that identity, as the directory has them now.
    fn find_user(&self, id: &UserId) -> Option<Arc<User>>;

    /// The user of that name if the password is right; takes as long when there is no such name.
    fn verify(&self, username: String, password: Secret) -> PortFuture<'_, Result<Option<User>, PasswordCheckError>>;
}

//! Local users that exist only in the test.

use super::samples::user;
use crate::model::ids::UserId;
use crate::model::principal::User;
use crate::model::secret::Secret;
use crate::ports::PortFuture;
use crate::ports::password_directory::{PasswordCheckError, PasswordDirectory};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Everybody's password is `password-of-` and their name; everybody but `mallory` exists.
#[derive(Debug, Default)]
pub struct FakePasswords {
    checks: AtomicUsize,
}

impl FakePasswords {
    /// How many passwords were checked.
    #[must_use]
    pub fn checks(&self) -> usize {
        self.checks.load(Ordering::SeqCst)
    }
}

impl PasswordDirectory for FakePasswords {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn find_user(&self, id: &UserId) -> Option<Arc<User>> {
        let username = id.as_str().strip_prefix("fake:").filter(|username| *username != "mallory")?;
        Some(Arc::new(user(username)))
    }

    fn verify(&self, username: String, password: Secret) -> PortFuture<'_, Result<Option<User>, PasswordCheckError>> {
        Box::pin(async move {
            self.checks.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            let is_right = username != "mallory" && password.matches(&format!("password-of-{username}"));
            Ok(is_right.then(|| user(&username)))
        })
    }
}

//! People who log in with a password that the configuration knows the hash of.
//!
//! Passwords are checked with argon2id on the blocking pool, at most one per core at a time: a
//! check costs tens of milliseconds and 19 MiB, and nobody may stop the daemon by guessing.

mod password_hash;

pub use password_hash::{PASSWORD_BYTES_MAX, PasswordHashError, check_password_hash, hash_password};

use argon2::PasswordHash;
use mxcp_actors::model::ids::UserId;
use mxcp_actors::model::principal::User;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::ports::PortFuture;
use mxcp_actors::ports::password_directory::{PasswordCheckError, PasswordDirectory};
use password_hash::{decoy_of, matches, parse};
use serde_json::json;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

const PROVIDER: &str = "local";

/// How long a check may wait for its turn.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);

/// A person of the configuration.
#[derive(Clone)]
pub struct LocalUser {
    /// The login name, compared exactly.
    pub username: String,
    /// The argon2id hash of the password, as a PHC string.
    pub password_hash: String,
    /// The e-mail address; the operator vouches for it.
    pub email: Option<String>,
    /// The name for showing.
    pub name: Option<String>,
    /// The role.
    pub role: Option<String>,
    /// What the person may do, by name.
    pub permissions: Vec<String>,
    /// The groups that the person is in.
    pub groups: Vec<String>,
}

impl fmt::Debug for LocalUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalUser").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A local user that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("local user `{username}`: {problem}")]
pub struct LocalUserError {
    /// Who.
    pub username: String,
    /// What is wrong.
    pub problem: String,
}

/// The local users.
pub struct LocalUsers {
    accounts: HashMap<String, Account>,
    /// Hashes with everybody's parameters that no password belongs to.
    decoys: Vec<Arc<PasswordHash>>,
    turns: Arc<Semaphore>,
}

struct Account {
    user: Arc<User>,
    hash: Arc<PasswordHash>,
}

impl fmt::Debug for LocalUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalUsers").field("count", &self.accounts.len()).finish_non_exhaustive()
    }
}

impl LocalUsers {
    /// Takes the users of the configuration.
    ///
    /// # Errors
    /// When a name is empty or there twice, or a hash is not one of argon2id.
    pub fn new(users: Vec<LocalUser>) -> Result<Self, LocalUserError> {
        let mut accounts = HashMap::new();
        let mut decoys = Vec::new();
        for user in users {
            let refuse = |problem: String| LocalUserError { username: user.username.clone(), problem };
            if user.username.is_empty() {
                return Err(refuse("the name must not be empty".to_owned()));
            }
            let hash = parse(&user.password_hash).map_err(refuse)?;
            decoys.push(Arc::new(decoy_of(&hash)));
            let account = Account { user: Arc::new(describe(&user)), hash: Arc::new(hash) };
            if accounts.insert(user.username.clone(), account).is_some() {
                return Err(refuse("the name is there twice".to_owned()));
            }
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self { accounts, decoys, turns: Arc::new(Semaphore::new(cores)) })
    }

    /// The hash to check against: of the user, or for an unknown name a decoy, so that the time
    /// does not tell which names there are. A name gets the same decoy each time, as a real one
    /// would; with no users at all there is nothing to find out.
    fn hash_for(&self, username: &str) -> Option<Arc<PasswordHash>> {
        if let Some(account) = self.accounts.get(username) {
            return Some(Arc::clone(&account.hash));
        }
        let digest = Secret::new(username).hash().to_hex();
        let number = digest.get(..8).and_then(|hex| usize::from_str_radix(hex, 16).ok()).unwrap_or_default();
        self.decoys.get(number.checked_rem(self.decoys.len())?).map(Arc::clone)
    }

    async fn check(&self, username: &str, password: Secret) -> Result<Option<User>, PasswordCheckError> {
        if password.expose().len() > PASSWORD_BYTES_MAX {
            return Ok(None);
        }
        let Some(hash) = self.hash_for(username) else {
            return Ok(None);
        };
        let is_right = self.verify_in_turn(hash, password).await?;
        // The user is looked up again so that a decoy can never stand for anybody.
        Ok(self.accounts.get(username).filter(|_| is_right).map(|account| User::clone(&account.user)))
    }

    async fn verify_in_turn(&self, hash: Arc<PasswordHash>, password: Secret) -> Result<bool, PasswordCheckError> {
        let busy = || PasswordCheckError("too many password checks are waiting; try again".to_owned());
        let turn = tokio::time::timeout(QUEUE_TIMEOUT, Arc::clone(&self.turns).acquire_owned())
            .await
            .map_err(|_| busy())?
            .map_err(|_| busy())?;
        let check = tokio::task::spawn_blocking(move || {
            // Held by the thread: a caller that gives up does not free a turn that is in use.
            let _turn = turn;
            matches(&password, &hash)
        });
        check
            .await
            .map_err(|_| PasswordCheckError("the check was aborted".to_owned()))?
            .map_err(|error| PasswordCheckError(error.to_string()))
    }
}

impl PasswordDirectory for LocalUsers {
    fn name(&self) -> &'static str {
        PROVIDER
    }

    fn find_user(&self, id: &UserId) -> Option<Arc<User>> {
        let username = id.as_str().strip_prefix(PROVIDER)?.strip_prefix(':')?;
        self.accounts.get(username).map(|account| Arc::clone(&account.user))
    }

    fn verify(&self, username: String, password: Secret) -> PortFuture<'_, Result<Option<User>, PasswordCheckError>> {
        Box::pin(async move { self.check(&username, password).await })
    }
}

fn describe(user: &LocalUser) -> User {
    User {
        id: UserId::of(PROVIDER, &user.username),
        provider: PROVIDER.to_owned(),
        subject: user.username.clone(),
        username: user.username.clone(),
        email: user.email.clone(),
        email_verified: user.email.is_some(),
        name: user.name.clone(),
        role: user.role.clone(),
        permissions: user.permissions.clone(),
        groups: user.groups.clone(),
        capabilities: Vec::new(),
        claims: json!({
            "sub": user.username,
            "preferred_username": user.username,
            "email": user.email,
            "name": user.name,
            "role": user.role,
            "permissions": user.permissions,
            "groups": user.groups,
        }),
    }
}

#[cfg(test)]
mod tests;

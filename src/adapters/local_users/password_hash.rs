//! Hashes of passwords: argon2id as PHC strings.

use argon2::password_hash::Error as HashError;
use argon2::password_hash::phc::Output;
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use mxcp_actors::model::secret::Secret;
use mxcp_actors::ports::entropy::Entropy;

/// The longest password that is hashed.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// The most memory that a hash of the configuration may ask for, in KiB: 1 GiB.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;

/// The most passes that a hash of the configuration may ask for.
const PASSES_MAX: u32 = 64;

const SALT_BYTES: usize = 16;

/// A password that cannot be hashed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordHashError {
    /// It is empty.
    #[error("the password must not be empty")]
    Empty,
    /// It is too long.
    #[error("the password is longer than {PASSWORD_BYTES_MAX} bytes")]
    TooLong,
    /// Hashing failed, for example because there is not enough memory.
    #[error("the password could not be hashed: {0}")]
    Failed(String),
}

/// Hashes a password for the configuration: argon2id with 19 MiB and two passes, which is what
/// OWASP asks for at least, and a salt of 128 bits.
///
/// # Errors
/// When the password is empty or too long, or there is no memory for it.
pub fn hash_password(password: &Secret, entropy: &dyn Entropy) -> Result<String, PasswordHashError> {
    if password.is_empty() {
        return Err(PasswordHashError::Empty);
    }
    if password.expose().len() > PASSWORD_BYTES_MAX {
        return Err(PasswordHashError::TooLong);
    }
    let mut salt = [0_u8; SALT_BYTES];
    entropy.fill(&mut salt);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
        .hash_password_with_salt(password.expose().as_bytes(), &salt)
        .map(|hash: PasswordHash| hash.to_string())
        .map_err(|error| PasswordHashError::Failed(error.to_string()))
}

/// Checks that `text` is a hash that passwords can be compared with.
///
/// # Errors
/// Tells what is wrong with it, without repeating it.
pub fn check_password_hash(text: &str) -> Result<(), String> {
    parse(text).map(drop)
}

/// Reads a PHC string of argon2id.
pub(super) fn parse(text: &str) -> Result<PasswordHash, String> {
    let hash =
        PasswordHash::new(text).map_err(|_| "is not a password hash; make one with `mxcp hash-password`".to_owned())?;
    if hash.algorithm != ARGON2ID_IDENT {
        return Err(format!("is a hash of {}, not of argon2id; make one with `mxcp hash-password`", hash.algorithm));
    }
    // Without a version the hash is of the first one, which the library would misread.
    if hash.version != Some(u32::from(Version::V0x13)) {
        return Err("is of an old version of argon2; only version 19 is accepted".to_owned());
    }
    let params = Params::try_from(&hash).map_err(|_| "has parameters that argon2id does not know".to_owned())?;
    if params.m_cost() > MEMORY_KIB_MAX || params.t_cost() > PASSES_MAX {
        return Err("asks for more than 1 GiB of memory or 64 passes at each login".to_owned());
    }
    if hash.salt.is_none() || hash.hash.is_none() {
        return Err("lacks the salt or the hash itself".to_owned());
    }
    Ok(hash)
}

/// A hash that takes as long to compare with and that no password belongs to.
pub(super) fn decoy_of(hash: &PasswordHash) -> PasswordHash {
    let length = hash.hash.map_or(Params::DEFAULT_OUTPUT_LEN, |output| output.len());
    let nothing = Output::init_with(length, |_zeros| Ok(())).ok();
    PasswordHash { hash: nothing.or(hash.hash), ..hash.clone() }
}

/// Compares in time that does not depend on where the two differ.
///
/// # Errors
/// When the comparison itself failed.
pub(super) fn matches(password: &Secret, hash: &PasswordHash) -> Result<bool, HashError> {
    match Argon2::default().verify_password(password.expose().as_bytes(), hash) {
        Ok(()) => Ok(true),
        Err(HashError::PasswordInvalid) => Ok(false),
        Err(error) => Err(error),
    }
}

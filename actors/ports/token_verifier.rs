//! Access tokens of an issuer that this server trusts, for a server that issues none itself (the
//! resource server of OAuth 2.1 section 1.1).

use super::PortFuture;
use crate::model::secret::Secret;
use crate::model::token::AccessGrant;
use std::sync::Arc;

/// Why a token is not accepted. What was wrong with it is for the operator's log, not for whoever
/// showed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// It is not a token for this server, or not any more.
    #[error("the access token is not valid here")]
    Refused,
    /// Nobody can tell: the issuer does not answer. It may be a good token.
    #[error("the issuer of access tokens does not answer")]
    Unavailable,
}

/// Checks access tokens that somebody else has issued.
///
/// There is one way of checking, and what it refuses is refused: a second opinion would turn every
/// check of the first into a suggestion.
pub trait TokenVerifier: Send + Sync + std::fmt::Debug {
    /// The issuer, spelt exactly as it spells itself, because clients compare it so (RFC 8414
    /// section 3.3).
    fn issuer(&self) -> PortFuture<'_, Result<String, VerifyError>>;

    /// The issuer as people know it: from the configuration, so that it need not be asked.
    fn title(&self) -> &str;

    /// What `token` stands for. Cheap for a token that was shown a moment ago.
    fn verify<'a>(&'a self, token: &'a Secret) -> PortFuture<'a, Result<Arc<AccessGrant>, VerifyError>>;

    /// Waits until `token` is not accepted any more: because it has expired, or because the issuer
    /// has taken it back, as far as the issuer is asked.
    fn wait_for_end<'a>(&'a self, token: &'a Secret) -> PortFuture<'a, ()>;
}

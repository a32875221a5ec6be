//! Checks what clients sign to prove who they are: the keys, the signature, the claims, and at
//! last that it is the first use.

use super::messages::AuthenticationError;
use crate::model::client::{AuthMethod, Client};
use crate::model::client_assertion::{AssertionFault, ClientAssertion};
use crate::model::client_keys::ClientKeys;
use crate::model::signing_key::{KeySet, SigningAlgorithm};
use crate::ports::assertion_store::{AssertionStore, AssertionUse};
use crate::ports::client_key_source::{ClientKeySource, KeySourceError};
use crate::ports::clock::Clock;
use crate::ports::signature_verifier::SignatureVerifier;
use crate::settings::Settings;
use std::sync::Arc;

/// How many assertions a client may use before the first of them is over: a service that acts
/// for thousands of people uses some tens in a second.
const CLIENT_ASSERTIONS_MAX: usize = 10_000;
/// The most assertions that are forgotten in one step.
const SWEEP_STEP: usize = 10_000;

/// Checks assertions and remembers those that were used.
#[derive(Debug)]
pub(crate) struct AssertionChecker {
    store: Arc<dyn AssertionStore>,
    signatures: Arc<dyn SignatureVerifier>,
    key_source: Arc<dyn ClientKeySource>,
    clock: Arc<dyn Clock>,
    audiences: Vec<String>,
}

impl AssertionChecker {
    pub(crate) fn new(
        store: Arc<dyn AssertionStore>,
        signatures: Arc<dyn SignatureVerifier>,
        key_source: Arc<dyn ClientKeySource>,
        clock: Arc<dyn Clock>,
        settings: &Settings,
    ) -> Self {
        Self { store, signatures, key_source, clock, audiences: audiences(settings) }
    }

    /// Whether `assertion` proves that the caller is `client`. It is marked as used only when
    /// everything else is right, or anybody could use up a name that the client will choose.
    pub(super) async fn check(&self, client: &Client, assertion: &ClientAssertion) -> Result<(), AuthenticationError> {
        assertion.check_subject(&client.id)?;
        self.check_signature(client, assertion).await?;
        let now = self.clock.now();
        let used = assertion.check_claims(&self.audiences, now)?;
        match self.store.use_assertion(used, now, CLIENT_ASSERTIONS_MAX).await? {
            AssertionUse::First => Ok(()),
            AssertionUse::Repeated => Err(AssertionFault::Replayed.into()),
            AssertionUse::Full => Err(AssertionFault::TooMany.into()),
        }
    }

    async fn check_signature(&self, client: &Client, assertion: &ClientAssertion) -> Result<(), AssertionFault> {
        let keys = client.keys.as_ref().filter(|_| client.auth_method == AuthMethod::PrivateKeyJwt);
        let keys = keys.ok_or(AssertionFault::NotRegistered)?;
        let (algorithm, key_id) = assertion.check_header()?;
        let try_with = |keys: &KeySet| self.try_keys(keys, assertion, algorithm, key_id);
        match keys {
            ClientKeys::Set(keys) => try_with(keys),
            ClientKeys::Published(uri) => {
                let keys = self.key_source.keys(uri).await.map_err(no_keys)?;
                let Err(fault) = try_with(&keys) else { return Ok(()) };
                // A signature that no known key made may be that of a new key.
                let newer = self.key_source.newer_keys(uri, keys).await;
                newer.map_or(Err(fault), |newer| try_with(&newer))
            }
        }
    }

    fn try_keys(
        &self,
        keys: &KeySet,
        assertion: &ClientAssertion,
        algorithm: SigningAlgorithm,
        key_id: Option<&str>,
    ) -> Result<(), AssertionFault> {
        let (message, signature) = assertion.signed_parts();
        let mut fault = AssertionFault::UnknownKey;
        for key in keys.candidates(key_id, algorithm) {
            if self.signatures.is_signed(message, signature, algorithm, &key.public) {
                return Ok(());
            }
            fault = AssertionFault::BadSignature;
        }
        Err(fault)
    }

    pub(super) async fn sweep(&self) {
        loop {
            match self.store.sweep_assertions(self.clock.now(), SWEEP_STEP).await {
                Ok(SWEEP_STEP) => {}
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(%error, "used client assertions could not be forgotten");
                    return;
                }
            }
        }
    }
}

fn no_keys(error: KeySourceError) -> AssertionFault {
    AssertionFault::NoKeys { detail: error.detail, is_passing: error.is_passing }
}

/// The names under which a client may mean this server, the issuer first.
///
/// The update of RFC 7523 demands the issuer, RFC 7523 itself names the token endpoint, and
/// libraries that keep the issuer as a URL write a slash behind it. All are names of this server
/// alone. A server on this machine has further names (D13).
fn audiences(settings: &Settings) -> Vec<String> {
    let origins = std::iter::once(&settings.issuer).chain(&settings.alias_origins);
    origins.flat_map(|origin| [origin.clone(), format!("{origin}/"), format!("{origin}/token")]).collect()
}

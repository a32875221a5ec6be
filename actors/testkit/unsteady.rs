//! A store in front of a store that takes its time, and fails where a test wants it to.
//!
//! The stores in memory answer at once, so that nothing can come between a look and a change.
//! Behind [`Unsteady`] every operation lets others go first, before and after, as a database
//! does: what is only safe by luck shows.

use crate::model::client::Client;
use crate::model::client_assertion::UsedAssertion;
use crate::model::grant::{AuthorizationCode, Consent, PendingLogin};
use crate::model::ids::{ClientId, SessionId, UserId};
use crate::model::secret::TokenHash;
use crate::model::session::Session;
use crate::model::timestamp::Timestamp;
use crate::model::token::{AccessTokenRecord, RefreshTokenRecord, UpstreamTokens};
use crate::ports::assertion_store::{AssertionStore, AssertionUse};
use crate::ports::client_store::ClientStore;
use crate::ports::grant_store::{GrantStore, Redemption};
use crate::ports::session_store::{SessionStore, SessionVisitor, SweptTokens, TokenChange};
use crate::ports::{StoreError, StoreResult};
use std::ops::Range;
use std::sync::Mutex;
use tokio::task::yield_now;

/// Passes everything on to `S`.
#[derive(Debug, Default)]
pub struct Unsteady<S> {
    store: S,
    broken: Mutex<Vec<(&'static str, usize)>>,
}

impl<S: Sync> Unsteady<S> {
    /// In front of `store`.
    pub fn new(store: S) -> Self {
        Self { store, broken: Mutex::default() }
    }

    /// From now on `operation` fails.
    pub fn break_operation(&self, operation: &'static str) {
        self.break_after(0, operation);
    }

    /// `operation` still works that many times, and fails from then on.
    pub fn break_after(&self, successes: usize, operation: &'static str) {
        self.broken.lock().unwrap().push((operation, successes));
    }

    /// From now on nothing fails.
    pub fn heal(&self) {
        self.broken.lock().unwrap().clear();
    }

    fn is_broken(&self, name: &str) -> bool {
        let mut broken = self.broken.lock().unwrap();
        match broken.iter_mut().find(|(operation, _)| *operation == name) {
            None => false,
            Some((_, 0)) => true,
            Some((_, successes)) => {
                *successes -= 1;
                false
            }
        }
    }

    fn pass<'a, T: Send + 'a>(
        &'a self,
        name: &'static str,
        operation: impl FnOnce(&'a S) -> StoreResult<'a, T> + Send + 'a,
    ) -> StoreResult<'a, T> {
        Box::pin(async move {
            yield_now().await;
            if self.is_broken(name) {
                return Err(StoreError { detail: format!("{name} was told to fail") });
            }
            let outcome = operation(&self.store).await;
            yield_now().await;
            outcome
        })
    }
}

/// Each operation is the inner store's operation of the same name.
macro_rules! passed_on {
    ($port:ident: $($operation:ident($($argument:ident: $of:ty),*) -> $answer:ty;)*) => {
        impl<S: $port> $port for Unsteady<S> {
            $(fn $operation(&self, $($argument: $of),*) -> StoreResult<'_, $answer> {
                self.pass(stringify!($operation), move |store| store.$operation($($argument),*))
            })*
        }
    };
}

passed_on! { AssertionStore:
    use_assertion(used: UsedAssertion, now: Timestamp, client_max: usize) -> AssertionUse;
    sweep_assertions(now: Timestamp, limit: usize) -> usize;
}

passed_on! { ClientStore:
    insert_client(client: Client) -> ();
    find_client(id: ClientId) -> Option<Client>;
    count_clients() -> u64;
    remove_unused_clients(before: Timestamp, limit: usize) -> Vec<ClientId>;
    mark_client_used(id: ClientId) -> ();
}

passed_on! { GrantStore:
    insert_login(login: PendingLogin) -> ();
    find_login(handle: TokenHash) -> Option<PendingLogin>;
    take_login(handle: TokenHash) -> Option<PendingLogin>;
    insert_code(code: AuthorizationCode) -> ();
    redeem_code(code: TokenHash) -> Redemption;
    put_consent(consent: Consent) -> ();
    list_consents(browser: TokenHash, client: ClientId) -> Vec<Consent>;
    sweep_grants(now: Timestamp, limit: usize) -> usize;
}

passed_on! { SessionStore:
    load_sessions(now: Timestamp, visit: SessionVisitor) -> ();
    insert_session(session: Session) -> ();
    find_session(id: SessionId) -> Option<Session>;
    list_user_sessions(user: UserId) -> Vec<Session>;
    find_browser_session(cookie: TokenHash) -> Option<Session>;
    remove_session(id: SessionId) -> Option<Session>;
    change_tokens(session: SessionId, change: TokenChange) -> bool;
    find_refresh_token(hash: TokenHash) -> Option<RefreshTokenRecord>;
    find_access_token(hash: TokenHash) -> Option<AccessTokenRecord>;
    remove_access_token(hash: TokenHash) -> bool;
    put_upstream_tokens(id: SessionId, tokens: UpstreamTokens) -> bool;
    list_refresh_due(due: Range<Timestamp>, limit: usize) -> Vec<SessionId>;
    sweep_sessions(now: Timestamp, limit: usize) -> SweptTokens;
}

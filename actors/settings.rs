//! Limits, lifetimes and names that the actors work by, already checked. No file formats.

use crate::model::client::Client;
use crate::model::resource::Resource;
use crate::model::scope::ScopeSet;
use std::time::Duration;

/// How long things live. All of them are ours, whatever the provider's tokens do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// An authorization code.
    pub authorization_code: Duration,
    /// An access token.
    pub access_token: Duration,
    /// A refresh token that is not used.
    pub refresh_token_idle: Duration,
    /// A session, however often it is refreshed.
    pub refresh_token_max: Duration,
    /// A login under way.
    pub pending_login: Duration,
    /// How long the refresh token before the current one still gives the same answer, for
    /// clients that lost it or refresh twice at once; zero refuses at once.
    pub refresh_grace: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            authorization_code: Duration::from_secs(60),
            access_token: Duration::from_secs(60 * 60),
            refresh_token_idle: Duration::from_secs(30 * DAY),
            refresh_token_max: Duration::from_secs(90 * DAY),
            pending_login: Duration::from_secs(10 * 60),
            refresh_grace: Duration::from_secs(30),
        }
    }
}

/// Everything that the actors are told once, at start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The issuer identifier: the public base URL, byte for byte the same everywhere.
    pub issuer: String,
    /// The protected resource that tokens are for.
    pub resource: Resource,
    /// Whether a client may name the bare origin when it means [`Self::resource`].
    pub is_origin_an_alias: bool,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// Scopes that every call needs.
    pub required_scopes: ScopeSet,
    /// Clients from the configuration.
    pub configured_clients: Vec<Client>,
    /// Whether clients may register themselves.
    pub is_registration_open: bool,
    /// The most clients that may be registered at a time.
    pub registered_clients_max: u64,
    /// How long one query may run.
    pub query_deadline: Duration,
    /// The most rows that one query may return.
    pub query_rows_max: usize,
}

impl Settings {
    /// The scope that every client gets when it asks for none.
    pub const DEFAULT_SCOPE: &'static str = "mxcp:access";

    /// Every scope that there is.
    #[must_use]
    pub fn scope_catalogue(&self) -> ScopeSet {
        let mut catalogue: ScopeSet = [Self::DEFAULT_SCOPE].into_iter().collect();
        catalogue = catalogue.union(&self.required_scopes);
        for client in &self.configured_clients {
            catalogue = catalogue.union(&client.scope);
        }
        catalogue
    }
}

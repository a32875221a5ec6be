//! Limits, lifetimes and names that the actors work by, already checked. No file formats.

use crate::model::client::Client;
use crate::model::host_pattern::HostPattern;
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

/// Which clients may come with a metadata document (OAuth Client ID Metadata Document).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientDocumentSettings {
    /// The only hosts whose documents are read; `None` for any.
    pub allowed_hosts: Option<Vec<HostPattern>>,
    /// Hosts whose documents are not read, whatever else is allowed.
    pub denied_hosts: Vec<HostPattern>,
    /// Whether documents may be on this machine, and there by plain http: only when the server
    /// itself is for this machine.
    pub allows_loopback: bool,
}

impl ClientDocumentSettings {
    /// Whether documents of `host` are read.
    #[must_use]
    pub fn accepts_host(&self, host: &str) -> bool {
        let is_meant = |patterns: &[HostPattern]| patterns.iter().any(|pattern| pattern.matches(host));
        !is_meant(&self.denied_hosts) && self.allowed_hosts.as_deref().is_none_or(is_meant)
    }
}

/// Everything that the actors are told once, at start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The issuer identifier: the public base URL, byte for byte the same everywhere.
    pub issuer: String,
    /// The protected resource that tokens are for.
    pub resource: Resource,
    /// Other origins under which the same server is reached, such as `http://127.0.0.1:8000` for
    /// `http://localhost:8000`: a client compares the published resource with the URL that it was
    /// given, so each spelling is published under its own name.
    pub alias_origins: Vec<String>,
    /// Whether a client may name the bare origin when it means [`Self::resource`].
    pub is_origin_an_alias: bool,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// Scopes that every call needs.
    pub required_scopes: ScopeSet,
    /// Scopes that clients are told to ask for at first, beside those.
    pub further_default_scopes: ScopeSet,
    /// Scopes that exist besides: those of endpoints, of grants and of the hierarchy.
    pub further_scopes: ScopeSet,
    /// Clients from the configuration.
    pub configured_clients: Vec<Client>,
    /// Whether clients may register themselves.
    pub is_registration_open: bool,
    /// The most clients that may be registered at a time.
    pub registered_clients_max: u64,
    /// Which clients may come with a metadata document instead of a registration; `None` when none
    /// may.
    pub client_documents: Option<ClientDocumentSettings>,
    /// The roles whose people may see the audit log in the browser.
    pub audit_viewers: Vec<String>,
    /// How long one query may run.
    pub query_deadline: Duration,
    /// The most rows that one query may return.
    pub query_rows_max: usize,
}

impl Settings {
    /// The scope that every client gets when it asks for none.
    pub const DEFAULT_SCOPE: &'static str = "mxcp:access";

    /// The origins that are other names of `base_url` on this machine; none for any other host.
    #[must_use]
    pub fn loopback_aliases(base_url: &str) -> Vec<String> {
        const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];
        let Some(rest) = base_url.strip_prefix("http://") else { return Vec::new() };
        let Some(own) = NAMES.iter().find(|name| rest.strip_prefix(**name).is_some_and(is_port)) else {
            return Vec::new();
        };
        let port = rest.get(own.len()..).unwrap_or_default();
        NAMES.iter().filter(|name| name != &own).map(|name| format!("http://{name}{port}")).collect()
    }

    /// What clients are told to ask for at first, and what one gets that asks for no scope.
    #[must_use]
    pub fn default_scopes(&self) -> ScopeSet {
        let default: ScopeSet = [Self::DEFAULT_SCOPE].into_iter().collect();
        default.union(&self.required_scopes).union(&self.further_default_scopes)
    }

    /// Every scope that there is.
    #[must_use]
    pub fn scope_catalogue(&self) -> ScopeSet {
        let mut catalogue: ScopeSet = [Self::DEFAULT_SCOPE].into_iter().collect();
        catalogue = catalogue.union(&self.required_scopes).union(&self.further_scopes);
        for client in &self.configured_clients {
            catalogue = catalogue.union(&client.scope);
        }
        catalogue
    }
}

/// Whether this is what may follow a host in an origin: nothing, or a colon and digits.
fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_documents_are_accepted_as_the_operator_says() {
        let patterns = |hosts: &[&str]| hosts.iter().map(|host| HostPattern::parse(host).unwrap()).collect::<Vec<_>>();
        for (allowed, denied, is_accepted) in [
            (None, vec![], true),
            (None, patterns(&["app.example.com"]), false),
            (None, patterns(&["other.example.com"]), true),
            (Some(patterns(&["*.example.com"])), vec![], true),
            (Some(patterns(&["other.example.com"])), vec![], false),
            (Some(patterns(&["*.example.com"])), patterns(&["app.example.com"]), false),
        ] {
            let settings =
                ClientDocumentSettings { allowed_hosts: allowed, denied_hosts: denied, allows_loopback: false };
            assert_eq!(settings.accepts_host("app.example.com"), is_accepted, "{settings:?}");
        }
    }

    #[test]
    fn only_a_server_on_this_machine_has_other_names() {
        assert_eq!(Settings::loopback_aliases("http://localhost:8000"), ["http://127.0.0.1:8000", "http://[::1]:8000"]);
        assert_eq!(Settings::loopback_aliases("http://[::1]"), ["http://localhost", "http://127.0.0.1"]);
        for base_url in ["https://localhost:8000", "http://localhost.example:80", "https://mcp.example.com"] {
            assert_eq!(Settings::loopback_aliases(base_url), [] as [String; 0], "{base_url}");
        }
    }
}

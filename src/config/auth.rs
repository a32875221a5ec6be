//! The `auth` block of a profile.

use super::authorization::{self, AuthorizationConfiguration};
use super::clients;
use super::persistence;
use super::policy_rules;
use super::providers;
use super::reader::{Field, Table};
use super::result_rules::ResultRule;
use super::settings::{AuthConfiguration, ClientDocuments, Lifetimes};
use super::site::positive_duration;
use super::user_mapping;
use super::verifier;
use mxcp_actors::model::host_pattern::HostPattern;
use mxcp_actors::model::policy::PolicySet;
use std::time::Duration;

/// The longest life of an authorization code (RFC 6749 section 4.1.2).
const AUTHORIZATION_CODE_MAX: Duration = Duration::from_mins(10);

impl AuthConfiguration {
    /// Everybody may call.
    #[must_use]
    pub fn none() -> Self {
        Self {
            providers: Vec::new(),
            verifier: None,
            user_mapping: Vec::new(),
            policies: PolicySet::default(),
            result_rules: Vec::new(),
            clients: Vec::new(),
            authorization: AuthorizationConfiguration::default(),
            lifetimes: Lifetimes::default(),
            is_registration_enabled: true,
            client_documents: Some(ClientDocuments::default()),
            persistence: None,
        }
    }
}

/// Reads the `auth` block.
pub(super) fn read(field: &Field<'_>) -> Option<AuthConfiguration> {
    field.table(|table| {
        let is_verifier = |mode: Field<'_>| mode.choice(&[("issuer", false), ("verifier", true)]).unwrap_or_default();
        // A mode that was left blank must not be taken for the default.
        if table.get_or_null("mode").is_some_and(is_verifier) {
            return verifier::read(table);
        }
        let providers = providers::read(table);
        let user_mapping = table.get("user_mapping").and_then(|field| user_mapping::read_rules(&field));
        let (policies, result_rules) = read_policies(table);
        let clients = table.get("clients").and_then(|field| clients::read(&field));
        let authorization = authorization::read(table, true);
        let lifetimes = table.get("lifetimes").and_then(|field| field.table(|table| Some(read_lifetimes(table))));
        let registration = table
            .get("registration")
            .and_then(|field| field.table(|table| table.get_or_null("enabled").and_then(|field| field.boolean())));
        let is_registration_enabled = registration.unwrap_or(true);
        let client_documents = match table.get("client_metadata_documents") {
            Some(field) => read_client_documents(&field, is_registration_enabled),
            None => is_registration_enabled.then(ClientDocuments::default),
        };
        let persistence = table.get("persistence").and_then(|field| persistence::read(&field));
        let auth = AuthConfiguration {
            providers: providers?,
            verifier: None,
            user_mapping: user_mapping.unwrap_or_default(),
            policies: policies.unwrap_or_default(),
            result_rules,
            clients: clients.unwrap_or_default(),
            // Rules that could not be read must not be taken for no rules.
            authorization: authorization?,
            lifetimes: lifetimes.unwrap_or_default(),
            is_registration_enabled,
            client_documents,
            persistence,
        };
        warn_of_useless_clients(table, &auth);
        if auth.persistence.is_some() && !auth.is_enabled() {
            table.field().warn("persistence has nothing to keep, because nobody signs in without a provider");
        }
        Some(auth)
    })
}

/// Reads `policies`, which know no parameters, because every endpoint has others.
pub(super) fn read_policies(table: &mut Table<'_, '_>) -> (Option<PolicySet>, Vec<ResultRule>) {
    table.get("policies").map(|field| policy_rules::read_of_profile(&field)).unwrap_or_default()
}

/// Reads `client_metadata_documents`; nothing when they are switched off. Where clients may not
/// register themselves they may not come in by this door either, unless it is opened.
fn read_client_documents(field: &Field<'_>, is_registration_enabled: bool) -> Option<ClientDocuments> {
    field.table(|table| {
        let is_enabled = table.get_or_null("enabled").and_then(|field| field.boolean());
        let is_enabled = is_enabled.unwrap_or(is_registration_enabled);
        let allowed_hosts = table.get_or_null("allowed_hosts").and_then(|field| {
            if field.is_list() && field.is_empty() {
                field.fault("names no host; leave it out to allow any, or set enabled to false");
            }
            read_hosts(&field)
        });
        let denied_hosts = table.get_or_null("denied_hosts").and_then(|field| read_hosts(&field)).unwrap_or_default();
        is_enabled.then_some(ClientDocuments { allowed_hosts, denied_hosts })
    })
}

fn read_hosts(field: &Field<'_>) -> Option<Vec<HostPattern>> {
    field.list(|item| {
        let pattern = HostPattern::parse(item.nonempty_text()?.trim());
        pattern.map_err(|error| item.fault(error.to_string())).ok()
    })
}

fn read_lifetimes(table: &mut Table<'_, '_>) -> Lifetimes {
    let mut lifetimes = Lifetimes::default();
    if let Some(field) = table.get("authorization_code") {
        match positive_duration(&field) {
            Some(duration) if duration > AUTHORIZATION_CODE_MAX => field.fault("must be at most 10m"),
            Some(duration) => lifetimes.authorization_code = duration,
            None => (),
        }
    }
    let mut read = |key, lifetime: &mut Duration| {
        if let Some(duration) = table.get(key).and_then(|field| positive_duration(&field)) {
            *lifetime = duration;
        }
    };
    read("access_token", &mut lifetimes.access_token);
    read("refresh_token_idle", &mut lifetimes.refresh_token_idle);
    read("refresh_token_max", &mut lifetimes.refresh_token_max);
    read("pending_login", &mut lifetimes.pending_login);
    // Nothing is allowed here: then no refresh may be repeated.
    if let Some(duration) = table.get("refresh_grace").and_then(|field| field.duration()) {
        lifetimes.refresh_grace = duration;
    }
    lifetimes
}

fn warn_of_useless_clients(table: &Table<'_, '_>, auth: &AuthConfiguration) {
    for client in &auth.clients {
        if client.redirect_uris.is_empty() {
            let text = format!("client '{}' has no redirect_uris, so nobody can sign in through it", client.id);
            table.field().warn(&text);
        }
        let rules = &auth.authorization;
        if !rules.hierarchy.closure(&client.scopes).contains_all(&rules.required_scopes) {
            let text = format!(
                "client '{}' may not have all of the required_scopes, so all its calls will be refused",
                client.id
            );
            table.field().warn(&text);
        }
    }
}

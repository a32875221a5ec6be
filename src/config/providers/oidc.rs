//! `auth.oidc`: any `OpenID` provider.

use super::super::reader::{Field, Table};
use super::app::{Registration, ScopeDefault, check_openid, read_registration, read_scope, read_scope_or};
use super::settings::{KeycloakSettings, OidcSettings};
use super::{BUILT_IN, OIDC};

/// What is asked of Keycloak when the file does not say.
const KEYCLOAK_SCOPE: [&str; 3] = ["openid", "profile", "email"];

/// Reads the block.
pub(super) fn read(table: &mut Table<'_, '_>) -> Option<OidcSettings> {
    let registration = read_registration(table);
    let config_url = table.require("config_url").and_then(|field| field.secure_url());
    let scope = table.require("scope").and_then(|field| {
        let scope = read_scope(&field)?;
        check_openid(&field, &scope);
        Some(scope)
    });
    let audience = table.get("audience").and_then(|field| field.nonempty_text());
    let parameters = table.get("extra_authorize_params").and_then(|field| read_parameters(&field));
    if let Some(field) = table.get_or_null("verification") {
        field.fault("belongs to mode: verifier; remove it, or set auth.mode");
    }
    let Registration { client_id, client_secret, callback_path } = registration?;
    Some(OidcSettings {
        config_url: config_url?,
        client_id,
        client_secret,
        scope: scope?,
        callback_path,
        audience,
        extra_authorize_params: parameters.unwrap_or_default(),
    })
}

/// Reads the name under which the provider's people are known.
pub(super) fn read_name(table: &mut Table<'_, '_>) -> Option<String> {
    table.get("provider_name").and_then(|field| read_provider_name(&field))
}

/// Reads the block of Keycloak, whose addresses follow from the server and the realm.
pub(super) fn read_keycloak(table: &mut Table<'_, '_>) -> Option<KeycloakSettings> {
    let registration = read_registration(table);
    let realm = table.require("realm").and_then(|field| read_realm(&field));
    let server_url = table.require("server_url").and_then(|field| field.secure_url());
    let scope = read_scope_or(table, &ScopeDefault::Scopes(&KEYCLOAK_SCOPE));
    if let Some((field, scope)) = table.get("scope").zip(scope.as_ref()) {
        check_openid(&field, scope);
    }
    let Registration { client_id, client_secret, callback_path } = registration?;
    Some(KeycloakSettings {
        client_id,
        client_secret,
        callback_path,
        server_url: server_url?,
        realm: realm?,
        scope: scope?,
    })
}

/// The realm becomes one segment of a path.
fn read_realm(field: &Field<'_>) -> Option<String> {
    let realm = field.nonempty_text()?;
    if realm.contains(['/', '?', '#', '%']) || realm == "." || realm == ".." {
        field.fault("expected the realm's name, without slashes");
        return None;
    }
    Some(realm)
}

fn read_parameters(field: &Field<'_>) -> Option<Vec<(String, String)>> {
    /// What an authorization request says anyway.
    const OURS: [&str; 9] = [
        "client_id",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "response_mode",
    ];
    let parameters = field.entries()?.into_iter().filter_map(|(name, value)| {
        if OURS.contains(&name) {
            value.fault("is set by the server itself");
            return None;
        }
        Some((name.to_owned(), value.text()?))
    });
    Some(parameters.collect())
}

/// The name becomes a part of each person's id, so it must not run into the subject, and is not
/// that of a provider of another kind.
pub(in crate::config) fn read_provider_name(field: &Field<'_>) -> Option<String> {
    let name = field.nonempty_text()?;
    let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !is_word || (name != OIDC && BUILT_IN.contains(&name.as_str())) {
        field.fault(format!(
            "expected a word of letters, digits and -_. other than {}",
            BUILT_IN.iter().filter(|name| **name != OIDC).copied().collect::<Vec<_>>().join(", ")
        ));
        return None;
    }
    Some(name)
}

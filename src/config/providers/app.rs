//! What the blocks of several providers have in common.

use super::super::reader::{Field, Table};
use super::settings::AppSettings;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::secret::Secret;

/// Routes of the daemon itself, which no provider may send people back to.
const OWN_ROUTES: [&str; 9] =
    ["/mcp", "/authorize", "/token", "/register", "/revoke", "/consent", "/login", "/logout", "/health"];

/// What every provider wants of a client.
pub(super) struct Registration {
    pub(super) client_id: String,
    pub(super) client_secret: Secret,
    pub(super) callback_path: String,
}

/// Whether a provider's block must say what is asked of the provider.
pub(super) enum ScopeDefault<'a> {
    /// It must.
    Required,
    /// These scopes when it does not.
    Scopes(&'a [&'static str]),
}

/// Reads who we are at a provider.
pub(super) fn read_registration(table: &mut Table<'_, '_>) -> Option<Registration> {
    let client_id = table.require("client_id").and_then(|field| field.nonempty_text());
    let client_secret = table.require("client_secret").and_then(|field| field.nonempty_text());
    let callback_path = table.require("callback_path").and_then(|field| read_callback_path(&field));
    Some(Registration {
        client_id: client_id?,
        client_secret: Secret::new(client_secret?),
        callback_path: callback_path?,
    })
}

/// Reads the block of a provider whose addresses stand in it.
pub(super) fn read_app(table: &mut Table<'_, '_>, default: &ScopeDefault<'_>) -> Option<AppSettings> {
    let registration = read_registration(table);
    let auth_url = table.require("auth_url").and_then(|field| field.secure_url());
    let token_url = table.require("token_url").and_then(|field| field.secure_url());
    let scope = read_scope_or(table, default);
    let Registration { client_id, client_secret, callback_path } = registration?;
    Some(AppSettings {
        client_id,
        client_secret,
        callback_path,
        auth_url: auth_url?,
        token_url: token_url?,
        scope: scope?,
    })
}

/// Reads `scope`, or takes the default. An empty one is what it says: nothing is asked for.
pub(super) fn read_scope_or(table: &mut Table<'_, '_>, default: &ScopeDefault<'_>) -> Option<ScopeSet> {
    match default {
        ScopeDefault::Required => table.require("scope").and_then(|field| read_scope(&field)),
        ScopeDefault::Scopes(scopes) => match table.get("scope") {
            Some(field) => read_scope(&field),
            None => Some(scopes.iter().copied().collect()),
        },
    }
}

/// Reads a scope.
pub(in crate::config) fn read_scope(field: &Field<'_>) -> Option<ScopeSet> {
    let scope = ScopeSet::parse(&field.text()?);
    if scope.is_none() {
        field.fault("expected scopes separated by spaces, without quotes, backslashes and letters beyond ASCII");
    }
    scope
}

/// Reads a scope that must hold `openid`.
pub(super) fn check_openid(field: &Field<'_>, scope: &ScopeSet) {
    if !scope.contains("openid") {
        field.fault("must contain openid");
    }
}

fn read_callback_path(field: &Field<'_>) -> Option<String> {
    let path = field.text()?;
    let is_plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte));
    let is_path = path.starts_with('/') && !path.contains("//") && !path.ends_with('/') && !path.contains("/.");
    if is_path && is_plain && !is_own_route(&path) {
        return Some(path);
    }
    // The root and the well-known documents are routes of ours and no plain paths at once.
    field.fault(if is_own_route(&path) {
        "this path is a route of the server itself; use another one, such as /callback"
    } else {
        "expected a path of letters, digits and -._~/ that begins with a slash, such as /callback"
    });
    None
}

fn is_own_route(path: &str) -> bool {
    path == "/" || path.starts_with("/.well-known") || OWN_ROUTES.contains(&path) || path.starts_with("/mcp/")
}

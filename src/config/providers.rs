//! The blocks of the identity providers, and the choice among them.

use super::local_users;
use super::reader::{Field, Table};
use super::settings::{GithubSettings, OidcSettings, ProviderSettings};
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::secret::Secret;

/// What is asked of GitHub when the file does not say.
const GITHUB_SCOPE: [&str; 2] = ["read:user", "user:email"];

/// Routes of the daemon itself, which no provider may send people back to.
const OWN_ROUTES: [&str; 9] =
    ["/mcp", "/authorize", "/token", "/register", "/revoke", "/consent", "/login", "/logout", "/health"];

/// The values of `provider`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Provider {
    None,
    Github,
    Oidc,
    Local,
    /// Known, and to come.
    Later(&'static str),
}

const PROVIDERS: [(&str, Provider); 8] = [
    ("none", Provider::None),
    ("github", Provider::Github),
    ("oidc", Provider::Oidc),
    ("local", Provider::Local),
    ("atlassian", Provider::Later("atlassian")),
    ("salesforce", Provider::Later("salesforce")),
    ("keycloak", Provider::Later("keycloak")),
    ("google", Provider::Later("google")),
];

/// Reads `provider` and the blocks of all providers.
pub(super) fn read(table: &mut Table<'_, '_>) -> Option<ProviderSettings> {
    // A provider that was left blank must not be taken for none.
    let field = table.get_or_null("provider");
    let chosen = match &field {
        Some(field) => field.choice(&PROVIDERS),
        None => Some(Provider::None),
    };
    let github = table.get("github").map(|field| read_github(&field));
    let oidc = table.get("oidc").map(|field| read_oidc(&field));
    let local = table.get("local").map(|field| local_users::read(&field));
    for name in ["atlassian", "salesforce", "google"] {
        table.get(name).inspect(|field| check_app(field, name != "salesforce"));
    }
    table.get("keycloak").inspect(check_keycloak);

    let has_block = github.is_some() || oidc.is_some() || local.is_some();
    if field.is_none() && has_block {
        table.field().fault("there is a provider's block but no provider; add provider, which may be none");
    }
    let (name, settings) = match chosen? {
        Provider::None => return Some(ProviderSettings::None),
        Provider::Github => ("github", github.map(|settings| settings.map(ProviderSettings::Github))),
        Provider::Oidc => ("oidc", oidc.map(|settings| settings.map(ProviderSettings::Oidc))),
        Provider::Local => ("local", local.map(|settings| settings.map(ProviderSettings::Local))),
        Provider::Later(name) => {
            field?.fault(format!("provider '{name}' is not supported yet by this version; use github, oidc or local"));
            return None;
        }
    };
    if settings.is_none() {
        field?.fault(format!("provider '{name}' is selected but there is no auth.{name} block"));
    }
    settings?
}

fn read_github(field: &Field<'_>) -> Option<GithubSettings> {
    field.table(|table| {
        let app = read_app(table);
        let auth_url = table.require("auth_url").and_then(|field| field.secure_url());
        let token_url = table.require("token_url").and_then(|field| field.secure_url());
        let scope = table.get("scope").and_then(|field| read_scope(&field));
        refuse_claim_mappings(table);
        let app = app?;
        Some(GithubSettings {
            client_id: app.client_id,
            client_secret: app.client_secret,
            callback_path: app.callback_path,
            auth_url: auth_url?,
            token_url: token_url?,
            scope: scope.unwrap_or_else(|| ScopeSet::from_iter(GITHUB_SCOPE)),
        })
    })
}

fn read_oidc(field: &Field<'_>) -> Option<OidcSettings> {
    field.table(|table| {
        let app = read_app(table);
        let config_url = table.require("config_url").and_then(|field| field.secure_url());
        let scope = table.require("scope").and_then(|field| {
            let scope = read_scope(&field)?;
            if !scope.contains("openid") {
                field.fault("must contain openid");
            }
            Some(scope)
        });
        let audience = table.get("audience").and_then(|field| field.nonempty_text());
        let parameters = table.get("extra_authorize_params").and_then(|field| read_parameters(&field));
        let provider_name = table.get("provider_name").and_then(|field| read_provider_name(&field));
        if let Some(field) = table.get_or_null("verification") {
            field.fault("belongs to mode: verifier; remove it, or set auth.mode");
        }
        refuse_claim_mappings(table);
        let app = app?;
        Some(OidcSettings {
            config_url: config_url?,
            client_id: app.client_id,
            client_secret: app.client_secret,
            scope: scope?,
            callback_path: app.callback_path,
            audience,
            extra_authorize_params: parameters.unwrap_or_default(),
            provider_name: provider_name.unwrap_or_else(|| "oidc".to_owned()),
        })
    })
}

/// What every provider wants of a client.
struct App {
    client_id: String,
    client_secret: Secret,
    callback_path: String,
}

fn read_app(table: &mut Table<'_, '_>) -> Option<App> {
    let client_id = table.require("client_id").and_then(|field| field.nonempty_text());
    let client_secret = table.require("client_secret").and_then(|field| field.nonempty_text());
    let callback_path = table.require("callback_path").and_then(|field| read_callback_path(&field));
    Some(App { client_id: client_id?, client_secret: Secret::new(client_secret?), callback_path: callback_path? })
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

pub(super) fn read_scope(field: &Field<'_>) -> Option<ScopeSet> {
    let scope = ScopeSet::parse(&field.text()?);
    if scope.is_none() {
        field.fault("expected scopes separated by spaces, without quotes, backslashes and letters beyond ASCII");
    }
    scope
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

/// The name becomes a part of each person's id, so it must not run into the subject.
pub(super) fn read_provider_name(field: &Field<'_>) -> Option<String> {
    let name = field.nonempty_text()?;
    let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !is_word || name == "local" || name == "github" {
        field.fault("expected a word of letters, digits and -_. other than local and github");
        return None;
    }
    Some(name)
}

pub(super) fn refuse_claim_mappings(table: &mut Table<'_, '_>) {
    table.refuse("claim_mappings", "remove it; policies can read user.claims");
}

/// Checks the block of a provider that is known but cannot be chosen yet.
fn check_app(field: &Field<'_>, is_scope_required: bool) {
    field.visit(|table| {
        read_app(table);
        table.require("auth_url").and_then(|field| field.secure_url());
        table.require("token_url").and_then(|field| field.secure_url());
        let scope = if is_scope_required { table.require("scope") } else { table.get("scope") };
        scope.and_then(|field| read_scope(&field));
        refuse_claim_mappings(table);
    });
}

fn check_keycloak(field: &Field<'_>) {
    field.visit(|table| {
        read_app(table);
        table.require("realm").and_then(|field| field.nonempty_text());
        table.require("server_url").and_then(|field| field.secure_url());
        table.get("scope").and_then(|field| read_scope(&field));
        refuse_claim_mappings(table);
    });
}

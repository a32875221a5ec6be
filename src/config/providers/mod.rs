//! The blocks of the identity providers, and the choice among them.

mod app;
mod local;
mod oidc;
mod settings;

pub use settings::{
    AppSettings, KeycloakSettings, LocalSettings, LocalUser, OidcSettings, ProviderKind, ProviderSettings,
};

use super::reader::{Field, Table};
use super::user_mapping;
use app::{ScopeDefault, check_openid, read_app};

pub(super) use app::read_scope;
pub(super) use oidc::read_provider_name;

/// What `provider` calls the kind whose people may go by another name.
const OIDC: &str = "oidc";

/// The kinds of providers, as `provider`, `providers` and the blocks call them.
const BUILT_IN: [&str; 7] = ["github", OIDC, "local", "atlassian", "salesforce", "keycloak", "google"];

/// What is asked of GitHub when the file does not say.
const GITHUB_SCOPE: [&str; 2] = ["read:user", "user:email"];
/// What is asked of Salesforce when the file does not say. Without `refresh_token` its tokens
/// could not be refreshed.
const SALESFORCE_SCOPE: [&str; 5] = ["openid", "profile", "email", "api", "refresh_token"];

/// Reads `provider` or `providers`, and the blocks of all of them: faults are found also in those
/// that are not chosen. The list is empty when nobody signs in.
pub(super) fn read(table: &mut Table<'_, '_>) -> Option<Vec<ProviderSettings>> {
    let chosen = read_choice(table);
    let mut blocks: Vec<(&str, Option<ProviderSettings>)> = Vec::new();
    for name in BUILT_IN {
        if let Some(field) = table.get(name) {
            blocks.push((name, field.table(|table| read_block(name, table))));
        }
    }
    if matches!(chosen, Some(Choice::NotMade)) && !blocks.is_empty() {
        table.field().fault("there is a provider's block but no provider; add provider, which may be none");
    }
    let Choice::Made(chosen) = chosen? else { return Some(Vec::new()) };
    let mut providers: Vec<ProviderSettings> = Vec::new();
    for (name, field) in chosen {
        let Some(at) = blocks.iter().position(|(block, _)| *block == name) else {
            field.fault(format!("provider '{name}' is selected but there is no auth.{name} block"));
            continue;
        };
        // One that is at fault was reported where it stands.
        let Some(provider) = blocks.swap_remove(at).1 else { continue };
        check_callback(&field, &provider, &providers);
        providers.push(provider);
    }
    Some(providers)
}

/// What the file says about where people sign in.
enum Choice<'a> {
    /// Nothing.
    NotMade,
    /// At none, or at these.
    Made(Vec<(&'static str, Field<'a>)>),
}

/// Reads `provider`, one name, or `providers`, a list of them. One that was left blank must not be
/// taken for none.
fn read_choice<'a>(table: &mut Table<'_, 'a>) -> Option<Choice<'a>> {
    let choices: Vec<(&str, Option<&'static str>)> =
        std::iter::once(("none", None)).chain(BUILT_IN.map(|name| (name, Some(name)))).collect();
    let (one, several) = (table.get_or_null("provider"), table.get_or_null("providers"));
    match (one, several) {
        (None, None) => Some(Choice::NotMade),
        (Some(_), Some(several)) => {
            several.fault("stands beside provider; keep one of the two");
            None
        }
        (Some(field), None) => {
            let name = field.choice(&choices)?;
            Some(Choice::Made(name.map(|name| (name, field)).into_iter().collect()))
        }
        (None, Some(field)) => Some(Choice::Made(read_list(&field))),
    }
}

fn read_list<'a>(field: &Field<'a>) -> Vec<(&'static str, Field<'a>)> {
    let names = BUILT_IN.map(|name| (name, name));
    let mut chosen: Vec<(&'static str, Field<'a>)> = Vec::new();
    field.each(|item| {
        let Some(name) = item.choice(&names) else { return };
        if chosen.iter().any(|(other, _)| *other == name) {
            item.fault("is named twice");
        } else {
            chosen.push((name, item));
        }
    });
    if field.is_list() && field.is_empty() {
        field.fault("names no provider; write provider: none if nobody is to sign in");
    }
    chosen
}

fn read_block(block: &'static str, table: &mut Table<'_, '_>) -> Option<ProviderSettings> {
    // Local users have no claims: what is known of them stands beside their names.
    let mappings = if block == "local" { None } else { table.get("claim_mappings") };
    let claim_mappings = mappings.and_then(|field| user_mapping::read_claims(&field)).unwrap_or_default();
    let mut name = block.to_owned();
    let kind = match block {
        "github" => read_app(table, &ScopeDefault::Scopes(&GITHUB_SCOPE)).map(ProviderKind::Github),
        "google" => read_google(table).map(ProviderKind::Google),
        "atlassian" => read_app(table, &ScopeDefault::Required).map(ProviderKind::Atlassian),
        "salesforce" => read_app(table, &ScopeDefault::Scopes(&SALESFORCE_SCOPE)).map(ProviderKind::Salesforce),
        "keycloak" => oidc::read_keycloak(table).map(ProviderKind::Keycloak),
        "local" => local::read(table).map(ProviderKind::Local),
        _ => {
            if let Some(chosen) = oidc::read_name(table) {
                name = chosen;
            }
            oidc::read(table).map(ProviderKind::Oidc)
        }
    };
    Some(ProviderSettings { name, claim_mappings, kind: kind? })
}

/// Without `openid` Google would not say who it is.
fn read_google(table: &mut Table<'_, '_>) -> Option<AppSettings> {
    let app = read_app(table, &ScopeDefault::Required);
    if let Some((field, app)) = table.get("scope").zip(app.as_ref()) {
        check_openid(&field, &app.scope);
    }
    app
}

/// Each provider sends people back to a route of its own, so that the answer of one cannot pass
/// for that of another (RFC 9700 section 4.4.2).
fn check_callback(field: &Field<'_>, provider: &ProviderSettings, others: &[ProviderSettings]) {
    let path = provider.callback_path();
    let same = others.iter().find(|other| path.is_some() && other.callback_path() == path);
    if let Some(other) = same {
        field.fault(format!(
            "has the same callback_path as {}; give each provider its own, such as /callback/{}, and register it there",
            other.name, provider.name
        ));
    }
}

//! `mode: verifier`: the server issues no tokens, and accepts those of an issuer that it trusts.

use super::auth::read_policies;
use super::authorization;
use super::providers::{read_provider_name, read_scope};
use super::reader::{Field, Table};
use super::settings::AuthConfiguration;
use super::user_mapping;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::user_mapping::ClaimMapping;
use url::Url;

/// What the address of a discovery document ends with (OpenID Connect Discovery 1.0 section 4).
const DISCOVERY_SUFFIX: &str = "/.well-known/openid-configuration";

/// What means nothing to a server that issues no tokens, and may stand in files of the Python product.
const WITHOUT_EFFECT: [&str; 2] = ["clients", "persistence"];
/// What means nothing to it, and no older file can have.
const OUT_OF_PLACE: [&str; 3] = ["registration", "client_metadata_documents", "lifetimes"];
/// Blocks of the other providers.
const OTHER_BLOCKS: [&str; 6] = ["github", "local", "atlassian", "salesforce", "google", "keycloak"];
/// What is of use in `oidc` only where people are sent to the provider.
const FOR_SIGN_INS: [&str; 2] = ["callback_path", "extra_authorize_params"];

/// Whose tokens are accepted, and how they are checked.
#[derive(Clone, Debug)]
pub struct VerifierConfiguration {
    /// The issuer's discovery document.
    pub config_url: Url,
    /// The name under which the issuer's people are known here; the default is `oidc`.
    pub provider_name: String,
    /// The name of this server in the tokens' `aud`; `None` for its URL.
    pub audience: Option<String>,
    /// What its claims give.
    pub claim_mappings: Vec<ClaimMapping>,
    /// What clients are told to ask the issuer for.
    pub scope: ScopeSet,
    /// Who this server is at the issuer's introspection endpoint; `None` when tokens are checked
    /// here.
    pub introspection: Option<IntrospectionConfiguration>,
}

impl VerifierConfiguration {
    /// The issuer as people know it.
    #[must_use]
    pub fn title(&self) -> &str {
        let url = self.config_url.as_str();
        url.strip_suffix(DISCOVERY_SUFFIX).unwrap_or(url)
    }
}

/// Who this server is at an introspection endpoint.
#[derive(Clone, Debug)]
pub struct IntrospectionConfiguration {
    /// Our id there.
    pub client_id: String,
    /// Our secret there.
    pub client_secret: Secret,
}

/// How tokens are checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verification {
    Jwt,
    Introspection,
}

/// Reads what `auth` holds besides `mode`.
pub(super) fn read(table: &mut Table<'_, '_>) -> Option<AuthConfiguration> {
    let has_provider = check_provider(table);
    let block = table.get("oidc");
    if has_provider && block.is_none() {
        table.field().fault("mode verifier needs an auth.oidc block that names the issuer");
    }
    let verifier = block.and_then(|field| read_issuer(&field));
    let user_mapping = table.get("user_mapping").and_then(|field| user_mapping::read_rules(&field));
    let (policies, result_rules) = read_policies(table);
    let authorization = authorization::read(table, false);
    for key in WITHOUT_EFFECT {
        warn(table, key, "has no effect with mode: verifier, where clients and sign-ins are the issuer's");
    }
    for key in OUT_OF_PLACE {
        if let Some(field) = table.get_or_null(key) {
            field.fault("means nothing with mode: verifier, where clients and tokens are the issuer's; remove it");
        }
    }
    for key in OTHER_BLOCKS {
        warn(table, key, "is not used with mode: verifier");
    }
    let auth = AuthConfiguration {
        verifier: Some(verifier?),
        user_mapping: user_mapping.unwrap_or_default(),
        policies: policies.unwrap_or_default(),
        result_rules,
        authorization: authorization?,
        is_registration_enabled: false,
        client_documents: None,
        ..AuthConfiguration::none()
    };
    has_provider.then_some(auth)
}

/// Whether the provider is one whose tokens can be checked.
fn check_provider(table: &mut Table<'_, '_>) -> bool {
    const NEEDED: &str = "mode verifier needs provider oidc";
    let is_oidc = |field: &Field<'_>| field.is_text() && field.text().as_deref() == Some("oidc");
    if let Some(several) = table.get_or_null("providers") {
        several.fault(format!("is for sign-ins; {NEEDED}"));
        table.skip(&["provider"]);
        return false;
    }
    match table.get_or_null("provider") {
        Some(field) if is_oidc(&field) => true,
        Some(field) => {
            field.fault(NEEDED);
            false
        }
        None => {
            table.field().fault(NEEDED);
            false
        }
    }
}

fn read_issuer(field: &Field<'_>) -> Option<VerifierConfiguration> {
    field.table(|table| {
        let config_url = table.require("config_url").and_then(|field| read_config_url(&field));
        let scope = table.get("scope").map(|field| read_scope(&field));
        let audience = table.get_or_null("audience").map(|field| field.nonempty_text());
        let provider_name = table.get("provider_name").map(|field| read_provider_name(&field));
        let ways = [("jwt", Verification::Jwt), ("introspection", Verification::Introspection)];
        let way = table.get_or_null("verification").map_or(Some(Verification::Jwt), |field| field.choice(&ways));
        let client = match way {
            Some(Verification::Introspection) => read_client(table).map(Some),
            Some(Verification::Jwt) | None => {
                for key in ["client_id", "client_secret"] {
                    warn(table, key, "is used with verification: introspection only");
                }
                way.map(|_| None)
            }
        };
        for key in FOR_SIGN_INS {
            warn(table, key, "is not used with mode: verifier, which sends nobody to the provider");
        }
        let claim_mappings = table.get("claim_mappings").and_then(|field| user_mapping::read_claims(&field));
        Some(VerifierConfiguration {
            config_url: config_url?,
            provider_name: provider_name.unwrap_or_else(|| Some("oidc".to_owned()))?,
            audience: audience.map_or(Some(None), |audience| audience.map(Some))?,
            claim_mappings: claim_mappings.unwrap_or_default(),
            scope: scope.unwrap_or_else(|| Some(ScopeSet::default()))?,
            introspection: client?,
        })
    })
}

fn read_config_url(field: &Field<'_>) -> Option<Url> {
    let url = field.secure_url()?;
    if !url.path().ends_with(DISCOVERY_SUFFIX) || url.query().is_some() || url.fragment().is_some() {
        field.fault(format!("must end with {DISCOVERY_SUFFIX}"));
        return None;
    }
    Some(url)
}

fn read_client(table: &mut Table<'_, '_>) -> Option<IntrospectionConfiguration> {
    let client_id = table.require("client_id").and_then(|field| field.nonempty_text());
    let client_secret = table.require("client_secret").and_then(|field| field.nonempty_text());
    Some(IntrospectionConfiguration { client_id: client_id?, client_secret: Secret::new(client_secret?) })
}

/// Says of a key that is there that it does nothing. Its value does not matter then, and neither
/// do the variables in it.
fn warn(table: &mut Table<'_, '_>, key: &'static str, text: &str) {
    if let Some(field) = table.get(key) {
        field.warn(text);
    }
}

//! How `mode: verifier` is configured: what older files hold loads, and what has no effect is said.

use crate::config_project::{PLAIN_SITE, Project};
use mxcp::config::Configuration;
use serde_json::{Value, json};

fn load(auth: &Value) -> Configuration {
    let projects = json!({"my-project": {"profiles": {"default": {"auth": auth}}}});
    let project = Project::new(PLAIN_SITE).with_user(&json!({"mxcp": 1, "projects": projects}).to_string());
    project.load().unwrap()
}

fn warnings(configuration: &Configuration) -> Vec<&str> {
    let all = configuration.warnings.iter().filter_map(|warning| warning.split_once(".auth."));
    all.map(|(_, warning)| warning).collect()
}

fn issuer() -> Value {
    json!({"config_url": "https://id.example.com/.well-known/openid-configuration"})
}

#[test]
fn an_issuer_is_all_that_is_needed() {
    let configuration = load(&json!({"mode": "verifier", "provider": "oidc", "oidc": issuer()}));
    assert_eq!(warnings(&configuration), [] as [&str; 0]);
    assert!(configuration.audit.is_enabled, "calls with a name are recorded");
    let auth = configuration.auth;
    assert!(auth.is_enabled() && auth.providers.is_empty() && auth.client_documents.is_none());
    let issuer = auth.verifier.unwrap();
    assert_eq!((issuer.provider_name.as_str(), issuer.audience, issuer.scope.is_empty()), ("oidc", None, true));
}

#[test]
fn a_file_of_the_python_product_loads_and_what_does_nothing_is_said() {
    let mut oidc = issuer();
    oidc["client_id"] = json!("mxcp");
    oidc["client_secret"] = json!("${NOT_SET}");
    oidc["scope"] = json!("openid profile email");
    oidc["callback_path"] = json!("/callback");
    oidc["claim_mappings"] = json!({"groups": {"staff": ["read"]}});
    let configuration = load(&json!({
        "mode": "verifier", "provider": "oidc", "oidc": oidc, "clients": [], "persistence": {"type": "sqlite"},
        "github": {"client_secret": "${NOT_SET}"}, "authorization": {"required_scopes": ["openid"]},
    }));
    let for_introspection = "is used with verification: introspection only";
    let without_effect = "has no effect with mode: verifier, where clients and sign-ins are the issuer's";
    assert_eq!(
        warnings(&configuration),
        [
            &format!("oidc.client_id: {for_introspection}"),
            &format!("oidc.client_secret: {for_introspection}"),
            "oidc.callback_path: is not used with mode: verifier, which sends nobody to the provider",
            &format!("clients: {without_effect}"),
            &format!("persistence: {without_effect}"),
            "github: is not used with mode: verifier",
        ]
    );
    let auth = configuration.auth;
    assert!(auth.persistence.is_none() && auth.clients.is_empty());
    assert_eq!(auth.authorization.required_scopes.to_string(), "openid");
    let issuer = auth.verifier.unwrap();
    assert!(issuer.introspection.is_none());
    assert_eq!(issuer.claim_mappings.len(), 1);
}

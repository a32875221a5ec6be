//! The production checklist of the authentication guide, line by line.

use super::Finding;
use crate::config::{Configuration, ConfiguredClient, Openness, ProviderKind, ProviderSettings};
use mxcp_actors::model::redirect_uri::RedirectUri;
use mxcp_actors::model::scope::ScopeSet;

/// Words of scopes that let a token change things or see everything.
const BROAD: [&str; 8] = ["admin", "write", "delete", "manage", "full", "repo", "sudo", "all"];

/// Words in the names of clients that were meant for trying out.
const FOR_TRYING_OUT: [&str; 6] = ["dev", "test", "demo", "example", "sample", "localhost"];

pub(super) fn check(configuration: &Configuration) -> Vec<Finding> {
    if !configuration.auth.is_enabled() {
        return vec![audit(configuration)];
    }
    if configuration.auth.verifier.is_some() {
        // Nobody signs in here and nothing is kept: the rest is the issuer's affair.
        return vec![secrets(configuration), audit(configuration), monitoring(configuration)];
    }
    let mut findings = vec![persistence(configuration), secrets(configuration)];
    findings.extend(configuration.auth.clients.iter().filter_map(redirect_uris));
    findings.extend(configuration.auth.providers.iter().filter_map(scopes));
    findings.push(clients(&configuration.auth.clients));
    findings.extend(configuration.auth.openness().map(required_scopes));
    findings.push(audit(configuration));
    findings.push(monitoring(configuration));
    findings
}

fn persistence(configuration: &Configuration) -> Finding {
    match &configuration.auth.persistence {
        Some(persistence) => Finding::ok("persistence", format!("sign-ins are kept in {}", persistence.path.display())),
        None => Finding::warning(
            "persistence",
            "sign-ins and registered clients are kept in memory: everybody signs in again after a restart",
            "add auth.persistence with type: sqlite",
        ),
    }
}

fn secrets(configuration: &Configuration) -> Finding {
    match configuration.literal_secrets.as_slice() {
        [] => {
            Finding::ok("secrets", "every secret of a client or a key comes from the environment or a file of its own")
        }
        places => Finding::warning(
            "secrets",
            format!("secrets stand in the file itself: {}", places.join(", ")),
            "write ${NAME} and set that environment variable, or file:// and a path",
        ),
    }
}

fn required_scopes(openness: Openness) -> Finding {
    match openness {
        Openness::Ungranted => Finding::warning(
            "required_scopes",
            "authorization.required_scopes keeps nobody out: everybody who signs in may have them",
            "say in authorization.grants who may, or in the endpoints' own scopes what is not for everybody",
        ),
        Openness::Granted => {
            Finding::ok("required_scopes", "a rule in authorization.grants gives them to everybody who signs in")
        }
    }
}

fn redirect_uris(client: &ConfiguredClient) -> Option<Finding> {
    let plain: Vec<&str> =
        client.redirect_uris.iter().map(RedirectUri::as_str).filter(|uri| uri.starts_with("http://")).collect();
    (!plain.is_empty()).then(|| {
        Finding::warning(
            "redirect_uris",
            format!("client '{}' gets its codes over plain http at {}", client.id, plain.join(", ")),
            "use https, or remove the client if it was for development on this machine",
        )
    })
}

fn scopes(provider: &ProviderSettings) -> Option<Finding> {
    let asked = asked_scopes(provider)?;
    let broad: Vec<&str> = asked.iter().filter(|scope| is_broad(scope)).collect();
    Some(if broad.is_empty() {
        Finding::ok("scopes", format!("{} is asked for {asked}", provider.name))
    } else {
        Finding::warning(
            "scopes",
            format!("{} is asked for {}, which allow more than reading", provider.name, broad.join(", ")),
            "remove what no tool needs",
        )
    })
}

fn asked_scopes(provider: &ProviderSettings) -> Option<&ScopeSet> {
    match &provider.kind {
        ProviderKind::Github(app)
        | ProviderKind::Google(app)
        | ProviderKind::Atlassian(app)
        | ProviderKind::Salesforce(app) => Some(&app.scope),
        ProviderKind::Keycloak(keycloak) => Some(&keycloak.scope),
        ProviderKind::Oidc(oidc) => Some(&oidc.scope),
        ProviderKind::Local(_) => None,
    }
}

fn is_broad(scope: &str) -> bool {
    let mut words = scope.split(|letter: char| !letter.is_ascii_alphanumeric());
    // Reading all of something is still reading.
    let is_reading = words.clone().any(|word| word == "read" || word == "readonly");
    words.any(|word| BROAD.contains(&word) && !(is_reading && word == "all"))
}

fn clients(clients: &[ConfiguredClient]) -> Finding {
    let is_for_development = |client: &&ConfiguredClient| {
        let name = format!("{} {}", client.id, client.name).to_lowercase();
        let mut words = name.split(|letter: char| !letter.is_alphanumeric());
        words.any(|word| FOR_TRYING_OUT.contains(&word))
            || (!client.redirect_uris.is_empty() && client.redirect_uris.iter().all(RedirectUri::is_local))
    };
    let found: Vec<String> =
        clients.iter().filter(is_for_development).map(|client| format!("'{}'", client.id)).collect();
    if found.is_empty() {
        return Finding::ok("development_clients", "no configured client looks like one for development");
    }
    Finding::warning(
        "development_clients",
        format!("these clients look as if they were for development: {}", found.join(", ")),
        "remove from auth.clients what nobody uses in production",
    )
}

fn audit(configuration: &Configuration) -> Finding {
    if configuration.audit.is_enabled {
        return Finding::ok("audit", "calls and sign-ins are recorded");
    }
    Finding::warning("audit", "nothing is recorded", "set profiles.<profile>.audit.enabled: true in mxcp-site.yml")
}

fn monitoring(configuration: &Configuration) -> Finding {
    if configuration.audit.is_enabled {
        let message = "watch for trouble with `mxcp log --since 24h --status error`, and GET /health for the server";
        return Finding::skipped("monitoring", message);
    }
    Finding::skipped("monitoring", "without an audit log there is nothing to watch but GET /health")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_that_allow_more_than_reading_are_known() {
        for scope in ["repo", "write:jira-work", "admin:org", "delete_repo", "full", "https://x.example/manage"] {
            assert!(is_broad(scope), "{scope}");
        }
        for scope in ["read:user", "user:email", "openid", "read:confluence-content.all", "api", "offline_access"] {
            assert!(!is_broad(scope), "{scope}");
        }
    }
}

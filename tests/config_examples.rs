//! Every example loads, and those that claim to be complete are.

use crate::config_project::{PASSWORD_HASH, PLAIN_SITE, Project};
use argon2::PasswordVerifier as _;
use mxcp::adapters::persistence::StoreKind;
use mxcp::config::{
    AuthConfiguration, Configuration, LoadOptions, PersistenceKind, ProviderKind, ProviderSettings, load,
};
use mxcp_actors::model::client_keys::ClientKeys;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config-examples")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(examples().join(name)).unwrap()
}

/// Loads `user`, in which every variable is set and every file of a secret is there.
fn load_user(site: &str, user: &str) -> Result<Configuration, String> {
    let project = Project::new(site).with_user(&user.replace("file:///run/secrets/", "file://secrets/"));
    project.write("secrets/oidc-client-secret", "s3cret\n");
    let env = |name: &str| match name {
        name if name.starts_with("MXCP_") => project.env.get(name).cloned(),
        name if name.ends_with("_PASSWORD_HASH") => Some(PASSWORD_HASH.to_owned()),
        name if name.ends_with("_KEY") => Some("5a".repeat(32)),
        name => Some(format!("value-of-{name}")),
    };
    load(&project.options, &env).map_err(|errors| errors.to_string())
}

fn auth_of(name: &str) -> AuthConfiguration {
    load_user(PLAIN_SITE, &read(name)).unwrap_or_else(|errors| panic!("{name}: {errors}")).auth
}

#[test]
fn every_example_of_a_user_configuration_loads() {
    let mut count = 0;
    for entry in std::fs::read_dir(examples()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_missing = name == "persistence-sled.yml" && !StoreKind::Sled.is_built();
        if path.is_dir() || is_missing || (name.starts_with("full-")) {
            continue;
        }
        let configuration = load_user(PLAIN_SITE, &read(name)).unwrap_or_else(|errors| panic!("{name}:\n{errors}"));
        let warnings = configuration.warnings.iter().filter(|warning| !warning.starts_with("there are no tools"));
        assert_eq!(warnings.count(), 0, "{name}: {:?}", configuration.warnings);
        count += 1;
    }
    assert!(count >= 10);
}

fn only_provider(auth: AuthConfiguration) -> ProviderKind {
    let [provider] = <[ProviderSettings; 1]>::try_from(auth.providers).unwrap();
    provider.kind
}

#[test]
fn the_examples_say_what_their_names_promise() {
    assert!(auth_of("minimal.yaml").providers.is_empty());
    let ProviderKind::Github(github) = only_provider(auth_of("github.yaml")) else { panic!() };
    assert_eq!(github.client_secret.expose(), "value-of-GITHUB_CLIENT_SECRET");
    assert_eq!(github.scope.to_string(), "read:user user:email");
    let ProviderKind::Oidc(oidc) = only_provider(auth_of("oidc.yaml")) else { panic!() };
    assert_eq!(oidc.client_secret.expose(), "s3cret");
    let ProviderKind::Atlassian(atlassian) = only_provider(auth_of("atlassian.yml")) else { panic!() };
    assert!(atlassian.scope.contains("read:me") && atlassian.scope.contains("offline_access"));
    let ProviderKind::Salesforce(salesforce) = only_provider(auth_of("salesforce.yml")) else { panic!() };
    assert_eq!(salesforce.token_url.host_str(), Some("acme.my.salesforce.com"));
    assert!(salesforce.scope.contains("refresh_token"));
    let ProviderKind::Google(google) = only_provider(auth_of("google.yml")) else { panic!() };
    assert_eq!(google.token_url.as_str(), "https://oauth2.googleapis.com/token");
    let ProviderKind::Keycloak(keycloak) = only_provider(auth_of("keycloak.yml")) else { panic!() };
    assert_eq!((keycloak.realm.as_str(), keycloak.client_id.as_str()), ("myrealm", "mxcp-server"));
    let ProviderKind::Local(local) = only_provider(auth_of("local-users.yaml")) else { panic!() };
    assert_eq!(local.users.len(), 2);
    let clients = auth_of("static-clients.yaml");
    assert!(!clients.is_registration_enabled && clients.client_documents.is_none());
    assert_eq!(clients.clients[0].secret.as_ref().unwrap().expose(), "value-of-CLIENT_SECRET");
    assert!(clients.clients[1].secret.is_none());
    assert_eq!(clients.clients[1].scopes.to_string(), "mxcp:access");
    assert!(matches!(clients.clients[2].keys, Some(ClientKeys::Set(_))));
    let verifier = auth_of("verifier.yml");
    assert!(verifier.providers.is_empty() && verifier.is_enabled());
    let issuer = verifier.verifier.unwrap();
    assert_eq!((issuer.title(), issuer.introspection.is_none()), ("https://id.example.com", true));
    let kept = auth_of("persistence-sqlite.yml").persistence.unwrap();
    assert_eq!((kept.kind, kept.path), (PersistenceKind::Sqlite, "/var/lib/mxcp/oauth.db".into()));
    assert_eq!(kept.encryption_keys.len(), 1);
    let proxied = load_user(PLAIN_SITE, &read("behind-a-proxy.yaml")).unwrap();
    assert_eq!(proxied.http.base_url(Some(9000)), "https://mxcp.example.com");
    assert!(proxied.http.trust_proxy);
}

#[test]
fn sled_is_loaded_by_a_build_that_has_it_and_refused_by_others() {
    let loaded = load_user(PLAIN_SITE, &read("persistence-sled.yml"));
    if StoreKind::Sled.is_built() {
        let kept = loaded.unwrap().auth.persistence.unwrap();
        assert_eq!((kept.kind, kept.path), (PersistenceKind::Sled, "/var/lib/mxcp/oauth.sled".into()));
    } else {
        let errors = loaded.unwrap_err();
        assert!(errors.contains("auth.persistence.type: this mxcp was built without sled; "), "{errors}");
    }
}

#[test]
fn the_defaults_that_full_yaml_shows_are_the_defaults() {
    let full = load_user(PLAIN_SITE, &read("full.yaml")).unwrap();
    let least = load_user(PLAIN_SITE, "mxcp: 1\n").unwrap();
    assert_eq!(full.auth.lifetimes, least.auth.lifetimes);
    assert_eq!((full.http.port, full.http.host.as_str()), (least.http.port, least.http.host.as_str()));
    assert_eq!(full.http.trust_proxy, least.http.trust_proxy);
    assert_eq!(full.http.is_stateless, least.http.is_stateless);
    assert_eq!(
        (full.http_fetch.timeout, full.http_fetch.max_size),
        (least.http_fetch.timeout, least.http_fetch.max_size)
    );
    let site = load_user(&read("full-site.yaml"), "mxcp: 1\n").unwrap();
    assert_eq!(site.duckdb.query_timeout, least.duckdb.query_timeout);
    assert_eq!(site.duckdb.query_timeout, Duration::from_secs(30));
    assert_eq!(site.duckdb.max_rows, least.duckdb.max_rows);
    assert_eq!(site.duckdb.path.file_name(), least.duckdb.path.file_name());
    assert_eq!(site.audit.keeping, least.audit.keeping);
    assert_eq!(site.audit.path.strip_prefix(&site.root), least.audit.path.strip_prefix(&least.root));
}

#[test]
fn the_quickstart_is_a_project_of_five_tools() {
    let root = examples().join("quickstart");
    let options = LoadOptions { working_directory: root.clone(), ..Default::default() };
    let config = root.join("config.yml").display().to_string();
    let configuration = load(&options, &|name| (name == "MXCP_CONFIG").then(|| config.clone())).unwrap();
    let names: Vec<&str> = configuration.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["customer_profile", "my_documents", "orders_by_day", "revenue_report", "search_books"]);
    assert_eq!(configuration.warnings, [] as [String; 0]);
    assert!(configuration.tools.iter().all(|tool| !tool.needs_external_token && tool.description.is_some()));
    let documented = read("quickstart/README.md");
    let ProviderKind::Local(local) = only_provider(configuration.auth) else { panic!() };
    for user in &local.users {
        let line = documented.lines().find(|line| line.starts_with(&format!("| `{}`", user.username))).unwrap();
        let password = line.split('`').nth(3).unwrap();
        let hash = argon2::password_hash::phc::PasswordHash::new(user.password_hash.expose()).unwrap();
        argon2::Argon2::default().verify_password(password.as_bytes(), &hash).unwrap();
    }
}

/// Calls `seen` with every table in `value`, and lets it change the table.
fn for_each_table(value: &mut Value, seen: &mut dyn FnMut(&mut serde_json::Map<String, Value>)) {
    match value {
        Value::Object(table) => {
            seen(table);
            table.values_mut().for_each(|value| for_each_table(value, seen));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| for_each_table(value, seen)),
        _ => (),
    }
}

/// The keys that the loader knows in the tables of `text`: it names them when it meets another.
fn known_keys(text: &str, errors_of: impl Fn(&str) -> Vec<String>) -> Vec<String> {
    let mut value: Value = serde_yaml::from_str(text).unwrap();
    for_each_table(&mut value, &mut |table| {
        table.insert("0123456789".to_owned(), Value::Null);
    });
    let errors = errors_of(&value.to_string());
    let lists = errors.iter().filter_map(|error| error.split_once("unknown key; the keys here are "));
    lists.flat_map(|(_, keys)| keys.split(", ").map(str::to_owned)).collect()
}

fn assert_names_every_key(name: &str, keys: &[String], least: usize) {
    let text = read(name);
    assert!(keys.len() >= least, "{name}: only {keys:?}");
    for key in keys {
        assert!(text.contains(&format!("{key}:")), "{name} does not speak of {key}");
    }
}

#[test]
fn full_yaml_names_every_key_that_a_user_configuration_may_have() {
    let errors = |text: &str| match load_user(PLAIN_SITE, text) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.lines().map(str::to_owned).collect(),
    };
    let keys = known_keys(&read("full.yaml"), errors);
    for key in ["base_url", "required_scopes", "password_hash", "extra_authorize_params", "refresh_grace"] {
        assert!(keys.iter().any(|known| known == key), "{key}");
    }
    assert_names_every_key("full.yaml", &keys, 70);
}

#[test]
fn full_site_yaml_names_every_key_that_a_site_file_may_have() {
    let keys = known_keys(&read("full-site.yaml"), |text| Project::new(text).errors());
    assert_names_every_key("full-site.yaml", &keys, 25);
}

#[test]
fn the_files_of_resources_and_prompts_name_every_key_that_they_may_have() {
    for (name, place) in [("full-resource.yaml", "resources/r.yml"), ("full-prompt.yaml", "prompts/p.yml")] {
        let load = |text: &str| {
            let project = Project::new(PLAIN_SITE);
            project.write(place, text);
            project
        };
        assert_eq!(load(&read(name)).errors(), [] as [String; 0], "{name}");
        assert_eq!(load(&read(name)).load().unwrap().warnings, [] as [String; 0], "{name}");
        let mut value: Value = serde_yaml::from_str(&read(name)).unwrap();
        let kind = value.as_object().unwrap().keys().next_back().unwrap().clone();
        value[&kind]["0123456789"] = Value::Null;
        let errors = load(&value.to_string()).errors();
        let (_, keys) = errors[0].split_once("unknown key; the keys here are ").unwrap();
        // Prompts have a type of their result already.
        let keys = keys.split(", ").filter(|key| kind != "prompt" || *key != "return").map(str::to_owned);
        assert_names_every_key(name, &keys.collect::<Vec<_>>(), 8);
    }
}

#[test]
fn full_tool_yaml_names_every_key_that_a_tool_file_may_have() {
    // Scopes are for servers where people sign in.
    let user = read("local-users.yaml");
    let load = |text: &str| {
        let project = Project::new(PLAIN_SITE).with_user(&user);
        let project = ["ADA_PASSWORD_HASH", "BEN_PASSWORD_HASH"]
            .into_iter()
            .fold(project, |project, name| project.with_env(name, PASSWORD_HASH));
        project.write("tools/t.yml", text);
        project
    };
    assert_eq!(load(&read("full-tool.yaml")).errors(), [] as [String; 0]);
    assert_eq!(load(&read("full-tool.yaml")).load().unwrap().warnings, [] as [String; 0]);
    let keys = known_keys(&read("full-tool.yaml"), |text| load(text).errors());
    assert_names_every_key("full-tool.yaml", &keys, 60);
}

//! The user configuration: what belongs to the person or machine that runs projects, secrets
//! among it.

use super::auth;
use super::http_fetch::{self, HttpFetchConfiguration};
use super::http_settings::HttpSettings;
use super::reader::{Field, Table};
use super::settings::{AuthConfiguration, LoggingSettings};
use super::site::read_version;
use super::transport::{read_logging, read_transport};

/// The user configuration, for one project under one profile.
pub(super) struct User {
    /// Whether the project is there, and the profile in it.
    pub(super) has_profile: bool,
    /// `transport.http`.
    pub(super) http: HttpSettings,
    /// `http_fetch`.
    pub(super) http_fetch: HttpFetchConfiguration,
    /// `logging`.
    pub(super) logging: LoggingSettings,
    /// `projects.<project>.profiles.<profile>.auth`.
    pub(super) auth: AuthConfiguration,
}

impl Default for User {
    fn default() -> Self {
        Self {
            has_profile: false,
            http: HttpSettings::default(),
            http_fetch: HttpFetchConfiguration::default(),
            logging: LoggingSettings { is_enabled: true, level: None },
            auth: AuthConfiguration::none(),
        }
    }
}

/// Reads the user configuration. Of other projects and profiles only the shape is checked, and
/// their references stay unread, because their variables need not be set.
pub(super) fn read(file: &Field<'_>, project: &str, profile: &str) -> User {
    let mut user = User::default();
    file.visit(|table| {
        read_version(table);
        if let Some(http) = table.get("transport").and_then(|field| read_transport(&field)) {
            user.http = http;
        }
        if let Some(http_fetch) = table.get("http_fetch").and_then(|field| http_fetch::read(&field)) {
            user.http_fetch = http_fetch;
        }
        if let Some(logging) = table.get("logging").and_then(|field| read_logging(&field)) {
            user.logging = logging;
        }
        read_secret_stores(table);
        read_models(table);
        for (name, field) in table.get("projects").and_then(|field| field.entries()).unwrap_or_default() {
            let is_ours = name == project;
            read_project(&field, is_ours.then_some(profile), &mut user);
        }
    });
    user
}

fn read_secret_stores(table: &mut Table<'_, '_>) {
    for (store, keys) in [("vault", ["address", "token_env"].as_slice()), ("onepassword", &["token_env"])] {
        let Some(field) = table.get(store) else { continue };
        field.visit(|table| {
            let is_on = table.get("enabled").and_then(|field| field.boolean()) == Some(true);
            table.skip(keys);
            if is_on {
                table.field().not_supported("remove it, and use ${NAME} or file:// for secrets");
            }
        });
    }
}

/// `models` serves evaluations, which this version does not have; its references stay unread.
fn read_models(table: &mut Table<'_, '_>) {
    let Some(models) = table.get("models") else { return };
    models.visit(|table| {
        table.get("default").inspect(Field::unused_text);
        for (_, model) in table.get("models").and_then(|field| field.entries()).unwrap_or_default() {
            model.visit(|table| {
                table.skip(&["type", "api_key", "base_url", "timeout", "max_retries"]);
            });
        }
    });
}

/// Reads a project; `profile` is the profile in force if the project is ours.
fn read_project(field: &Field<'_>, profile: Option<&str>, user: &mut User) {
    field.visit(|table| {
        for (name, field) in table.get("profiles").and_then(|field| field.entries()).unwrap_or_default() {
            if Some(name) == profile {
                user.has_profile = true;
                if let Some(auth) = read_profile(&field) {
                    user.auth = auth;
                }
            } else {
                read_profile(&field.inactive());
            }
        }
    });
}

fn read_profile(field: &Field<'_>) -> Option<AuthConfiguration> {
    field.table(|table| {
        table.refuse("secrets", "remove them, and create what DuckDB needs with CREATE PERSISTENT SECRET");
        if let Some(plugin) = table.get("plugin") {
            plugin.visit(|table| {
                // Without plugins in the site file it means nothing.
                table.skip(&["config"]);
            });
        }
        if let Some(telemetry) = table.get("telemetry") {
            telemetry.visit(|table| {
                let enabled = table.get("enabled");
                if let Some(enabled) = enabled.filter(|field| field.boolean() == Some(true)) {
                    enabled.not_supported("set it to false");
                }
                table.skip(&["endpoint", "headers", "service_name", "service_version", "environment"]);
                table.skip(&["resource_attributes", "tracing", "metrics"]);
            });
        }
        table.get("auth").and_then(|field| auth::read(&field))
    })
}

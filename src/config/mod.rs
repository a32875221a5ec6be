//! Everything that is written in YAML: the site file, the user configuration, the tool files.
//!
//! Owns the file formats and turns them into plain settings, with every fault of every file
//! reported at once. Must not start anything, open a database or a socket, or read the
//! environment other than through the lookup that it is given. Once [`load`] has returned, no
//! other part of the daemon knows YAML.

mod audit;
mod auth;
mod authorization;
mod clients;
mod endpoint_file;
mod endpoint_tests;
mod endpoints;
mod error;
mod files;
mod http_fetch;
mod http_settings;
mod load;
mod persistence;
mod policy_rules;
mod prompt_file;
mod providers;
mod reader;
mod references;
mod resource_file;
mod result_rules;
mod settings;
mod site;
mod sql_tools;
mod suggestion;
mod tool_file;
mod transport;
mod tree;
mod type_check;
mod type_definition;
mod user;
mod user_mapping;
mod verifier;

pub use audit::{AuditDurability, AuditKeeping, AuditRotation, AuditSettings};
pub use authorization::{AuthorizationConfiguration, Openness};
pub use endpoint_file::{EndpointFile, EndpointKind};
pub use error::{ConfigError, ConfigErrors};
pub use http_fetch::HttpFetchConfiguration;
pub use http_settings::{HttpSettings, Scheme};
pub use load::{EndpointFaults, LoadOptions, load};
pub use providers::{
    AppSettings, KeycloakSettings, LocalSettings, LocalUser, OidcSettings, ProviderKind, ProviderSettings,
};
pub use settings::{
    AuthConfiguration, ClientDocuments, Configuration, ConfiguredClient, DuckdbSettings, Lifetimes, LogLevel,
    LoggingSettings, PersistenceConfiguration, PersistenceKind, ProjectPaths,
};
pub use suggestion::closest;
pub use verifier::{IntrospectionConfiguration, VerifierConfiguration};

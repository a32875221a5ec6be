//! Tests of the whole daemon.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what goes wrong in a helper of a test is a failure of the test"
)]

mod audit_events;
mod audit_files;
mod audit_follow;
mod audit_viewer;
mod browser;
mod client_assertions;
mod client_documents;
mod client_metadata;
mod client_published_keys;
mod common;
mod config_errors;
mod config_examples;
mod config_hostile;
mod config_load;
mod config_project;
mod config_seed;
mod consent;
mod crash;
mod cross_origin;
mod daemon_process;
mod doctor;
mod endpoints;
mod hostile_input;
mod http_fetch;
mod key_rotation;
mod mcp_protocol;
mod migration;
mod oauth_code_flow;
mod oauth_errors;
mod oauth_provider;
mod other_names;
mod persistence;
mod provider_choice;
mod provider_refresh;
mod refresh;
mod registration;
mod restart;
mod revocation;
mod scopes;
mod sdk_clients;
mod shutdown;
mod sql_api_calls;
mod tidy;
mod upstream_atlassian;
mod upstream_faults;
mod upstream_github;
mod upstream_github_groups;
mod upstream_google;
mod upstream_http;
mod upstream_keycloak;
mod upstream_keys;
mod upstream_logins;
mod upstream_oidc;
mod upstream_oidc_tokens;
mod upstream_real;
mod upstream_revocation;
mod upstream_salesforce;
mod upstream_support;
mod verifier;
mod visit;

//! Tests of the whole daemon.

mod upstream_github;
mod upstream_http;
mod upstream_keys;
mod upstream_oidc;
mod upstream_oidc_tokens;
mod upstream_support;

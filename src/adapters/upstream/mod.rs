//! Identity providers that people sign in at: one small module for each, holding only what is
//! peculiar to it, and what they share.
//!
//! Shared: the client's side of the token endpoint (`token`), the authorization URL (`url`),
//! requests to a provider's API (`api`), forms that we post as its client (`form`), revocation
//! (`revocation`), what was granted (`scopes`), what went wrong (`error`) and what a setting must
//! be like (`settings`). No module here decides who may do what.

mod api;
pub mod atlassian;
mod error;
mod form;
pub mod github;
pub mod google;
pub mod keycloak;
pub mod oidc;
mod revocation;
pub mod salesforce;
mod scopes;
pub mod settings;
mod token;
mod url;

pub(super) use error::clean_text;

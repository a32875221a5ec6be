//! Identity providers that people sign in at: one small module for each, holding only what is
//! peculiar to it, and what they share.
//!
//! Shared: the client's side of the token endpoint (`token`), the authorization URL (`url`),
//! requests to a provider's API (`api`), revocation (`revocation`), what went wrong (`error`) and
//! what a setting must be like (`settings`). No module here decides who may do what.

mod api;
mod error;
pub mod github;
pub mod oidc;
mod revocation;
pub mod settings;
mod token;
mod url;

pub(super) use error::clean_text;

//! In what an OpenID Connect provider differs from the specifications, or adds to them.

use super::discovery::Metadata;
use crate::adapters::upstream::token::{Dialect, STANDARD};
use mxcp_actors::model::principal::User;
use std::fmt::Debug;

/// The peculiarities of one provider. Every method has what a provider without any would say.
pub(in crate::adapters::upstream) trait Flavour: Debug + Send + Sync {
    /// The provider's name for people; without one they are shown the name of its host.
    fn title(&self) -> Option<&'static str> {
        None
    }

    /// How its token endpoint differs.
    fn dialect(&self) -> Dialect {
        STANDARD
    }

    /// Replaces what the configuration says better than the discovery document.
    fn adjust(&self, _metadata: &mut Metadata) {}

    /// The other name that the provider has for itself in an `id_token`.
    fn issuer_alias<'a>(&self, _issuer: &'a str) -> Option<&'a str> {
        None
    }

    /// What to do about a discovery document whose issuer is another than `expected`.
    fn explain_issuer(&self, issuer: &str, expected: &str) -> String {
        format!("its issuer is {issuer}, but config_url is that of {expected}")
    }

    /// The claims that are read from the access token, where that is a JWT of the provider.
    /// Usually none: an access token is for the API alone to read (RFC 9068 section 6).
    fn access_token_claims(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether refresh tokens come only with the scope `offline_access`, if there is one (OpenID
    /// Connect Core section 11).
    fn needs_offline_access(&self) -> bool {
        true
    }

    /// Completes a person with what the provider says in claims of its own.
    fn complete(&self, _user: &mut User) {}
}

/// A provider without peculiarities.
#[derive(Debug)]
pub(super) struct Plain;

impl Flavour for Plain {}

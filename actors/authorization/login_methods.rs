//! Where people prove who they are.

use crate::ports::password_directory::PasswordDirectory;
use crate::ports::upstream_idp::UpstreamIdp;
use std::sync::Arc;

/// One place where people prove who they are.
#[derive(Clone, Debug)]
pub enum LoginMethod {
    /// At our own login page.
    Password(Arc<dyn PasswordDirectory>),
    /// At an identity provider.
    Provider(Arc<dyn UpstreamIdp>),
}

impl LoginMethod {
    /// The first half of its people's identities, such as `github`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Password(directory) => directory.name(),
            Self::Provider(idp) => idp.name(),
        }
    }

    /// The name for people.
    #[must_use]
    pub fn title(&self) -> &str {
        match self {
            Self::Password(_) => "this server",
            Self::Provider(idp) => idp.title(),
        }
    }

    /// What we ask of it.
    #[must_use]
    pub fn requested_scopes(&self) -> Vec<String> {
        match self {
            Self::Password(_) => Vec::new(),
            Self::Provider(idp) => idp.requested_scopes(),
        }
    }
}

/// All of them; a person chooses one. Without any, authentication is off.
///
/// Accounts of different places are different people, whatever their addresses say.
#[derive(Clone, Debug, Default)]
pub struct LoginMethods(Vec<LoginMethod>);

impl LoginMethods {
    /// Those, in the order in which they are offered. Of two with one name the first counts.
    #[must_use]
    pub fn new(methods: Vec<LoginMethod>) -> Self {
        let mut kept: Vec<LoginMethod> = Vec::new();
        for method in methods {
            if kept.iter().all(|other| other.name() != method.name()) {
                kept.push(method);
            }
        }
        Self(kept)
    }

    /// In the order in which they are offered.
    pub fn iter(&self) -> std::slice::Iter<'_, LoginMethod> {
        self.0.iter()
    }

    /// Whether nobody signs in.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&LoginMethod> {
        self.iter().find(|method| method.name() == name)
    }

    /// The only one, when there is nothing to choose.
    #[must_use]
    pub fn only(&self) -> Option<&LoginMethod> {
        match self.0.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// The provider of that name.
    #[must_use]
    pub fn provider(&self, name: &str) -> Option<&Arc<dyn UpstreamIdp>> {
        self.find(name).and_then(|method| match method {
            LoginMethod::Provider(idp) => Some(idp),
            LoginMethod::Password(_) => None,
        })
    }

    /// Who knows the local users, if there are any.
    #[must_use]
    pub fn directory(&self) -> Option<&Arc<dyn PasswordDirectory>> {
        self.iter().find_map(|method| match method {
            LoginMethod::Password(directory) => Some(directory),
            LoginMethod::Provider(_) => None,
        })
    }
}

impl<'a> IntoIterator for &'a LoginMethods {
    type Item = &'a LoginMethod;
    type IntoIter = std::slice::Iter<'a, LoginMethod>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

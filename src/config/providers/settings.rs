//! What the blocks of the identity providers say.

use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::user_mapping::ClaimMapping;
use url::Url;

/// Where people sign in.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// The name under which its people are known here, such as `github`: the first half of each
    /// person's identity.
    pub name: String,
    /// What its claims give.
    pub claim_mappings: Vec<ClaimMapping>,
    /// Which kind of provider it is, and how we are known there.
    pub kind: ProviderKind,
}

impl ProviderSettings {
    /// The path of our route that the provider sends people back to; `None` when they sign in here.
    #[must_use]
    pub fn callback_path(&self) -> Option<&str> {
        match &self.kind {
            ProviderKind::Github(app)
            | ProviderKind::Google(app)
            | ProviderKind::Atlassian(app)
            | ProviderKind::Salesforce(app) => Some(&app.callback_path),
            ProviderKind::Keycloak(keycloak) => Some(&keycloak.callback_path),
            ProviderKind::Oidc(oidc) => Some(&oidc.callback_path),
            ProviderKind::Local(_) => None,
        }
    }
}

/// The kinds of providers.
#[derive(Clone, Debug)]
pub enum ProviderKind {
    /// GitHub, with an OAuth app or a GitHub App.
    Github(AppSettings),
    /// Google.
    Google(AppSettings),
    /// Atlassian, for Jira and Confluence.
    Atlassian(AppSettings),
    /// Salesforce, in production, in a sandbox or under a domain of one's own.
    Salesforce(AppSettings),
    /// A realm of a Keycloak server.
    Keycloak(KeycloakSettings),
    /// Any other `OpenID` provider.
    Oidc(OidcSettings),
    /// Here, with a password.
    Local(LocalSettings),
}

/// An app at a provider whose addresses the configuration names.
#[derive(Clone, Debug)]
pub struct AppSettings {
    /// The app's id.
    pub client_id: String,
    /// The app's secret.
    pub client_secret: Secret,
    /// The path of our route that the provider sends people back to.
    pub callback_path: String,
    /// Where people are sent.
    pub auth_url: Url,
    /// Where codes are exchanged.
    pub token_url: Url,
    /// What is asked of the provider.
    pub scope: ScopeSet,
}

/// A client in a realm of a Keycloak server.
#[derive(Clone, Debug)]
pub struct KeycloakSettings {
    /// Our id there.
    pub client_id: String,
    /// Our secret there.
    pub client_secret: Secret,
    /// The path of our route that the provider sends people back to.
    pub callback_path: String,
    /// The server, with `/auth` at the end where it has that.
    pub server_url: Url,
    /// The realm.
    pub realm: String,
    /// What is asked of it; holds `openid`.
    pub scope: ScopeSet,
}

/// A client at an `OpenID` provider.
#[derive(Clone, Debug)]
pub struct OidcSettings {
    /// The provider's discovery document.
    pub config_url: Url,
    /// Our id there.
    pub client_id: String,
    /// Our secret there.
    pub client_secret: Secret,
    /// What is asked of it; holds `openid`.
    pub scope: ScopeSet,
    /// The path of our route that the provider sends people back to.
    pub callback_path: String,
    /// The `audience` parameter that some providers want.
    pub audience: Option<String>,
    /// More parameters for the provider's login page, in order.
    pub extra_authorize_params: Vec<(String, String)>,
}

/// People who sign in with a password of ours.
#[derive(Clone, Debug)]
pub struct LocalSettings {
    /// Who they are.
    pub users: Vec<LocalUser>,
}

/// A person who signs in with a password of ours.
#[derive(Clone, Debug)]
pub struct LocalUser {
    /// The login name.
    pub username: String,
    /// The argon2id hash of the password, in PHC format.
    pub password_hash: Secret,
    /// The e-mail address.
    pub email: Option<String>,
    /// The name for showing.
    pub name: Option<String>,
    /// The role.
    pub role: Option<String>,
    /// What the person may do, by name.
    pub permissions: Vec<String>,
    /// The groups that the person is in.
    pub groups: Vec<String>,
}

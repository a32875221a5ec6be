//! What comes out of the files: plain values with every default filled in and every path absolute.

use super::audit::AuditSettings;
use super::authorization::{AuthorizationConfiguration, Openness};
use super::endpoint_file::EndpointFile;
use super::http_fetch::HttpFetchConfiguration;
use super::http_settings::HttpSettings;
use super::providers::ProviderSettings;
use super::result_rules::ResultRule;
use super::verifier::VerifierConfiguration;
use mxcp_actors::model::client::{AuthMethod, Client, ClientOrigin, GrantType};
use mxcp_actors::model::client_keys::ClientKeys;
use mxcp_actors::model::host_pattern::HostPattern;
use mxcp_actors::model::ids::ClientId;
use mxcp_actors::model::policy::PolicySet;
use mxcp_actors::model::redirect_uri::RedirectUri;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::secret::Secret;
use mxcp_actors::model::timestamp::Timestamp;
use mxcp_actors::model::tool::ToolDefinition;
pub use mxcp_actors::settings::Lifetimes;
use mxcp_actors::user_mapping::MappingRule;
use std::path::PathBuf;
use std::time::Duration;

/// Everything that the files and the environment say of one project under one profile.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The folder of `mxcp-site.yml`.
    pub root: PathBuf,
    /// The user configuration that was read; `None` when there is none and the defaults hold.
    pub user_file: Option<PathBuf>,
    /// The project's name.
    pub project: String,
    /// The profile in force.
    pub profile: String,
    /// Where the project keeps its files.
    pub paths: ProjectPaths,
    /// The HTTP server.
    pub http: HttpSettings,
    /// Requests that SQL asks for.
    pub http_fetch: HttpFetchConfiguration,
    /// Who may call, and how they prove it.
    pub auth: AuthConfiguration,
    /// The database.
    pub duckdb: DuckdbSettings,
    /// The audit log.
    pub audit: AuditSettings,
    /// The daemon's own log.
    pub logging: LoggingSettings,
    /// The enabled tools, resources and prompts, in the order of their files, and the built-in tools.
    pub tools: Vec<ToolDefinition>,
    /// Every endpoint file that was looked at, also the disabled and the faulty ones.
    pub endpoint_files: Vec<EndpointFile>,
    /// What is not wrong but deserves a look; one sentence each.
    pub warnings: Vec<String>,
    /// Where secrets stand in the user configuration itself, as file, line and key.
    pub literal_secrets: Vec<String>,
}

/// The project's folders, absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectPaths {
    /// Tool files.
    pub tools: PathBuf,
    /// Resource files.
    pub resources: PathBuf,
    /// Prompt files.
    pub prompts: PathBuf,
    /// Databases without a path of their own.
    pub data: PathBuf,
    /// Audit logs without a path of their own.
    pub audit: PathBuf,
}

/// The database and the limits of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuckdbSettings {
    /// The database file.
    pub path: PathBuf,
    /// Whether it is opened for reading only.
    pub is_readonly: bool,
    /// How many connections are kept open; `None` lets the engine choose by the number of cores.
    pub connections: Option<usize>,
    /// How long a query may take.
    pub query_timeout: Duration,
    /// The most rows that a query may return.
    pub max_rows: usize,
}

/// The least severe messages that the daemon logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything that helps to find a fault.
    Debug,
    /// What the daemon does.
    Info,
    /// What deserves a look.
    Warning,
    /// What failed.
    Error,
}

/// The daemon's own log, on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggingSettings {
    /// Whether there is one.
    pub is_enabled: bool,
    /// What it holds; `None` leaves the choice to the command.
    pub level: Option<LogLevel>,
}

/// Who may call, and how they prove it.
#[derive(Clone, Debug)]
pub struct AuthConfiguration {
    /// Where people sign in; one of them as a person chooses. None when everybody may call, and
    /// nobody is known.
    pub providers: Vec<ProviderSettings>,
    /// Whose tokens are accepted, when nobody signs in here (`mode: verifier`).
    pub verifier: Option<VerifierConfiguration>,
    /// Who gets a role, permissions or groups beyond those of their provider.
    pub user_mapping: Vec<MappingRule>,
    /// Rules that come before those of any endpoint.
    pub policies: PolicySet,
    /// Where those of them stand that change results.
    pub(super) result_rules: Vec<ResultRule>,
    /// Clients that need no registration.
    pub clients: Vec<ConfiguredClient>,
    /// Which scopes calls need, and who may have them.
    pub authorization: AuthorizationConfiguration,
    /// How long things last.
    pub lifetimes: Lifetimes,
    /// Whether clients may register themselves (RFC 7591).
    pub is_registration_enabled: bool,
    /// Which clients may come with a metadata document instead; `None` when none may.
    pub client_documents: Option<ClientDocuments>,
    /// Where sign-ins and registered clients are kept; `None` keeps them in memory.
    pub persistence: Option<PersistenceConfiguration>,
}

/// Where sign-ins and registered clients are kept.
#[derive(Clone, Debug)]
pub struct PersistenceConfiguration {
    /// By what.
    pub kind: PersistenceKind,
    /// Where.
    pub path: PathBuf,
    /// The keys that protect what is kept, the one for writing first; without any, a key file
    /// beside the database.
    pub encryption_keys: Vec<Secret>,
}

/// What keeps sign-ins and registered clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersistenceKind {
    /// A SQLite file.
    Sqlite,
    /// A folder of sled's.
    Sled,
}

impl PersistenceKind {
    /// Where it is when the file does not say.
    #[must_use]
    pub const fn default_path(self) -> &'static str {
        match self {
            Self::Sqlite => "~/.mxcp/oauth.db",
            Self::Sled => "~/.mxcp/oauth.sled",
        }
    }
}

impl AuthConfiguration {
    /// Whether calls need a token.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.verifier.is_some() || !self.providers.is_empty()
    }

    /// Whether the required scopes keep nobody out. What people have of another issuer's scopes is
    /// for that issuer to say.
    #[must_use]
    pub fn openness(&self) -> Option<Openness> {
        self.authorization.openness().filter(|_| self.verifier.is_none())
    }
}

/// Which clients may come with a metadata document that their identifier is the URL of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientDocuments {
    /// The only hosts whose documents are read; `None` for any.
    pub allowed_hosts: Option<Vec<HostPattern>>,
    /// Hosts whose documents are not read.
    pub denied_hosts: Vec<HostPattern>,
}

/// A client that is written in the configuration.
#[derive(Clone, Debug)]
pub struct ConfiguredClient {
    /// Its identifier.
    pub id: ClientId,
    /// Its name as a person is shown it.
    pub name: String,
    /// How it proves itself.
    pub auth_method: AuthMethod,
    /// Its secret, when the method needs one.
    pub secret: Option<Secret>,
    /// Its public keys, when the method needs them.
    pub keys: Option<ClientKeys>,
    /// Where answers may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// What it may exchange.
    pub grant_types: Vec<GrantType>,
    /// What it may ask for.
    pub scopes: ScopeSet,
}

impl ConfiguredClient {
    /// The client as the registry keeps it, known since `issued_at`.
    #[must_use]
    pub fn to_client(&self, issued_at: Timestamp) -> Client {
        Client {
            id: self.id.clone(),
            name: self.name.clone(),
            secret_hash: self.secret.as_ref().map(Secret::hash),
            keys: self.keys.clone(),
            auth_method: self.auth_method,
            redirect_uris: self.redirect_uris.clone(),
            grant_types: self.grant_types.clone(),
            scope: self.scopes.clone(),
            issued_at,
            origin: ClientOrigin::Configured,
        }
    }
}

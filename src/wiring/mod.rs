//! From a configuration to running parts: adapters, then actors, then HTTP. The only room that
//! sees all of them.

mod definitions;
mod identity;
mod local;
mod stores;
mod verifier;

pub use definitions::{endpoints, scope_rules, sql_faults, tool_faults};
pub use identity::identity_providers;
pub use stores::{new_home, persistence_settings, surroundings};
pub use verifier::trusted_issuer;

use crate::adapters::client_keys::HttpClientKeys;
use crate::adapters::client_metadata::HttpClientMetadata;
use crate::adapters::duckdb::{DuckDbEngine, DuckDbSettings, OpenError};
use crate::adapters::http_fetch::{HttpFetch, HttpFetchSettings};
use crate::adapters::null_audit::NullAudit;
use crate::adapters::outgoing_guard::OutgoingGuard;
use crate::adapters::signatures::JwtSignatures;
use crate::adapters::system::{SystemClock, SystemEntropy};
use crate::config::{ClientDocuments, Configuration, HttpSettings};
use crate::http::AppState;
use crate::http::audit::AuditViewing;
use crate::http::cookies::Cookies;
use crate::http::handover::StopSignal;
use crate::http::host_guard::{Names, NamesOf};
use crate::http::mcp::{BODY_MAX_DEFAULT, McpOptions, McpShared};
use crate::http::oauth::{MetadataDocuments, MetadataOptions};
use crate::http::pages::{Home, Pages};
use crate::http::routes::RouteOptions;
use crate::http::server::{self, ServerParts};
use actix_web::dev::{Server, ServerHandle};
use anyhow::{Context as _, anyhow};
use definitions::definitions;
use local::LocalAnswers;
use mxcp_actors::authorization::LoginMethods;
use mxcp_actors::handles::WorkerHandles;
use mxcp_actors::model::resource::Resource;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::ports::client_metadata::ClientMetadataSource;
use mxcp_actors::ports::clock::Clock;
use mxcp_actors::settings::{ClientDocumentSettings, Settings};
use mxcp_actors::supervisor::{Definitions, Ports, Supervisor};
use std::fmt;
use std::future::Future;
use std::net::TcpListener;
use std::sync::Arc;
use stores::{Kept, audit_store, stores, stores_in_memory};
use tokio::sync::watch;

/// The most clients that may be registered at a time: about 100 MB of memory.
const REGISTERED_CLIENTS_MAX: u64 = 100_000;

/// What the command line says about serving.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServeOptions {
    /// `--port`; 0 lets the system choose.
    pub port: Option<u16>,
    /// `--stateless`.
    pub is_stateless: bool,
}

/// A daemon that listens and serves.
pub struct Daemon {
    server: Server,
    handle: ServerHandle,
    supervisor: Supervisor,
    engine: Arc<DuckDbEngine>,
    local: Option<LocalAnswers>,
    stopping: watch::Sender<bool>,
    are_sockets_inherited: bool,
    base_url: String,
    port: u16,
}

impl fmt::Debug for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Daemon").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

impl Daemon {
    /// Starts everything; when this returns the sockets are open.
    ///
    /// # Errors
    /// Whatever keeps it from serving, for the operator.
    pub async fn start(configuration: &Configuration, options: &ServeOptions) -> anyhow::Result<Self> {
        let http = &configuration.http;
        let Sockets { listeners, are_inherited } = sockets(http, options.port)?;
        let port = listeners.first().ok_or_else(|| anyhow!("{} has no address", http.host))?.local_addr()?.port();
        let base_url = http.base_url(Some(port));
        let is_alone = is_for_this_machine_alone(configuration, &listeners)?;
        let documents = client_documents(configuration, is_alone);
        let settings = Settings { client_documents: documents, ..settings(configuration, &base_url)? };
        let engine = Arc::new(open_database(configuration)?);
        let definitions = definitions(configuration, engine.as_ref()).await?;
        let kept = Kept { audit: audit_store(configuration)?, stores: stores(configuration)? };
        let guard = OutgoingGuard::new(is_alone);
        let people = identity::login_methods(&configuration.auth.providers, &settings.issuer)?;
        let ports = ports(&settings, Arc::clone(&engine), kept, people, guard)?;
        let supervisor = Supervisor::start(ports, settings.clone(), definitions.clone()).await?;

        let local = LocalAnswers::start(&configuration.audit, supervisor.handles().audit_log.clone())?;
        let (stopping, is_stopping) = watch::channel(false);
        let wired = server_parts(configuration, *options, &settings, &definitions, (&supervisor, port, is_stopping))?;
        let (server, handle) = server::start(wired, listeners).context("cannot serve")?;
        Ok(Self {
            server,
            handle,
            supervisor,
            engine,
            local,
            stopping,
            are_sockets_inherited: are_inherited,
            base_url,
            port,
        })
    }

    /// The URL that clients use.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The port that is listened on, which the system may have chosen.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Serves until `shutdown` is ready, then stops in order: no new requests, those in flight
    /// finish, then the actors from the top down, the audit log last, then the database.
    ///
    /// # Errors
    /// When it stopped for another reason than `shutdown`.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self { server, handle, mut supervisor, engine, local, stopping, are_sockets_inherited, .. } = self;
        let mut serving = actix_rt::spawn(server);
        let outcome = tokio::select! {
            () = shutdown => Ok(()),
            actor = supervisor.wait_for_failure() => Err(anyhow!("the actor {actor} has ended; stopping")),
            ended = &mut serving => Err(anyhow!("the HTTP server has ended: {ended:?}")),
        };
        // Streams that would stay open for ever end themselves.
        stopping.send_replace(true);
        server::stop(&handle, are_sockets_inherited).await;
        // Until here whoever follows the log sees the last calls too.
        if let Some(local) = local {
            local.stop().await;
        }
        supervisor.stop().await;
        tokio::task::spawn_blocking(move || engine.close()).await?;
        outcome
    }
}

/// The actors without HTTP, for a command that makes one call.
#[derive(Debug)]
pub struct Workshop {
    /// The actors of one worker.
    pub worker: WorkerHandles,
    supervisor: Supervisor,
    engine: Arc<DuckDbEngine>,
}

impl Workshop {
    /// Starts the actors of the daemon, with an audit log that keeps nothing.
    ///
    /// # Errors
    /// Whatever keeps them from working, for the operator.
    pub async fn start(configuration: &Configuration) -> anyhow::Result<Self> {
        let base_url = configuration.http.base_url(None);
        let engine = Arc::new(open_database(configuration)?);
        let definitions = definitions(configuration, engine.as_ref()).await?;
        let settings = settings(configuration, &base_url)?;
        let kept = Kept { audit: Arc::new(NullAudit), stores: stores_in_memory() };
        // Nobody signs in to a command, so no provider is asked anything.
        let people = LoginMethods::default();
        let ports = ports(&settings, Arc::clone(&engine), kept, people, OutgoingGuard::new(false))?;
        let supervisor = Supervisor::start(ports, settings, definitions).await?;
        Ok(Self { worker: supervisor.workers().start(), supervisor, engine })
    }

    /// Stops the actors and closes the database.
    ///
    /// # Errors
    /// When closing the database failed.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.supervisor.stop().await;
        let engine = self.engine;
        tokio::task::spawn_blocking(move || engine.close()).await?;
        Ok(())
    }
}

/// What is listened on.
struct Sockets {
    listeners: Vec<TcpListener>,
    /// Whether the service manager keeps them open when the daemon has ended.
    are_inherited: bool,
}

/// The sockets of the service manager, or else those that the configuration names.
fn sockets(http: &HttpSettings, port: Option<u16>) -> anyhow::Result<Sockets> {
    let inherited =
        server::inherited().context("the service manager passed a socket that is not of use (LISTEN_FDS)")?;
    if !inherited.is_empty() {
        return Ok(Sockets { listeners: inherited, are_inherited: true });
    }
    let port = port.unwrap_or(http.port);
    let listeners = server::listen(&http.host, port).with_context(|| {
        format!("cannot listen on {}:{port}; is another server running there? choose another with --port", http.host)
    })?;
    Ok(Sockets { listeners, are_inherited: false })
}

/// Opens the project's database.
///
/// # Errors
/// Why it cannot be opened.
pub fn open_database(configuration: &Configuration) -> Result<DuckDbEngine, OpenError> {
    let (database, http_fetch) = (&configuration.duckdb, &configuration.http_fetch);
    let fetcher = HttpFetch::new(HttpFetchSettings {
        allowed: http_fetch.allow.clone(),
        timeout: http_fetch.timeout,
        bytes_max: http_fetch.max_size,
    });
    DuckDbEngine::open(&DuckDbSettings {
        path: Some(database.path.clone()),
        read_only: database.is_readonly,
        connections: database.connections,
        setup: Vec::new(),
        fetcher: Some(Arc::new(fetcher)),
    })
}

/// What the actors go by.
fn settings(configuration: &Configuration, base_url: &str) -> anyhow::Result<Settings> {
    let auth = &configuration.auth;
    let resource = Resource::parse(&format!("{base_url}/mcp"));
    let known_since = SystemClock.now();
    Ok(Settings {
        issuer: base_url.to_owned(),
        resource: resource.ok_or_else(|| anyhow!("{base_url} is not a URL that clients could use"))?,
        alias_origins: Settings::loopback_aliases(base_url),
        is_origin_an_alias: true,
        lifetimes: auth.lifetimes,
        required_scopes: auth.authorization.required_scopes.clone(),
        further_default_scopes: auth.authorization.default_scopes.clone(),
        further_scopes: further_scopes(configuration),
        configured_clients: auth.clients.iter().map(|client| client.to_client(known_since)).collect(),
        is_registration_open: auth.is_registration_enabled,
        registered_clients_max: REGISTERED_CLIENTS_MAX,
        // Where nobody signs in no client will be asked about.
        client_documents: None,
        // Without a log there is nothing to see.
        audit_viewers: configuration.audit.viewers.iter().filter(|_| configuration.audit.is_enabled).cloned().collect(),
        query_deadline: configuration.duckdb.query_timeout,
        query_rows_max: configuration.duckdb.max_rows,
    })
}

/// The scopes that nothing but endpoints and rules name.
fn further_scopes(configuration: &Configuration) -> ScopeSet {
    let of_rules = configuration.auth.authorization.scopes();
    configuration.tools.iter().fold(of_rules, |all, tool| all.union(&tool.scopes))
}

/// Which clients may come with a metadata document.
fn client_documents(configuration: &Configuration, allows_loopback: bool) -> Option<ClientDocumentSettings> {
    let documents = configuration.auth.client_documents.clone().filter(|_| configuration.auth.is_enabled())?;
    let ClientDocuments { allowed_hosts, denied_hosts } = documents;
    Some(ClientDocumentSettings { allowed_hosts, denied_hosts, allows_loopback })
}

/// Whether nobody beyond this machine is served. The sockets tell, because those of the service
/// manager need not be what the configuration says.
fn is_for_this_machine_alone(configuration: &Configuration, listeners: &[TcpListener]) -> anyhow::Result<bool> {
    let addresses = listeners.iter().map(TcpListener::local_addr).collect::<Result<Vec<_>, _>>()?;
    Ok(configuration.http.is_for_this_machine_alone(&addresses))
}

fn ports(
    settings: &Settings,
    engine: Arc<DuckDbEngine>,
    kept: Kept,
    login_methods: LoginMethods,
    guard: OutgoingGuard,
) -> anyhow::Result<Ports> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let takes_documents = settings.client_documents.is_some();
    Ok(Ports {
        entropy: Arc::new(SystemEntropy),
        audit_store: kept.audit,
        client_store: kept.stores.clients,
        assertion_store: kept.stores.assertions,
        signature_verifier: Arc::new(JwtSignatures),
        client_key_source: Arc::new(HttpClientKeys::new(guard.clone())),
        client_metadata_source: takes_documents.then(|| client_metadata(guard, &clock)).transpose()?,
        grant_store: kept.stores.grants,
        session_store: kept.stores.sessions,
        sql_engine: engine,
        login_methods,
        clock,
    })
}

fn client_metadata(guard: OutgoingGuard, clock: &Arc<dyn Clock>) -> anyhow::Result<Arc<dyn ClientMetadataSource>> {
    let source = HttpClientMetadata::new(guard, Arc::clone(clock));
    let source = source.context("cannot fetch metadata documents of clients (auth.client_metadata_documents)")?;
    Ok(Arc::new(source))
}

fn server_parts(
    configuration: &Configuration,
    options: ServeOptions,
    settings: &Settings,
    definitions: &Definitions,
    (supervisor, port, is_stopping): (&Supervisor, u16, watch::Receiver<bool>),
) -> anyhow::Result<ServerParts> {
    let http = &configuration.http;
    let (handles, base_url) = (supervisor.handles().clone(), settings.issuer.as_str());
    let (tokens, guard, scopes) = verifier::door(configuration, settings, definitions, &handles)?;
    let names = Arc::new(Names::new(&NamesOf {
        base_url: &base_url.parse()?,
        port,
        allowed_hosts: &http.allowed_hosts,
        allowed_origins: &http.allowed_origins,
        needs_token: tokens.needs_token(),
    }));
    let is_stateless = options.is_stateless || http.is_stateless;
    let mcp = McpShared::new(
        &definitions.catalog,
        McpOptions {
            guard: Arc::new(guard),
            names: Arc::clone(&names),
            sessions: (!is_stateless).then(|| handles.mcp_sessions.clone()),
            instructions: None,
            body_max: BODY_MAX_DEFAULT,
            is_stopping: is_stopping.clone(),
        },
    )?;
    let has_audit_page = !settings.audit_viewers.is_empty();
    let state = AppState {
        pages: Pages::new(&configuration.project, base_url)?,
        home: Home::new(&configuration.project, base_url, &definitions.catalog, &settings.required_scopes),
        cookies: Cookies::new(base_url),
        metadata: MetadataDocuments::new(&MetadataOptions { settings, scopes, project: &configuration.project }),
        tokens: tokens.clone(),
        audit_viewing: has_audit_page.then(|| AuditViewing::new(is_stopping.clone())),
        trusts_proxy: http.trust_proxy,
        handles,
    };
    Ok(ServerParts {
        state: Arc::new(state),
        mcp: Arc::new(mcp),
        names,
        routes: RouteOptions { callbacks: identity::callbacks(&configuration.auth.providers), tokens, has_audit_page },
        workers: supervisor.workers().clone(),
        stop_signal: StopSignal::new(is_stopping),
    })
}

//! Starts all actors, leaves first, and notices when one ends. Nothing else starts actors.
//!
//! The supervisor does not restart: the truth is in the stores, so when an actor ends the whole
//! process stops in order and its service manager starts it again.

use crate::audit_log::{AuditLogHandle, AuditPorts};
use crate::authorization::Authorizer;
use crate::authorization::{AuthorizationHandle, LoginMethod, LoginMethods};
use crate::authorization_codes::AuthorizationCodesHandle;
use crate::authorization_codes::CodeKeeper;
use crate::client_registry::{AssertionChecker, ClientRegistryHandle, Registrar, RegistryPorts};
use crate::handles::{Handles, WorkerHandles};
use crate::mailbox::EndGuard;
use crate::mcp_sessions::{McpSessionLimits, McpSessionsHandle, McpSessionsPorts};
use crate::policy::{PolicyBook, PolicyHandle};
use crate::ports::StoreError;
use crate::ports::assertion_store::AssertionStore;
use crate::ports::audit_store::AuditStore;
use crate::ports::client_key_source::ClientKeySource;
use crate::ports::client_metadata::ClientMetadataSource;
use crate::ports::client_store::ClientStore;
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;
use crate::ports::grant_store::GrantStore;
use crate::ports::session_store::SessionStore;
use crate::ports::signature_verifier::SignatureVerifier;
use crate::ports::sql_engine::SqlEngine;
use crate::ports::upstream_idp::UpstreamIdp;
use crate::scope_rules::ScopeRules;
use crate::sessions::{EndedGrants, People, SessionPorts, SessionsHandle};
use crate::settings::Settings;
use crate::token_refresh::{RefreshMemory, Refresher, TokenRefreshHandle};
use crate::tool_calls::{ToolCaller, ToolCallsHandle, ToolCatalog};
use crate::user_mapping::UserMapping;
use actix::{Arbiter, ArbiterHandle};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Everything that the actors need from the outside.
#[derive(Clone, Debug)]
pub struct Ports {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Keeps the audit log.
    pub audit_store: Arc<dyn AuditStore>,
    /// Keeps clients.
    pub client_store: Arc<dyn ClientStore>,
    /// Remembers which assertions of clients were used.
    pub assertion_store: Arc<dyn AssertionStore>,
    /// Checks signatures.
    pub signature_verifier: Arc<dyn SignatureVerifier>,
    /// Fetches the keys that clients publish.
    pub client_key_source: Arc<dyn ClientKeySource>,
    /// Fetches metadata documents of clients; `None` when clients must be registered.
    pub client_metadata_source: Option<Arc<dyn ClientMetadataSource>>,
    /// Keeps logins and codes.
    pub grant_store: Arc<dyn GrantStore>,
    /// Keeps sessions.
    pub session_store: Arc<dyn SessionStore>,
    /// Runs SQL.
    pub sql_engine: Arc<dyn SqlEngine>,
    /// Where people prove who they are.
    pub login_methods: LoginMethods,
}

/// What every worker shares read-only.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    /// The tools.
    pub catalog: Arc<ToolCatalog>,
    /// The compiled rules.
    pub policy_book: Arc<PolicyBook>,
    /// What the operator says about people.
    pub user_mapping: Arc<UserMapping>,
    /// Who may have which scopes.
    pub scope_rules: Arc<ScopeRules>,
}

/// Who may still be signed in from an earlier run.
fn people(login_methods: &LoginMethods, definitions: &Definitions) -> People {
    People {
        directory: login_methods.directory().cloned(),
        providers: providers(login_methods).iter().map(|idp| idp.name().to_owned()).collect(),
        mapping: Arc::clone(&definitions.user_mapping),
        scope_rules: Arc::clone(&definitions.scope_rules),
    }
}

/// The identity providers among the places where people sign in.
fn providers(login_methods: &LoginMethods) -> Vec<Arc<dyn UpstreamIdp>> {
    let provider = |method: &LoginMethod| match method {
        LoginMethod::Provider(idp) => Some(Arc::clone(idp)),
        LoginMethod::Password(_) => None,
    };
    login_methods.iter().filter_map(provider).collect()
}

/// The running actors.
#[derive(Debug)]
pub struct Supervisor {
    arbiters: Vec<Arbiter>,
    handles: Handles,
    workers: WorkerStarter,
    ended: mpsc::UnboundedReceiver<&'static str>,
}

impl Supervisor {
    /// Starts every actor that there is one of, leaves first.
    ///
    /// The audit log has a thread of its own, because its store writes on it; the other owners
    /// and `authorization` share one, since they only pass messages between mailboxes and
    /// stores.
    ///
    /// # Errors
    /// When a store cannot be read.
    pub async fn start(ports: Ports, settings: Settings, definitions: Definitions) -> Result<Self, StoreError> {
        let (ended_sender, ended) = mpsc::unbounded_channel();
        let guard = |actor| EndGuard::new(actor, ended_sender.clone());
        let (audit_arbiter, owners_arbiter) = (Arbiter::new(), Arbiter::new());
        let owners = owners_arbiter.handle();
        let settings = Arc::new(settings);

        let audit_log = start_audit_log(&audit_arbiter.handle(), &ports, guard("audit_log")).await?;
        let registrar = Registrar::new(registry_ports(&ports, audit_log.clone(), &settings), &settings);
        let client_registry = ClientRegistryHandle::start(&owners, registrar, guard("client_registry"));
        let keeper = CodeKeeper {
            store: Arc::clone(&ports.grant_store),
            clock: Arc::clone(&ports.clock),
            entropy: Arc::clone(&ports.entropy),
            lifetimes: settings.lifetimes,
        };
        let authorization_codes = AuthorizationCodesHandle::start(&owners, keeper, guard("authorization_codes"));
        let (ended_grants, to_revoke) = EndedGrants::channel();
        let session_ports = SessionPorts {
            store: Arc::clone(&ports.session_store),
            clock: Arc::clone(&ports.clock),
            entropy: Arc::clone(&ports.entropy),
            audit_log: audit_log.clone(),
            people: people(&ports.login_methods, &definitions),
            ended_grants: ended_grants.clone(),
        };
        let sessions = SessionsHandle::start(&owners, session_ports, settings.lifetimes, guard("sessions")).await?;
        let refresher = Refresher {
            sessions: sessions.clone(),
            audit_log: audit_log.clone(),
            providers: providers(&ports.login_methods),
            clock: Arc::clone(&ports.clock),
            entropy: Arc::clone(&ports.entropy),
            memory: RefreshMemory::default(),
            ended_grants,
        };
        let token_refresh = TokenRefreshHandle::start(&owners, refresher, to_revoke, guard("token_refresh"));
        let authorizer = Authorizer {
            client_registry: client_registry.clone(),
            authorization_codes: authorization_codes.clone(),
            sessions: sessions.clone(),
            audit_log: audit_log.clone(),
            login_methods: ports.login_methods.clone(),
            clock: Arc::clone(&ports.clock),
            entropy: Arc::clone(&ports.entropy),
            settings: Arc::clone(&settings),
            turns: crate::authorization::Turns::default(),
        };
        let authorization = AuthorizationHandle::start(&owners, authorizer, guard("authorization"));

        let mcp_ports = McpSessionsPorts { clock: Arc::clone(&ports.clock), entropy: Arc::clone(&ports.entropy) };
        let limits = McpSessionLimits::default();
        let mcp_sessions = McpSessionsHandle::start(&owners, mcp_ports, limits, guard("mcp_sessions"));

        let handles = Handles {
            audit_log,
            mcp_sessions,
            client_registry,
            authorization_codes,
            sessions,
            token_refresh,
            authorization,
        };
        let workers = WorkerStarter {
            audit_log: handles.audit_log.clone(),
            token_refresh: handles.token_refresh.clone(),
            sql_engine: ports.sql_engine,
            clock: ports.clock,
            definitions,
            settings,
            ended: ended_sender,
        };
        Ok(Self { arbiters: vec![owners_arbiter, audit_arbiter], handles, workers, ended })
    }

    /// The handles of the actors that there is one of.
    #[must_use]
    pub fn handles(&self) -> &Handles {
        &self.handles
    }

    /// What starts a worker's own actors.
    #[must_use]
    pub fn workers(&self) -> &WorkerStarter {
        &self.workers
    }

    /// Waits until an actor ends that should not; tells which.
    pub async fn wait_for_failure(&mut self) -> &'static str {
        match self.ended.recv().await {
            Some(actor) => actor,
            // The starter keeps a sender, so this does not happen while the supervisor lives.
            None => std::future::pending().await,
        }
    }

    /// Stops the actors in reverse order, after HTTP has stopped. What the audit log was told
    /// is on disk when this returns; what is being revoked at the provider has some seconds.
    pub async fn stop(self) {
        // Without `..`, so that a new actor must be given its place here.
        let Handles {
            mcp_sessions,
            audit_log,
            client_registry,
            authorization_codes,
            sessions,
            token_refresh,
            authorization,
        } = self.handles;
        drop((self.workers, mcp_sessions));
        drop(authorization);
        token_refresh.finish_revocations().await;
        drop(token_refresh);
        sessions.flush_scope_refusals().await;
        drop((client_registry, authorization_codes, sessions));
        if let Err(error) = audit_log.flush().await {
            tracing::error!(%error, "the audit log was not flushed before the end");
        }
        for arbiter in self.arbiters {
            arbiter.stop();
            if arbiter.join().is_err() {
                tracing::error!("a thread of actors ended in a panic");
            }
        }
    }
}

fn registry_ports(ports: &Ports, audit_log: AuditLogHandle, settings: &Settings) -> RegistryPorts {
    let assertions = AssertionChecker::new(
        Arc::clone(&ports.assertion_store),
        Arc::clone(&ports.signature_verifier),
        Arc::clone(&ports.client_key_source),
        Arc::clone(&ports.clock),
        settings,
    );
    RegistryPorts {
        store: Arc::clone(&ports.client_store),
        metadata_source: ports.client_metadata_source.clone(),
        assertions,
        clock: Arc::clone(&ports.clock),
        entropy: Arc::clone(&ports.entropy),
        audit_log,
    }
}

async fn start_audit_log(
    arbiter: &ArbiterHandle,
    ports: &Ports,
    guard: EndGuard,
) -> Result<AuditLogHandle, StoreError> {
    let last_sequence = ports.audit_store.last_sequence().await?;
    let audit_ports = AuditPorts {
        store: Arc::clone(&ports.audit_store),
        clock: Arc::clone(&ports.clock),
        entropy: Arc::clone(&ports.entropy),
    };
    Ok(AuditLogHandle::start(arbiter, audit_ports, last_sequence, guard))
}

/// Starts the actors that every HTTP worker has its own of: what is on the path of each call
/// costs no hop between threads then.
#[derive(Clone, Debug)]
pub struct WorkerStarter {
    audit_log: AuditLogHandle,
    token_refresh: TokenRefreshHandle,
    sql_engine: Arc<dyn SqlEngine>,
    clock: Arc<dyn Clock>,
    definitions: Definitions,
    settings: Arc<Settings>,
    ended: mpsc::UnboundedSender<&'static str>,
}

impl WorkerStarter {
    /// Starts a worker's actors on the current arbiter.
    #[must_use]
    pub fn start(&self) -> WorkerHandles {
        let guard = |actor| EndGuard::new(actor, self.ended.clone());
        let policy = PolicyHandle::start(Arc::clone(&self.definitions.policy_book), guard("policy"));
        let caller = ToolCaller {
            catalog: Arc::clone(&self.definitions.catalog),
            policy: policy.clone(),
            token_refresh: self.token_refresh.clone(),
            audit_log: self.audit_log.clone(),
            sql_engine: Arc::clone(&self.sql_engine),
            clock: Arc::clone(&self.clock),
            query_deadline: self.settings.query_deadline,
            query_rows_max: self.settings.query_rows_max,
        };
        let tool_calls = ToolCallsHandle::start(caller, guard("tool_calls"));
        WorkerHandles { policy, tool_calls }
    }
}

#[cfg(test)]
mod tests;

//! All actors on the thread of the test, under paused time, in front of fakes.

use super::fake_client_metadata::FakeClientMetadata;
use super::fake_idp::FakeIdp;
use super::fake_key_source::FakeKeySource;
use super::fake_passwords::FakePasswords;
use super::fake_signatures::FakeSignatures;
use super::fake_sql::FakeSql;
use super::memory_audit::MemoryAudit;
use super::samples;
use super::seeded_entropy::SeededEntropy;
use super::tokio_clock::TokioClock;
use super::unsteady::Unsteady;
use crate::audit_log::{AuditLogHandle, AuditPorts};
use crate::authorization::{AuthorizationHandle, Authorizer, LoginMethod, LoginMethods, Turns};
use crate::authorization_codes::{AuthorizationCodesHandle, CodeKeeper};
use crate::client_registry::{AssertionChecker, ClientRegistryHandle, Registrar, RegistryPorts};
use crate::mailbox::EndGuard;
use crate::model::resource::Resource;
use crate::model::scope::ScopeSet;
use crate::model::scope_hierarchy::ScopeHierarchy;
use crate::model::timestamp::Timestamp;
use crate::policy::{PolicyBook, PolicyHandle};
use crate::ports::clock::Clock;
use crate::ports::in_memory::{MemoryAssertions, MemoryClients, MemoryGrants, MemorySessions};
use crate::scope_rules::{GrantRule, ScopeRules};
use crate::sessions::{EndedGrants, People, SessionPorts, SessionsHandle};
use crate::settings::{ClientDocumentSettings, Lifetimes, Settings};
use crate::token_refresh::{RefreshMemory, Refresher, TokenRefreshHandle};
use crate::tool_calls::{ToolCaller, ToolCallsHandle, ToolCatalog};
use actix::Arbiter;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How people log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    Provider,
    Password,
    Off,
}

/// The actors, and what stands behind them.
pub(crate) struct Rig {
    pub(crate) clock: Arc<TokioClock>,
    pub(crate) audit: Arc<MemoryAudit>,
    pub(crate) client_store: Arc<Unsteady<MemoryClients>>,
    pub(crate) assertion_store: Arc<Unsteady<MemoryAssertions>>,
    pub(crate) key_source: Arc<FakeKeySource>,
    pub(crate) client_metadata: Arc<FakeClientMetadata>,
    pub(crate) grant_store: Arc<Unsteady<MemoryGrants>>,
    pub(crate) session_store: Arc<Unsteady<MemorySessions>>,
    pub(crate) idp: Arc<FakeIdp>,
    pub(crate) passwords: Arc<FakePasswords>,
    pub(crate) sql: Arc<FakeSql>,
    pub(crate) audit_log: AuditLogHandle,
    pub(crate) client_registry: ClientRegistryHandle,
    pub(crate) authorization_codes: AuthorizationCodesHandle,
    pub(crate) sessions: SessionsHandle,
    pub(crate) token_refresh: TokenRefreshHandle,
    pub(crate) authorization: AuthorizationHandle,
    pub(crate) ended_grants: EndedGrants,
    settings: Settings,
    ended_sender: mpsc::UnboundedSender<&'static str>,
}

/// Ordinary settings: short lives are left to the tests that need them.
pub(crate) fn settings() -> Settings {
    Settings {
        issuer: "https://mxcp.example.com".to_owned(),
        resource: Resource::parse(samples::RESOURCE).unwrap(),
        alias_origins: Vec::new(),
        is_origin_an_alias: true,
        lifetimes: Lifetimes::default(),
        required_scopes: samples::scopes("read"),
        further_default_scopes: ScopeSet::default(),
        further_scopes: samples::scopes("write"),
        configured_clients: Vec::new(),
        is_registration_open: true,
        registered_clients_max: 5,
        client_documents: Some(ClientDocumentSettings::default()),
        audit_viewers: vec!["auditor".to_owned()],
        query_deadline: Duration::from_secs(30),
        query_rows_max: 100,
    }
}

/// What follows from `write`, and what the clients of the configuration may have.
fn scope_rules(settings: &Settings, grants: Option<Vec<GrantRule>>) -> Arc<ScopeRules> {
    let hierarchy = ScopeHierarchy::new([("write".to_owned(), samples::scopes("read"))]).unwrap();
    let clients = settings.configured_clients.iter().map(|client| (&client.id, &client.scope));
    Arc::new(ScopeRules::new(hierarchy, grants, clients))
}

fn people(passwords: &Arc<FakePasswords>, scope_rules: &Arc<ScopeRules>) -> People {
    let directory = Some(Arc::clone(passwords) as _);
    People { directory, scope_rules: Arc::clone(scope_rules), ..People::default() }
}

fn assertion_checker(
    (store, key_source): (&Arc<Unsteady<MemoryAssertions>>, &Arc<FakeKeySource>),
    clock: &Arc<TokioClock>,
    settings: &Settings,
) -> AssertionChecker {
    let (store, key_source) = (Arc::clone(store) as _, Arc::clone(key_source) as _);
    AssertionChecker::new(store, Arc::new(FakeSignatures), key_source, Arc::clone(clock) as _, settings)
}

impl Rig {
    pub(crate) async fn start(login: Login) -> Self {
        Self::with(login, settings()).await
    }

    /// Stops the clock; from here on it moves only while everybody sleeps.
    pub(crate) async fn with(login: Login, settings: Settings) -> Self {
        Self::with_grants(login, settings, None).await
    }

    /// The same where people are entitled to what `grants` say.
    pub(crate) async fn with_grants(login: Login, settings: Settings, grants: Option<Vec<GrantRule>>) -> Self {
        let scope_rules = scope_rules(&settings, grants);
        tokio::time::pause();
        let clock = Arc::new(TokioClock::default());
        let entropy = Arc::new(SeededEntropy::new(7));
        let (ended_sender, _) = mpsc::unbounded_channel();
        let guard = |actor| EndGuard::new(actor, ended_sender.clone());
        let here = Arbiter::current();
        let audit = Arc::new(MemoryAudit::default());
        let audit_ports = AuditPorts {
            store: Arc::clone(&audit) as _,
            clock: Arc::clone(&clock) as _,
            entropy: Arc::clone(&entropy) as _,
        };
        let audit_log = AuditLogHandle::start(&here, audit_ports, 0, guard("audit_log"));
        let client_store = Arc::new(Unsteady::<MemoryClients>::default());
        let client_metadata = Arc::new(FakeClientMetadata::default());
        let assertion_store = Arc::new(Unsteady::<MemoryAssertions>::default());
        let key_source = Arc::new(FakeKeySource::default());
        let registry_ports = RegistryPorts {
            store: Arc::clone(&client_store) as _,
            metadata_source: Some(Arc::clone(&client_metadata) as _),
            assertions: assertion_checker((&assertion_store, &key_source), &clock, &settings),
            clock: Arc::clone(&clock) as _,
            entropy: Arc::clone(&entropy) as _,
            audit_log: audit_log.clone(),
        };
        let registrar = Registrar::new(registry_ports, &settings);
        let client_registry = ClientRegistryHandle::start(&here, registrar, guard("client_registry"));
        let grant_store = Arc::new(Unsteady::<MemoryGrants>::default());
        let keeper = CodeKeeper {
            store: Arc::clone(&grant_store) as _,
            clock: Arc::clone(&clock) as _,
            entropy: Arc::clone(&entropy) as _,
            lifetimes: settings.lifetimes,
        };
        let authorization_codes = AuthorizationCodesHandle::start(&here, keeper, guard("authorization_codes"));
        let passwords = Arc::new(FakePasswords::default());
        let session_store = Arc::new(Unsteady::<MemorySessions>::default());
        let (ended_grants, to_revoke) = EndedGrants::channel();
        let session_ports = SessionPorts {
            store: Arc::clone(&session_store) as _,
            clock: Arc::clone(&clock) as _,
            entropy: Arc::clone(&entropy) as _,
            audit_log: audit_log.clone(),
            people: people(&passwords, &scope_rules),
            ended_grants: ended_grants.clone(),
        };
        let sessions = SessionsHandle::start(&here, session_ports, settings.lifetimes, guard("sessions"));
        let sessions = sessions.await.unwrap();
        let idp = Arc::new(FakeIdp::new(Arc::clone(&clock) as _));
        let refresher = Refresher {
            sessions: sessions.clone(),
            audit_log: audit_log.clone(),
            providers: if login == Login::Provider { vec![Arc::clone(&idp) as _] } else { Vec::new() },
            clock: Arc::clone(&clock) as _,
            entropy: Arc::clone(&entropy) as _,
            memory: RefreshMemory::default(),
            ended_grants: ended_grants.clone(),
        };
        let token_refresh = TokenRefreshHandle::start(&here, refresher, to_revoke, guard("token_refresh"));
        let authorizer = Authorizer {
            client_registry: client_registry.clone(),
            authorization_codes: authorization_codes.clone(),
            sessions: sessions.clone(),
            audit_log: audit_log.clone(),
            login_methods: LoginMethods::new(match login {
                Login::Provider => vec![LoginMethod::Provider(Arc::clone(&idp) as _)],
                Login::Password => vec![LoginMethod::Password(Arc::clone(&passwords) as _)],
                Login::Off => Vec::new(),
            }),
            clock: Arc::clone(&clock) as _,
            entropy,
            settings: Arc::new(settings.clone()),
            turns: Turns::default(),
        };
        let authorization = AuthorizationHandle::start(&here, authorizer, guard("authorization"));
        Self {
            clock,
            audit,
            client_store,
            assertion_store,
            key_source,
            client_metadata,
            grant_store,
            session_store,
            idp,
            passwords,
            sql: Arc::new(FakeSql::default()),
            audit_log,
            client_registry,
            authorization_codes,
            sessions,
            token_refresh,
            authorization,
            ended_grants,
            settings,
            ended_sender,
        }
    }

    /// The actors of a worker.
    pub(crate) fn start_worker(&self, catalog: ToolCatalog, policy_book: PolicyBook) -> ToolCallsHandle {
        let guard = |actor| EndGuard::new(actor, self.ended_sender.clone());
        let caller = ToolCaller {
            catalog: Arc::new(catalog),
            policy: PolicyHandle::start(Arc::new(policy_book), guard("policy")),
            token_refresh: self.token_refresh.clone(),
            audit_log: self.audit_log.clone(),
            sql_engine: Arc::clone(&self.sql) as _,
            clock: Arc::clone(&self.clock) as _,
            query_deadline: self.settings.query_deadline,
            query_rows_max: self.settings.query_rows_max,
        };
        ToolCallsHandle::start(caller, guard("tool_calls"))
    }

    /// Sessions as another process would find them in the store.
    pub(crate) async fn restart_sessions(&self) -> SessionsHandle {
        self.restart_sessions_with_grants(None).await
    }

    /// The same after the operator has changed what people are entitled to.
    pub(crate) async fn restart_sessions_with_grants(&self, grants: Option<Vec<GrantRule>>) -> SessionsHandle {
        let scope_rules = scope_rules(&self.settings, grants);
        let ports = SessionPorts {
            store: Arc::clone(&self.session_store) as _,
            clock: Arc::clone(&self.clock) as _,
            entropy: Arc::new(SeededEntropy::new(8)),
            audit_log: self.audit_log.clone(),
            people: people(&self.passwords, &scope_rules),
            ended_grants: self.ended_grants.clone(),
        };
        let guard = EndGuard::new("sessions", self.ended_sender.clone());
        SessionsHandle::start(&Arbiter::current(), ports, self.settings.lifetimes, guard).await.unwrap()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets time pass, and every timer with it.
    pub(crate) async fn pass(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }

    /// How often `name` was recorded.
    pub(crate) fn recorded(&self, name: &str) -> usize {
        self.audit.names().iter().filter(|recorded| *recorded == name).count()
    }
}

use super::{Definitions, Ports, Supervisor};
use crate::authorization::LoginMethods;
use crate::client_registry::RegistryError;
use crate::model::audit_event::{AuditCaller, AuditEvent, AuditRecord, OperationStatus};
use crate::model::audit_filter::AuditFilter;
use crate::model::client::Client;
use crate::model::endpoint::EndpointKind;
use crate::model::ids::ClientId;
use crate::model::principal::Principal;
use crate::model::timestamp::Timestamp;
use crate::policy::PolicyBook;
use crate::ports::audit_store::AuditStore;
use crate::ports::client_store::ClientStore;
use crate::ports::in_memory::{MemoryAssertions, MemoryClients, MemoryGrants, MemorySessions};
use crate::ports::{StoreError, StoreResult};
use crate::testkit::fake_key_source::FakeKeySource;
use crate::testkit::fake_signatures::FakeSignatures;
use crate::testkit::fake_sql::FakeSql;
use crate::testkit::memory_audit::MemoryAudit;
use crate::testkit::rig::settings;
use crate::testkit::seeded_entropy::SeededEntropy;
use crate::testkit::tokio_clock::TokioClock;
use crate::tool_calls::{CallTool, ToolCatalog};
use serde_json::Map;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// An audit store that panics when it is told to, and knows whether it was synced last.
#[derive(Debug, Default)]
struct FragileAudit {
    store: MemoryAudit,
    is_fragile: AtomicBool,
    is_synced: AtomicBool,
}

impl AuditStore for FragileAudit {
    fn append(&self, records: Vec<Arc<AuditRecord>>) -> StoreResult<'_, ()> {
        assert!(!self.is_fragile.load(Ordering::SeqCst), "told to panic");
        self.is_synced.store(false, Ordering::SeqCst);
        self.store.append(records)
    }

    fn last_sequence(&self) -> StoreResult<'_, u64> {
        if self.is_fragile.load(Ordering::SeqCst) {
            return Box::pin(async { Err(StoreError { detail: "told to fail".to_owned() }) });
        }
        self.store.last_sequence()
    }

    fn read_newest(&self, filter: AuditFilter, limit: usize) -> StoreResult<'_, Vec<AuditRecord>> {
        self.store.read_newest(filter, limit)
    }

    fn read_oldest(&self, filter: AuditFilter, limit: usize) -> StoreResult<'_, Vec<AuditRecord>> {
        self.store.read_oldest(filter, limit)
    }

    fn sync(&self) -> StoreResult<'_, ()> {
        self.is_synced.store(true, Ordering::SeqCst);
        self.store.sync()
    }
}

/// A client store with a fault in it.
#[derive(Debug, Default)]
struct FaultyClients;

impl ClientStore for FaultyClients {
    fn insert_client(&self, _: Client) -> StoreResult<'_, ()> {
        Box::pin(async { panic!("a fault") })
    }

    fn find_client(&self, _: ClientId) -> StoreResult<'_, Option<Client>> {
        Box::pin(async { panic!("a fault") })
    }

    fn count_clients(&self) -> StoreResult<'_, u64> {
        Box::pin(async { Ok(0) })
    }

    fn remove_unused_clients(&self, _: Timestamp, _: usize) -> StoreResult<'_, Vec<ClientId>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn mark_client_used(&self, _: ClientId) -> StoreResult<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

fn ports(audit: &Arc<FragileAudit>) -> Ports {
    Ports {
        clock: Arc::new(TokioClock::default()),
        entropy: Arc::new(SeededEntropy::new(1)),
        audit_store: Arc::clone(audit) as _,
        client_store: Arc::new(MemoryClients::default()),
        assertion_store: Arc::new(MemoryAssertions::default()),
        signature_verifier: Arc::new(FakeSignatures),
        client_key_source: Arc::new(FakeKeySource::default()),
        client_metadata_source: None,
        grant_store: Arc::new(MemoryGrants::default()),
        session_store: Arc::new(MemorySessions::default()),
        sql_engine: Arc::new(FakeSql::default()),
        login_methods: LoginMethods::default(),
    }
}

fn definitions() -> Definitions {
    Definitions {
        catalog: Arc::new(ToolCatalog::default()),
        policy_book: Arc::new(PolicyBook::default()),
        user_mapping: Arc::default(),
        scope_rules: Arc::default(),
    }
}

async fn start(audit: &Arc<FragileAudit>) -> Supervisor {
    Supervisor::start(ports(audit), settings(), definitions()).await.unwrap()
}

fn event(name: &str) -> AuditEvent {
    AuditEvent::auth(name, OperationStatus::Success, AuditCaller::default())
}

#[actix::test]
async fn what_the_audit_log_was_told_is_on_disk_when_stop_returns() {
    let audit = Arc::new(FragileAudit::default());
    let supervisor = start(&audit).await;
    let log = supervisor.handles().audit_log.clone();
    let recorded = (0..50).map(|n| {
        let log = log.clone();
        actix::spawn(async move { log.record(event(&n.to_string())).await })
    });
    let recorded = futures_util::future::join_all(recorded).await;
    supervisor.stop().await;
    assert!(recorded.into_iter().all(|outcome| outcome.unwrap().is_ok()));
    assert_eq!(audit.store.names().len(), 50);
    assert!(audit.is_synced.load(Ordering::SeqCst));
    assert!(log.record(event("late")).await.is_err(), "who comes later is told that it is over");
}

#[actix::test]
async fn a_restart_goes_on_counting_where_the_log_ended() {
    let audit = Arc::new(FragileAudit::default());
    let supervisor = start(&audit).await;
    assert_eq!(supervisor.handles().audit_log.record(event("before")).await, Ok(1));
    supervisor.stop().await;
    let supervisor = start(&audit).await;
    assert_eq!(supervisor.handles().audit_log.record(event("after")).await, Ok(2));
    supervisor.stop().await;
}

#[actix::test]
async fn an_actor_that_panics_is_noticed_and_its_callers_are_told() {
    let audit = Arc::new(FragileAudit::default());
    let mut supervisor = start(&audit).await;
    audit.is_fragile.store(true, Ordering::SeqCst);
    assert!(supervisor.handles().audit_log.record(event("x")).await.is_err());
    assert_eq!(supervisor.wait_for_failure().await, "audit_log");
    supervisor.stop().await;
}

#[actix::test]
async fn a_fault_in_answering_one_caller_is_that_callers_alone() {
    // What is under way for a caller runs beside the actor, so a panic there does not end it;
    // the truth is in the stores, which have not changed.
    let audit = Arc::new(FragileAudit::default());
    let ports = Ports { client_store: Arc::new(FaultyClients), ..ports(&audit) };
    let mut supervisor = Supervisor::start(ports, settings(), definitions()).await.unwrap();
    let registry = supervisor.handles().client_registry.clone();
    let faulty = registry.resolve_client(ClientId::new("x")).await;
    assert!(matches!(faulty, Err(RegistryError::Unavailable(_))), "{faulty:?}");
    assert_eq!(registry.mark_client_used(ClientId::new("x")).await, Ok(()));
    let failure = tokio::time::timeout(Duration::from_millis(1), supervisor.wait_for_failure()).await;
    assert!(failure.is_err(), "{failure:?}");
    supervisor.stop().await;
}

#[actix::test]
async fn a_worker_whose_actors_end_is_noticed() {
    let audit = Arc::new(FragileAudit::default());
    let mut supervisor = start(&audit).await;
    let worker = supervisor.workers().start();
    let call = CallTool {
        principal: Arc::new(Principal::anonymous()),
        kind: EndpointKind::Tool,
        name: "nothing".to_owned(),
        arguments: Map::new(),
        caller_type: "http",
        trace_id: None,
        external_token: None,
    };
    assert!(worker.tool_calls.call_tool(call).await.is_err());
    drop(worker);
    let ended = [supervisor.wait_for_failure().await, supervisor.wait_for_failure().await];
    assert!(ended.contains(&"policy") && ended.contains(&"tool_calls"), "{ended:?}");
    supervisor.stop().await;
}

#[actix::test]
async fn a_store_that_cannot_be_read_keeps_the_actors_from_starting() {
    let audit = Arc::new(FragileAudit::default());
    audit.is_fragile.store(true, Ordering::SeqCst);
    assert!(Supervisor::start(ports(&audit), settings(), definitions()).await.is_err());
}

//! From a configuration to what outlives a request.

use crate::adapters::jsonl_audit::{AuditFileSettings, JsonlAuditStore};
use crate::adapters::null_audit::NullAudit;
use crate::adapters::persistence::{
    KeySource, NewHome, PeopleOf, PersistenceSettings, StoreKind, Stores, Surroundings, key_file_of,
};
use crate::adapters::system::{SystemClock, SystemEntropy};
use crate::config::{AuditDurability, AuditRotation, Configuration, PersistenceKind, ProviderKind};
use anyhow::{Context as _, anyhow};
use mxcp_actors::ports::audit_store::AuditStore;
use mxcp_actors::ports::in_memory::{MemoryAssertions, MemoryClients, MemoryGrants, MemorySessions};
use std::sync::Arc;

pub(super) fn audit_store(configuration: &Configuration) -> anyhow::Result<Arc<dyn AuditStore>> {
    let audit = &configuration.audit;
    if !audit.is_enabled {
        return Ok(Arc::new(NullAudit));
    }
    let keeping = audit.keeping;
    let settings = AuditFileSettings {
        max_file_size: keeping.max_file_size,
        is_daily: keeping.rotation == AuditRotation::Daily,
        is_compressed: keeping.is_compressed,
        retention: keeping.retention,
        is_strict: keeping.durability == AuditDurability::Strict,
        on_failure: keeping.on_failure,
    };
    let store = JsonlAuditStore::open(&audit.path, settings, Arc::new(SystemClock));
    Ok(Arc::new(store.context("cannot keep an audit log")?))
}

/// What outlives a request.
pub(super) struct Kept {
    pub(super) audit: Arc<dyn AuditStore>,
    pub(super) stores: Stores,
}

/// Where sign-ins and clients are kept: what the configuration says, if anybody signs in at all.
pub(super) fn stores(configuration: &Configuration) -> anyhow::Result<Stores> {
    match persistence_settings(configuration) {
        Some(settings) if configuration.auth.is_enabled() => {
            Stores::open(&settings, &surroundings()).context("cannot keep sign-ins (auth.persistence)")
        }
        _ => Ok(stores_in_memory()),
    }
}

/// What this server is to sessions and clients that are moved to it.
///
/// # Errors
/// When nobody signs in here.
pub fn new_home(configuration: &Configuration) -> anyhow::Result<NewHome> {
    if configuration.auth.verifier.is_some() {
        return Err(anyhow!("auth.mode is verifier: nobody signs in here"));
    }
    if !configuration.auth.is_enabled() {
        return Err(anyhow!("auth.provider is none: nobody signs in here"));
    }
    let people = configuration.auth.providers.iter().filter_map(|provider| match &provider.kind {
        ProviderKind::Local(_) => None,
        ProviderKind::Oidc(_) | ProviderKind::Keycloak(_) | ProviderKind::Google(_) => {
            Some(PeopleOf { provider: provider.name.clone(), has_openid_claims: true })
        }
        ProviderKind::Github(_) | ProviderKind::Atlassian(_) | ProviderKind::Salesforce(_) => {
            Some(PeopleOf { provider: provider.name.clone(), has_openid_claims: false })
        }
    });
    let people = people.collect();
    let settings = super::settings(configuration, &configuration.http.base_url(None))?;
    Ok(NewHome {
        people,
        default_scopes: settings.default_scopes(),
        scope_catalogue: settings.scope_catalogue(),
        resource: settings.resource,
        lifetimes: settings.lifetimes,
        configured_clients: settings.configured_clients,
    })
}

/// What stores need of this machine.
#[must_use]
pub fn surroundings() -> Surroundings {
    Surroundings { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) }
}

pub(super) fn stores_in_memory() -> Stores {
    Stores {
        clients: Arc::new(MemoryClients::default()),
        assertions: Arc::new(MemoryAssertions::default()),
        grants: Arc::new(MemoryGrants::default()),
        sessions: Arc::new(MemorySessions::default()),
    }
}

/// What `auth.persistence` says; `None` when sign-ins are kept in memory.
#[must_use]
pub fn persistence_settings(configuration: &Configuration) -> Option<PersistenceSettings> {
    let persistence = configuration.auth.persistence.as_ref()?;
    let keys = if persistence.encryption_keys.is_empty() {
        KeySource::File(key_file_of(&persistence.path))
    } else {
        KeySource::Given(persistence.encryption_keys.clone())
    };
    let kind = match persistence.kind {
        PersistenceKind::Sqlite => StoreKind::Sqlite,
        PersistenceKind::Sled => StoreKind::Sled,
    };
    Some(PersistenceSettings { kind, path: persistence.path.clone(), keys })
}

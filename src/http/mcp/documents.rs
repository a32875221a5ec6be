//! Answers that do not depend on the request, rendered once.

use super::listings::{Listings, TTL_MS};
use super::revision::{SUPPORTED, negotiate};
use mxcp_actors::model::endpoint::EndpointKind;
use mxcp_actors::tool_calls::ToolCatalog;
use rmcp::model::{
    CacheScope, DiscoverResult, Implementation, InitializeResult, MetaObject, PromptsCapability, ProtocolVersion,
    ResourcesCapability, ServerCapabilities, SubscriptionFilter, ToolsCapability,
};
use serde_json::Value;

/// The rendered answers.
#[derive(Debug)]
pub(super) struct Documents {
    discovery: Box<str>,
    listings: Listings,
    /// One for each revision with a handshake.
    initialized: Vec<(&'static str, Box<str>)>,
    server_meta: MetaObject,
    capabilities: ServerCapabilities,
}

impl Documents {
    pub(super) fn new(catalog: &ToolCatalog, instructions: Option<String>) -> Result<Self, serde_json::Error> {
        let mut capabilities = ServerCapabilities::default();
        capabilities.tools = Some(ToolsCapability::default());
        let has = |kind| catalog.of_kind(kind).next().is_some();
        capabilities.resources = has(EndpointKind::Resource).then(ResourcesCapability::default);
        capabilities.prompts = has(EndpointKind::Prompt).then(PromptsCapability::default);
        let mut server = InitializeResult::new(capabilities.clone());
        server.server_info = Implementation::new("mxcp", env!("CARGO_PKG_VERSION")).with_title("MXCP");
        server.instructions = instructions;

        let versions = serde_json::from_value::<Vec<ProtocolVersion>>(Value::from(SUPPORTED.to_vec()))?;
        let mut discovery = DiscoverResult::from_server_info(versions, server.clone());
        (discovery.ttl_ms, discovery.cache_scope) = (TTL_MS, CacheScope::Private);
        let server_meta = discovery.meta.clone().unwrap_or_default();

        Ok(Self {
            discovery: serde_json::to_string(&discovery)?.into(),
            listings: Listings::new(catalog, &server_meta)?,
            initialized: render_initialized(&server)?,
            server_meta,
            capabilities,
        })
    }

    /// The result of `server/discover`.
    pub(super) fn discovery(&self) -> &str {
        &self.discovery
    }

    /// The lists.
    pub(super) fn listings(&self) -> &Listings {
        &self.listings
    }

    /// The revision that an `initialize` which asks for `requested` agrees on, and its result.
    pub(super) fn initialized(&self, requested: &str) -> (&'static str, &str) {
        let agreed = negotiate(requested);
        let result = self.initialized.iter().find(|(revision, _)| *revision == agreed);
        (agreed, result.map_or("{}", |(_, result)| result))
    }

    /// What a client that asks to hear of `asked` will hear of: only what the server declares.
    pub(super) fn honored(&self, asked: &SubscriptionFilter) -> SubscriptionFilter {
        asked.supported_by(&self.capabilities)
    }

    /// What every modern result says of its server.
    pub(super) fn server_meta(&self) -> &MetaObject {
        &self.server_meta
    }
}

fn render_initialized(server: &InitializeResult) -> Result<Vec<(&'static str, Box<str>)>, serde_json::Error> {
    let render = |revision| {
        let mut result = server.clone();
        result.protocol_version = serde_json::from_value(Value::from(revision))?;
        Ok((revision, serde_json::to_string(&result)?.into()))
    };
    SUPPORTED.into_iter().filter(|revision| negotiate(revision) == *revision).map(render).collect()
}

//! Answers that are the same for every caller but for what lists show of themselves, rendered once.

use super::list::{List, list};
use super::listings::Listings;
use super::revision::{SUPPORTED, negotiate};
use mxcp_actors::model::endpoint::EndpointKind;
use mxcp_actors::tool_calls::{CatalogEntry, ToolCatalog};
use rmcp::model::{
    CacheScope, DiscoverResult, Implementation, InitializeResult, JsonObject, ListToolsResult, MetaObject,
    PromptsCapability, ProtocolVersion, ResourcesCapability, ServerCapabilities, SubscriptionFilter, Tool,
    ToolAnnotations, ToolsCapability,
};
use serde_json::Value;
use std::sync::Arc;

/// How long a client may keep a list. Tools change only with a restart, which a client does not
/// see in this revision, so it should look again before long.
pub(super) const TTL_MS: u64 = 60_000;

/// The rendered answers.
#[derive(Debug)]
pub(super) struct Documents {
    discovery: Box<str>,
    tools: List,
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

        let tools = catalog.of_kind(EndpointKind::Tool).map(|entry| (entry.definition.scopes.clone(), describe(entry)));
        let tools = list!(ListToolsResult, "tools", tools, &server_meta);
        Ok(Self {
            discovery: serde_json::to_string(&discovery)?.into(),
            tools,
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

    /// The result of `tools/list`.
    pub(super) fn tools(&self) -> &List {
        &self.tools
    }

    /// The lists of what is no tool.
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

fn describe(entry: &CatalogEntry) -> Tool {
    let definition = &entry.definition;
    let schema = |schema: &Value| Arc::new(schema.as_object().cloned().unwrap_or_else(JsonObject::new));
    let description = definition.description.clone().unwrap_or_default();
    let mut tool = Tool::new(definition.name.clone(), description, schema(&entry.input_schema));
    tool.output_schema = entry.output_schema.as_ref().map(schema);
    let hints = &definition.annotations;
    let annotations = ToolAnnotations::from_raw(
        hints.title.clone(),
        hints.read_only,
        hints.destructive,
        hints.idempotent,
        hints.open_world,
    );
    tool.annotations = (annotations != ToolAnnotations::default()).then_some(annotations);
    tool
}

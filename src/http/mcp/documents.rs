//! Answers that depend on the caller in one way only: which tools are listed. All is rendered once.

use super::revision::{Era, SUPPORTED, negotiate};
use mxcp_actors::model::principal::Principal;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::tool_calls::{CatalogEntry, ToolCatalog};
use rmcp::model::{
    CacheScope, DiscoverResult, Implementation, InitializeResult, JsonObject, ListToolsResult, MetaObject,
    ProtocolVersion, ServerCapabilities, SubscriptionFilter, Tool, ToolAnnotations, ToolsCapability,
};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// How long a client may keep a list. Tools change only with a restart, which a client does not
/// see in this revision, so it should look again before long.
const TTL_MS: u64 = 60_000;

/// A list without tools, in JSON.
const EMPTY_TOOLS: &str = "\"tools\":[]";

/// The rendered answers.
#[derive(Debug)]
pub(super) struct Documents {
    discovery: Box<str>,
    modern_tools: ToolList,
    legacy_tools: ToolList,
    /// Each tool of the lists, with what its callers need.
    tools: Vec<(ScopeSet, Box<str>)>,
    /// One for each revision with a handshake.
    initialized: Vec<(&'static str, Box<str>)>,
    server_meta: MetaObject,
    capabilities: ServerCapabilities,
}

impl Documents {
    pub(super) fn new(catalog: &ToolCatalog, instructions: Option<String>) -> Result<Self, serde_json::Error> {
        let mut capabilities = ServerCapabilities::default();
        capabilities.tools = Some(ToolsCapability::default());
        let mut server = InitializeResult::new(capabilities.clone());
        server.server_info = Implementation::new("mxcp", env!("CARGO_PKG_VERSION")).with_title("MXCP");
        server.instructions = instructions;

        let versions = serde_json::from_value::<Vec<ProtocolVersion>>(Value::from(SUPPORTED.to_vec()))?;
        let mut discovery = DiscoverResult::from_server_info(versions, server.clone());
        (discovery.ttl_ms, discovery.cache_scope) = (TTL_MS, CacheScope::Private);
        let server_meta = discovery.meta.clone().unwrap_or_default();

        let tools = catalog.iter().map(|entry| {
            let tool = serde_json::to_string(&describe(entry))?;
            Ok((entry.definition.scopes.clone(), tool.into()))
        });
        let tools = tools.collect::<Result<Vec<_>, serde_json::Error>>()?;
        let mut legacy = ListToolsResult::with_all_items(Vec::new());
        legacy.result_type = None;
        // Private, because what is listed depends on who asks.
        let modern = ListToolsResult::with_all_items(Vec::new());
        let mut modern = modern.with_ttl_ms(TTL_MS).with_cache_scope(CacheScope::Private);
        modern.meta = Some(server_meta.clone());

        Ok(Self {
            discovery: serde_json::to_string(&discovery)?.into(),
            modern_tools: ToolList::new(&modern, &tools)?,
            legacy_tools: ToolList::new(&legacy, &tools)?,
            tools,
            initialized: render_initialized(&server)?,
            server_meta,
            capabilities,
        })
    }

    /// The result of `server/discover`.
    pub(super) fn discovery(&self) -> &str {
        &self.discovery
    }

    /// The result of `tools/list`: the tools that the caller can call, now or after a new login.
    pub(super) fn tools(&self, era: Era, caller: &Principal) -> Cow<'_, str> {
        let list = match era {
            Era::Modern => &self.modern_tools,
            Era::Legacy => &self.legacy_tools,
        };
        let is_shown = |(needed, _): &&(ScopeSet, Box<str>)| caller.could_hold(needed);
        if self.tools.iter().all(|tool| is_shown(&tool)) {
            return Cow::Borrowed(&list.whole);
        }
        Cow::Owned(list.of(self.tools.iter().filter(is_shown)))
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

/// A list as it is sent, whole or of some tools only.
#[derive(Debug)]
struct ToolList {
    before: Box<str>,
    after: Box<str>,
    whole: Box<str>,
}

impl ToolList {
    /// The list that `empty` would be with `tools` in it.
    fn new(empty: &ListToolsResult, tools: &[(ScopeSet, Box<str>)]) -> Result<Self, serde_json::Error> {
        let frame = serde_json::to_string(empty)?;
        let (before, after) = frame.split_once(EMPTY_TOOLS).ok_or_else(|| {
            <serde_json::Error as serde::ser::Error>::custom("a list of tools is not written as expected")
        })?;
        let mut list = Self { before: before.into(), after: after.into(), whole: Box::default() };
        list.whole = list.of(tools.iter()).into();
        Ok(list)
    }

    fn of<'t>(&self, tools: impl Iterator<Item = &'t (ScopeSet, Box<str>)>) -> String {
        let tools: Vec<&str> = tools.map(|(_, tool)| &**tool).collect();
        [&self.before, "\"tools\":[", &tools.join(","), "]", &self.after].concat()
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

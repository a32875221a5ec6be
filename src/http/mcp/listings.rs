//! Lists of tools, resources and prompts. Each item is rendered once, and so is each list as a whole;
//! who may not get at everything gets a list of the rest.

use super::revision::Era;
use mxcp_actors::model::endpoint::{EndpointForm, EndpointKind, ResourceForm};
use mxcp_actors::model::principal::Principal;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::tool::ToolDefinition;
use mxcp_actors::tool_calls::{CatalogEntry, ToolCatalog};
use rmcp::model::{
    CacheScope, JsonObject, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
    MetaObject, Prompt, PromptArgument, Resource, ResourceTemplate, Tool, ToolAnnotations,
};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// How long a client may keep a list. Lists change only with a restart, which a client does not see
/// in this revision, so it should look again before long.
pub(super) const TTL_MS: u64 = 60_000;

/// The lists; `None` where there is nothing of a kind, which the server then does not know at all.
/// Tools it always knows.
#[derive(Debug)]
pub(super) struct Listings {
    tools: Listing,
    resources: Option<(Listing, Listing)>,
    prompts: Option<Listing>,
}

/// Renders the list that has `$items` in both eras. Private, because what is listed depends on who
/// asks.
macro_rules! listing {
    ($result:ident, $key:literal, $items:expr, $server:expr) => {{
        let mut legacy = $result::with_all_items(Vec::new());
        legacy.result_type = None;
        let modern = $result::with_all_items(Vec::new());
        let mut modern = modern.with_ttl_ms(TTL_MS).with_cache_scope(CacheScope::Private);
        modern.meta = Some($server.clone());
        let items: Items = $items;
        let modern = Frame::new(&modern, $key, &items)?;
        Listing { modern, legacy: Frame::new(&legacy, $key, &items)?, items }
    }};
}

impl Listings {
    /// Renders what the catalogue has; modern lists say of their server `server`.
    ///
    /// # Errors
    /// When something cannot be written as JSON.
    pub(super) fn new(catalog: &ToolCatalog, server: &MetaObject) -> Result<Self, serde_json::Error> {
        let tools = render(catalog.of_kind(EndpointKind::Tool).map(|entry| (&entry.definition, describe_tool(entry))))?;
        let (fixed, templates): (Vec<_>, Vec<_>) = catalog
            .of_kind(EndpointKind::Resource)
            .filter_map(|entry| resource(&entry.definition))
            .partition(|(_, form)| form.template.is_static());
        let has_resources = !fixed.is_empty() || !templates.is_empty();
        let fixed =
            render(fixed.into_iter().map(|(definition, form)| (definition, describe_resource(definition, form))))?;
        let templates =
            render(templates.into_iter().map(|(definition, form)| (definition, describe_template(definition, form))))?;
        let resources = (
            listing!(ListResourcesResult, "resources", fixed, server),
            listing!(ListResourceTemplatesResult, "resourceTemplates", templates, server),
        );
        let prompts = catalog.of_kind(EndpointKind::Prompt).map(|entry| &entry.definition);
        let prompts = render(prompts.map(|definition| (definition, describe_prompt(definition))))?;
        let has_prompts = !prompts.is_empty();
        let prompts = listing!(ListPromptsResult, "prompts", prompts, server);
        Ok(Self {
            tools: listing!(ListToolsResult, "tools", tools, server),
            resources: has_resources.then_some(resources),
            prompts: has_prompts.then_some(prompts),
        })
    }

    /// Whether the server knows that kind.
    pub(super) fn has(&self, kind: EndpointKind) -> bool {
        match kind {
            EndpointKind::Tool => true,
            EndpointKind::Resource => self.resources.is_some(),
            EndpointKind::Prompt => self.prompts.is_some(),
        }
    }

    /// The result of a method that lists, if this server knows it: what the caller can get at, now or
    /// after a new login.
    pub(super) fn of(&self, method: &str, era: Era, caller: &Principal) -> Option<Cow<'_, str>> {
        let listing = match method {
            "tools/list" => Some(&self.tools),
            "resources/list" => self.resources.as_ref().map(|(fixed, _)| fixed),
            "resources/templates/list" => self.resources.as_ref().map(|(_, templates)| templates),
            "prompts/list" => self.prompts.as_ref(),
            _ => None,
        }?;
        Some(listing.of(era, caller))
    }
}

/// What is listed, in JSON, each with the scopes that its callers need.
type Items = Vec<(ScopeSet, Box<str>)>;

fn render<'d, T: Serialize>(items: impl Iterator<Item = (&'d ToolDefinition, T)>) -> Result<Items, serde_json::Error> {
    items.map(|(definition, item)| Ok((definition.scopes.clone(), serde_json::to_string(&item)?.into()))).collect()
}

/// A list as each era has it.
#[derive(Debug)]
struct Listing {
    modern: Frame,
    legacy: Frame,
    items: Items,
}

impl Listing {
    fn of(&self, era: Era, caller: &Principal) -> Cow<'_, str> {
        let frame = match era {
            Era::Modern => &self.modern,
            Era::Legacy => &self.legacy,
        };
        let is_shown = |(needed, _): &&(ScopeSet, Box<str>)| caller.could_hold(needed);
        if self.items.iter().all(|item| is_shown(&item)) {
            return Cow::Borrowed(&frame.whole);
        }
        Cow::Owned(frame.around(self.items.iter().filter(is_shown)))
    }
}

/// What is around the items of a list, and the list with all of them.
#[derive(Debug)]
struct Frame {
    before: Box<str>,
    after: Box<str>,
    whole: Box<str>,
}

impl Frame {
    /// What is around `items` in `empty`, where `key` names an empty list.
    fn new(empty: &impl Serialize, key: &str, items: &Items) -> Result<Self, serde_json::Error> {
        let text = serde_json::to_string(empty)?;
        let (before, after) = text.split_once(&format!("\"{key}\":[]")).ok_or_else(|| {
            <serde_json::Error as serde::ser::Error>::custom(format!("a list of {key} is not written as expected"))
        })?;
        let before = format!("{before}\"{key}\":[").into();
        let mut frame = Self { before, after: format!("]{after}").into(), whole: Box::default() };
        frame.whole = frame.around(items.iter()).into();
        Ok(frame)
    }

    fn around<'i>(&self, items: impl Iterator<Item = &'i (ScopeSet, Box<str>)>) -> String {
        let items: Vec<&str> = items.map(|(_, item)| &**item).collect();
        [&*self.before, &items.join(","), &*self.after].concat()
    }
}

fn describe_tool(entry: &CatalogEntry) -> Tool {
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

fn resource(definition: &ToolDefinition) -> Option<(&ToolDefinition, &ResourceForm)> {
    match &definition.form {
        EndpointForm::Resource(form) => Some((definition, form)),
        EndpointForm::Tool | EndpointForm::SqlTool(_) | EndpointForm::Prompt(_) => None,
    }
}

fn describe_resource(definition: &ToolDefinition, form: &ResourceForm) -> Resource {
    let mut resource = Resource::new(&definition.name, form.title.as_ref().unwrap_or(&definition.name));
    resource.description.clone_from(&definition.description);
    resource.mime_type = Some(form.mime_type.clone());
    resource
}

fn describe_template(definition: &ToolDefinition, form: &ResourceForm) -> ResourceTemplate {
    let mut template = ResourceTemplate::new(&definition.name, form.title.as_ref().unwrap_or(&definition.name));
    template.description.clone_from(&definition.description);
    template.mime_type = Some(form.mime_type.clone());
    template
}

fn describe_prompt(definition: &ToolDefinition) -> Prompt {
    let arguments = definition.parameters.iter().map(|parameter| {
        let mut argument = PromptArgument::new(&parameter.name).with_required(parameter.of.default.is_none());
        argument.description.clone_from(&parameter.of.description);
        argument
    });
    Prompt::new(&definition.name, definition.description.as_ref(), Some(arguments.collect()))
}

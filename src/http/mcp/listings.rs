//! Lists of resources and prompts, rendered once.

use super::documents::TTL_MS;
use super::revision::Era;
use mxcp_actors::model::endpoint::{EndpointForm, EndpointKind, ResourceForm};
use mxcp_actors::model::tool::ToolDefinition;
use mxcp_actors::tool_calls::ToolCatalog;
use rmcp::model::{
    CacheScope, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, MetaObject, Prompt,
    PromptArgument, Resource, ResourceTemplate,
};

/// A list as each era has it.
#[derive(Debug)]
struct Listing {
    modern: Box<str>,
    legacy: Box<str>,
}

/// The lists of what is no tool; `None` where there is nothing of a kind, which the server then does
/// not know at all.
#[derive(Debug)]
pub(super) struct Listings {
    resources: Option<(Listing, Listing)>,
    prompts: Option<Listing>,
}

/// Renders a list for both eras. Private, because what is listed may come to depend on who asks.
macro_rules! listing {
    ($result:ident, $items:expr, $server:expr) => {{
        let mut list = $result::with_all_items($items);
        list.result_type = None;
        let legacy = serde_json::to_string(&list)?.into();
        list.result_type = $result::default().result_type;
        list.meta = Some($server.clone());
        let list = list.with_ttl_ms(TTL_MS).with_cache_scope(CacheScope::Private);
        Listing { modern: serde_json::to_string(&list)?.into(), legacy }
    }};
}

impl Listings {
    /// Renders what the catalogue has; modern lists say of their server `server`.
    ///
    /// # Errors
    /// When something cannot be written as JSON.
    pub(super) fn new(catalog: &ToolCatalog, server: &MetaObject) -> Result<Self, serde_json::Error> {
        let (fixed, templates): (Vec<_>, Vec<_>) = catalog
            .of_kind(EndpointKind::Resource)
            .filter_map(|entry| resource(&entry.definition))
            .partition(|(_, form)| form.template.is_static());
        let has_resources = !fixed.is_empty() || !templates.is_empty();
        let fixed = fixed.into_iter().map(|(definition, form)| describe_resource(definition, form)).collect();
        let templates = templates.into_iter().map(|(definition, form)| describe_template(definition, form)).collect();
        let resources =
            (listing!(ListResourcesResult, fixed, server), listing!(ListResourceTemplatesResult, templates, server));
        let prompts: Vec<Prompt> =
            catalog.of_kind(EndpointKind::Prompt).map(|entry| describe_prompt(&entry.definition)).collect();
        let has_prompts = !prompts.is_empty();
        let prompts = listing!(ListPromptsResult, prompts, server);
        Ok(Self { resources: has_resources.then_some(resources), prompts: has_prompts.then_some(prompts) })
    }

    /// Whether there is anything of that kind.
    pub(super) fn has(&self, kind: EndpointKind) -> bool {
        match kind {
            EndpointKind::Tool => true,
            EndpointKind::Resource => self.resources.is_some(),
            EndpointKind::Prompt => self.prompts.is_some(),
        }
    }

    /// The result of a method that lists, if this server knows it.
    pub(super) fn of(&self, method: &str, era: Era) -> Option<&str> {
        let listing = match method {
            "resources/list" => self.resources.as_ref().map(|(fixed, _)| fixed),
            "resources/templates/list" => self.resources.as_ref().map(|(_, templates)| templates),
            "prompts/list" => self.prompts.as_ref(),
            _ => None,
        }?;
        Some(match era {
            Era::Modern => &listing.modern,
            Era::Legacy => &listing.legacy,
        })
    }
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

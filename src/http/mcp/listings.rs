//! Lists of resources and prompts, rendered once.

use super::list::{List, list};
use mxcp_actors::model::endpoint::{EndpointForm, EndpointKind, ResourceForm};
use mxcp_actors::model::tool::ToolDefinition;
use mxcp_actors::tool_calls::ToolCatalog;
use rmcp::model::{
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, MetaObject, Prompt, PromptArgument, Resource,
    ResourceTemplate,
};

/// The lists of what is no tool; `None` where there is nothing of a kind, which the server then does
/// not know at all.
#[derive(Debug)]
pub(super) struct Listings {
    resources: Option<(List, List)>,
    prompts: Option<List>,
}

impl Listings {
    /// Renders what the catalogue has; modern lists say of their server `server`.
    ///
    /// # Errors
    /// When something cannot be written as JSON.
    pub(super) fn new(catalog: &ToolCatalog, server: &MetaObject) -> Result<Self, serde_json::Error> {
        let definitions = |kind| catalog.of_kind(kind).map(|entry| &entry.definition);
        let (fixed, templates): (Vec<_>, Vec<_>) =
            definitions(EndpointKind::Resource).filter_map(resource).partition(|(_, form)| form.template.is_static());
        let has_resources = !fixed.is_empty() || !templates.is_empty();
        let fixed = fixed.into_iter().map(|(of, form)| (of.scopes.clone(), describe_resource(of, form)));
        let templates = templates.into_iter().map(|(of, form)| (of.scopes.clone(), describe_template(of, form)));
        let resources = (
            list!(ListResourcesResult, "resources", fixed, server),
            list!(ListResourceTemplatesResult, "resourceTemplates", templates, server),
        );
        let has_prompts = definitions(EndpointKind::Prompt).next().is_some();
        let prompts = definitions(EndpointKind::Prompt).map(|of| (of.scopes.clone(), describe_prompt(of)));
        let prompts = list!(ListPromptsResult, "prompts", prompts, server);
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
    pub(super) fn of(&self, method: &str) -> Option<&List> {
        match method {
            "resources/list" => self.resources.as_ref().map(|(fixed, _)| fixed),
            "resources/templates/list" => self.resources.as_ref().map(|(_, templates)| templates),
            "prompts/list" => self.prompts.as_ref(),
            _ => None,
        }
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

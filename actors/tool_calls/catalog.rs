//! The tools, resources and prompts, with everything that can be worked out once.

use super::arguments::CompiledParameters;
use super::prompts::CompiledPrompt;
use super::resources::ResourceIndex;
use super::results::CompiledResult;
use crate::model::endpoint::{EndpointForm, EndpointKind};
use crate::model::principal::Principal;
use crate::model::tool::ToolDefinition;
use crate::policy::PolicyBook;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An endpoint, ready to be listed and called.
#[derive(Debug)]
pub struct CatalogEntry {
    /// The endpoint as it was loaded.
    pub definition: ToolDefinition,
    /// The JSON Schema of its arguments.
    pub input_schema: Value,
    /// The JSON Schema of its structured result, when it declares one.
    pub output_schema: Option<Value>,
    /// Its name, to be passed along without copying.
    pub(super) name: Arc<str>,
    pub(super) parameters: CompiledParameters,
    pub(super) result: CompiledResult,
    /// Its messages, when it is a prompt.
    pub(super) prompt: Option<CompiledPrompt>,
}

/// An endpoint that cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {} '{endpoint}': {message}", .kind.as_str())]
pub struct CatalogError {
    /// The file.
    pub path: String,
    /// Its kind.
    pub kind: EndpointKind,
    /// Its name.
    pub endpoint: String,
    /// What is wrong.
    pub message: String,
}

impl CatalogError {
    pub(super) fn of(definition: &ToolDefinition, message: String) -> Self {
        let path = definition.path.display().to_string();
        Self { path, kind: definition.kind(), endpoint: definition.name.clone(), message }
    }
}

/// All endpoints, in the order of their names.
#[derive(Debug, Default)]
pub struct ToolCatalog {
    entries: BTreeMap<String, Arc<CatalogEntry>>,
    resources: ResourceIndex,
    /// Whether there is one that needs a scope of its own.
    needs_scopes: bool,
}

impl ToolCatalog {
    /// Renders schemas, and compiles validators and templates.
    ///
    /// # Errors
    /// Every endpoint whose constraints make no valid schema, such as a pattern that is no regular
    /// expression, whose messages cannot be rendered, or that cannot be told from another.
    pub fn build(definitions: Vec<ToolDefinition>) -> Result<Self, Vec<CatalogError>> {
        let mut entries: BTreeMap<String, Arc<CatalogEntry>> = BTreeMap::new();
        let mut errors = Vec::new();
        for definition in definitions {
            if let Some(other) = entries.get(&definition.name) {
                let message = format!("{} has an endpoint of the same name", other.definition.path.display());
                errors.push(CatalogError::of(&definition, message));
                continue;
            }
            match CatalogEntry::of(definition) {
                Ok(entry) => {
                    entries.insert(entry.definition.name.clone(), Arc::new(entry));
                }
                Err(error) => errors.push(error),
            }
        }
        let resources = ResourceIndex::build(entries.values());
        let resources = resources.map_err(|ambiguous| errors.extend(ambiguous)).unwrap_or_default();
        let needs_scopes = entries.values().any(|entry| !entry.definition.scopes.is_empty());
        if errors.is_empty() { Ok(Self { entries, resources, needs_scopes }) } else { Err(errors) }
    }

    /// The same as `policies` leave it: results that they change have other schemas. Before the
    /// catalogue is shared.
    #[must_use]
    pub fn under(mut self, policies: &PolicyBook) -> Self {
        for (name, entry) in &mut self.entries {
            // An entry that is shared already is a resource, which publishes no schema of its result.
            if let Some(schema) = Arc::get_mut(entry).and_then(|entry| entry.output_schema.as_mut()) {
                policies.adapt_schema(name, schema);
            }
        }
        self
    }

    /// The endpoint of that kind and name.
    #[must_use]
    pub fn get(&self, kind: EndpointKind, name: &str) -> Option<&Arc<CatalogEntry>> {
        self.entries.get(name).filter(|entry| entry.definition.kind() == kind)
    }

    /// The endpoint that a call means, and its arguments. A resource is meant by its name, which is its
    /// template, with arguments, or by a URI that holds them.
    #[must_use]
    pub fn resolve(
        &self,
        kind: EndpointKind,
        name: &str,
        arguments: Map<String, Value>,
    ) -> Option<(Arc<CatalogEntry>, Map<String, Value>)> {
        if let Some(entry) = self.get(kind, name) {
            return Some((Arc::clone(entry), arguments));
        }
        if kind != EndpointKind::Resource || !arguments.is_empty() {
            return None;
        }
        self.resources.find(name).map(|(entry, arguments)| (Arc::clone(entry), arguments))
    }

    /// The endpoint that a call means, when the caller's token lacks a scope that it needs. Asked before
    /// a call: a client can get scopes by a new login, and has to be told so before anything is done.
    #[must_use]
    pub fn beyond_scopes(&self, kind: EndpointKind, subject: &str, caller: &Principal) -> Option<&Arc<CatalogEntry>> {
        if !self.needs_scopes {
            return None;
        }
        let named = self.get(kind, subject);
        let entry = named.or_else(|| match kind {
            EndpointKind::Resource => self.resources.find(subject).map(|(entry, _)| entry),
            EndpointKind::Tool | EndpointKind::Prompt => None,
        });
        entry.filter(|entry| !caller.holds(&entry.definition.scopes))
    }

    /// All endpoints in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<CatalogEntry>> {
        self.entries.values()
    }

    /// The endpoints of one kind in the order of their names.
    pub fn of_kind(&self, kind: EndpointKind) -> impl Iterator<Item = &Arc<CatalogEntry>> {
        self.iter().filter(move |entry| entry.definition.kind() == kind)
    }
}

impl CatalogEntry {
    fn of(definition: ToolDefinition) -> Result<Self, CatalogError> {
        let failed = |message| CatalogError::of(&definition, message);
        Ok(Self {
            input_schema: definition.input_schema(),
            output_schema: definition.output_schema(),
            name: Arc::from(definition.name.as_str()),
            parameters: CompiledParameters::compile(&definition.parameters).map_err(failed)?,
            result: CompiledResult::compile(definition.returns.as_ref()).map_err(failed)?,
            prompt: prompt(&definition).map_err(failed)?,
            definition,
        })
    }
}

fn prompt(definition: &ToolDefinition) -> Result<Option<CompiledPrompt>, String> {
    match &definition.form {
        EndpointForm::Prompt(messages) => CompiledPrompt::compile(messages, &definition.parameters).map(Some),
        EndpointForm::Tool | EndpointForm::SqlTool(_) | EndpointForm::Resource(_) => Ok(None),
    }
}

//! The tools, with everything that can be worked out once.

use super::arguments::CompiledParameters;
use super::results::CompiledResult;
use crate::model::tool::ToolDefinition;
use crate::policy::PolicyBook;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A tool, ready to be listed and called.
#[derive(Debug)]
pub struct CatalogEntry {
    /// The tool as it was loaded.
    pub definition: ToolDefinition,
    /// The JSON Schema of its arguments.
    pub input_schema: Value,
    /// The JSON Schema of its structured result, when it declares one.
    pub output_schema: Option<Value>,
    /// Its name, to be passed along without copying.
    pub(super) name: Arc<str>,
    pub(super) parameters: CompiledParameters,
    pub(super) result: CompiledResult,
}

/// A tool whose schema cannot be checked by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: tool '{tool}': {message}")]
pub struct CatalogError {
    /// The file.
    pub path: String,
    /// The tool.
    pub tool: String,
    /// What is wrong.
    pub message: String,
}

/// All tools, in the order of their names.
#[derive(Debug, Default)]
pub struct ToolCatalog {
    entries: BTreeMap<String, Arc<CatalogEntry>>,
}

impl ToolCatalog {
    /// Renders schemas and compiles validators.
    ///
    /// # Errors
    /// Every tool whose constraints make no valid schema, such as a pattern that is no regular
    /// expression.
    pub fn build(definitions: Vec<ToolDefinition>) -> Result<Self, Vec<CatalogError>> {
        let mut entries = BTreeMap::new();
        let mut errors = Vec::new();
        for definition in definitions {
            let (path, tool) = (definition.path.display().to_string(), definition.name.clone());
            match CatalogEntry::of(definition) {
                Ok(entry) => {
                    entries.insert(tool, Arc::new(entry));
                }
                Err(message) => errors.push(CatalogError { path, tool, message }),
            }
        }
        if errors.is_empty() { Ok(Self { entries }) } else { Err(errors) }
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

    /// The tool of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<CatalogEntry>> {
        self.entries.get(name)
    }

    /// All tools in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<CatalogEntry>> {
        self.entries.values()
    }
}

impl CatalogEntry {
    fn of(definition: ToolDefinition) -> Result<Self, String> {
        Ok(Self {
            input_schema: definition.input_schema(),
            output_schema: definition.output_schema(),
            name: Arc::from(definition.name.as_str()),
            parameters: CompiledParameters::compile(&definition.parameters)?,
            result: CompiledResult::compile(definition.returns.as_ref())?,
            definition,
        })
    }
}

//! The tools, with everything that can be worked out once.

use super::arguments::CompiledParameters;
use super::results::CompiledResult;
use crate::model::principal::Principal;
use crate::model::scope::ScopeSet;
use crate::model::tool::ToolDefinition;
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
    /// Whether there is one that needs a scope of its own.
    needs_scopes: bool,
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
        let needs_scopes = entries.values().any(|entry| !entry.definition.scopes.is_empty());
        if errors.is_empty() { Ok(Self { entries, needs_scopes }) } else { Err(errors) }
    }

    /// The tool of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<CatalogEntry>> {
        self.entries.get(name)
    }

    /// The scopes that the tool of that name needs, when the caller's token does not have all of
    /// them. Asked before a call: a client can get them by a new login, and has to be told so before
    /// anything is done.
    #[must_use]
    pub fn missing_scopes(&self, name: &str, caller: &Principal) -> Option<&ScopeSet> {
        if !self.needs_scopes {
            return None;
        }
        let needed = &self.entries.get(name)?.definition.scopes;
        (!caller.holds(needed)).then_some(needed)
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

//! Endpoints: SQL with a name, parameters and a result, and its sisters without SQL.

use super::endpoint::{EndpointForm, EndpointKind};
use super::policy::PolicySet;
use super::schema::{TypeDefinition, TypeKind, properties_schema};
use super::scope::ScopeSet;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// A parameter of an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name, which is also the name of the SQL parameter without the `$`.
    pub name: String,
    /// Its type; it may be left out when the type has a default.
    pub of: TypeDefinition,
}

/// Hints for the client's model (MCP schema, `ToolAnnotations`); only those given are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolAnnotations {
    /// A title for people.
    pub title: Option<String>,
    /// The tool changes nothing.
    pub read_only: Option<bool>,
    /// The tool may destroy something.
    pub destructive: Option<bool>,
    /// Calling it twice is like calling it once.
    pub idempotent: Option<bool>,
    /// The tool reaches the outside world.
    pub open_world: Option<bool>,
}

/// A tool, a resource or a prompt as it was loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolDefinition {
    /// Its name, unique among all endpoints; that of a resource is its URI or the template of it.
    pub name: String,
    /// What it is to clients.
    pub form: EndpointForm,
    /// What it does, for people and models.
    pub description: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Hints.
    pub annotations: ToolAnnotations,
    /// Parameters in order.
    pub parameters: Vec<Parameter>,
    /// The type of the result; without one the result is the list of rows, unchecked.
    pub returns: Option<TypeDefinition>,
    /// The SQL text; empty where the endpoint has none of its own.
    pub sql: Arc<str>,
    /// Whether the SQL calls `get_user_external_token()`, so that a fresh token must be at hand.
    pub needs_external_token: bool,
    /// Scopes that its callers need, beyond those that every call needs.
    pub scopes: ScopeSet,
    /// The rules before and after it.
    pub policies: PolicySet,
    /// The file that it was written in, relative to the project's root.
    pub path: PathBuf,
}

impl ToolDefinition {
    /// Whether it is a tool, a resource or a prompt.
    #[must_use]
    pub const fn kind(&self) -> EndpointKind {
        self.form.kind()
    }

    /// The JSON Schema of the arguments.
    #[must_use]
    pub fn input_schema(&self) -> Value {
        let required: Vec<&str> = self
            .parameters
            .iter()
            .filter(|parameter| parameter.of.default.is_none())
            .map(|parameter| parameter.name.as_str())
            .collect();
        let mut schema = json!({
            "type": "object",
            "properties": properties_schema(self.parameters.iter().map(|parameter| (parameter.name.as_str(), &parameter.of))),
            "additionalProperties": false,
        });
        if let Some(fields) = schema.as_object_mut().filter(|_| !required.is_empty()) {
            fields.insert("required".to_owned(), json!(required));
        }
        schema
    }

    /// The JSON Schema of the structured result; `None` when the tool declares no result.
    ///
    /// MCP wants an object: any other result is wrapped as `{"result": …}`.
    #[must_use]
    pub fn output_schema(&self) -> Option<Value> {
        let returns = self.returns.as_ref()?;
        let mut schema = returns.result_schema();
        if returns.kind != TypeKind::Object {
            return Some(json!({"type": "object", "properties": {"result": schema}, "required": ["result"]}));
        }
        if let Some(fields) = schema.as_object_mut() {
            fields.insert("type".to_owned(), json!("object"));
        }
        Some(schema)
    }
}

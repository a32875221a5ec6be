use super::arguments::{ArgumentError, CompiledParameters, ConvertedArguments};
use super::results::CompiledResult;
use super::{CallTool, CallToolError, ToolCallsHandle, ToolCatalog, ToolResult};
use crate::model::endpoint::{EndpointForm, EndpointKind};
use crate::model::schema::{Format, TypeDefinition, TypeKind};
use crate::model::sql_value::{SqlRows, SqlValue};
use crate::model::tool::{Parameter, ToolAnnotations, ToolDefinition};
use crate::testkit::fake_sql::FakeSql;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

mod calls;
mod conversion;
mod covering;
mod prompts;
mod resources;
mod shaping;
mod sql_tools;

fn of(kind: TypeKind) -> TypeDefinition {
    TypeDefinition::of(kind)
}

fn with(kind: TypeKind, change: impl FnOnce(&mut TypeDefinition)) -> TypeDefinition {
    let mut of = of(kind);
    change(&mut of);
    of
}

fn text(format: Format) -> TypeDefinition {
    with(TypeKind::String, |of| of.format = Some(format))
}

fn list_of(item: TypeDefinition) -> TypeDefinition {
    with(TypeKind::Array, |of| of.items = Some(Box::new(item)))
}

fn object(properties: Vec<(&str, TypeDefinition)>) -> TypeDefinition {
    with(TypeKind::Object, |of| {
        of.properties = properties.into_iter().map(|(name, of)| (name.to_owned(), of)).collect();
    })
}

fn sensitive(kind: TypeKind) -> TypeDefinition {
    with(kind, |of| of.sensitive = true)
}

fn parameters(types: Vec<(&str, TypeDefinition)>) -> Vec<Parameter> {
    types.into_iter().map(|(name, of)| Parameter { name: name.to_owned(), of }).collect()
}

fn tool(name: &str, types: Vec<(&str, TypeDefinition)>, returns: Option<TypeDefinition>) -> ToolDefinition {
    ToolDefinition {
        name: name.to_owned(),
        form: EndpointForm::Tool,
        description: None,
        tags: Vec::new(),
        annotations: ToolAnnotations::default(),
        parameters: parameters(types),
        returns,
        sql: Arc::from(format!("SELECT '{name}'")),
        needs_external_token: false,
        scopes: crate::model::scope::ScopeSet::default(),
        policies: crate::model::policy::PolicySet::default(),
        path: PathBuf::from(format!("tools/{name}.yml")),
    }
}

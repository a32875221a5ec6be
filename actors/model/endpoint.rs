//! What clients can ask for, whatever its kind: a tool, a resource or a prompt.

use super::schema::{TypeDefinition, TypeKind};
use super::tool::Parameter;
use super::uri_template::UriTemplate;
use serde::{Deserialize, Serialize};

/// The kinds of endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointKind {
    /// Something that a model calls.
    Tool,
    /// Something that an application reads, by its URI.
    Resource,
    /// Messages that a person chooses.
    Prompt,
}

impl EndpointKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Tool, Self::Resource, Self::Prompt];

    /// The key that opens such a definition.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Resource => "resource",
            Self::Prompt => "prompt",
        }
    }
}

/// What an endpoint is to clients, with what only that kind has.
#[derive(Clone, Debug, PartialEq)]
pub enum EndpointForm {
    /// A tool of the project.
    Tool,
    /// A tool that the server brings along, to look at the database. What it gives is not written
    /// down.
    SqlTool(SqlSource),
    /// A resource.
    Resource(ResourceForm),
    /// A prompt. It runs no SQL.
    Prompt(Vec<PromptMessage>),
}

impl EndpointForm {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> EndpointKind {
        match self {
            Self::Tool | Self::SqlTool(_) => EndpointKind::Tool,
            Self::Resource(_) => EndpointKind::Resource,
            Self::Prompt(_) => EndpointKind::Prompt,
        }
    }
}

/// Whose SQL a built-in tool runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlSource {
    /// The definition's own.
    Definition,
    /// The caller's, which is the argument [`SQL_ARGUMENT`]. It may look at the data and nothing else.
    Argument,
}

/// The argument with the SQL of the caller.
pub const SQL_ARGUMENT: &str = "sql";

/// What only resources have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceForm {
    /// What its URI looks like; its text is the endpoint's name.
    pub template: UriTemplate,
    /// What people call it.
    pub title: Option<String>,
    /// What its contents are.
    pub mime_type: String,
}

/// Who says a message of a prompt. MCP knows no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PromptRole {
    /// The person.
    User,
    /// The model.
    Assistant,
}

impl PromptRole {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// A message of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptMessage {
    /// Who says it.
    pub role: PromptRole,
    /// A template of its text.
    pub text: String,
}

/// The type of a prompt's result: its messages. Their texts are sensitive when a parameter is, as they
/// may hold what it was given.
#[must_use]
pub fn messages_type(parameters: &[Parameter]) -> TypeDefinition {
    let mut text = TypeDefinition::of(TypeKind::String);
    text.sensitive = parameters.iter().any(|parameter| parameter.of.has_sensitive());
    let word = || TypeDefinition::of(TypeKind::String);
    let mut message = TypeDefinition::of(TypeKind::Object);
    message.properties = vec![("prompt".to_owned(), text), ("role".to_owned(), word()), ("type".to_owned(), word())];
    let mut messages = TypeDefinition::of(TypeKind::Array);
    messages.items = Some(Box::new(message));
    messages
}

//! Contents of resources and messages of prompts as MCP shows them.

use super::documents::Documents;
use super::revision::Era;
use super::tools::text;
use mxcp_actors::model::endpoint::{EndpointForm, PromptMessage};
use mxcp_actors::model::tool::ToolDefinition;
use mxcp_actors::tool_calls::ToolResult;
use rmcp::model::{CacheScope, MetaObject, ResultType};
use serde::Serialize;
use serde_json::Value;

/// The result of a read, as [`rmcp::model::ReadResourceResult`] has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReadResource<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    result_type: Option<ResultType>,
    contents: [Content<'a>; 1],
    /// Nobody knows when the data changes, so nobody may keep it.
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_scope: Option<CacheScope>,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<&'a MetaObject>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Content<'a> {
    uri: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<&'a str>,
    text: String,
}

/// The contents of the resource that was read as `uri`.
///
/// # Errors
/// When the result cannot be written as a text.
pub(super) fn contents<'a>(
    uri: &'a str,
    ToolResult { value, entry }: &'a ToolResult,
    era: Era,
    documents: &'a Documents,
) -> Result<ReadResource<'a>, Box<dyn std::error::Error>> {
    let mut buffer = Vec::new();
    let content = Content { uri, mime_type: mime_type(&entry.definition), text: text(value, &mut buffer)?.to_owned() };
    let is_modern = era == Era::Modern;
    Ok(ReadResource {
        result_type: is_modern.then_some(ResultType::COMPLETE),
        contents: [content],
        ttl_ms: is_modern.then_some(0),
        cache_scope: is_modern.then_some(CacheScope::Private),
        meta: is_modern.then_some(documents.server_meta()),
    })
}

fn mime_type(definition: &ToolDefinition) -> Option<&str> {
    match &definition.form {
        EndpointForm::Resource(form) => Some(&form.mime_type),
        EndpointForm::Tool | EndpointForm::SqlTool(_) | EndpointForm::Prompt(_) => None,
    }
}

/// A prompt with its arguments in it, as [`rmcp::model::GetPromptResult`] has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UsedPrompt<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    result_type: Option<ResultType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    messages: Vec<Message<'a>>,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<&'a MetaObject>,
}

#[derive(Debug, Serialize)]
struct Message<'a> {
    role: &'a str,
    content: Text<'a>,
}

#[derive(Debug, Serialize)]
struct Text<'a> {
    r#type: &'static str,
    text: &'a str,
}

/// The messages of a prompt. One whose text a policy has taken out is left out. Who says it stands in
/// the definition, whatever a policy made of a field of that name.
pub(super) fn messages<'a>(
    ToolResult { value, entry }: &'a ToolResult,
    era: Era,
    documents: &'a Documents,
) -> UsedPrompt<'a> {
    let defined = match &entry.definition.form {
        EndpointForm::Prompt(messages) => messages.as_slice(),
        EndpointForm::Tool | EndpointForm::SqlTool(_) | EndpointForm::Resource(_) => &[],
    };
    let message = |(message, defined): (&'a Value, &PromptMessage)| {
        let text = message.get("prompt")?.as_str()?;
        Some(Message { role: defined.role.as_str(), content: Text { r#type: "text", text } })
    };
    let is_modern = era == Era::Modern;
    UsedPrompt {
        result_type: is_modern.then_some(ResultType::COMPLETE),
        description: entry.definition.description.as_deref(),
        messages: value.as_array().into_iter().flatten().zip(defined).filter_map(message).collect(),
        meta: is_modern.then_some(documents.server_meta()),
    }
}

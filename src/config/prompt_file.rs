//! A prompt: what it has beyond what all kinds of endpoints have.

use super::policy_rules::Results;
use super::reader::{Field, Table};
use super::tool_file::{Contents, FilePlace, Shared, read_name};
use super::type_definition;
use mxcp_actors::model::endpoint::{EndpointForm, PromptMessage, PromptRole, messages_type};
use mxcp_actors::model::tool::ToolDefinition;

/// Reads the table below `prompt`.
pub(super) fn read(table: &mut Table<'_, '_>, place: FilePlace<'_>, contents: &mut Contents) -> Option<ToolDefinition> {
    contents.name = table.require("name").and_then(|field| read_name(&field));
    let shared = Shared::read(table, place, contents, Results::Messages);
    if let Some(field) = table.get("return") {
        type_definition::read(&field);
        field.warn("has no effect: a prompt gives messages");
    }
    let messages = table.require("messages").and_then(|field| read_messages(&field));
    let returns = Some(messages_type(&shared.parameters));
    let definition =
        shared.definition(contents.name.clone()?, EndpointForm::Prompt(messages?), String::new(), place)?;
    Some(ToolDefinition { returns, ..definition })
}

fn read_messages(field: &Field<'_>) -> Option<Vec<PromptMessage>> {
    if field.is_list() && field.is_empty() {
        field.fault("must have at least one message");
        return None;
    }
    field.list(|item| {
        item.table(|table| {
            let role = table.get("role").map(|field| read_role(&field));
            table.get("type").inspect(check_type);
            let text = table.require("prompt").and_then(|field| field.text());
            Some(PromptMessage { role: role.unwrap_or(Some(PromptRole::User))?, text: text? })
        })
    })
}

fn read_role(field: &Field<'_>) -> Option<PromptRole> {
    let roles = [("user", Some(PromptRole::User)), ("assistant", Some(PromptRole::Assistant)), ("system", None)];
    let role = field.choice(&roles)?;
    if role.is_none() {
        field.fault("MCP knows no role 'system'; use user or assistant");
    }
    role
}

fn check_type(field: &Field<'_>) {
    if field.nonempty_text().is_some_and(|text| text != "text") {
        field.not_supported("messages are texts; use type: text, or leave it out");
    }
}

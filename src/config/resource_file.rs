//! A resource: what it has beyond what all kinds of endpoints have.

use super::endpoint_file::EndpointKind;
use super::reader::{Field, Table};
use super::tool_file::{Contents, FilePlace, Returns, Shared, read_sql};
use mxcp_actors::model::endpoint::{EndpointForm, ResourceForm};
use mxcp_actors::model::tool::{Parameter, ToolDefinition};
use mxcp_actors::model::uri_template::UriTemplate;

/// The MIME type when the file does not say.
const MIME_TYPE: &str = "text/plain";
/// The longest MIME type (RFC 4288 section 4.2).
const MIME_TYPE_MAX: usize = 255;

/// Reads the table below `resource`.
pub(super) fn read(table: &mut Table<'_, '_>, place: FilePlace<'_>, contents: &mut Contents) -> Option<ToolDefinition> {
    let uri = table.require("uri");
    contents.name = uri.as_ref().and_then(Field::nonempty_text);
    let template = uri.as_ref().zip(contents.name.as_ref()).and_then(|(field, text)| read_template(field, text));
    let title = table.get("name").and_then(|field| field.nonempty_text());
    let mime_type = table.get("mime_type").map(|field| read_mime_type(&field));
    let returns = Returns::read(table);
    let shared = Shared::read(table, place, contents, returns.results());
    let sql = read_sql(table, place, EndpointKind::Resource);
    let template = template?;
    if let Some(field) = uri {
        refuse_lost_parameters(&field, &template, &shared.parameters);
    }
    let mime_type = mime_type.unwrap_or_else(|| Some(MIME_TYPE.to_owned()))?;
    let form = EndpointForm::Resource(ResourceForm { template, title, mime_type });
    let definition = shared.definition(contents.name.clone()?, form, sql?, place)?;
    Some(ToolDefinition { returns: returns.of, ..definition })
}

fn read_template(field: &Field<'_>, text: &str) -> Option<UriTemplate> {
    UriTemplate::parse(text).map_err(|error| field.fault(error.to_string())).ok()
}

/// A parameter that the URI does not hold could never be given.
fn refuse_lost_parameters(field: &Field<'_>, template: &UriTemplate, parameters: &[Parameter]) {
    for Parameter { name, .. } in parameters {
        if !template.variables().any(|variable| variable == name) {
            field.fault(format!("the parameter '{name}' is not in it; add {{{name}}}, or remove the parameter"));
        }
    }
}

fn read_mime_type(field: &Field<'_>) -> Option<String> {
    let text = field.nonempty_text()?;
    let is_visible = text.len() <= MIME_TYPE_MAX && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if !is_visible || !text.split_once('/').is_some_and(|(left, right)| !left.is_empty() && !right.is_empty()) {
        field.fault("expected a MIME type, such as application/json");
        return None;
    }
    Some(text)
}

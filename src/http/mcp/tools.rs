//! Tool results as MCP shows them.

use super::documents::Documents;
use super::error::{Failure, Fault};
use super::revision::Era;
use mxcp_actors::tool_calls::{CallToolError, ToolResult};
use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Value, json};

/// The result of a call, or what the protocol says when there is none.
pub(super) fn render(
    name: &str,
    outcome: Result<ToolResult, CallToolError>,
    era: Era,
    documents: &Documents,
) -> Result<CallToolResult, Fault> {
    let mut result = match outcome.map_err(Failure::from) {
        Ok(result) => success(result),
        Err(Failure::Protocol(fault)) => return Err(fault),
        Err(Failure::Result(text)) => {
            CallToolResult::error(vec![ContentBlock::text(format!("Error executing tool {name}: {text}"))])
        }
    };
    match era {
        Era::Modern => result.meta = Some(documents.server_meta().clone()),
        Era::Legacy => result.result_type = None,
    }
    Ok(result)
}

fn success(result: ToolResult) -> CallToolResult {
    let ToolResult { value, entry } = result;
    let mut rendered = CallToolResult::success(content(&value));
    rendered.structured_content =
        entry.output_schema.is_some().then(|| if value.is_object() { value } else { json!({"result": value}) });
    rendered
}

/// One text for each row of a list, one for anything else.
fn content(value: &Value) -> Vec<ContentBlock> {
    match value {
        Value::Array(rows) => rows.iter().map(text).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => vec![text(value)],
    }
}

/// Objects and lists as indented JSON, the rest as it reads.
fn text(value: &Value) -> ContentBlock {
    ContentBlock::text(match value {
        Value::String(text) => text.clone(),
        // `{:#}` writes JSON with an indent of two.
        Value::Object(_) | Value::Array(_) => format!("{value:#}"),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_shows_one_text_for_each_row() {
        let texts = |value: Value| -> Vec<String> {
            content(&value).iter().map(|block| block.as_text().unwrap().text.clone()).collect()
        };
        assert_eq!(texts(json!([{"a": 1}, {"a": 2}])), ["{\n  \"a\": 1\n}", "{\n  \"a\": 2\n}"]);
        assert_eq!(texts(json!(["x", 1, 1.5, true, null])), ["x", "1", "1.5", "true", "null"]);
        assert_eq!(texts(json!({"a": []})), ["{\n  \"a\": []\n}"]);
        assert_eq!(texts(json!("one\ntwo")), ["one\ntwo"]);
        assert!(texts(json!([])).is_empty());
    }
}

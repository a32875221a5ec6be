//! Tool results as MCP shows them.
//!
//! A result may be megabytes: it is written into the message from where it lies, in one pass,
//! without a copy in the form of the vocabulary.

use super::documents::Documents;
use super::error::{Failure, Fault};
use super::revision::Era;
use mxcp_actors::tool_calls::{CallToolError, ToolResult};
use rmcp::model::{MetaObject, ResultType};
use serde::ser::{Error as _, SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// The result of a call, as [`rmcp::model::CallToolResult`] has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rendered<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    result_type: Option<ResultType>,
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    structured_content: Option<Structured<'a>>,
    is_error: bool,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<&'a MetaObject>,
}

/// What is shown to the model.
#[derive(Debug)]
enum Content<'a> {
    /// One text for each row of a list, one for anything else.
    Value(&'a Value),
    /// One text.
    Text(String),
}

/// What programs read: an object as it is, anything else as the only member of one.
#[derive(Debug)]
struct Structured<'a>(&'a Value);

/// The result of a call, or what the protocol says when there is none.
pub(super) fn render<'a>(
    name: &str,
    outcome: &'a Result<ToolResult, CallToolError>,
    era: Era,
    documents: &'a Documents,
) -> Result<Rendered<'a>, Fault> {
    let (content, structured_content) = match outcome {
        Ok(ToolResult { value, entry }) => {
            (Content::Value(value), entry.output_schema.is_some().then_some(Structured(value)))
        }
        Err(error) => match Failure::from(error.clone()) {
            Failure::Protocol(fault) => return Err(fault),
            Failure::Result(text) => (Content::Text(format!("Error executing tool {name}: {text}")), None),
        },
    };
    let (result_type, meta) = match era {
        Era::Modern => (Some(ResultType::COMPLETE), Some(documents.server_meta())),
        Era::Legacy => (None, None),
    };
    Ok(Rendered { result_type, content, structured_content, is_error: outcome.is_err(), meta })
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let values = match self {
            Self::Value(Value::Array(rows)) => rows.as_slice(),
            Self::Value(value) => std::slice::from_ref(*value),
            Self::Text(text) => return [TextBlock::of(text)].serialize(serializer),
        };
        let mut blocks = serializer.serialize_seq(Some(values.len()))?;
        let mut buffer = Vec::new();
        for value in values {
            blocks.serialize_element(&TextBlock::of(text(value, &mut buffer).map_err(S::Error::custom)?))?;
        }
        blocks.end()
    }
}

impl Serialize for Structured<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_object() {
            return self.0.serialize(serializer);
        }
        let mut object = serializer.serialize_map(Some(1))?;
        object.serialize_entry("result", self.0)?;
        object.end()
    }
}

#[derive(Serialize)]
struct TextBlock<'a> {
    r#type: &'static str,
    text: &'a str,
}

impl<'a> TextBlock<'a> {
    fn of(text: &'a str) -> Self {
        Self { r#type: "text", text }
    }
}

/// A value as the model reads it: a text as it is, anything else as JSON with an indent of two.
/// The buffer is there to be used again.
pub(super) fn text<'a>(value: &'a Value, buffer: &'a mut Vec<u8>) -> Result<&'a str, Box<dyn std::error::Error>> {
    if let Value::String(text) = value {
        return Ok(text);
    }
    buffer.clear();
    serde_json::to_writer_pretty(&mut *buffer, value)?;
    Ok(std::str::from_utf8(buffer)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp::model::{CallToolResult, ContentBlock};
    use serde_json::json;

    fn rendered(value: &Value) -> Value {
        let rendered = Rendered {
            result_type: Some(ResultType::COMPLETE),
            content: Content::Value(value),
            structured_content: Some(Structured(value)),
            is_error: false,
            meta: None,
        };
        serde_json::to_value(rendered).unwrap()
    }

    #[test]
    fn a_list_shows_one_text_for_each_row() {
        let texts = |value: Value| -> Vec<String> {
            let blocks = rendered(&value)["content"].take();
            blocks.as_array().unwrap().iter().map(|block| block["text"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(texts(json!([{"a": 1}, {"a": 2}])), ["{\n  \"a\": 1\n}", "{\n  \"a\": 2\n}"]);
        assert_eq!(texts(json!(["x", 1, 1.5, true, null])), ["x", "1", "1.5", "true", "null"]);
        assert_eq!(texts(json!({"a": []})), ["{\n  \"a\": []\n}"]);
        assert_eq!(texts(json!("one\ntwo")), ["one\ntwo"]);
        assert!(texts(json!([])).is_empty());
    }

    #[test]
    fn a_result_is_what_the_vocabulary_says() {
        for (value, structured) in [(json!({"a": "ä\n\""}), json!({"a": "ä\n\""})), (json!(42), json!({"result": 42}))]
        {
            let text = value.as_i64().map_or_else(|| "{\n  \"a\": \"ä\\n\\\"\"\n}".to_owned(), |n| n.to_string());
            let mut known = CallToolResult::success(vec![ContentBlock::text(text)]);
            known.structured_content = Some(structured);
            assert_eq!(rendered(&value), serde_json::to_value(known).unwrap());
        }
    }
}

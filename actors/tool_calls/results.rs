//! From rows to the result that a tool declares.

use super::arguments::compile_schema;
use super::redaction::{is_sensitive, redact};
use crate::model::schema::{TypeDefinition, TypeKind};
use crate::model::sql_value::SqlRows;
use jsonschema::Validator;
use serde_json::{Map, Value};
use std::sync::Arc;

/// The declared result with its validator.
#[derive(Debug)]
pub(super) struct CompiledResult {
    declared: Option<(TypeDefinition, Validator)>,
    is_sensitive: bool,
}

impl CompiledResult {
    pub(super) fn compile(returns: Option<&TypeDefinition>) -> Result<Self, String> {
        let declared = returns
            .map(|of| {
                let validator = compile_schema(&of.result_schema(), false).map_err(|why| format!("return: {why}"))?;
                Ok::<_, String>((of.clone(), validator))
            })
            .transpose()?;
        Ok(Self { declared, is_sensitive: returns.is_some_and(is_sensitive) })
    }

    /// Gives rows the declared shape: a list of rows, one row, or one value.
    pub(super) fn shape(&self, rows: SqlRows) -> Result<Value, String> {
        let Some((of, _)) = &self.declared else {
            return Ok(list(rows.rows));
        };
        match of.kind {
            TypeKind::Array => Ok(shape_list(rows, of)),
            TypeKind::Object => one_row(rows, of.kind).map(Value::Object),
            kind => {
                let columns = rows.columns.len();
                let mut values = one_row(rows, kind)?.into_iter();
                match (values.next(), columns) {
                    (Some((_, value)), 1) => Ok(value),
                    _ => Err(format!(
                        "Expected single value for return type '{}', but got {columns} values",
                        kind.as_str()
                    )),
                }
            }
        }
    }

    /// Checks a shaped result against the declaration.
    pub(super) fn check(&self, value: &Value) -> Result<(), String> {
        let Some((_, validator)) = &self.declared else { return Ok(()) };
        validator.validate(value).map_err(|error| {
            // Without the value: output policies have not judged it yet, and it may be a person's.
            let text = error.masked().to_string();
            let place = error.instance_path().to_string();
            let at = if place.is_empty() { String::new() } else { format!("at {place}: ") };
            format!("Output validation failed: {at}{text}")
        })
    }

    /// Whether anything in a result is sensitive.
    pub(super) const fn is_sensitive(&self) -> bool {
        self.is_sensitive
    }

    /// The result as it may be written down; the very same unless something has to be covered.
    pub(super) fn redacted(&self, value: &Arc<Value>) -> Arc<Value> {
        let Some((of, _)) = self.declared.as_ref().filter(|_| self.is_sensitive) else { return Arc::clone(value) };
        let mut value = Value::clone(value);
        redact(&mut value, of);
        Arc::new(value)
    }
}

fn list(rows: Vec<Map<String, Value>>) -> Value {
    Value::Array(rows.into_iter().map(Value::Object).collect())
}

/// Rows of one column become plain values when the declared items are plain.
fn shape_list(rows: SqlRows, of: &TypeDefinition) -> Value {
    let are_items_plain = of.items.as_ref().is_some_and(|item| item.kind != TypeKind::Object);
    if are_items_plain && rows.columns.len() == 1 {
        return Value::Array(rows.rows.into_iter().flat_map(|row| row.into_iter().map(|(_, value)| value)).collect());
    }
    list(rows.rows)
}

fn one_row(rows: SqlRows, kind: TypeKind) -> Result<Map<String, Value>, String> {
    let count = rows.rows.len();
    let mut rows = rows.rows.into_iter();
    match (rows.next(), count) {
        (Some(row), 1) => Ok(row),
        (None, _) => Err("No results returned".to_owned()),
        (Some(_), _) => {
            Err(format!("Expected single result for return type '{}', but got {count} results", kind.as_str()))
        }
    }
}

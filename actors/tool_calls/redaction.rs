//! Covering what a type marks as sensitive before it is written down.

use crate::model::schema::TypeDefinition;
use serde_json::Value;

/// What stands in the audit log in place of a sensitive value.
pub(super) const REDACTED: &str = "[REDACTED]";

/// Whether anything in the type is sensitive.
pub(super) fn is_sensitive(of: &TypeDefinition) -> bool {
    of.sensitive
        || of.items.as_deref().is_some_and(is_sensitive)
        || of.properties.iter().any(|(_, property)| is_sensitive(property))
}

/// Covers what is sensitive in `value`, at any depth.
pub(super) fn redact(value: &mut Value, of: &TypeDefinition) {
    if of.sensitive {
        *value = Value::String(REDACTED.to_owned());
        return;
    }
    match value {
        Value::Array(items) => {
            if let Some(item_type) = &of.items {
                items.iter_mut().for_each(|item| redact(item, item_type));
            }
        }
        Value::Object(fields) => {
            for (name, property) in &of.properties {
                if let Some(field) = fields.get_mut(name) {
                    redact(field, property);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

//! Covering what a type marks as sensitive before it is written down.

use crate::model::field_name::is_same_field;
use crate::model::schema::{TypeDefinition, TypeKind};
use serde_json::Value;

/// What stands in the audit log in place of a sensitive value.
pub(super) const REDACTED: &str = "[REDACTED]";

/// Whether anything in the type is sensitive.
pub(super) fn is_sensitive(of: &TypeDefinition) -> bool {
    of.has_sensitive()
}

/// Covers what is sensitive in `value`, at any depth. A value that does not have the declared
/// form, so that nobody knows what is in it, is covered whole.
pub(super) fn redact(value: &mut Value, of: &TypeDefinition) {
    if !is_sensitive(of) {
        return;
    }
    match (of.kind, value) {
        (TypeKind::Array, Value::Array(items)) if !of.sensitive => {
            if let Some(item_type) = &of.items {
                items.iter_mut().for_each(|item| redact(item, item_type));
            }
        }
        (TypeKind::Object, Value::Object(fields)) if !of.sensitive => {
            for (declared, property) in &of.properties {
                let meant = fields.iter_mut().filter(|(name, _)| is_same_field(name, declared));
                meant.for_each(|(_, field)| redact(field, property));
            }
        }
        (_, Value::Null) if !of.sensitive => {}
        (_, value) => *value = Value::String(REDACTED.to_owned()),
    }
}

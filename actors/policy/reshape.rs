//! Taking fields out of a response, or covering them.

use crate::model::schema::TypeDefinition;
use serde_json::Value;

/// What a masked field shows.
pub(super) const MASK: &str = "****";

/// Removes the fields at `path` (names joined by dots), looking into every item of a list.
pub(super) fn filter(response: &mut Value, path: &str) {
    at_path(response, path, &mut |fields, name| {
        fields.shift_remove(name);
    });
}

/// Covers the fields at `path`, looking into every item of a list.
pub(super) fn mask(response: &mut Value, path: &str) {
    at_path(response, path, &mut |fields, name| {
        if let Some(field) = fields.get_mut(name) {
            *field = Value::String(MASK.to_owned());
        }
    });
}

fn at_path(value: &mut Value, path: &str, change: &mut impl FnMut(&mut serde_json::Map<String, Value>, &str)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| at_path(item, path, change)),
        Value::Object(fields) => {
            // A column may be named with a dot in it; the whole name comes first.
            if fields.contains_key(path) {
                change(fields, path);
            } else if let Some((first, rest)) = path.split_once('.')
                && let Some(inner) = fields.get_mut(first)
            {
                at_path(inner, rest, change);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Removes what `of` marks as sensitive, at any depth. A value that is sensitive as a whole
/// becomes null; an object that is the whole response stays one, as its schema says, without
/// anything in it.
pub(super) fn filter_sensitive(response: &mut Value, of: &TypeDefinition) {
    match response {
        Value::Object(fields) if of.sensitive => fields.clear(),
        response => filter_inner(response, of),
    }
}

fn filter_inner(response: &mut Value, of: &TypeDefinition) {
    if of.sensitive {
        *response = Value::Null;
        return;
    }
    match response {
        Value::Array(items) => {
            if let Some(item_type) = &of.items {
                items.iter_mut().for_each(|item| filter_inner(item, item_type));
            }
        }
        Value::Object(fields) => {
            for (name, property) in &of.properties {
                if property.sensitive {
                    fields.shift_remove(name);
                } else if let Some(field) = fields.get_mut(name) {
                    filter_inner(field, property);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

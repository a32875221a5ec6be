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
            // Names count without their case, as those of columns do in SQL.
            let named: Vec<String> = fields.keys().filter(|name| name.eq_ignore_ascii_case(path)).cloned().collect();
            named.iter().for_each(|name| change(fields, name));
            // A column may be named with a dot in it, so every name that the path begins with counts.
            for (name, inner) in fields.iter_mut() {
                if let Some(rest) = behind(path, name) {
                    at_path(inner, rest, change);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What is left of a path behind that name.
fn behind<'p>(path: &'p str, name: &str) -> Option<&'p str> {
    let (head, rest) = path.split_at_checked(name.len())?;
    rest.strip_prefix('.').filter(|_| head.eq_ignore_ascii_case(name))
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
            for (declared, property) in &of.properties {
                fields.retain(|name, field| {
                    let is_meant = name.eq_ignore_ascii_case(declared);
                    if is_meant && !property.sensitive {
                        filter_inner(field, property);
                    }
                    !(is_meant && property.sensitive)
                });
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_count_without_their_case() {
        let mut response = json!([{"Salary": 1, "pay": {"BASE": 2, "n": 3}, "n": 4}]);
        filter(&mut response, "salary");
        mask(&mut response, "Pay.base");
        assert_eq!(response, json!([{"pay": {"BASE": MASK, "n": 3}, "n": 4}]));
    }

    #[test]
    fn a_path_is_followed_through_names_with_dots_and_through_their_twins() {
        let mut response = json!({"a.b": {"c": 1}, "a": {"b.c": 2, "b": {"c": 3, "d": 4}}, "a.b.c": 5});
        filter(&mut response, "a.b.c");
        assert_eq!(response, json!({"a.b": {}, "a": {"b": {"d": 4}}}));
    }
}

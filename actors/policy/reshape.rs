//! Taking fields out of a response, or covering them.

use crate::model::field_name::{is_same_field, path_behind};
use crate::model::schema::TypeDefinition;
use serde_json::{Map, Value};

/// What a masked field shows.
pub(super) const MASK: &str = "****";

/// Removes the fields at `path` (names joined by dots), looking into every item of a list. Tells
/// whether there was one.
pub(super) fn filter(response: &mut Value, path: &str) -> bool {
    at_path(response, path, &|fields, path| {
        let before = fields.len();
        fields.retain(|name, _| !is_same_field(name, path));
        fields.len() != before
    })
}

/// Covers the fields at `path`, looking into every item of a list. Tells whether there was one that
/// was not covered yet.
pub(super) fn mask(response: &mut Value, path: &str) -> bool {
    at_path(response, path, &|fields, path| {
        let meant = fields.iter_mut().filter(|(name, field)| is_same_field(name, path) && *field != MASK);
        meant.map(|(_, field)| *field = Value::from(MASK)).count() > 0
    })
}

/// Makes a change to each object that `path`, or what is left of it, may name a field of.
fn at_path(value: &mut Value, path: &str, change: &impl Fn(&mut Map<String, Value>, &str) -> bool) -> bool {
    match value {
        Value::Array(items) => {
            items.iter_mut().fold(false, |is_changed, item| at_path(item, path, change) | is_changed)
        }
        Value::Object(fields) => {
            let mut is_changed = change(fields, path);
            // A column may be named with a dot in it, so every name that the path begins with counts.
            for (name, inner) in fields.iter_mut() {
                if let Some(rest) = path_behind(path, name) {
                    is_changed |= at_path(inner, rest, change);
                }
            }
            is_changed
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Removes what `of` marks as sensitive, at any depth. A value that is sensitive as a whole
/// becomes null; an object that is the whole response stays one, as its schema says, without
/// anything in it. Tells whether there was anything.
pub(super) fn filter_sensitive(response: &mut Value, of: &TypeDefinition) -> bool {
    match response {
        Value::Object(fields) if of.sensitive => {
            let is_changed = !fields.is_empty();
            fields.clear();
            is_changed
        }
        response => filter_inner(response, of),
    }
}

fn filter_inner(response: &mut Value, of: &TypeDefinition) -> bool {
    if of.sensitive {
        let is_changed = !response.is_null();
        *response = Value::Null;
        return is_changed;
    }
    let mut is_changed = false;
    match response {
        Value::Array(items) => {
            if let Some(item_type) = of.items.as_deref() {
                items.iter_mut().for_each(|item| is_changed |= filter_inner(item, item_type));
            }
        }
        Value::Object(fields) => {
            for (declared, property) in &of.properties {
                fields.retain(|name, field| {
                    if !is_same_field(name, declared) {
                        return true;
                    }
                    is_changed |= property.sensitive || filter_inner(field, property);
                    !property.sensitive
                });
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    is_changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::schema::TypeKind;
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

    #[test]
    fn it_is_told_whether_anything_was_changed() {
        let rows = json!([{"a": 1, "b": {"c": null}}, {"A": 2}]);
        for (path, is_there) in [("a", true), ("b.c", true), ("c", false), ("b.c.d", false), ("a.b", false)] {
            let (mut filtered, mut masked) = (rows.clone(), rows.clone());
            assert_eq!(filter(&mut filtered, path), is_there, "{path}");
            assert_eq!(mask(&mut masked, path), is_there, "{path}");
            assert_eq!((filtered != rows, masked != rows), (is_there, is_there), "{path}");
            assert!(!filter(&mut filtered, path) && !mask(&mut masked, path), "{path}: a second time");
        }
        let secret = TypeDefinition { sensitive: true, ..TypeDefinition::of(TypeKind::Object) };
        let properties = vec![("b".to_owned(), secret.clone())];
        let row = TypeDefinition { properties, ..TypeDefinition::of(TypeKind::Object) };
        let list = TypeDefinition { items: Some(Box::new(row)), ..TypeDefinition::of(TypeKind::Array) };
        for (of, mut response, is_changed) in [
            (&list, json!([{"B": 1}]), true),
            (&list, json!([{"a": 1}, {}]), false),
            (&secret, json!({"a": 1}), true),
            (&secret, json!({}), false),
            (&secret, json!([1]), true),
            (&secret, json!(null), false),
        ] {
            assert_eq!(filter_sensitive(&mut response, of), is_changed, "{response}");
        }
    }
}

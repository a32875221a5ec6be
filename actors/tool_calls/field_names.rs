//! The names of fields inside of arguments, which must mean the same to rules and schemas, that take
//! them as they are written, and to SQL, where their case does not count.

use crate::model::field_name::is_same_field;
use crate::model::schema::TypeDefinition;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// Refuses objects, at any depth, in which two names mean one field, or a name that is declared is
/// written in another case: a query would read what no rule has judged.
///
/// # Errors
/// The names.
pub(super) fn check_names(value: &Value, of: Option<&TypeDefinition>) -> Result<(), String> {
    match value {
        Value::Array(items) => {
            let of = of.and_then(|of| of.items.as_deref());
            items.iter().try_for_each(|item| check_names(item, of))
        }
        Value::Object(fields) => check_fields(fields, of),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn check_fields(fields: &Map<String, Value>, of: Option<&TypeDefinition>) -> Result<(), String> {
    let properties = of.map_or(&[][..], |of| &of.properties);
    let mut seen = HashSet::with_capacity(fields.len());
    for (name, value) in fields {
        let declared = properties.iter().find(|(known, _)| is_same_field(known, name));
        if let Some((known, _)) = declared.filter(|(known, _)| known != name) {
            return Err(format!("the field '{name}' must be written '{known}'"));
        }
        if !seen.insert(name.to_ascii_lowercase()) {
            return Err(format!("the field '{name}' is there twice, as its case does not count"));
        }
        check_names(value, declared.map(|(_, property)| property))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::schema::TypeKind;
    use serde_json::json;

    #[test]
    fn names_that_sql_would_take_for_each_other_are_refused_at_any_depth() {
        let mut inner = TypeDefinition::of(TypeKind::Object);
        inner.properties = vec![("x".to_owned(), TypeDefinition::of(TypeKind::String))];
        let mut list = TypeDefinition::of(TypeKind::Array);
        list.items = Some(Box::new(inner.clone()));
        let mut outer = TypeDefinition::of(TypeKind::Object);
        outer.properties = vec![("in".to_owned(), inner), ("list".to_owned(), list)];
        let check = |value: Value| check_names(&value, Some(&outer));
        for fine in [
            json!({"in": {"x": "a", "y": "b"}, "list": [{"x": "a"}, {"x": "b"}], "z": {"Z": 1}}),
            json!({"other": {"X": 1}}),
            json!([1, null]),
        ] {
            assert_eq!(check(fine.clone()), Ok(()), "{fine}");
        }
        for (refused, why) in [
            (json!({"in": {"X": "a"}}), "the field 'X' must be written 'x'"),
            (json!({"in": {"x": "a", "X": "b"}}), "the field 'X' must be written 'x'"),
            (json!({"list": [{"x": "a"}, {"X": "b", "x": "a"}]}), "the field 'X' must be written 'x'"),
            (json!({"IN": {"x": "a"}}), "the field 'IN' must be written 'in'"),
            (json!({"z": [{"a": {"B": 1, "b": 2}}]}), "the field 'b' is there twice, as its case does not count"),
        ] {
            assert_eq!(check(refused.clone()), Err(why.to_owned()), "{refused}");
        }
    }
}

//! How deep JSON is nested.

use serde_json::Value;

/// The most levels of what is taken from callers and of what is recorded. Readers of JSON stop at
/// about twice as many, and a record adds some of its own.
pub const DEPTH_MAX: usize = 64;

/// Whether `value` has at most so many levels of lists and objects.
#[must_use]
pub fn is_within(value: &Value, levels: usize) -> bool {
    let is_inside = |inner: &Value| levels > 0 && is_within(inner, levels - 1);
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(is_inside),
        Value::Object(fields) => levels > 0 && fields.values().all(is_inside),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// The list or object that a text holds, unless it is nested too deeply.
#[must_use]
pub fn read_composed(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text).ok()?;
    ((value.is_array() || value.is_object()) && is_within(&value, DEPTH_MAX)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_counted_through_lists_and_objects() {
        let nested = |levels: usize| format!("{}1{}", "[{\"a\":".repeat(levels), "}]".repeat(levels));
        let value: Value = serde_json::from_str(&nested(3)).unwrap();
        assert!(is_within(&value, 6) && !is_within(&value, 5));
        assert!(is_within(&Value::Null, 0));
        assert!(read_composed(&nested(DEPTH_MAX / 2)).is_some());
        assert!(read_composed(&nested(DEPTH_MAX / 2 + 1)).is_none());
        assert!(read_composed("1").is_none() && read_composed("{").is_none());
    }

    #[test]
    fn no_key_makes_json_of_a_text() {
        let text = r#"[{"$serde_json::private::RawValue":"[1,2]"}]"#;
        assert_eq!(read_composed(text).unwrap().to_string(), text);
    }
}

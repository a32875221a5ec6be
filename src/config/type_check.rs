//! Values that are written beside a type, held against the type itself: a default that its own
//! type refuses would fail at every call, and an example that it refuses would mislead a model.

use super::reader::{Field, Table};
use jsonschema::Validator;
use mxcp_actors::model::schema::TypeDefinition;
use serde_json::{Value, json};

/// Reads `enum`, `default` and `examples` into `of`, whose constraints are complete.
pub(super) fn read_values(table: &mut Table<'_, '_>, of: &mut TypeDefinition) {
    let (enumeration, default, examples) = (table.get("enum"), table.get_or_null("default"), table.get("examples"));
    if let Some(field) = enumeration {
        of.enumeration = read_checked(&field, &of.json_schema()).filter(|values| !values.is_empty());
        if field.is_empty() {
            field.fault("must hold at least one value");
        }
    }
    let schema = of.json_schema();
    of.examples = examples.and_then(|field| read_checked(&field, &schema)).unwrap_or_default();
    of.default = default.map(|field| {
        let value = field.json();
        // Null is a default for any type: the parameter may be left out, and is NULL then.
        if !value.is_null() {
            check(&field, validator(&schema).ok().as_ref(), &value);
        }
        value
    });
}

fn read_checked(field: &Field<'_>, schema: &Value) -> Option<Vec<Value>> {
    // A schema that cannot be used has a fault of its own, which is reported where it is.
    let validator = validator(schema).ok();
    field.list(|item| {
        let value = item.json();
        check(&item, validator.as_ref(), &value);
        Some(value)
    })
}

fn check(field: &Field<'_>, validator: Option<&Validator>, value: &Value) {
    if let Some(error) = validator.and_then(|validator| validator.iter_errors(value).next()) {
        field.fault(format!("does not fit its own type: {error}"));
    }
}

/// A validator of `schema`, or what is wrong with the schema.
fn validator(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .should_validate_formats(true)
        // Of JSON Schema's formats, this one alone wants a time zone, which a TIME does not have.
        .with_format("time", is_time)
        .build(schema)
        .map_err(|error| error.to_string())
}

fn is_time(text: &str) -> bool {
    let format = time::macros::format_description!("[hour]:[minute]:[second]");
    time::Time::parse(text, &format).is_ok()
}

/// Reads a regular expression.
pub(super) fn read_pattern(field: &Field<'_>) -> Option<String> {
    let pattern = field.text()?;
    if validator(&json!({"type": "string", "pattern": pattern})).is_err() {
        field.fault("is not a valid regular expression");
        return None;
    }
    Some(pattern)
}

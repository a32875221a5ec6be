//! Types of parameters, results, items and properties.

use super::reader::{Field, Table};
use super::type_check;
use mxcp_actors::model::schema::{Format, TypeDefinition, TypeKind};

/// The values of `type`.
const KINDS: [(&str, TypeKind); 6] = [
    ("string", TypeKind::String),
    ("number", TypeKind::Number),
    ("integer", TypeKind::Integer),
    ("boolean", TypeKind::Boolean),
    ("array", TypeKind::Array),
    ("object", TypeKind::Object),
];

/// The values of `format`.
const FORMATS: [Format; 7] =
    [Format::Email, Format::Uri, Format::Date, Format::Time, Format::DateTime, Format::Duration, Format::Timestamp];

/// Constraints by what they speak of.
const CONSTRAINTS: [(&str, &[TypeKind], &[&str]); 4] = [
    ("texts", &[TypeKind::String], &["format", "minLength", "maxLength", "pattern"]),
    (
        "numbers",
        &[TypeKind::Number, TypeKind::Integer],
        &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
    ),
    ("lists", &[TypeKind::Array], &["minItems", "maxItems", "uniqueItems", "items"]),
    ("objects", &[TypeKind::Object], &["properties", "required", "additionalProperties"]),
];

/// Reads a type that has a table to itself.
pub(super) fn read(field: &Field<'_>) -> Option<TypeDefinition> {
    field.table(read_from)
}

/// Reads a type from a table that may hold other keys too, such as a parameter's name.
pub(super) fn read_from(table: &mut Table<'_, '_>) -> Option<TypeDefinition> {
    let kind = table.require("type").and_then(|field| field.choice(&KINDS));
    // The rest is read even without a kind, for the sake of its faults.
    let mut of = TypeDefinition::of(kind.unwrap_or(TypeKind::String));
    of.description = table.get("description").and_then(|field| field.text());
    of.sensitive = table.get("sensitive").and_then(|field| field.boolean()).unwrap_or(false);
    read_text_constraints(table, &mut of);
    read_number_constraints(table, &mut of);
    read_list_constraints(table, &mut of);
    read_object_constraints(table, &mut of);
    kind?;
    warn_of_idle_constraints(table, of.kind);
    type_check::read_values(table, &mut of);
    Some(of)
}

fn read_text_constraints(table: &mut Table<'_, '_>, of: &mut TypeDefinition) {
    let formats = FORMATS.map(|format| (format.as_str(), format));
    of.format = table.get("format").and_then(|field| field.choice(&formats));
    of.min_length = read_count(table, "minLength");
    of.max_length = read_count(table, "maxLength");
    of.pattern = table.get("pattern").and_then(|field| type_check::read_pattern(&field));
    check_order(table, "maxLength", of.min_length, of.max_length);
}

fn read_number_constraints(table: &mut Table<'_, '_>, of: &mut TypeDefinition) {
    let mut number = |key| table.get(key).and_then(|field| field.number());
    of.minimum = number("minimum");
    of.maximum = number("maximum");
    of.exclusive_minimum = number("exclusiveMinimum");
    of.exclusive_maximum = number("exclusiveMaximum");
    of.multiple_of = table.get("multipleOf").and_then(|field| {
        let number = field.number()?;
        if number <= 0.0 {
            field.fault("must be larger than 0");
            return None;
        }
        Some(number)
    });
    check_order(table, "maximum", of.minimum, of.maximum);
}

fn read_list_constraints(table: &mut Table<'_, '_>, of: &mut TypeDefinition) {
    of.min_items = read_count(table, "minItems");
    of.max_items = read_count(table, "maxItems");
    of.unique_items = table.get("uniqueItems").and_then(|field| field.boolean()).unwrap_or(false);
    of.items = table.get("items").and_then(|field| read(&field)).map(Box::new);
    check_order(table, "maxItems", of.min_items, of.max_items);
}

fn read_object_constraints(table: &mut Table<'_, '_>, of: &mut TypeDefinition) {
    for (name, field) in table.get("properties").and_then(|field| field.entries()).unwrap_or_default() {
        of.properties.extend(read(&field).map(|of| (name.to_owned(), of)));
    }
    of.required = table.get("required").and_then(|field| field.texts()).unwrap_or_default();
    of.additional_properties = table.get("additionalProperties").and_then(|field| field.boolean());
}

fn read_count(table: &mut Table<'_, '_>, key: &'static str) -> Option<u64> {
    table.get(key).and_then(|field| field.whole_number(0..=u64::MAX))
}

/// Nothing could ever satisfy limits that cross.
fn check_order<T: PartialOrd>(table: &mut Table<'_, '_>, key: &'static str, low: Option<T>, high: Option<T>) {
    if low.zip(high).is_some_and(|(low, high)| low > high) {
        table.get(key).inspect(|field| field.fault("is smaller than the lower limit"));
    }
}

fn warn_of_idle_constraints(table: &mut Table<'_, '_>, kind: TypeKind) {
    for (subject, _, keys) in CONSTRAINTS.iter().filter(|(_, kinds, _)| !kinds.contains(&kind)) {
        let message = format!("has no effect on type {}; it speaks of {subject}", kind.as_str());
        for key in *keys {
            table.get(key).inspect(|field| field.warn(&message));
        }
    }
}

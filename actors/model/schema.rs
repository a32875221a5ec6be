//! Types of parameters and results, and the JSON Schema that clients are shown of them.

use serde_json::{Map, Value, json};

/// The kinds of values that an endpoint speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeKind {
    /// Text.
    String,
    /// A number with or without a fraction.
    Number,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// A list.
    Array,
    /// Named values.
    Object,
}

impl TypeKind {
    /// The name in YAML and in JSON Schema.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

/// What a text looks like, beyond being text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An e-mail address.
    Email,
    /// An absolute URI.
    Uri,
    /// A day, `2024-01-31`; bound as DATE.
    Date,
    /// A time of day, `13:45:00`; bound as TIME.
    Time,
    /// RFC 3339; bound as TIMESTAMP WITH TIME ZONE.
    DateTime,
    /// ISO 8601, such as `P1DT12H`; bound as text.
    Duration,
    /// Seconds since the Unix epoch; bound as TIMESTAMP WITH TIME ZONE.
    Timestamp,
}

impl Format {
    /// The name in YAML, and in JSON Schema where it exists there.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Uri => "uri",
            Self::Date => "date",
            Self::Time => "time",
            Self::DateTime => "date-time",
            Self::Duration => "duration",
            Self::Timestamp => "timestamp",
        }
    }
}

/// A type with its constraints: of a parameter, a result, an item or a property.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeDefinition {
    /// The kind of value.
    pub kind: TypeKind,
    /// What a text looks like.
    pub format: Option<Format>,
    /// What the value means, for people and models.
    pub description: Option<String>,
    /// The value when none is given; `Some(Value::Null)` is a default too.
    pub default: Option<Value>,
    /// Values that show how it is used.
    pub examples: Vec<Value>,
    /// The only values allowed.
    pub enumeration: Option<Vec<Value>>,
    /// Whether the value is kept out of logs.
    pub sensitive: bool,
    /// Fewest characters.
    pub min_length: Option<u64>,
    /// Most characters.
    pub max_length: Option<u64>,
    /// A regular expression that the text must contain a match of.
    pub pattern: Option<String>,
    /// Smallest value.
    pub minimum: Option<f64>,
    /// Largest value.
    pub maximum: Option<f64>,
    /// The value must be larger.
    pub exclusive_minimum: Option<f64>,
    /// The value must be smaller.
    pub exclusive_maximum: Option<f64>,
    /// The value must be a multiple.
    pub multiple_of: Option<f64>,
    /// Fewest items.
    pub min_items: Option<u64>,
    /// Most items.
    pub max_items: Option<u64>,
    /// Whether items may not repeat.
    pub unique_items: bool,
    /// The type of every item.
    pub items: Option<Box<TypeDefinition>>,
    /// The properties in order.
    pub properties: Vec<(String, TypeDefinition)>,
    /// Properties that must be there.
    pub required: Vec<String>,
    /// Whether other properties may be there; `None` is yes.
    pub additional_properties: Option<bool>,
}

impl TypeDefinition {
    /// A type without constraints.
    #[must_use]
    pub fn of(kind: TypeKind) -> Self {
        Self {
            kind,
            format: None,
            description: None,
            default: None,
            examples: Vec::new(),
            enumeration: None,
            sensitive: false,
            min_length: None,
            max_length: None,
            pattern: None,
            minimum: None,
            maximum: None,
            exclusive_minimum: None,
            exclusive_maximum: None,
            multiple_of: None,
            min_items: None,
            max_items: None,
            unique_items: false,
            items: None,
            properties: Vec::new(),
            required: Vec::new(),
            additional_properties: None,
        }
    }

    /// Whether anything in it is sensitive.
    #[must_use]
    pub fn has_sensitive(&self) -> bool {
        self.sensitive
            || self.items.as_deref().is_some_and(Self::has_sensitive)
            || self.properties.iter().any(|(_, property)| property.has_sensitive())
    }

    /// The JSON Schema of a result of this type: as [`Self::json_schema`], but any value may be
    /// null, as it may in SQL, and texts that SQL writes in its own way carry no format.
    #[must_use]
    pub fn result_schema(&self) -> Value {
        let Value::Object(mut schema) = self.json_schema() else { return Value::Null };
        let kinds = match self.format {
            Some(Format::Timestamp) => json!(["number", "string", "null"]),
            _ => json!([self.kind.as_str(), "null"]),
        };
        schema.insert("type".to_owned(), kinds);
        if let Some(Value::Array(values)) = schema.get_mut("enum")
            && !values.contains(&Value::Null)
        {
            values.push(Value::Null);
        }
        if matches!(self.format, Some(Format::DateTime | Format::Time | Format::Duration)) {
            schema.remove("format");
        }
        if let Some(item) = &self.items {
            schema.insert("items".to_owned(), item.result_schema());
        }
        if self.kind == TypeKind::Object {
            let properties = self.properties.iter().map(|(name, of)| (name.clone(), of.result_schema()));
            schema.insert("properties".to_owned(), Value::Object(properties.collect()));
        }
        Value::Object(schema)
    }

    /// The JSON Schema (draft 2020-12) of this type, with everything that is known of it.
    #[must_use]
    pub fn json_schema(&self) -> Value {
        let mut schema = Map::new();
        // A timestamp travels as a number of seconds, and JSON Schema has no such format.
        let kind = if self.format == Some(Format::Timestamp) { "number" } else { self.kind.as_str() };
        schema.insert("type".into(), json!(kind));
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                schema.insert(name.to_owned(), value);
            }
        };
        put("description", self.description.as_ref().map(|text| json!(text)));
        put("format", self.format.filter(|format| *format != Format::Timestamp).map(|format| json!(format.as_str())));
        put("enum", self.enumeration.as_ref().map(|values| json!(values)));
        put("minLength", self.min_length.map(|n| json!(n)));
        put("maxLength", self.max_length.map(|n| json!(n)));
        put("pattern", self.pattern.as_ref().map(|text| json!(text)));
        put("minimum", self.minimum.map(number));
        put("maximum", self.maximum.map(number));
        put("exclusiveMinimum", self.exclusive_minimum.map(number));
        put("exclusiveMaximum", self.exclusive_maximum.map(number));
        put("multipleOf", self.multiple_of.map(number));
        put("minItems", self.min_items.map(|n| json!(n)));
        put("maxItems", self.max_items.map(|n| json!(n)));
        put("uniqueItems", self.unique_items.then(|| json!(true)));
        put("items", self.items.as_ref().map(|item| item.json_schema()));
        if self.kind == TypeKind::Object {
            put("properties", Some(properties_schema(self.properties.iter().map(|(name, of)| (name.as_str(), of)))));
            put("required", (!self.required.is_empty()).then(|| json!(self.required)));
            put("additionalProperties", self.additional_properties.map(|allowed| json!(allowed)));
        }
        put("default", self.default.clone());
        put("examples", (!self.examples.is_empty()).then(|| json!(self.examples)));
        Value::Object(schema)
    }
}

/// The `properties` object of a schema.
pub fn properties_schema<'a>(properties: impl Iterator<Item = (&'a str, &'a TypeDefinition)>) -> Value {
    Value::Object(properties.map(|(name, of)| (name.to_owned(), of.json_schema())).collect())
}

/// A limit as people write it: `5`, not `5.0`.
fn number(value: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53, so the conversion is exact")]
    if value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0 { json!(value as i64) } else { json!(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_shows_every_constraint() {
        let mut text = TypeDefinition::of(TypeKind::String);
        text.description = Some("A day".into());
        text.format = Some(Format::Date);
        text.enumeration = Some(vec![json!("2024-01-01")]);
        text.pattern = Some("^2".into());
        text.min_length = Some(10);
        text.default = Some(Value::Null);
        let mut list = TypeDefinition::of(TypeKind::Array);
        list.items = Some(Box::new(text));
        list.unique_items = true;
        list.max_items = Some(3);
        assert_eq!(
            list.json_schema(),
            json!({"type": "array", "maxItems": 3, "uniqueItems": true, "items": {
                "type": "string", "description": "A day", "format": "date", "enum": ["2024-01-01"],
                "minLength": 10, "pattern": "^2", "default": null,
            }})
        );
    }

    #[test]
    fn whole_limits_print_without_a_fraction() {
        let mut count = TypeDefinition::of(TypeKind::Integer);
        count.minimum = Some(1.0);
        count.multiple_of = Some(0.5);
        assert_eq!(count.json_schema().to_string(), r#"{"type":"integer","minimum":1,"multipleOf":0.5}"#);
    }
}

//! From arguments as they came to values that SQL is given.
//!
//! Models send numbers as text and text as numbers, and the command line sends nothing but
//! text, so each value is first converted to the declared type where nothing is lost by it, and
//! then checked against the very schema that clients are shown.

use super::catalog::CatalogEntry;
use super::field_names::check_names;
use super::redaction::{REDACTED, is_sensitive, redact};
use super::sensitive_texts::SensitiveTexts;
use crate::model::json_depth::read_composed;
use crate::model::schema::{Format, TypeDefinition, TypeKind};
use crate::model::sql_value::SqlValue;
use crate::model::tool::Parameter;
use jsonschema::{PatternOptions, Validator};
use serde_json::{Map, Value};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// Why an argument cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ArgumentError {
    #[error("Required parameter missing: {0}")]
    Missing(String),
    #[error("Unknown parameter: {0}")]
    Unknown(String),
    #[error("Invalid value for {name}. Must be one of: [{allowed}]")]
    NotAllowed { name: String, allowed: String },
    #[error("Error validating parameter '{name}': {why}")]
    Invalid { name: String, why: String },
}

/// Arguments that passed.
#[derive(Debug)]
pub(super) struct ConvertedArguments {
    /// As JSON with defaults filled in, for policies.
    pub(super) json: Map<String, Value>,
    /// For the query.
    pub(super) sql: Vec<(String, SqlValue)>,
}

#[derive(Debug)]
struct CompiledParameter {
    parameter: Parameter,
    validator: Validator,
    is_sensitive: bool,
}

/// The parameters of a tool with their validators.
#[derive(Debug)]
pub(super) struct CompiledParameters(Vec<CompiledParameter>);

/// A validator that takes time linear in the text for every pattern, and fetches nothing.
pub(super) fn compile_schema(schema: &Value, with_formats: bool) -> Result<Validator, String> {
    jsonschema::options()
        .with_pattern_options(PatternOptions::regex())
        .should_validate_formats(with_formats)
        // JSON Schema's own wants an offset from UTC, which a TIME does not have.
        .with_format("time", |text: &str| bind_time(text).is_ok())
        .build(schema)
        .map_err(|error| error.to_string())
}

impl CatalogEntry {
    /// The arguments as policies see them: converted, with defaults filled in.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn convert_arguments(&self, given: Map<String, Value>) -> Result<Map<String, Value>, String> {
        self.parameters.convert(given).map(|converted| converted.json).map_err(|error| error.to_string())
    }
}

impl CompiledParameters {
    pub(super) fn compile(parameters: &[Parameter]) -> Result<Self, String> {
        let compile = |parameter: &Parameter| {
            let validator = compile_schema(&parameter.of.json_schema(), true)
                .map_err(|why| format!("parameter '{}': {why}", parameter.name))?;
            Ok(CompiledParameter { validator, is_sensitive: is_sensitive(&parameter.of), parameter: parameter.clone() })
        };
        parameters.iter().map(compile).collect::<Result<Vec<_>, String>>().map(Self)
    }

    /// Converts and checks. A null counts as not given.
    pub(super) fn convert(&self, mut given: Map<String, Value>) -> Result<ConvertedArguments, ArgumentError> {
        if let Some(name) = given.keys().find(|name| !self.0.iter().any(|known| known.parameter.name == **name)) {
            return Err(ArgumentError::Unknown(name.clone()));
        }
        let mut converted =
            ConvertedArguments { json: Map::with_capacity(self.0.len()), sql: Vec::with_capacity(self.0.len()) };
        for compiled in &self.0 {
            let name = &compiled.parameter.name;
            let value = match given.remove(name).filter(|value| !value.is_null()) {
                Some(value) => compiled.check(value)?,
                None => match &compiled.parameter.of.default {
                    Some(default) => coerce(default.clone(), &compiled.parameter.of),
                    None => return Err(ArgumentError::Missing(name.clone())),
                },
            };
            let bound = bind(&value, &compiled.parameter.of).map_err(|why| {
                let why = if compiled.is_sensitive { "the value cannot be used".to_owned() } else { why };
                ArgumentError::Invalid { name: name.clone(), why }
            })?;
            converted.sql.push((name.clone(), bound));
            converted.json.insert(name.clone(), value);
        }
        Ok(converted)
    }

    /// What errors must not repeat of the arguments, whether they pass or not.
    pub(super) fn sensitive_texts(&self, arguments: &Map<String, Value>) -> SensitiveTexts {
        let mut texts = SensitiveTexts::default();
        if !self.0.iter().any(|compiled| compiled.is_sensitive) {
            return texts;
        }
        for (name, value) in arguments {
            match self.0.iter().find(|known| known.parameter.name == *name) {
                Some(known) if known.is_sensitive => {
                    // As it came, and as the query has it.
                    texts.add(value, &known.parameter.of);
                    texts.add(&coerce(value.clone(), &known.parameter.of), &known.parameter.of);
                }
                Some(_) => {}
                None => texts.add_all(value),
            }
        }
        for known in self.0.iter().filter(|known| !arguments.contains_key(&known.parameter.name)) {
            known.parameter.of.default.iter().for_each(|default| texts.add(default, &known.parameter.of));
        }
        texts
    }

    /// The arguments as they may be written down: also those that did not pass. Where something
    /// is sensitive, what has no parameter is covered too: its name may only be misspelt.
    pub(super) fn redacted(&self, mut arguments: Map<String, Value>) -> Value {
        if !self.0.iter().any(|compiled| compiled.is_sensitive) {
            return Value::Object(arguments);
        }
        for (name, value) in &mut arguments {
            match self.0.iter().find(|known| known.parameter.name == *name) {
                Some(known) if known.is_sensitive => {
                    // Lists and objects may come as text, in which nothing could be found.
                    *value = coerce(value.take(), &known.parameter.of);
                    redact(value, &known.parameter.of);
                }
                Some(_) => {}
                None => *value = Value::String(REDACTED.to_owned()),
            }
        }
        Value::Object(arguments)
    }
}

/// The longest error that repeats a value.
const ERROR_BYTES_MAX: usize = 1_000;

/// What is said of names that may be secret.
const AMBIGUOUS: &str = "the names of its fields are not those that are declared, or not different enough";

impl CompiledParameter {
    fn check(&self, value: Value) -> Result<Value, ArgumentError> {
        let (name, of) = (&self.parameter.name, &self.parameter.of);
        let value = coerce(value, of);
        check_names(&value, Some(of)).map_err(|why| {
            let why = if self.is_sensitive { AMBIGUOUS.to_owned() } else { why };
            ArgumentError::Invalid { name: name.clone(), why }
        })?;
        if let Some(allowed) = &of.enumeration
            && !allowed.iter().any(|allowed| is_same(allowed, &value))
        {
            let allowed: Vec<String> = allowed.iter().map(quoted).collect();
            return Err(ArgumentError::NotAllowed { name: name.clone(), allowed: allowed.join(", ") });
        }
        match self.validator.validate(&value) {
            Ok(()) => Ok(value),
            Err(error) => {
                let place = error.instance_path().to_string();
                // What is sensitive is not repeated in an error text.
                let text = Some(error.to_string()).filter(|text| !self.is_sensitive && text.len() <= ERROR_BYTES_MAX);
                let text = text.unwrap_or_else(|| error.masked().to_string());
                let why = if place.is_empty() { text } else { format!("at {place}: {text}") };
                Err(ArgumentError::Invalid { name: name.clone(), why })
            }
        }
    }
}

/// Whether two values are the same: 1 and 1.0 are (JSON Schema core section 4.2.2), since
/// JavaScript cannot write the second.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) if one.is_f64() != other.is_f64() => one.as_f64() == other.as_f64(),
        _ => one == other,
    }
}

/// A value in single quotes when it is text, as in `['a', 'b']`.
fn quoted(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| format!("'{text}'"))
}

/// Brings a value to the declared kind where that loses nothing; anything else is left as it
/// is, for the validator to refuse.
fn coerce(value: Value, of: &TypeDefinition) -> Value {
    match (of.kind, value) {
        (TypeKind::String, Value::String(text)) if of.format == Some(Format::Timestamp) => {
            text.trim().parse::<f64>().ok().map_or(Value::String(text), Value::from)
        }
        (TypeKind::String, value @ Value::Number(_)) if of.format == Some(Format::Timestamp) => value,
        (TypeKind::String, Value::String(text)) if of.format == Some(Format::DateTime) => {
            Value::String(with_offset(text))
        }
        (TypeKind::String, Value::Number(number)) => Value::String(number.to_string()),
        (TypeKind::String, Value::Bool(truth)) => Value::String(truth.to_string()),
        (TypeKind::Integer, Value::String(text)) => integer(text.trim()).unwrap_or(Value::String(text)),
        (TypeKind::Integer, Value::Number(number)) if !number.is_i64() && !number.is_u64() => {
            integer(&number.to_string()).unwrap_or(Value::Number(number))
        }
        (TypeKind::Number, Value::String(text)) => {
            serde_json::from_str::<serde_json::Number>(text.trim()).map_or(Value::String(text), Value::Number)
        }
        (TypeKind::Boolean, Value::String(text)) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Value::Bool(true),
            "false" | "no" | "0" => Value::Bool(false),
            _ => Value::String(text),
        },
        (TypeKind::Array, Value::String(text)) => match read_composed(&text) {
            Some(list @ Value::Array(_)) => coerce(list, of),
            _ => Value::String(text),
        },
        (TypeKind::Object, Value::String(text)) => match read_composed(&text) {
            Some(object @ Value::Object(_)) => coerce(object, of),
            _ => Value::String(text),
        },
        (TypeKind::Array, Value::Array(items)) => match &of.items {
            Some(item_type) => Value::Array(items.into_iter().map(|item| coerce(item, item_type)).collect()),
            None => Value::Array(items),
        },
        (TypeKind::Object, Value::Object(fields)) => Value::Object(coerce_fields(fields, of)),
        (_, value) => value,
    }
}

fn coerce_fields(mut fields: Map<String, Value>, of: &TypeDefinition) -> Map<String, Value> {
    for (name, property) in &of.properties {
        match fields.get_mut(name) {
            Some(field) => *field = coerce(field.take(), property),
            None => {
                if let Some(default) = &property.default {
                    fields.insert(name.clone(), default.clone());
                }
            }
        }
    }
    fields
}

/// A date, or a date and time without an offset, is taken for UTC: many callers leave it out.
fn with_offset(text: String) -> String {
    let (date, clock) = match text.split_once(['T', 't', ' ']) {
        Some((date, clock)) => (date, clock),
        None => (text.as_str(), "00:00:00"),
    };
    let has_offset = clock.ends_with(['Z', 'z']) || clock.contains(['+', '-']);
    if has_offset { text } else { format!("{date}T{clock}Z") }
}

/// `3`, `3.0` and `3e2` are whole; `3.5` is not.
fn integer(text: &str) -> Option<Value> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    if let Ok(whole) = text.parse::<u64>() {
        return Some(whole.into());
    }
    let number = text.parse::<f64>().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53, so the conversion is exact")]
    (number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0).then(|| Value::from(number as i64))
}

/// The value that the query's parameter is bound to.
fn bind(value: &Value, of: &TypeDefinition) -> Result<SqlValue, String> {
    match value {
        Value::Null => Ok(SqlValue::Null),
        Value::Bool(truth) => Ok(SqlValue::Boolean(*truth)),
        Value::Number(number) if of.format == Some(Format::Timestamp) => bind_epoch(number),
        Value::Number(number) => Ok(bind_number(number, of.kind)),
        Value::String(text) => bind_text(text, of.format),
        Value::Array(items) => {
            let item_type = of.items.as_deref();
            items.iter().map(|item| bind_inner(item, item_type)).collect::<Result<_, _>>().map(SqlValue::List)
        }
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| {
                let property = of.properties.iter().find(|(known, _)| known == name).map(|(_, property)| property);
                Ok((name.clone(), bind_inner(field, property)?))
            })
            .collect::<Result<_, String>>()
            .map(SqlValue::Struct),
    }
}

fn bind_inner(value: &Value, of: Option<&TypeDefinition>) -> Result<SqlValue, String> {
    match of {
        Some(of) => bind(value, of),
        None => bind(value, &TypeDefinition::of(TypeKind::Object)),
    }
}

fn bind_number(number: &serde_json::Number, kind: TypeKind) -> SqlValue {
    let double = || SqlValue::Double(number.as_f64().unwrap_or(f64::NAN));
    if kind == TypeKind::Number {
        return double();
    }
    match (number.as_i64(), number.as_u64()) {
        (Some(whole), _) => SqlValue::Integer(whole),
        (None, Some(whole)) => SqlValue::Unsigned(whole),
        (None, None) => double(),
    }
}

fn bind_epoch(number: &serde_json::Number) -> Result<SqlValue, String> {
    let micros = number.as_f64().unwrap_or(f64::NAN) * 1_000_000.0;
    // DuckDB's own range ends long before 2^63 microseconds.
    if !micros.is_finite() || micros.abs() > 9.0e18 {
        return Err(format!("Invalid timestamp: {number}"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked to be within the range of i64")]
    Ok(SqlValue::TimestampTz(micros.round() as i64))
}

fn bind_text(text: &str, format: Option<Format>) -> Result<SqlValue, String> {
    match format {
        Some(Format::Date) => {
            let day = time::Date::parse(text, format_description!("[year]-[month]-[day]"))
                .map_err(|_| format!("Invalid date: {text}"))?;
            Ok(SqlValue::Date(day.to_julian_day() - EPOCH_JULIAN_DAY))
        }
        Some(Format::Time) => bind_time(text),
        Some(Format::DateTime) => {
            let at = time::OffsetDateTime::parse(text, &Rfc3339).map_err(|_| format!("Invalid date-time: {text}"))?;
            let micros = i64::try_from(at.unix_timestamp_nanos() / 1_000);
            micros.map(SqlValue::TimestampTz).map_err(|_| format!("Invalid date-time: {text}"))
        }
        _ => Ok(SqlValue::Text(text.to_owned())),
    }
}

/// The Julian day of 1970-01-01.
const EPOCH_JULIAN_DAY: i32 = 2_440_588;

/// A TIME has no time zone: of the offsets only that of UTC can be left out without a loss.
fn bind_time(text: &str) -> Result<SqlValue, String> {
    let clock = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    let at = time::Time::parse(clock, format_description!("[hour]:[minute]:[second][optional [.[subsecond]]]"))
        .map_err(|_| format!("Invalid time: {text}"))?;
    let (hours, minutes, seconds, nanos) = at.as_hms_nano();
    let whole = i64::from(hours) * 3_600 + i64::from(minutes) * 60 + i64::from(seconds);
    Ok(SqlValue::Time(whole * 1_000_000 + i64::from(nanos) / 1_000))
}

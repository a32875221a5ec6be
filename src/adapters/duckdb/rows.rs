//! Rows as JSON.

use super::capi::{Cell, Fields, Kind, QueryResult, ResultShape, Vector};
use super::fetch::FETCH_FUNCTION;
use super::look;
use super::numbers;
use super::times;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mxcp_actors::model::sql_value::{Column, SqlRows};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::ops::Range;

/// Why the rows could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ReadError {
    /// DuckDB's text, or why a column has no JSON form.
    Failed(String),
    /// More rows than allowed.
    TooMany,
    /// More bytes than allowed.
    TooMuch,
    /// Nobody waits for them any more.
    Cancelled,
}

/// How much of a result is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The most rows.
    pub(super) rows: usize,
    /// The most bytes, about, where somebody counts them.
    pub(super) bytes: Option<usize>,
}

/// Reads a result to its end.
///
/// Rows past the limits are not computed: the first one ends the statement.
///
/// # Errors
/// See [`ReadError`].
pub(super) fn read(
    result: &mut QueryResult<'_>,
    limits: Limits,
    is_cancelled: impl Fn() -> bool,
) -> Result<SqlRows, ReadError> {
    if result.shape() == ResultShape::Nothing {
        // DuckDB has a column even then, which never has a row.
        while result.next_chunk().map_err(ReadError::Failed)?.is_some() {}
        return Ok(SqlRows::default());
    }
    let names = unique_names(&showable_names(result.names()));
    refuse_unsupported(&names, result.kinds())?;
    // Copying a map is cheaper than filling one: nothing is hashed.
    let empty: Map<String, Value> = names.iter().map(|name| (name.clone(), Value::Null)).collect();
    let mut rows = Vec::new();
    let mut bytes_left = limits.bytes;
    while let Some(chunk) = result.next_chunk().map_err(ReadError::Failed)? {
        if is_cancelled() {
            return Err(ReadError::Cancelled);
        }
        if rows.len() + chunk.len() > limits.rows {
            return Err(ReadError::TooMany);
        }
        let columns = chunk.columns();
        let Some(left) = &mut bytes_left else {
            rows.extend((0..chunk.len()).map(|row| object(&empty, &columns, row)));
            continue;
        };
        for row in (0..chunk.len()).map(|row| object(&empty, &columns, row)) {
            let weight = row.iter().map(|(name, value)| name.len() + look::weight(value)).sum();
            *left = left.checked_sub(weight).ok_or(ReadError::TooMuch)?;
            rows.push(row);
        }
    }
    Ok(SqlRows { columns: names.into_iter().map(|name| Column { name }).collect(), rows })
}

fn object(empty: &Map<String, Value>, columns: &[Vector<'_>], row: usize) -> Map<String, Value> {
    let mut object = empty.clone();
    for (value, column) in object.values_mut().zip(columns) {
        *value = json(column.cell(row));
    }
    object
}

/// A column without a name of its own is called by its expression, which may show what was made of
/// a call with headers.
fn showable_names(names: &[String]) -> Cow<'_, [String]> {
    if !names.iter().any(|name| name.contains(FETCH_FUNCTION)) {
        return Cow::Borrowed(names);
    }
    let shown = names
        .iter()
        .enumerate()
        .map(|(index, name)| if name.contains(FETCH_FUNCTION) { format!("column{index}") } else { name.clone() });
    Cow::Owned(shown.collect())
}

/// A second `a` becomes `a_1`, unless a column is called so already.
fn unique_names(names: &[String]) -> Vec<String> {
    let given: HashSet<&str> = names.iter().map(String::as_str).collect();
    let mut taken: HashSet<String> = HashSet::with_capacity(names.len());
    names
        .iter()
        .map(|name| {
            let numbered = (1_usize..).map(|number| format!("{name}_{number}"));
            let mut free = numbered.filter(|name| !given.contains(name.as_str()) && !taken.contains(name));
            let unique = if taken.contains(name) { free.next() } else { None }.unwrap_or_else(|| name.clone());
            taken.insert(unique.clone());
            unique
        })
        .collect()
}

fn refuse_unsupported(names: &[String], kinds: &[Kind]) -> Result<(), ReadError> {
    for (name, kind) in names.iter().zip(kinds) {
        if let Some(unsupported) = kind.unsupported() {
            return Err(ReadError::Failed(format!(
                "column \"{name}\" has the type {unsupported}, which has no JSON form; cast it in the query"
            )));
        }
    }
    Ok(())
}

fn json(cell: Cell<'_>) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Boolean(value) => value.into(),
        Cell::Integer(value) => value.into(),
        Cell::Unsigned(value) => value.into(),
        Cell::Huge(value) => numbers::huge(value),
        Cell::UnsignedHuge(value) => numbers::unsigned_huge(value),
        Cell::Float(value) => numbers::float(value),
        // NaN and the infinities are no JSON; they become null.
        Cell::Double(value) => value.into(),
        Cell::Decimal { digits, scale } => numbers::decimal(digits, scale),
        Cell::Bignum(bytes) => numbers::bignum(bytes),
        Cell::Date(days) => times::date(days).into(),
        Cell::Time(unit, value) => times::time(unit, value).into(),
        Cell::TimeTz { micros, offset_seconds } => times::time_tz(micros, offset_seconds).into(),
        Cell::Timestamp(unit, value) => times::timestamp(unit, value).into(),
        Cell::TimestampTz(unit, value) => times::timestamp_tz(unit, value).into(),
        Cell::Interval { months, days, micros } => times::interval(months, days, micros).into(),
        Cell::Text(text) => text.into_owned().into(),
        Cell::Json(text) => serde_json::from_str(&text).unwrap_or_else(|_invalid| text.into_owned().into()),
        Cell::Blob(bytes) => STANDARD.encode(bytes).into(),
        Cell::Bit(bytes) => bits(bytes).into(),
        Cell::Uuid(value) => uuid::Uuid::from_u128(value).to_string().into(),
        Cell::List(items, range) => range.map(|row| json(items.cell(row))).collect(),
        Cell::Struct(fields) => structure(fields),
        Cell::Map { keys, values, entries } => map(keys, values, entries),
        Cell::Union(member, row) => json(member.cell(row)),
    }
}

/// An object, or an array when the fields have no names, as `row(1, 2)` gives.
fn structure(fields: Fields<'_>) -> Value {
    if fields.iter().all(|(name, _)| name.is_empty()) {
        return fields.iter().map(|(_, cell)| json(cell)).collect();
    }
    Value::Object(fields.iter().map(|(name, cell)| (name.to_owned(), json(cell))).collect())
}

fn map(keys: Vector<'_>, values: Vector<'_>, entries: Range<usize>) -> Value {
    let entry = |row| {
        let key = match json(keys.cell(row)) {
            Value::String(text) => text,
            other => other.to_string(),
        };
        (key, json(values.cell(row)))
    };
    Value::Object(entries.map(entry).collect())
}

fn bits(bytes: &[u8]) -> String {
    let Some((unused, bytes)) = bytes.split_first() else { return String::new() };
    let mut text = String::with_capacity(bytes.len() * 8);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "{byte:08b}");
    }
    text.split_off(usize::from(*unused).min(text.len()))
}

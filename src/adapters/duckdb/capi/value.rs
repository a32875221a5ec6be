//! Lists and structs on their way into a statement.

use super::c_text;
use duckdb::ffi;
use mxcp_actors::model::sql_value::SqlValue;
use std::ffi::{CString, c_char};

/// A value of DuckDB.
pub(super) struct Value(ffi::duckdb_value);

impl Value {
    /// Builds a value; the items of a list are cast to one common type.
    ///
    /// # Errors
    /// A message when the items of a list have no common type.
    pub(super) fn new(value: &SqlValue) -> Result<Self, String> {
        Self::of(value, &Shape::of(value)?)
    }

    pub(super) fn raw(&self) -> ffi::duckdb_value {
        self.0
    }

    fn of(value: &SqlValue, shape: &Shape) -> Result<Self, String> {
        match (value, shape) {
            (SqlValue::List(items), Shape::List(item)) => Self::list(items, item),
            (SqlValue::Struct(fields), Shape::Struct(shapes)) => Self::structure(fields, shapes),
            _ => Self::scalar(value),
        }
    }

    fn scalar(value: &SqlValue) -> Result<Self, String> {
        // SAFETY: the functions copy what they are given.
        let raw = unsafe {
            match value {
                SqlValue::Boolean(value) => ffi::duckdb_create_bool(*value),
                SqlValue::Integer(value) => ffi::duckdb_create_int64(*value),
                SqlValue::Unsigned(value) => ffi::duckdb_create_uint64(*value),
                SqlValue::Double(value) => ffi::duckdb_create_double(*value),
                SqlValue::Text(value) => {
                    ffi::duckdb_create_varchar_length(value.as_ptr().cast::<c_char>(), value.len() as u64)
                }
                SqlValue::Date(days) => ffi::duckdb_create_date(ffi::duckdb_date { days: *days }),
                SqlValue::Time(micros) => ffi::duckdb_create_time(ffi::duckdb_time { micros: *micros }),
                SqlValue::TimestampTz(micros) => {
                    ffi::duckdb_create_timestamp_tz(ffi::duckdb_timestamp { micros: *micros })
                }
                SqlValue::Interval { months, days, micros } => {
                    ffi::duckdb_create_interval(ffi::duckdb_interval { months: *months, days: *days, micros: *micros })
                }
                SqlValue::Null | SqlValue::List(_) | SqlValue::Struct(_) => ffi::duckdb_create_null_value(),
            }
        };
        Self::checked(raw)
    }

    fn list(items: &[SqlValue], shape: &Shape) -> Result<Self, String> {
        let item_type = LogicalType::of(shape)?;
        let items = items.iter().map(|item| Self::of(item, shape)).collect::<Result<Vec<_>, _>>()?;
        let mut raws: Vec<_> = items.iter().map(Self::raw).collect();
        // SAFETY: type and values are live and copied; the pointer is never null.
        let raw = unsafe { ffi::duckdb_create_list_value(item_type.0, raws.as_mut_ptr(), raws.len() as u64) };
        Self::checked(raw)
    }

    fn structure(fields: &[(String, SqlValue)], shapes: &[(String, Shape)]) -> Result<Self, String> {
        let struct_type = LogicalType::structure(shapes)?;
        let absent = SqlValue::Null;
        let value_of =
            |name: &String| fields.iter().find(|(field, _)| field == name).map_or(&absent, |(_, value)| value);
        let values =
            shapes.iter().map(|(name, shape)| Self::of(value_of(name), shape)).collect::<Result<Vec<_>, _>>()?;
        let mut raws: Vec<_> = values.iter().map(Self::raw).collect();
        // SAFETY: type and values are live and copied; there is a value for each field.
        Self::checked(unsafe { ffi::duckdb_create_struct_value(struct_type.0, raws.as_mut_ptr()) })
    }

    fn checked(raw: ffi::duckdb_value) -> Result<Self, String> {
        if raw.is_null() { Err("DuckDB cannot build this list or object".to_owned()) } else { Ok(Self(raw)) }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // SAFETY: created by this type, destroyed here alone.
        unsafe { ffi::duckdb_destroy_value(&raw mut self.0) };
    }
}

/// The type that a value, or all items of a list, can have.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    /// Nothing but NULL was seen.
    Unknown,
    Scalar(ffi::duckdb_type),
    List(Box<Shape>),
    Struct(Vec<(String, Shape)>),
}

impl Shape {
    fn of(value: &SqlValue) -> Result<Self, String> {
        Ok(match value {
            SqlValue::Null => Self::Unknown,
            SqlValue::Boolean(_) => Self::Scalar(ffi::DUCKDB_TYPE_DUCKDB_TYPE_BOOLEAN),
            SqlValue::Integer(_) => Self::Scalar(ffi::DUCKDB_TYPE_DUCKDB_TYPE_BIGINT),
            SqlValue::Unsigned(_) => Self::Scalar(ffi::DUCKDB_TYPE_DUCKDB_TYPE_UBIGINT),
            SqlValue::Double(_) => Self::Scalar(ffi::DUCKDB_TYPE_DUCKDB_TYPE_DOUBLE),
            SqlValue::Text(_) => Self::Scalar(ffi::DUCKDB_TYPE_DUCKDB_TYPE_VARCHAR),
            SqlValue::Date(_) => Self::Scalar(ffi::DUCKDB_TYPE_DUCKDB_TYPE_DATE),
            SqlValue::Time(_) => Self::Scalar(ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIME),
            SqlValue::TimestampTz(_) => Self::Scalar(ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_TZ),
            SqlValue::Interval { .. } => Self::Scalar(ffi::DUCKDB_TYPE_DUCKDB_TYPE_INTERVAL),
            SqlValue::List(items) => {
                Self::List(Box::new(items.iter().try_fold(Self::Unknown, |shape, item| shape.merge(Self::of(item)?))?))
            }
            // DuckDB has no STRUCT without fields; an empty object is NULL.
            SqlValue::Struct(fields) if fields.is_empty() => Self::Unknown,
            SqlValue::Struct(fields) => {
                Self::Struct(fields.iter().map(|(name, value)| Ok((name.clone(), Self::of(value)?))).collect::<Result<
                    _,
                    String,
                >>(
                )?)
            }
        })
    }

    fn merge(self, other: Self) -> Result<Self, String> {
        Ok(match (self, other) {
            (Self::Unknown, shape) | (shape, Self::Unknown) => shape,
            (Self::List(one), Self::List(two)) => Self::List(Box::new(one.merge(*two)?)),
            (Self::Struct(one), Self::Struct(two)) => Self::Struct(merge_fields(one, two)?),
            (one, two) if one == two => one,
            (Self::Scalar(one), Self::Scalar(two)) => Self::Scalar(merge_scalars(one, two)),
            _ => return Err("a list cannot mix values, lists and objects".to_owned()),
        })
    }
}

/// Objects in one list may leave out fields; the STRUCT has them all.
fn merge_fields(one: Vec<(String, Shape)>, two: Vec<(String, Shape)>) -> Result<Vec<(String, Shape)>, String> {
    let mut merged = one;
    for (name, shape) in two {
        if let Some((_, known)) = merged.iter_mut().find(|(field, _)| *field == name) {
            *known = known.clone().merge(shape)?;
        } else {
            merged.push((name, shape));
        }
    }
    Ok(merged)
}

/// Whole numbers share HUGEINT, whole and broken ones DOUBLE; anything else meets as text, which is
/// what DuckDB's own lists do.
fn merge_scalars(one: ffi::duckdb_type, two: ffi::duckdb_type) -> ffi::duckdb_type {
    const WHOLE: [ffi::duckdb_type; 3] = [
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_BIGINT,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_UBIGINT,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_HUGEINT,
    ];
    let is_number = |kind| WHOLE.contains(&kind) || kind == ffi::DUCKDB_TYPE_DUCKDB_TYPE_DOUBLE;
    match (one, two) {
        (one, two) if WHOLE.contains(&one) && WHOLE.contains(&two) => ffi::DUCKDB_TYPE_DUCKDB_TYPE_HUGEINT,
        (one, two) if is_number(one) && is_number(two) => ffi::DUCKDB_TYPE_DUCKDB_TYPE_DOUBLE,
        _ => ffi::DUCKDB_TYPE_DUCKDB_TYPE_VARCHAR,
    }
}

struct LogicalType(ffi::duckdb_logical_type);

impl LogicalType {
    fn of(shape: &Shape) -> Result<Self, String> {
        match shape {
            Shape::Unknown => Ok(Self::scalar(ffi::DUCKDB_TYPE_DUCKDB_TYPE_SQLNULL)),
            Shape::Scalar(kind) => Ok(Self::scalar(*kind)),
            Shape::List(item) => {
                let item = Self::of(item)?;
                // SAFETY: the item's type is live and copied.
                Ok(Self(unsafe { ffi::duckdb_create_list_type(item.0) }))
            }
            Shape::Struct(fields) => Self::structure(fields),
        }
    }

    fn scalar(kind: ffi::duckdb_type) -> Self {
        // SAFETY: the function only makes a type.
        Self(unsafe { ffi::duckdb_create_logical_type(kind) })
    }

    fn structure(fields: &[(String, Shape)]) -> Result<Self, String> {
        let types = fields.iter().map(|(_, shape)| Self::of(shape)).collect::<Result<Vec<_>, _>>()?;
        let names = fields.iter().map(|(name, _)| c_text(name)).collect::<Result<Vec<CString>, _>>()?;
        let mut raw_types: Vec<_> = types.iter().map(|field| field.0).collect();
        let mut raw_names: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        // SAFETY: both arrays have one live entry for each field, and DuckDB copies them.
        let raw = unsafe {
            ffi::duckdb_create_struct_type(raw_types.as_mut_ptr(), raw_names.as_mut_ptr(), fields.len() as u64)
        };
        if raw.is_null() { Err("the names of an object's fields must differ".to_owned()) } else { Ok(Self(raw)) }
    }
}

impl Drop for LogicalType {
    fn drop(&mut self) {
        // SAFETY: created by this type, destroyed here alone.
        unsafe { ffi::duckdb_destroy_logical_type(&raw mut self.0) };
    }
}

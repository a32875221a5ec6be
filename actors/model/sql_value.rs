//! Values on their way into SQL, and rows on their way out.

use serde_json::{Map, Value};

/// A converted argument, ready to be bound to a parameter of the matching DuckDB type.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    /// NULL.
    Null,
    /// BOOLEAN.
    Boolean(bool),
    /// BIGINT.
    Integer(i64),
    /// UBIGINT, for what BIGINT cannot hold.
    Unsigned(u64),
    /// DOUBLE.
    Double(f64),
    /// VARCHAR.
    Text(String),
    /// DATE, in days since 1970-01-01.
    Date(i32),
    /// TIME, in microseconds since midnight.
    Time(i64),
    /// TIMESTAMP WITH TIME ZONE, in microseconds since the epoch.
    TimestampTz(i64),
    /// INTERVAL.
    Interval {
        /// Whole months.
        months: i32,
        /// Whole days.
        days: i32,
        /// The rest, in microseconds.
        micros: i64,
    },
    /// LIST.
    List(Vec<SqlValue>),
    /// STRUCT, in the order of its fields.
    Struct(Vec<(String, SqlValue)>),
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name; names are unique within a result.
    pub name: String,
}

/// The rows of a result, as JSON.
///
/// Integers that JSON numbers carry exactly (64 bits, signed or unsigned) are numbers, longer ones
/// are their decimal digits as text; NaN and the infinities are null; DATE is `2024-01-02`,
/// TIMESTAMP `2024-01-02T03:04:05.6`, TIMESTAMP WITH TIME ZONE the same in UTC with `Z`; LIST is
/// an array, STRUCT and MAP are objects, BLOB is base64.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SqlRows {
    /// The columns in order; known also when there is no row.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: Vec<Map<String, Value>>,
}

//! JSON as conditions see it.

use cel_interpreter::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt,
};
use cel_interpreter::common::value::Val;
use serde_json::{Number, Value};
use std::collections::HashMap;

/// `value` for a context, its texts borrowed. A whole number is an `int` wherever it fits into one,
/// so that it can be reckoned with in a condition, whose numbers are of that type.
#[must_use]
pub fn cel_value<'v>(value: &'v Value) -> Box<dyn Val + 'v> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::Number(number) => cel_number(number),
        Value::String(text) => Box::new(CelString::from(text.as_str())),
        Value::Array(items) => Box::new(CelList::from(items.iter().map(cel_value).collect::<Vec<_>>())),
        Value::Object(fields) => {
            let key = |name: &'v String| CelMapKey::String(CelString::from(name.as_str()));
            let fields = fields.iter().map(|(name, field)| (key(name), cel_value(field)));
            Box::new(CelMap::from(fields.collect::<HashMap<_, _>>()))
        }
    }
}

fn cel_number(number: &Number) -> Box<dyn Val> {
    if let Some(whole) = number.as_i64() {
        Box::new(CelInt::from(whole))
    } else if let Some(whole) = number.as_u64() {
        Box::new(CelUInt::from(whole))
    } else {
        Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN)))
    }
}

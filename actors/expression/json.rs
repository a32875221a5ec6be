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
    convert(value, |text: &'v str| CelString::from(text))
}

/// The same with texts of its own, for a context that is kept.
#[must_use]
pub fn kept_cel_value(value: &Value) -> Box<dyn Val> {
    convert(value, |text| CelString::from(text.to_owned()))
}

fn convert<'v, 'o>(value: &'v Value, text: impl Fn(&'v str) -> CelString<'o> + Copy) -> Box<dyn Val + 'o> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::Number(number) => cel_number(number),
        Value::String(content) => Box::new(text(content)),
        Value::Array(items) => {
            Box::new(CelList::from(items.iter().map(|item| convert(item, text)).collect::<Vec<_>>()))
        }
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, field)| (CelMapKey::String(text(name)), convert(field, text)));
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

//! Functions of our own, which a condition cannot name: their names begin with a sign that CEL's
//! do not have.

use super::budget::{spend, spend_on};
use cel_interpreter::common::types::{CelBool, CelInt, CelNull, CelOptional, CelString, DYN_TYPE};
use cel_interpreter::common::value::{CowVal, Val};
use cel_interpreter::{Env, ExecutionError};
use regex::{Regex, RegexBuilder};
use std::cell::RefCell;
use std::collections::HashMap;

/// Gives back its first argument and counts its size, and the second for each of its items.
pub(super) const CHARGE: &str = "@charge";
/// `has(x.y)`, which is false for null too.
pub(super) const HAS: &str = "@has";
/// `x.?y`, which is nothing for null too.
pub(super) const MAYBE: &str = "@maybe";
/// `x.matches('…')`, whose pattern is compiled once.
pub(super) const MATCHES: &str = "@matches";

/// What a compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;
/// What a step of text costs more when it is matched.
const MATCHING: u64 = 8;

thread_local! {
    /// The patterns of the configuration that this thread has used. They are literals, so there are
    /// no more of them than the configuration has.
    static PATTERNS: RefCell<HashMap<String, Regex>> = RefCell::default();
}

/// Adds them to an environment that does not have them yet.
pub(super) fn add_functions(environment: &mut Env) {
    let mut add = |name: &str, function: cel_interpreter::common::functions::Function| {
        let added = environment.add_overload(name, name, vec![DYN_TYPE, DYN_TYPE], function);
        debug_assert!(added.is_ok(), "{name} is there twice");
        // Without it conditions that need it cannot be evaluated, which is the safe side.
        drop(added);
    };
    add(CHARGE, charge);
    add(HAS, has);
    add(MAYBE, maybe);
    add(MATCHES, matches);
}

/// Compiles a pattern of `matches`.
///
/// # Errors
/// What is wrong with it, in one line.
pub(super) fn compile_pattern(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build().map_err(|error| {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default();
        last.strip_prefix("error: ").unwrap_or(last).to_owned()
    })
}

/// The two arguments; the interpreter passes as many as the function declares.
fn two<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<[CowVal<'b, 'v>; 2], ExecutionError> {
    arguments.try_into().map_err(|arguments: Vec<_>| ExecutionError::invalid_argument_count(2, arguments.len()))
}

fn charge<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [value, weight] = two(arguments)?;
    let weight = weight.downcast_ref::<CelInt>().map_or(0, |weight| *weight.inner());
    spend_on(value.as_ref(), u64::try_from(weight).unwrap_or(0))?;
    Ok(value)
}

fn has<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [value, field] = two(arguments)?;
    let value = match value.downcast_ref::<CelOptional<'_>>() {
        Some(optional) => optional.inner(),
        None => Some(value.as_ref()),
    };
    let found = value.map(|value| is_there(value, field.as_ref())).transpose()?;
    Ok(CowVal::owned(CelBool::from(found.unwrap_or(false))))
}

fn maybe<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [value, field] = two(arguments)?;
    let value = match value.downcast_ref::<CelOptional<'_>>() {
        Some(optional) => optional.inner(),
        None => Some(value.as_ref()),
    };
    let nothing = || CowVal::owned(CelOptional::none());
    let Some(value) = value.filter(|value| value.downcast_ref::<CelNull>().is_none()) else { return Ok(nothing()) };
    match get(value, field.as_ref())? {
        Some(item) if item.downcast_ref::<CelNull>().is_none() => Ok(CowVal::owned(CelOptional::of(item.into_owned()))),
        _ => Ok(nothing()),
    }
}

/// Whether there is something other than null.
fn is_there(value: &dyn Val, field: &dyn Val) -> Result<bool, ExecutionError> {
    Ok(get(value, field)?.is_some_and(|item| item.downcast_ref::<CelNull>().is_none()))
}

/// The field; nothing when there is none. What has no fields is an error.
fn get<'b, 'v>(value: &'b (dyn Val + 'v), field: &dyn Val) -> Result<Option<CowVal<'b, 'v>>, ExecutionError> {
    let no_fields =
        || ExecutionError::UnexpectedType { got: value.get_type().name().to_owned(), want: "map".to_owned() };
    match value.as_indexer().ok_or_else(no_fields)?.get(field) {
        Ok(item) => Ok(Some(item)),
        Err(ExecutionError::NoSuchKey(_)) => Ok(None),
        Err(_) => Err(no_fields()),
    }
}

fn matches<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [text, pattern] = two(arguments)?;
    let (Some(text), Some(pattern)) = (text.downcast_ref::<CelString<'_>>(), pattern.downcast_ref::<CelString<'_>>())
    else {
        let types = [&text, &pattern].map(|value| value.get_type().name().to_owned());
        return Err(ExecutionError::no_such_member_overload("matches", types.to_vec()));
    };
    spend(1 + text.inner().len() as u64 / MATCHING)?;
    let is_match = PATTERNS.with_borrow_mut(|patterns| match patterns.get(pattern.inner()) {
        Some(compiled) => Ok(compiled.is_match(text.inner())),
        None => compile_pattern(pattern.inner()).map(|compiled| {
            let is_match = compiled.is_match(text.inner());
            patterns.insert(pattern.inner().to_owned(), compiled);
            is_match
        }),
    });
    let is_match = is_match.map_err(|why| ExecutionError::function_error("matches", why))?;
    Ok(CowVal::owned(CelBool::from(is_match)))
}

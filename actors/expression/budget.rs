//! What an evaluation may cost.

use cel_interpreter::common::types::{CelBytes, CelList, CelMap, CelOptional, CelString};
use cel_interpreter::common::value::Val;
use cel_interpreter::{Context, ExecutionError, IdedExpr, Value as CelValue};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What evaluations that belong together, such as those of all rules of one call, may cost.
#[derive(Debug)]
pub struct Budget {
    left: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: STEPS_MAX }
    }
}

/// About as many steps as fit into a quarter of a second; a step is one part of an expression, one
/// value that is copied or compared, or [`BYTES_PER_STEP`] of text.
const STEPS_MAX: u64 = 2_000_000;
/// How much text is one step.
const BYTES_PER_STEP: usize = 16;
/// What is said of a condition that would take longer.
const TOO_COSTLY: &str = "takes too long: it loops over too much";

thread_local! {
    /// The steps that the evaluation on this thread has left; an evaluation never waits.
    static LEFT: Cell<u64> = const { Cell::new(0) };
}

/// Evaluates `expression` within the bounds.
///
/// # Errors
/// Why it has no value, without repeating what it was about.
pub(super) fn evaluate(
    expression: &IdedExpr,
    context: &Context<'_, '_>,
    budget: &mut Budget,
) -> Result<CelValue, String> {
    LEFT.set(budget.left);
    // The evaluator is not ours. It changes nothing that outlives it, so nothing can be left half done.
    let outcome = catch_unwind(AssertUnwindSafe(|| CelValue::resolve(expression, context)));
    // `||` can turn the error of a part into a result, and what was cut short is no result.
    budget.left = LEFT.get();
    if budget.left == 0 {
        return Err(TOO_COSTLY.to_owned());
    }
    match outcome {
        Ok(result) => result.map_err(|error| describe(&error)),
        Err(_panic) => Err("could not be evaluated".to_owned()),
    }
}

/// Takes steps away.
///
/// # Errors
/// When none are left.
pub(super) fn spend(steps: u64) -> Result<(), ExecutionError> {
    let left = LEFT.get().saturating_sub(steps);
    LEFT.set(left);
    if left == 0 { Err(ExecutionError::InternalError(TOO_COSTLY.to_owned())) } else { Ok(()) }
}

/// Takes away what it costs to look at all of `value`, and `weight` more for each of its items.
///
/// # Errors
/// When no steps are left.
pub(super) fn spend_on(value: &dyn Val, weight: u64) -> Result<(), ExecutionError> {
    let text = |bytes: usize| spend(1 + (bytes / BYTES_PER_STEP) as u64);
    if let Some(string) = value.downcast_ref::<CelString<'_>>() {
        text(string.inner().len())
    } else if let Some(bytes) = value.downcast_ref::<CelBytes<'_>>() {
        text(bytes.inner().len())
    } else if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        spend(1 + weight.saturating_mul(list.inner().len() as u64))?;
        list.inner().iter().try_for_each(|item| spend_on(item.as_ref(), 0))
    } else if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
        spend(1 + weight.saturating_mul(map.inner().len() as u64))?;
        map.inner().iter().try_for_each(|(key, item)| {
            spend_on(key.inner(), 0)?;
            spend_on(item.as_ref(), 0)
        })
    } else if let Some(inner) = value.downcast_ref::<CelOptional<'_>>().and_then(CelOptional::inner) {
        spend_on(inner, weight)
    } else {
        spend(1 + weight)
    }
}

fn describe(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(_)
        | ExecutionError::UndeclaredReference(_)
        | ExecutionError::NoSuchOverload(_)
        | ExecutionError::UnexpectedType { .. }
        | ExecutionError::InvalidArgumentCount { .. } => error.to_string(),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "divides by zero".to_owned(),
        ExecutionError::Overflow(..) => "a number becomes too large".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "an index is beyond the end of a list".to_owned(),
        _ => "a value is missing or of the wrong type".to_owned(),
    }
}

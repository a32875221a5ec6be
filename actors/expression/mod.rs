//! Conditions in CEL: how they are compiled, and what they may name. Policies are made of them,
//! and so is what the operator says about people.
//!
//! Plain rules without a mailbox. What cannot be evaluated is an error and never true or false:
//! whoever asks decides which of the two is the safe one. What an evaluation may cost is bounded,
//! whatever the condition says and whatever it is about.

mod budget;
mod compile;
mod error;
mod explain;
mod functions;
#[cfg(test)]
mod fuzz;
mod guard;
mod json;
mod kinds;
mod names;
#[cfg(test)]
mod tests;
mod tokens;

pub use budget::Budget;
pub use error::{ExpressionError, ExpressionErrorKind, Span};
pub use explain::{Explanation, Part};
pub use json::{cel_value, kept_cel_value};

use budget::evaluate;
use cel_interpreter::{Context, Env, Program, Value as CelValue};
use functions::add_functions;
use std::sync::{Arc, OnceLock};

/// A condition that compiled. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Expression {
    compiled: Arc<Compiled>,
}

/// What is kept of a condition.
#[derive(Debug)]
struct Compiled {
    text: String,
    /// As it was written, with the places of its parts.
    program: Program,
    /// As it is evaluated.
    guarded: cel_interpreter::IdedExpr,
    /// The variables that it names, each once.
    variables: Vec<String>,
}

impl Expression {
    /// Compiles `condition`, which may name the variables `known`.
    ///
    /// # Errors
    /// The first thing that is wrong with it: it does not parse, names something that does not
    /// exist, or can never be true or false.
    pub fn compile(condition: &str, known: &[&str]) -> Result<Self, ExpressionError> {
        let first = |errors: Vec<ExpressionError>| errors.into_iter().next();
        Self::compile_all(condition, known).map_err(|errors| first(errors).unwrap_or_else(ExpressionError::compiler))
    }

    /// The same for somebody who wants to know everything that is wrong with it.
    ///
    /// # Errors
    /// All of it, in the order of the text: never empty.
    pub fn compile_all(condition: &str, known: &[&str]) -> Result<Self, Vec<ExpressionError>> {
        compile::compile(condition, known).map(|compiled| Self { compiled: Arc::new(compiled) })
    }

    /// Whether the condition holds.
    ///
    /// # Errors
    /// Why it cannot be told. The values that it is about are not repeated, since they may be secret.
    pub fn holds(&self, context: &Context<'_, '_>) -> Result<bool, String> {
        self.holds_within(context, &mut Budget::default())
    }

    /// The same for one of several conditions, which share what they may cost.
    ///
    /// # Errors
    /// As [`Self::holds`].
    pub fn holds_within(&self, context: &Context<'_, '_>, budget: &mut Budget) -> Result<bool, String> {
        truth(evaluate(&self.compiled.guarded, context, budget)?)
    }

    /// The variables that the condition names, each once; no others need be there.
    #[must_use]
    pub fn variables(&self) -> &[String] {
        &self.compiled.variables
    }

    /// How the condition came to what it says, part by part, for a person who wonders.
    #[must_use]
    pub fn explain(&self, context: &Context<'_, '_>) -> Explanation {
        explain::explain(&self.compiled, context)
    }
}

fn truth(value: CelValue) -> Result<bool, String> {
    match value {
        CelValue::Bool(holds) => Ok(holds),
        other => Err(format!("gives a {} instead of true or false", other.type_of())),
    }
}

/// What conditions are evaluated in; the standard library is built once.
#[must_use]
pub fn context() -> Context<'static, 'static> {
    Context::with_env(Arc::clone(environment()))
}

fn environment() -> &'static Arc<Env> {
    static ENVIRONMENT: OnceLock<Arc<Env>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut environment = Env::stdlib();
        add_functions(&mut environment);
        Arc::new(environment)
    })
}

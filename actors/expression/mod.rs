//! Conditions in CEL: how they are compiled, and what they may name. Policies are made of them,
//! and so is what the operator says about people.
//!
//! Plain rules without a mailbox. What cannot be evaluated is an error and never true or false:
//! whoever asks decides which of the two is the safe one.

mod names;
#[cfg(test)]
mod tests;

use cel_interpreter::{Context, Env, ExecutionError, Program, Value as CelValue};
use names::{USER_FIELDS, UnknownName, unknown_names};
use std::sync::{Arc, OnceLock};

/// Longer conditions are refused: the evaluator is recursive, and a chain of thousands of
/// operators would exhaust its stack.
const CONDITION_BYTES_MAX: usize = 4_096;
/// The parser needs several KiB of stack per level of nesting.
const COMPILER_STACK_BYTES: usize = 16 * 1024 * 1024;

/// What is wrong with a condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// It is longer than anyone needs.
    #[error("is longer than {CONDITION_BYTES_MAX} bytes")]
    TooLong,
    /// It is no expression.
    #[error("does not parse at line {line}, column {column}: {message}")]
    Syntax {
        /// The line in the condition, from 1.
        line: isize,
        /// The column, from 1.
        column: isize,
        /// What was expected there.
        message: String,
    },
    /// It names a variable that does not exist where it stands.
    #[error("'{name}' is not known here; the names are: {known}")]
    UnknownVariable {
        /// The name.
        name: String,
        /// Those that exist.
        known: String,
    },
    /// It names a field of `user` that does not exist.
    #[error("'user.{0}' does not exist; the fields of user are: {known}", known = USER_FIELDS.join(", "))]
    UnknownUserField(String),
    /// The compiler itself failed.
    #[error("could not be compiled")]
    CompilerFailed,
}

/// A condition that compiled. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Expression {
    program: Arc<Program>,
}

impl Expression {
    /// Compiles `condition`, which may name the variables `known`.
    ///
    /// # Errors
    /// When it does not parse, or names something that does not exist.
    pub fn compile(condition: &str, known: &[&str]) -> Result<Self, ExpressionError> {
        if condition.len() > CONDITION_BYTES_MAX {
            return Err(ExpressionError::TooLong);
        }
        let compile = || compile(condition, known);
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("compiler".to_owned()).stack_size(COMPILER_STACK_BYTES);
            let work = thread.spawn_scoped(scope, compile).map_err(|_| ExpressionError::CompilerFailed)?;
            work.join().unwrap_or(Err(ExpressionError::CompilerFailed))
        })
    }

    /// Whether the condition holds.
    ///
    /// # Errors
    /// Why it cannot be told. The values that it is about are not repeated, since they may be secret.
    pub fn holds(&self, context: &Context<'_, '_>) -> Result<bool, String> {
        match self.program.execute(context) {
            Ok(CelValue::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("gives a {} instead of true or false", other.type_of())),
            Err(error) => Err(describe(&error)),
        }
    }
}

/// What conditions are evaluated in; the standard library is built once.
#[must_use]
pub fn context() -> Context<'static, 'static> {
    Context::with_env(Arc::clone(environment()))
}

fn environment() -> &'static Arc<Env> {
    static ENVIRONMENT: OnceLock<Arc<Env>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| Arc::new(Env::stdlib()))
}

fn compile(condition: &str, known: &[&str]) -> Result<Expression, ExpressionError> {
    let program = environment().compile(condition).map_err(|errors| {
        errors.errors.first().map_or(ExpressionError::CompilerFailed, |error| ExpressionError::Syntax {
            line: error.pos.0,
            column: error.pos.1,
            message: error.msg.clone(),
        })
    })?;
    match unknown_names(program.expression(), known).into_iter().next() {
        None => Ok(Expression { program: Arc::new(program) }),
        Some(UnknownName::Variable(name)) => Err(ExpressionError::UnknownVariable { name, known: known.join(", ") }),
        Some(UnknownName::UserField(name)) => Err(ExpressionError::UnknownUserField(name)),
    }
}

fn describe(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(_)
        | ExecutionError::UndeclaredReference(_)
        | ExecutionError::NoSuchOverload(_)
        | ExecutionError::InvalidArgumentCount { .. } => error.to_string(),
        _ => "a value is missing or of the wrong type".to_owned(),
    }
}

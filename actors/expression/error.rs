//! What is wrong with a condition, and where in its text.

use super::names::USER_FIELDS;

/// A part of a condition's text, counted in characters from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first character.
    pub start: usize,
    /// The one after the last.
    pub end: usize,
}

/// A fault of a condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct ExpressionError {
    /// What it is.
    pub kind: ExpressionErrorKind,
    /// Where it is, when it is somewhere.
    pub at: Option<Span>,
}

/// What is wrong with a condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionErrorKind {
    /// It is longer than anyone needs.
    #[error("is longer than {max} bytes", max = super::compile::CONDITION_BYTES_MAX)]
    TooLong,
    /// Its parts are nested deeper than can be evaluated on an ordinary stack.
    #[error("is nested too deeply, or a chain of too many operators; split it into several rules")]
    TooDeep,
    /// It is no expression.
    #[error("does not parse: {0}")]
    Syntax(String),
    /// It names a variable that does not exist where it stands.
    #[error("'{name}' is not known here; the names are: {known}{hint}", hint = hint(name))]
    UnknownVariable {
        /// The name.
        name: String,
        /// Those that exist.
        known: String,
    },
    /// It names a field of `user` that does not exist.
    #[error("'user.{0}' does not exist; the fields of user are: {known}", known = USER_FIELDS.join(", "))]
    UnknownUserField(String),
    /// It calls a function that does not exist.
    #[error("there is no function '{0}'{hint}", hint = hint(.0))]
    UnknownFunction(String),
    /// It can never be true or false.
    #[error("this is a {0} and not true or false; compare it with something")]
    NotBoolean(&'static str),
    /// A pattern that is worked out while the condition is evaluated.
    #[error("the pattern of matches must be a text in quotes, so that it can be checked beforehand")]
    PatternNotLiteral,
    /// A pattern that is no regular expression.
    #[error("the pattern is no regular expression that can be used: {0}")]
    Pattern(String),
    /// The compiler itself failed.
    #[error("could not be compiled")]
    CompilerFailed,
}

/// What CEL has instead of a word that other languages have.
pub(super) fn foreign_word_hint(word: &str) -> Option<String> {
    let instead = match word {
        "and" | "AND" | "And" => "&&",
        "or" | "OR" | "Or" => "||",
        "not" | "NOT" | "Not" => "!",
        "is" => "==",
        "True" | "TRUE" => "true",
        "False" | "FALSE" => "false",
        "None" | "nil" | "NULL" | "Null" => "null",
        _ => return None,
    };
    Some(format!("; CEL writes {instead} for '{word}'"))
}

fn hint(word: &str) -> String {
    foreign_word_hint(word).unwrap_or_default()
}

impl ExpressionError {
    pub(super) fn new(kind: ExpressionErrorKind, at: Option<Span>) -> Self {
        Self { kind, at }
    }

    pub(super) fn compiler() -> Self {
        Self::new(ExpressionErrorKind::CompilerFailed, None)
    }
}

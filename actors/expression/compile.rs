//! From a text to an expression that is safe to evaluate.

use super::error::{ExpressionError, ExpressionErrorKind, Span, foreign_word_hint};
use super::guard::guarded;
use super::kinds::not_boolean;
use super::names::check_names;
use super::tokens::Tokens;
use super::{Compiled, environment};
use cel_interpreter::common::ast::{EntryExpr, Expr, SourceInfo};
use cel_interpreter::{IdedExpr, ParseError};

/// Longer conditions are refused: nobody can review them, and work grows with them.
pub(super) const CONDITION_BYTES_MAX: usize = 4_096;
/// The evaluator is recursive, and runs on threads with 2 MiB of stack.
pub(super) const DEPTH_MAX: usize = 128;
/// The parser needs several KiB of stack per level of nesting.
const COMPILER_STACK_BYTES: usize = 16 * 1024 * 1024;

/// Compiles on a thread with a stack that is large enough for anything of the permitted length.
pub(super) fn compile(condition: &str, known: &[&str]) -> Result<Compiled, Vec<ExpressionError>> {
    if condition.len() > CONDITION_BYTES_MAX {
        return Err(vec![ExpressionError::new(ExpressionErrorKind::TooLong, None)]);
    }
    let failed = || vec![ExpressionError::compiler()];
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("compiler".to_owned()).stack_size(COMPILER_STACK_BYTES);
        let work = thread.spawn_scoped(scope, || compile_here(condition, known)).map_err(|_| failed())?;
        work.join().unwrap_or_else(|_| Err(failed()))
    })
}

fn compile_here(condition: &str, known: &[&str]) -> Result<Compiled, Vec<ExpressionError>> {
    let program = environment().compile(condition).map_err(|errors| {
        let first = errors.errors.first();
        vec![first.map_or_else(ExpressionError::compiler, |error| syntax_error(condition, error))]
    })?;
    let checked = check_names(program.expression(), known);
    let tokens = Tokens::of(condition);
    let place = |id| span_of(program.source_info(), id);
    let whole = |id| {
        let extent = find_node(program.expression(), id).and_then(|node| tokens.extent_of(node, program.source_info()));
        extent.or_else(|| place(id))
    };
    let fault = |(id, kind)| match &kind {
        ExpressionErrorKind::UnknownFunction(_) => {
            let at = place(id).map(|at| with_name_before(condition, at));
            ExpressionError::new(kind, at)
        }
        ExpressionErrorKind::UnknownUserField(field) => {
            let at = place(id).map(|at| with_name_behind(condition, at, field));
            ExpressionError::new(kind, at)
        }
        ExpressionErrorKind::PatternNotLiteral => ExpressionError::new(kind, whole(id)),
        _ => ExpressionError::new(kind, place(id)),
    };
    let mut errors: Vec<_> = checked.faults.into_iter().map(fault).collect();
    if checked.depth > DEPTH_MAX {
        errors.push(ExpressionError::new(ExpressionErrorKind::TooDeep, None));
    }
    if let Some((id, kind)) = not_boolean(program.expression()) {
        errors.push(ExpressionError::new(ExpressionErrorKind::NotBoolean(kind), whole(id)));
    }
    if !errors.is_empty() {
        errors.sort_by_key(|error| error.at.map_or(usize::MAX, |at| at.start));
        return Err(errors);
    }
    Ok(Compiled {
        text: condition.to_owned(),
        guarded: guarded(program.expression()),
        variables: checked.variables,
        program,
    })
}

/// The node of that number.
fn find_node(node: &IdedExpr, id: u64) -> Option<&IdedExpr> {
    if node.id == id {
        return Some(node);
    }
    let find = |node| find_node(node, id);
    match &node.expr {
        Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) | Expr::Struct(_) => None,
        Expr::Select(select) => find(&select.operand),
        Expr::Call(call) => call.target.iter().map(Box::as_ref).chain(&call.args).find_map(find),
        Expr::List(list) => list.elements.iter().find_map(find),
        Expr::Map(map) => map.entries.iter().find_map(|entry| match &entry.expr {
            EntryExpr::StructField(field) => find(&field.value),
            EntryExpr::MapEntry(pair) => [&pair.key, &pair.value].into_iter().find_map(find),
        }),
        Expr::Comprehension(of) => [&of.iter_range, &of.loop_step, &of.result].into_iter().find_map(find),
    }
}

/// Where the token is that the node `id` was made from. The parser counts in bytes.
pub(super) fn span_of(source: &SourceInfo, id: u64) -> Option<Span> {
    let (first, last) = source.offset_for(id)?;
    let (first, last) = (usize::try_from(first).ok()?, usize::try_from(last.max(first)).ok()?);
    let characters_before = |byte: usize| source.source.char_indices().take_while(|(at, _)| *at < byte).count();
    Some(Span { start: characters_before(first), end: characters_before(last + 1) })
}

/// The token of a call is its bracket; the name before it is the place to look at.
fn with_name_before(condition: &str, at: Span) -> Span {
    let before: Vec<char> = condition.chars().take(at.start).collect();
    let name = before.iter().rev().take_while(|letter| letter.is_alphanumeric() || **letter == '_').count();
    if name == 0 { at } else { Span { start: at.start - name, end: at.start } }
}

/// The token is that of the variable; its field is a part of the fault.
fn with_name_behind(condition: &str, at: Span, field: &str) -> Span {
    let behind: String = condition.chars().skip(at.end).collect();
    let before = behind.find(field).and_then(|start| behind.get(..start));
    before.map_or(at, |before| Span { end: at.end + before.chars().count() + field.chars().count(), ..at })
}

/// The parser counts lines and columns from 1. Its words are for people who know its grammar; the
/// lists of tokens that it expects are left out.
fn syntax_error(condition: &str, error: &ParseError) -> ExpressionError {
    let (line, column) = (usize::try_from(error.pos.0).unwrap_or(1), usize::try_from(error.pos.1).unwrap_or(1));
    let before: usize =
        condition.split_inclusive('\n').take(line.saturating_sub(1)).map(|line| line.chars().count()).sum();
    // What is missing at the end is missing behind the last word, and not on a line that follows.
    let length = condition.trim_end().chars().count();
    let start = (before + column.saturating_sub(1)).min(length);
    let message = error.msg.split(" expecting ").next().unwrap_or_default();
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message).trim().replace("<EOF>", "the end");
    let hint = Tokens::of(condition).words_back_from(start).find_map(|word| foreign_word_hint(&word));
    let message = message + &hint.unwrap_or_default();
    ExpressionError::new(ExpressionErrorKind::Syntax(message), Some(Span { start, end: start + 1 }))
}

//! How a condition came to what it says.

use super::budget::{Budget, evaluate};
use super::tokens::Tokens;
use super::{Compiled, truth};
use cel_interpreter::common::ast::operators::{CONDITIONAL, LOGICAL_AND, LOGICAL_NOT, LOGICAL_OR};
use cel_interpreter::common::ast::{EntryExpr, Expr};
use cel_interpreter::{Context, IdedExpr};
use serde_json::Value;

/// Parts of parts are told down to here.
const DEPTH_MAX: usize = 16;

/// How a condition came to what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// What it says, or why it says nothing.
    pub outcome: Result<bool, String>,
    /// Its parts, each after the part that it belongs to; none for a condition of one part.
    pub parts: Vec<Part>,
    /// The values of the variables and fields that it names, each once; null where one is missing.
    pub seen: Vec<(String, Value)>,
}

/// A part of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// How deep it is: parts of the condition are at 1.
    pub depth: usize,
    /// The part as it is written.
    pub text: String,
    /// What it says, or why it says nothing; `None` when it was not looked at, because another
    /// part had decided.
    pub outcome: Option<Result<bool, String>>,
}

pub(super) fn explain(compiled: &Compiled, context: &Context<'_, '_>) -> Explanation {
    let mut telling = Telling { compiled, tokens: Tokens::of(&compiled.text), context, parts: Vec::new() };
    let outcome = telling.judge(compiled.program.expression());
    telling.tell_parts(compiled.program.expression(), 1, true);
    let mut seen = Vec::new();
    find_seen(compiled.program.expression(), &compiled.variables, context, &mut seen);
    Explanation { outcome, parts: telling.parts, seen }
}

struct Telling<'c, 'p, 'v> {
    compiled: &'c Compiled,
    tokens: Tokens,
    context: &'c Context<'p, 'v>,
    parts: Vec<Part>,
}

impl Telling<'_, '_, '_> {
    fn judge(&self, node: &IdedExpr) -> Result<bool, String> {
        let guarded = super::guard::guarded(node);
        truth(evaluate(&guarded, self.context, &mut Budget::default())?)
    }

    /// Tells the parts that `node` is made of by `&&`, `||`, `!` and `?:`.
    fn tell_parts(&mut self, node: &IdedExpr, depth: usize, is_looked_at: bool) {
        let Expr::Call(call) = &node.expr else { return };
        if depth > DEPTH_MAX {
            return;
        }
        match (call.func_name.as_str(), call.args.as_slice()) {
            (LOGICAL_NOT, [inner]) => drop(self.tell(inner, depth, is_looked_at)),
            (operator @ (LOGICAL_AND | LOGICAL_OR), _) => {
                let decisive = Ok(operator == LOGICAL_OR);
                let mut is_looked_at = is_looked_at;
                let mut terms = Vec::new();
                flatten(node, operator, &mut terms);
                for term in terms {
                    if self.tell(term, depth, is_looked_at) == Some(decisive.clone()) {
                        is_looked_at = false;
                    }
                }
            }
            (CONDITIONAL, [condition, then, otherwise]) => {
                let chosen = self.tell(condition, depth, is_looked_at);
                self.tell(then, depth, chosen == Some(Ok(true)));
                self.tell(otherwise, depth, chosen == Some(Ok(false)));
            }
            _ => {}
        }
    }

    fn tell(&mut self, node: &IdedExpr, depth: usize, is_looked_at: bool) -> Option<Result<bool, String>> {
        let outcome = is_looked_at.then(|| self.judge(node));
        let extent = self.tokens.extent_of(node, self.compiled.program.source_info());
        let text = extent.map_or_else(|| self.compiled.text.clone(), |extent| self.tokens.text(extent));
        self.parts.push(Part { depth, text, outcome: outcome.clone() });
        self.tell_parts(node, depth + 1, is_looked_at);
        outcome
    }
}

/// The terms of a chain, which the parser makes a tree of.
fn flatten<'e>(node: &'e IdedExpr, operator: &str, terms: &mut Vec<&'e IdedExpr>) {
    match &node.expr {
        Expr::Call(call) if call.func_name == operator => {
            call.args.iter().for_each(|argument| flatten(argument, operator, terms));
        }
        _ => terms.push(node),
    }
}

/// Finds variables, and fields of variables by constant names, as far as they go.
fn find_seen(node: &IdedExpr, variables: &[String], context: &Context<'_, '_>, seen: &mut Vec<(String, Value)>) {
    if let Some(name) = path_of(node, variables) {
        if !seen.iter().any(|(known, _)| *known == name) {
            let value = evaluate(node, context, &mut Budget::default()).ok().and_then(|value| value.json().ok());
            seen.push((name, value.unwrap_or(Value::Null)));
        }
        return;
    }
    let mut look = |node: &IdedExpr| find_seen(node, variables, context, seen);
    match &node.expr {
        Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) | Expr::Struct(_) => {}
        Expr::Select(select) if select.test => match path_of(&select.operand, variables) {
            Some(_) => {
                let field = cel_interpreter::common::ast::SelectExpr { test: false, ..select.clone() };
                look(&IdedExpr { id: 0, expr: Expr::Select(field) });
            }
            None => look(&select.operand),
        },
        Expr::Select(select) => look(&select.operand),
        Expr::Call(call) => call.target.iter().map(Box::as_ref).chain(&call.args).for_each(look),
        Expr::List(list) => list.elements.iter().for_each(look),
        Expr::Map(map) => map.entries.iter().for_each(|entry| match &entry.expr {
            EntryExpr::StructField(field) => look(&field.value),
            EntryExpr::MapEntry(pair) => [&pair.key, &pair.value].into_iter().for_each(&mut look),
        }),
        Expr::Comprehension(of) => [&of.iter_range, &of.loop_step, &of.result].into_iter().for_each(look),
    }
}

/// `a.b.c` of a variable that the condition may name.
fn path_of(node: &IdedExpr, variables: &[String]) -> Option<String> {
    match &node.expr {
        Expr::Ident(name) => variables.contains(name).then(|| name.clone()),
        Expr::Select(select) if !select.test => {
            path_of(&select.operand, variables).map(|operand| format!("{operand}.{}", select.field))
        }
        _ => None,
    }
}

//! An expression as it is evaluated: as it was written, with calls in it that count what it costs.
//!
//! The evaluator knows no limit. `list.all(x, list.all(y, …))` takes as long as the caller's list
//! is long, squared, and `['x'].map(a, a + a).map(b, b + b)…` doubles a text with every step. So
//! whatever can grow is counted where it is looped over, copied or searched: outside of loops work
//! grows with the text of the condition, which is short.

use super::functions::{CHARGE, HAS, MATCHES, MAYBE};
use cel_interpreter::IdedExpr;
use cel_interpreter::common::ast::operators::{
    ADD, CONDITIONAL, EQUALS, GREATER, GREATER_EQUALS, LESS, LESS_EQUALS, LOGICAL_AND, LOGICAL_NOT, LOGICAL_OR,
    NOT_EQUALS, OPT_SELECT,
};
use cel_interpreter::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr, ListExpr, LiteralValue, MapEntryExpr, MapExpr,
    SelectExpr,
};

/// The same expression with its work counted. `has(x.y)` and `x.?y` take null for nothing, because
/// what is not known of a user, and what SQL does not know, is null.
pub(super) fn guarded(expression: &IdedExpr) -> IdedExpr {
    rewrite(expression, false)
}

fn rewrite(node: &IdedExpr, in_loop: bool) -> IdedExpr {
    let expr = match &node.expr {
        Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) | Expr::Struct(_) => node.expr.clone(),
        Expr::Select(select) if select.test => {
            let field = Expr::Literal(LiteralValue::String(select.field.clone().into()));
            call(HAS, vec![rewrite(&select.operand, in_loop), IdedExpr { id: 0, expr: field }])
        }
        Expr::Select(select) => Expr::Select(SelectExpr {
            operand: Box::new(rewrite(&select.operand, in_loop)),
            field: select.field.clone(),
            test: false,
        }),
        Expr::Call(of) => rewrite_call(of, in_loop),
        Expr::List(list) => Expr::List(ListExpr::new_with_optionals(
            list.elements.iter().map(|element| charged(rewrite(element, in_loop))).collect(),
            list.optional_indices.clone(),
        )),
        Expr::Map(map) => {
            Expr::Map(MapExpr { entries: map.entries.iter().map(|entry| rewrite_entry(entry, in_loop)).collect() })
        }
        Expr::Comprehension(comprehension) => Expr::Comprehension(Box::new(rewrite_loop(comprehension, in_loop))),
    };
    IdedExpr { id: node.id, expr }
}

fn rewrite_call(of: &CallExpr, in_loop: bool) -> Expr {
    let name = of.func_name.as_str();
    let mut args: Vec<IdedExpr> = of.args.iter().map(|argument| rewrite(argument, in_loop)).collect();
    let target = of.target.as_ref().map(|target| rewrite(target, in_loop));
    if name == OPT_SELECT {
        return call(MAYBE, args.into_iter().map(|arg| if in_loop { charged(arg) } else { arg }).collect());
    }
    if name == "matches" {
        // Called on a text or with it.
        let texts = target.into_iter().chain(args);
        return call(MATCHES, texts.map(charged).collect());
    }
    let has_literal = args.iter().any(is_literal);
    let is_accumulating =
        matches!(of.args.first(), Some(IdedExpr { expr: Expr::Ident(name), .. }) if name.starts_with('@'));
    let is_bounded = match name {
        LOGICAL_AND | LOGICAL_OR | LOGICAL_NOT | CONDITIONAL => true,
        EQUALS | NOT_EQUALS | LESS | LESS_EQUALS | GREATER | GREATER_EQUALS => has_literal,
        // What a loop collects is counted when it is added to the list.
        ADD => is_accumulating,
        _ => false,
    };
    if !is_bounded && (in_loop || name == ADD) {
        args = args.into_iter().map(charged).collect();
        return Expr::Call(CallExpr {
            func_name: of.func_name.clone(),
            target: target.map(|target| Box::new(charged(target))),
            args,
        });
    }
    Expr::Call(CallExpr { func_name: of.func_name.clone(), target: target.map(Box::new), args })
}

fn rewrite_entry(entry: &IdedEntryExpr, in_loop: bool) -> IdedEntryExpr {
    let expr = match &entry.expr {
        EntryExpr::StructField(_) => entry.expr.clone(),
        EntryExpr::MapEntry(pair) => EntryExpr::MapEntry(MapEntryExpr {
            key: charged(rewrite(&pair.key, in_loop)),
            value: charged(rewrite(&pair.value, in_loop)),
            optional: pair.optional,
        }),
    };
    IdedEntryExpr { id: entry.id, expr }
}

/// Counts the items before they are looped over, each with the parts of the loop's body.
fn rewrite_loop(of: &ComprehensionExpr, in_loop: bool) -> ComprehensionExpr {
    let weight = size(&of.loop_step) + size(&of.loop_cond);
    ComprehensionExpr {
        iter_range: charge(rewrite(&of.iter_range, in_loop), weight),
        iter_var: of.iter_var.clone(),
        iter_var2: of.iter_var2.clone(),
        accu_var: of.accu_var.clone(),
        accu_init: rewrite(&of.accu_init, in_loop),
        loop_cond: rewrite(&of.loop_cond, true),
        loop_step: rewrite(&of.loop_step, true),
        result: rewrite(&of.result, in_loop),
    }
}

fn call(name: &str, args: Vec<IdedExpr>) -> Expr {
    Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args })
}

fn charged(node: IdedExpr) -> IdedExpr {
    if is_literal(&node) { node } else { charge(node, 0) }
}

fn charge(node: IdedExpr, weight: i64) -> IdedExpr {
    let weight = IdedExpr { id: 0, expr: Expr::Literal(LiteralValue::Int(weight.into())) };
    IdedExpr { id: 0, expr: call(CHARGE, vec![node, weight]) }
}

const fn is_literal(node: &IdedExpr) -> bool {
    matches!(node.expr, Expr::Literal(_))
}

/// The parts of an expression.
fn size(node: &IdedExpr) -> i64 {
    let all = |nodes: &[IdedExpr]| nodes.iter().map(size).sum::<i64>();
    1 + match &node.expr {
        Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) | Expr::Struct(_) => 0,
        Expr::Select(select) => size(&select.operand),
        Expr::Call(call) => call.target.as_deref().map_or(0, size) + all(&call.args),
        Expr::List(list) => all(&list.elements),
        Expr::Map(map) => map
            .entries
            .iter()
            .map(|entry| match &entry.expr {
                EntryExpr::StructField(field) => size(&field.value),
                EntryExpr::MapEntry(pair) => size(&pair.key) + size(&pair.value),
            })
            .sum(),
        // What is inside of an inner loop is counted when that one runs.
        Expr::Comprehension(inner) => size(&inner.iter_range) + size(&inner.accu_init) + size(&inner.result),
    }
}

//! What can be told of a value's kind from the text alone: enough to refuse `user.role` as a
//! condition, which its author takes for "has a role" and which denies everybody.

use cel_interpreter::IdedExpr;
use cel_interpreter::common::ast::operators::{
    ADD, CONDITIONAL, DIVIDE, LOGICAL_AND, LOGICAL_NOT, LOGICAL_OR, MODULO, MULTIPLY, NEGATE, SUBSTRACT,
};
use cel_interpreter::common::ast::{CallExpr, Expr, LiteralValue};

/// The part of `expression` that has to be true or false and cannot be, and what it is instead.
pub(super) fn not_boolean(expression: &IdedExpr) -> Option<(u64, &'static str)> {
    let fault = |kind| Some((expression.id, kind));
    match &expression.expr {
        Expr::Literal(literal) => literal_kind(literal).and_then(fault),
        Expr::List(_) => fault("list"),
        Expr::Map(_) => fault("map"),
        Expr::Ident(name) if name == "user" => fault("map"),
        Expr::Select(select) if !select.test && is_user(&select.operand) => {
            user_field_kind(&select.field).and_then(fault)
        }
        Expr::Call(call) => not_boolean_call(expression.id, call),
        _ => None,
    }
}

fn not_boolean_call(id: u64, call: &CallExpr) -> Option<(u64, &'static str)> {
    match (call.func_name.as_str(), call.args.as_slice()) {
        (LOGICAL_AND | LOGICAL_OR | LOGICAL_NOT, parts) => parts.iter().find_map(not_boolean),
        (CONDITIONAL, [condition, then, otherwise]) => [condition, then, otherwise].into_iter().find_map(not_boolean),
        (ADD, _) => Some((id, "sum")),
        (SUBSTRACT | MULTIPLY | DIVIDE | MODULO | NEGATE | "size" | "int" | "uint" | "double", _) => {
            Some((id, "number"))
        }
        ("string", _) => Some((id, "text")),
        ("timestamp" | "duration", _) => Some((id, "time")),
        _ => None,
    }
}

fn is_user(node: &IdedExpr) -> bool {
    matches!(&node.expr, Expr::Ident(name) if name == "user")
}

/// Claims can be anything, and `email_verified` is true or false.
fn user_field_kind(field: &str) -> Option<&'static str> {
    match field {
        "id" | "user_id" | "username" | "email" | "name" | "provider" | "role" => Some("text"),
        "permissions" | "groups" | "capabilities" => Some("list"),
        "claims" => Some("map"),
        _ => None,
    }
}

const fn literal_kind(literal: &LiteralValue) -> Option<&'static str> {
    match literal {
        LiteralValue::Boolean(_) => None,
        LiteralValue::Bytes(_) | LiteralValue::String(_) => Some("text"),
        LiteralValue::Double(_) | LiteralValue::Int(_) | LiteralValue::UInt(_) => Some("number"),
        LiteralValue::Null => Some("null"),
    }
}

//! Which names an expression uses: what cel leaves to run time is refused when it is loaded.

use super::error::ExpressionErrorKind;
use super::functions::compile_pattern;
use cel_interpreter::IdedExpr;
use cel_interpreter::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue};

/// The fields of `user`, as `Principal::policy_user` fills them.
pub(super) const USER_FIELDS: [&str; 12] = [
    "id",
    "user_id",
    "username",
    "email",
    "email_verified",
    "name",
    "provider",
    "role",
    "permissions",
    "groups",
    "capabilities",
    "claims",
];

/// Names of types, which are values in CEL.
const TYPE_NAMES: [&str; 11] =
    ["bool", "bytes", "double", "duration", "int", "list", "map", "null_type", "string", "timestamp", "type"];

/// Functions that are called by their name alone.
const FUNCTIONS: [&str; 12] =
    ["bool", "bytes", "double", "duration", "dyn", "int", "matches", "size", "string", "timestamp", "type", "uint"];

/// Functions that are called on a value. Macros such as `exists` are no calls any more.
const MEMBER_FUNCTIONS: [&str; 19] = [
    "contains",
    "endsWith",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "hasValue",
    "matches",
    "or",
    "orValue",
    "size",
    "startsWith",
    "value",
];

/// What was found in an expression.
pub(super) struct Checked {
    /// What is wrong, and the node that it is wrong with.
    pub(super) faults: Vec<(u64, ExpressionErrorKind)>,
    /// The variables that are named, each once.
    pub(super) variables: Vec<String>,
    /// How deep its parts are nested.
    pub(super) depth: usize,
}

/// Looks for names that are neither in `known`, nor bound by a macro such as `exists`.
pub(super) fn check_names(expression: &IdedExpr, known: &[&str]) -> Checked {
    let found = Checked { faults: Vec::new(), variables: Vec::new(), depth: 0 };
    let mut walk = Walk { known, bound: Vec::new(), depth: 0, found };
    walk.visit(expression);
    walk.found
}

struct Walk<'e> {
    known: &'e [&'e str],
    bound: Vec<&'e str>,
    depth: usize,
    found: Checked,
}

impl<'e> Walk<'e> {
    fn visit(&mut self, node: &'e IdedExpr) {
        self.depth += 1;
        self.found.depth = self.found.depth.max(self.depth);
        match &node.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) => self.check_variable(node.id, name),
            Expr::Select(select) => {
                self.visit(&select.operand);
                self.check_user_field(node.id, &select.operand, &select.field);
            }
            Expr::Call(call) => self.visit_call(node.id, call),
            Expr::List(list) => list.elements.iter().for_each(|element| self.visit(element)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.visit_entry(&entry.expr)),
            Expr::Struct(of) => {
                self.note(node.id, ExpressionErrorKind::UnknownFunction(of.type_name.clone()));
            }
            Expr::Comprehension(comprehension) => {
                self.visit(&comprehension.iter_range);
                self.visit(&comprehension.accu_init);
                let outer = self.bound.len();
                self.bound.extend([comprehension.iter_var.as_str(), comprehension.accu_var.as_str()]);
                self.bound.extend(comprehension.iter_var2.as_deref());
                self.visit(&comprehension.loop_cond);
                self.visit(&comprehension.loop_step);
                self.visit(&comprehension.result);
                self.bound.truncate(outer);
            }
        }
        self.depth -= 1;
    }

    fn visit_call(&mut self, id: u64, call: &'e CallExpr) {
        call.target.iter().for_each(|target| self.visit(target));
        call.args.iter().for_each(|argument| self.visit(argument));
        let name = call.func_name.as_str();
        // Those of operators hold signs; one with a dot in front is a name like any other.
        let is_operator = !name.chars().all(|letter| letter.is_alphanumeric() || letter == '_' || letter == '.');
        let functions = if call.target.is_some() { MEMBER_FUNCTIONS.as_slice() } else { &FUNCTIONS };
        if name == "_?._" {
            if let [operand, IdedExpr { expr: Expr::Literal(LiteralValue::String(field)), .. }] = call.args.as_slice() {
                self.check_user_field(id, operand, field.inner());
            }
        } else if !is_operator && !functions.contains(&name) {
            self.note(id, ExpressionErrorKind::UnknownFunction(name.to_owned()));
        } else if name == "matches" {
            self.check_pattern(id, call);
        }
    }

    /// The pattern is the last of them, whether it is called on the text or with it.
    fn check_pattern(&mut self, id: u64, call: &CallExpr) {
        match call.args.last() {
            Some(IdedExpr { id, expr: Expr::Literal(LiteralValue::String(pattern)) }) => {
                if let Err(why) = compile_pattern(pattern.inner()) {
                    self.note(*id, ExpressionErrorKind::Pattern(why));
                }
            }
            Some(other) => self.note(other.id, ExpressionErrorKind::PatternNotLiteral),
            None => self.note(id, ExpressionErrorKind::PatternNotLiteral),
        }
    }

    fn visit_entry(&mut self, entry: &'e EntryExpr) {
        match entry {
            EntryExpr::StructField(field) => self.visit(&field.value),
            EntryExpr::MapEntry(pair) => {
                self.visit(&pair.key);
                self.visit(&pair.value);
            }
        }
    }

    fn check_variable(&mut self, id: u64, name: &str) {
        if name.starts_with('@') || self.bound.contains(&name) {
            return;
        }
        if self.known.contains(&name) {
            if !self.found.variables.iter().any(|variable| variable == name) {
                self.found.variables.push(name.to_owned());
            }
        } else if !TYPE_NAMES.contains(&name) {
            let known = self.known.join(", ");
            self.note(id, ExpressionErrorKind::UnknownVariable { name: name.to_owned(), known });
        }
    }

    fn check_user_field(&mut self, id: u64, operand: &IdedExpr, field: &str) {
        let is_user = matches!(&operand.expr, Expr::Ident(name) if name == "user");
        if is_user && !self.bound.contains(&"user") && !USER_FIELDS.contains(&field) {
            // The token of a selection is its dot; the name of the variable is the place to look at.
            let id = if operand.id == 0 { id } else { operand.id };
            self.note(id, ExpressionErrorKind::UnknownUserField(field.to_owned()));
        }
    }

    fn note(&mut self, id: u64, fault: ExpressionErrorKind) {
        if !self.found.faults.iter().any(|(_, known)| *known == fault) {
            self.found.faults.push((id, fault));
        }
    }
}

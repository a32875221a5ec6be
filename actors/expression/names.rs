//! Which names an expression uses: what cel leaves to run time is refused when it is loaded.

use cel_interpreter::IdedExpr;
use cel_interpreter::common::ast::{EntryExpr, Expr};

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

/// A name that means nothing where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum UnknownName {
    /// No such variable.
    Variable(String),
    /// No such field of `user`.
    UserField(String),
}

/// The names in `expression` that are neither in `known`, nor bound by a macro such as `exists`.
pub(super) fn unknown_names(expression: &IdedExpr, known: &[&str]) -> Vec<UnknownName> {
    let mut walk = Walk { known, bound: Vec::new(), unknown: Vec::new() };
    walk.visit(expression);
    walk.unknown
}

struct Walk<'e> {
    known: &'e [&'e str],
    bound: Vec<&'e str>,
    unknown: Vec<UnknownName>,
}

impl<'e> Walk<'e> {
    fn visit(&mut self, node: &'e IdedExpr) {
        match &node.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) => self.check_variable(name),
            Expr::Select(select) => {
                self.visit(&select.operand);
                let is_user = matches!(&select.operand.expr, Expr::Ident(name) if name == "user");
                if is_user && !self.bound.contains(&"user") && !USER_FIELDS.contains(&select.field.as_str()) {
                    self.note(UnknownName::UserField(select.field.clone()));
                }
            }
            Expr::Call(call) => {
                call.target.iter().for_each(|target| self.visit(target));
                call.args.iter().for_each(|argument| self.visit(argument));
            }
            Expr::List(list) => list.elements.iter().for_each(|element| self.visit(element)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.visit_entry(&entry.expr)),
            Expr::Struct(of) => of.entries.iter().for_each(|entry| self.visit_entry(&entry.expr)),
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

    fn check_variable(&mut self, name: &str) {
        let is_known = name.starts_with('@')
            || self.bound.contains(&name)
            || self.known.contains(&name)
            || TYPE_NAMES.contains(&name);
        if !is_known {
            self.note(UnknownName::Variable(name.to_owned()));
        }
    }

    fn note(&mut self, name: UnknownName) {
        if !self.unknown.contains(&name) {
            self.unknown.push(name);
        }
    }
}

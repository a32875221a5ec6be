//! Covering a provider's tokens in what is written down: SQL may give back what it was shown.

use super::redaction::REDACTED;
use crate::model::secret::Secret;
use serde_json::Value;
use std::sync::Arc;

/// The tokens that the SQL of one call was shown; none as a rule, and two when one was replaced.
#[derive(Debug, Default)]
pub(super) struct ShownTokens(Vec<Secret>);

impl ShownTokens {
    /// Notes a token, before SQL sees it.
    pub(super) fn add(&mut self, token: &Secret) {
        if !token.is_empty() {
            self.0.push(token.clone());
        }
    }

    /// The text without them.
    pub(super) fn cover(&self, text: String) -> String {
        self.0.iter().fold(text, |text, token| text.replace(token.expose(), REDACTED))
    }

    /// The value without them, at any depth; the very same unless there is something to cover.
    pub(super) fn covered(&self, value: Arc<Value>) -> Arc<Value> {
        if !self.is_in(&value) {
            return value;
        }
        let mut value = Arc::unwrap_or_clone(value);
        self.cover_value(&mut value);
        Arc::new(value)
    }

    fn is_in(&self, value: &Value) -> bool {
        if self.0.is_empty() {
            return false;
        }
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
            Value::String(text) => self.is_in_text(text),
            Value::Array(items) => items.iter().any(|item| self.is_in(item)),
            Value::Object(fields) => fields.iter().any(|(name, field)| self.is_in_text(name) || self.is_in(field)),
        }
    }

    fn is_in_text(&self, text: &str) -> bool {
        self.0.iter().any(|token| text.contains(token.expose()))
    }

    fn cover_value(&self, value: &mut Value) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => *text = self.cover(std::mem::take(text)),
            Value::Array(items) => items.iter_mut().for_each(|item| self.cover_value(item)),
            Value::Object(fields) => {
                // A column may be named by what it holds.
                *fields = std::mem::take(fields)
                    .into_iter()
                    .map(|(name, mut field)| {
                        self.cover_value(&mut field);
                        (self.cover(name), field)
                    })
                    .collect();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tokens_are_covered_wherever_they_stand() {
        let mut tokens = ShownTokens::default();
        tokens.add(&Secret::new("gho_one"));
        tokens.add(&Secret::new("gho_two"));
        let value =
            json!([{"token": "gho_one", "echo": {"headers": ["Bearer gho_two!"]}, "col gho_one": 1, "n": null}]);
        let covered = json!([
            {"token": "[REDACTED]", "echo": {"headers": ["Bearer [REDACTED]!"]}, "col [REDACTED]": 1, "n": null}
        ]);
        assert_eq!(*tokens.covered(Arc::new(value)), covered);
        assert_eq!(tokens.cover("could not use gho_one".to_owned()), "could not use [REDACTED]");
    }

    #[test]
    fn what_holds_none_is_not_copied() {
        let mut tokens = ShownTokens::default();
        let value = Arc::new(json!({"a": "b"}));
        tokens.add(&Secret::default());
        assert!(Arc::ptr_eq(&tokens.covered(Arc::clone(&value)), &value));
        tokens.add(&Secret::new("gho_one"));
        assert!(Arc::ptr_eq(&tokens.covered(Arc::clone(&value)), &value));
    }
}

//! Conditions in CEL, and where in the file they go wrong.

use super::Field;
use super::place::Place;
use crate::config::tree::NodeValue;
use mxcp_actors::expression::{Expression, ExpressionError};

impl Field<'_> {
    /// A condition that may name the variables `known`. It is compiled for the sake of its faults, each
    /// of which is pointed at.
    pub(in crate::config) fn condition(&self, known: &[&str]) -> Option<String> {
        let condition = self.nonempty_text()?;
        if let Err(errors) = Expression::compile_all(&condition, known) {
            errors.iter().for_each(|error| self.condition_fault(error));
            return None;
        }
        Some(condition)
    }

    /// Notes what is wrong with a condition, and points at it.
    pub(in crate::config) fn condition_fault(&self, error: &ExpressionError) {
        match self.place_of(error) {
            Some(place) if self.is_active => {
                self.source.fault(place.line, &self.path, format!("{error}\n{}", place.show()));
            }
            _ => self.fault(error.to_string()),
        }
    }

    fn place_of(&self, error: &ExpressionError) -> Option<Place> {
        let NodeValue::Text(text) = &self.node.value else { return None };
        // What came from a variable does not stand in the file, and may be secret.
        let resolved = self.source.references.as_ref().map(|references| references.resolve(text));
        let stands_there = resolved.is_none_or(|resolved| resolved.is_ok_and(|resolved| resolved == *text));
        let at = error.at.filter(|_| stands_there)?;
        Place::find(self.source.text.as_deref()?, self.node.written_at, text, (at.start, at.end))
    }
}

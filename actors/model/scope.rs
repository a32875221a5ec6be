//! Sets of OAuth scopes (RFC 6749 section 3.3).

use serde::{Deserialize, Serialize};
use std::fmt;

/// A set of scopes that keeps the order in which they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScopeSet(Vec<String>);

impl ScopeSet {
    /// Reads a space-separated list; `None` when a scope holds a character that RFC 6749 forbids.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut scopes = Self::default();
        for scope in text.split(' ').filter(|scope| !scope.is_empty()) {
            if !scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
                return None;
            }
            scopes.insert(scope);
        }
        Some(scopes)
    }

    /// Adds one scope unless it is there.
    pub fn insert(&mut self, scope: &str) {
        if !self.contains(scope) {
            self.0.push(scope.to_owned());
        }
    }

    /// Whether `scope` is in the set.
    #[must_use]
    pub fn contains(&self, scope: &str) -> bool {
        self.0.iter().any(|held| held == scope)
    }

    /// Whether every scope of `needed` is in the set.
    #[must_use]
    pub fn contains_all(&self, needed: &Self) -> bool {
        needed.0.iter().all(|scope| self.contains(scope))
    }

    /// The scopes that are also in `allowed`.
    #[must_use]
    pub fn narrow(&self, allowed: &Self) -> Self {
        Self(self.0.iter().filter(|scope| allowed.contains(scope)).cloned().collect())
    }

    /// The scopes of both sets.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        for scope in &other.0 {
            all.insert(scope);
        }
        all
    }

    /// Whether there is no scope.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scopes in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl<S: Into<String>> FromIterator<S> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = S>>(scopes: I) -> Self {
        let mut set = Self::default();
        for scope in scopes {
            set.insert(&scope.into());
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsing_drops_doubles_and_keeps_order() {
        let scopes = ScopeSet::parse("b  a b").unwrap();
        assert_eq!(scopes.to_string(), "b a");
    }

    #[test]
    fn a_quote_or_a_control_character_is_no_scope() {
        assert_eq!(ScopeSet::parse("a\"b"), None);
        assert_eq!(ScopeSet::parse("a\tb"), None);
        assert_eq!(ScopeSet::parse("é"), None);
    }

    #[test]
    fn narrowing_never_adds() {
        let asked = ScopeSet::parse("read write").unwrap();
        let allowed = ScopeSet::parse("write admin").unwrap();
        assert_eq!(asked.narrow(&allowed).to_string(), "write");
    }
}

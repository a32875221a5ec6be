//! A table of keys that are known.

use super::Field;
use crate::config::suggestion;
use crate::config::tree::{Entry, NodeValue};

/// A table while it is read.
pub(in crate::config) struct Table<'f, 'a> {
    pub(super) field: &'f Field<'a>,
    pub(super) entries: &'a [Entry],
    pub(super) known: Vec<&'static str>,
}

impl<'a> Table<'_, 'a> {
    /// The value of `key`, unless it is missing or nothing.
    pub(in crate::config) fn get(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.get_or_null(key).filter(|field| !matches!(field.node.value, NodeValue::Null))
    }

    /// The value of `key`, unless it is missing.
    pub(in crate::config) fn get_or_null(&mut self, key: &'static str) -> Option<Field<'a>> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.entries.iter().find(|entry| entry.key == key).map(|entry| self.field.child(entry))
    }

    /// The value of `key`; without one it is a fault.
    pub(in crate::config) fn require(&mut self, key: &'static str) -> Option<Field<'a>> {
        let field = self.get_or_null(key);
        if field.is_none() {
            let path = self.field.key_path(key);
            self.field.source.fault(self.field.line, &path, "required key is missing".to_owned());
        }
        field
    }

    /// Names keys that mean nothing to this version, and whose values therefore do not matter.
    pub(in crate::config) fn skip(&mut self, keys: &[&'static str]) {
        self.known.extend_from_slice(keys);
    }

    /// Refuses `key` unless it is missing or empty; `instead` is what to do about it.
    pub(in crate::config) fn refuse(&mut self, key: &'static str, instead: &str) {
        if let Some(field) = self.get(key).filter(|field| !field.is_empty()) {
            field.not_supported(instead);
        }
    }

    /// The table itself.
    pub(in crate::config) const fn field(&self) -> &Field<'a> {
        self.field
    }

    /// Every key that was not asked for is a fault.
    pub(super) fn refuse_unknown_keys(&self) {
        for entry in self.entries.iter().filter(|entry| !self.known.contains(&entry.key.as_str())) {
            let hint = match suggestion::closest(&entry.key, &self.known) {
                Some(key) => format!("did you mean '{key}'?"),
                None => format!("the keys here are {}", self.known.join(", ")),
            };
            self.field.source.fault(entry.line, &self.field.key_path(&entry.key), format!("unknown key; {hint}"));
        }
    }
}

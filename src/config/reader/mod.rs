//! Typed readers over a tree that go on after a fault, so that a person sees them all at once.

mod condition;
mod place;
mod scalars;
mod source;
mod table;
#[cfg(test)]
mod tests;

pub(super) use scalars::{is_loopback, parse_boolean};
pub(super) use source::{Notes, Source};
pub(super) use table::Table;

use super::error::ConfigError;
use super::tree::{Entry, Node, NodeValue};
use serde_json::Value;

/// A value with the path of keys that leads to it.
pub(in crate::config) struct Field<'a> {
    /// The value.
    node: &'a Node,
    /// The line to report.
    line: u32,
    /// The keys that lead here, joined by dots.
    path: String,
    /// The file.
    source: &'a Source<'a>,
    /// Whether references are replaced and contents judged; off in profiles that are not in
    /// force, of which only the shape matters.
    is_active: bool,
}

impl<'a> Field<'a> {
    /// The whole of a file.
    pub(in crate::config) fn root(node: &'a Node, source: &'a Source<'a>) -> Self {
        Self { node, line: node.line, path: String::new(), source, is_active: true }
    }

    /// The same, of which only the shape matters.
    pub(in crate::config) fn inactive(self) -> Self {
        Self { is_active: false, ..self }
    }

    /// Notes that the content is wrong.
    pub(in crate::config) fn fault(&self, message: impl Into<String>) {
        if self.is_active {
            self.source.fault(self.line, &self.path, message.into());
        }
    }

    /// The place of the value, as a fault that is still without words, to speak of it later.
    pub(in crate::config) fn place(&self) -> ConfigError {
        let (file, line) = (Some(self.source.file.clone()), Some(self.line.max(1)));
        ConfigError { file, line, key: self.path.clone(), message: String::new() }
    }

    /// Notes that this cannot be used yet; `instead` is what to do about it.
    pub(in crate::config) fn not_supported(&self, instead: &str) {
        self.fault(format!("is not supported yet by this version; {instead}"));
    }

    /// Notes that the content deserves a look.
    pub(in crate::config) fn warn(&self, message: &str) {
        if self.is_active {
            let warning = format!("{}:{}: {}: {message}", self.source.file.display(), self.line, self.path);
            self.source.warnings.borrow_mut().push(warning);
        }
    }

    /// Notes that the value is of another kind than `expected`.
    fn expected<T>(&self, expected: &str) -> Option<T> {
        self.source.fault(self.line, &self.path, format!("expected {expected}, found {}", self.node.kind()));
        None
    }

    /// Whether the value is an empty list, an empty table, or nothing.
    pub(in crate::config) fn is_empty(&self) -> bool {
        match &self.node.value {
            NodeValue::Null => true,
            NodeValue::List(items) => items.is_empty(),
            NodeValue::Table(entries) => entries.is_empty(),
            _ => false,
        }
    }

    /// Whether the value is a list.
    pub(in crate::config) const fn is_list(&self) -> bool {
        matches!(self.node.value, NodeValue::List(_))
    }

    /// Whether the value is a text.
    pub(in crate::config) const fn is_text(&self) -> bool {
        matches!(self.node.value, NodeValue::Text(_))
    }

    /// The value as JSON, whatever it is.
    pub(in crate::config) fn json(&self) -> Value {
        self.node.to_json()
    }

    /// Every item of a list, read by `read`; items at fault are left out.
    pub(in crate::config) fn list<T>(&self, mut read: impl FnMut(Field<'a>) -> Option<T>) -> Option<Vec<T>> {
        let NodeValue::List(items) = &self.node.value else { return self.expected("a list") };
        Some(items.iter().enumerate().filter_map(|(index, item)| read(self.item(index, item))).collect())
    }

    /// Looks at every item of a list, for the sake of its faults.
    pub(in crate::config) fn each(&self, mut look: impl FnMut(Field<'a>)) {
        self.list(|item| {
            look(item);
            Some(())
        });
    }

    /// A list of texts.
    pub(in crate::config) fn texts(&self) -> Option<Vec<String>> {
        self.list(|item| item.text())
    }

    fn item(&self, index: usize, node: &'a Node) -> Self {
        let path = format!("{}[{index}]", self.path);
        Self { node, line: node.line, path, source: self.source, is_active: self.is_active }
    }

    /// A table of keys that are known. Every key that `read` does not ask for is a fault.
    pub(in crate::config) fn table<T>(&self, read: impl FnOnce(&mut Table<'_, 'a>) -> Option<T>) -> Option<T> {
        let entries = match &self.node.value {
            NodeValue::Table(entries) => entries.as_slice(),
            // A section whose keys are all left out or commented out.
            NodeValue::Null => &[],
            _ => return self.expected("a table of keys"),
        };
        let mut table = Table { field: self, entries, known: Vec::new() };
        let value = read(&mut table);
        table.refuse_unknown_keys();
        value
    }

    /// Looks at a table of keys that are known, for the sake of its faults.
    pub(in crate::config) fn visit(&self, look: impl FnOnce(&mut Table<'_, 'a>)) {
        self.table(|table| {
            look(table);
            Some(())
        });
    }

    /// A table of keys that the user chooses.
    pub(in crate::config) fn entries(&self) -> Option<Vec<(&'a str, Field<'a>)>> {
        let NodeValue::Table(entries) = &self.node.value else { return self.expected("a table of keys") };
        Some(entries.iter().map(|entry| (entry.key.as_str(), self.child(entry))).collect())
    }

    fn child(&self, entry: &'a Entry) -> Self {
        // Of a longer value, the line of its key says more than that of its first line.
        let line = match entry.value.value {
            NodeValue::List(_) | NodeValue::Table(_) | NodeValue::Null => entry.line,
            _ => entry.value.line,
        };
        Self {
            node: &entry.value,
            line,
            path: self.key_path(&entry.key),
            source: self.source,
            is_active: self.is_active,
        }
    }

    fn key_path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

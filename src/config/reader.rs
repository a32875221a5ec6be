//! Typed readers over a tree that go on after a fault, so that a person sees them all at once.

use super::error::ConfigError;
use super::references::References;
use super::suggestion;
use super::tree::{Entry, Node, NodeValue};
use serde_json::Value;
use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// One file while it is read: its name, how its texts are to be understood, and what was found.
pub(super) struct Source<'a> {
    /// The file as it is named in errors.
    file: PathBuf,
    /// Replaces references; `None` where texts mean just what they say.
    references: Option<References<'a>>,
    /// Faults so far.
    faults: RefCell<Vec<ConfigError>>,
    /// Things that deserve a look so far.
    warnings: RefCell<Vec<String>>,
}

impl<'a> Source<'a> {
    /// Begins to read `file`, whose texts may hold references if `references` are given.
    pub(super) fn new(file: &Path, references: Option<References<'a>>) -> Self {
        Self { file: file.to_owned(), references, faults: RefCell::default(), warnings: RefCell::default() }
    }

    /// Notes a fault.
    pub(super) fn fault(&self, line: u32, key: &str, message: String) {
        let error =
            ConfigError { file: Some(self.file.clone()), line: Some(line.max(1)), key: key.to_owned(), message };
        self.faults.borrow_mut().push(error);
    }

    /// Everything that was noted: faults by line, and warnings.
    pub(super) fn finish(self) -> (Vec<ConfigError>, Vec<String>) {
        let mut faults = self.faults.into_inner();
        faults.sort_by_key(|fault| fault.line);
        (faults, self.warnings.into_inner())
    }
}

/// A value with the path of keys that leads to it.
pub(super) struct Field<'a> {
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
    pub(super) fn root(node: &'a Node, source: &'a Source<'a>) -> Self {
        Self { node, line: node.line, path: String::new(), source, is_active: true }
    }

    /// The same, of which only the shape matters.
    pub(super) fn inactive(self) -> Self {
        Self { is_active: false, ..self }
    }

    /// Notes that the content is wrong.
    pub(super) fn fault(&self, message: impl Into<String>) {
        if self.is_active {
            self.source.fault(self.line, &self.path, message.into());
        }
    }

    /// Notes that this cannot be used yet; `instead` is what to do about it.
    pub(super) fn not_supported(&self, instead: &str) {
        self.fault(format!("is not supported yet by this version; {instead}"));
    }

    /// Notes that the content deserves a look.
    pub(super) fn warn(&self, message: &str) {
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
    pub(super) fn is_empty(&self) -> bool {
        match &self.node.value {
            NodeValue::Null => true,
            NodeValue::List(items) => items.is_empty(),
            NodeValue::Table(entries) => entries.is_empty(),
            _ => false,
        }
    }

    /// Whether the value is a list.
    pub(super) const fn is_list(&self) -> bool {
        matches!(self.node.value, NodeValue::List(_))
    }

    /// The value as JSON, whatever it is.
    pub(super) fn json(&self) -> Value {
        self.node.to_json()
    }

    /// A text, with its references replaced.
    pub(super) fn text(&self) -> Option<String> {
        let NodeValue::Text(text) = &self.node.value else { return self.expected("a string") };
        match &self.source.references {
            Some(references) if self.is_active => match references.resolve(text) {
                Ok(text) => Some(text),
                Err(message) => {
                    self.fault(message);
                    None
                }
            },
            _ => Some(text.clone()),
        }
    }

    /// A text that is not blank.
    pub(super) fn nonempty_text(&self) -> Option<String> {
        let text = self.text()?;
        if text.trim().is_empty() {
            self.fault("must not be empty");
            return None;
        }
        Some(text)
    }

    /// A text that needs no replacing, because nothing uses it.
    pub(super) fn unused_text(&self) {
        if !matches!(self.node.value, NodeValue::Text(_)) {
            self.expected::<()>("a string");
        }
    }

    /// The text of what should be another scalar, but is quoted or comes from a reference.
    ///
    /// Nothing where that reference is not to be followed.
    fn scalar_text(&self) -> Option<String> {
        if self.is_unknowable() { None } else { self.text() }
    }

    /// Whether the value is a reference that is not to be followed.
    fn is_unknowable(&self) -> bool {
        !self.is_active && matches!(&self.node.value, NodeValue::Text(text) if References::is_in(text))
    }

    /// True or false. The words of YAML 1.1 are understood too, as older files use them.
    pub(super) fn boolean(&self) -> Option<bool> {
        if let NodeValue::Boolean(value) = self.node.value {
            return Some(value);
        }
        let NodeValue::Text(_) = self.node.value else { return self.expected("true or false") };
        let text = self.scalar_text()?;
        let value = parse_boolean(&text);
        if value.is_none() {
            self.expected::<()>("true or false");
        }
        value
    }

    /// A whole number within `range`.
    pub(super) fn whole_number(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let number = match &self.node.value {
            NodeValue::Number(number) => number.as_u64(),
            NodeValue::Text(_) => match self.scalar_text()?.trim().parse() {
                Ok(number) => Some(number),
                Err(_) => return self.expected("a whole number"),
            },
            _ => return self.expected("a whole number"),
        };
        if let Some(number) = number.filter(|number| range.contains(number)) {
            return Some(number);
        }
        self.fault(match (*range.start(), *range.end()) {
            (start, end) if start == end => format!("expected the number {start}"),
            (start, u64::MAX) => format!("expected a whole number from {start} on"),
            (start, end) => format!("expected a whole number from {start} to {end}"),
        });
        None
    }

    /// Any number.
    pub(super) fn number(&self) -> Option<f64> {
        match &self.node.value {
            NodeValue::Number(number) => number.as_f64(),
            _ => self.expected("a number"),
        }
    }

    /// A span of time such as `30s` or `1h 30m`.
    pub(super) fn duration(&self) -> Option<Duration> {
        let NodeValue::Text(_) = self.node.value else { return self.expected("a duration such as 30s or 1h") };
        let text = self.scalar_text()?;
        let duration = humantime::parse_duration(text.trim()).ok();
        if duration.is_none() {
            self.fault("expected a duration such as 30s, 10m, 1h or 30d");
        }
        duration
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        let chosen = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if chosen.is_none() && !self.is_unknowable() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            let hint = suggestion::closest(&text, &words);
            let hint = hint.map(|word| format!("; did you mean '{word}'?")).unwrap_or_default();
            self.source.fault(self.line, &self.path, format!("expected one of {}{hint}", words.join(", ")));
        }
        chosen
    }

    /// A URL that is https, or http to this machine.
    pub(super) fn secure_url(&self) -> Option<Url> {
        let text = self.nonempty_text()?;
        let url = Url::parse(text.trim()).ok().filter(|url| match url.scheme() {
            "https" => url.has_host(),
            "http" => url.host_str().is_some_and(is_loopback),
            _ => false,
        });
        if url.is_none() {
            self.fault("expected an https URL, or an http URL of localhost, 127.0.0.1 or [::1]");
        }
        url
    }

    /// Every item of a list, read by `read`; items at fault are left out.
    pub(super) fn list<T>(&self, mut read: impl FnMut(Field<'a>) -> Option<T>) -> Option<Vec<T>> {
        let NodeValue::List(items) = &self.node.value else { return self.expected("a list") };
        Some(items.iter().enumerate().filter_map(|(index, item)| read(self.item(index, item))).collect())
    }

    /// Looks at every item of a list, for the sake of its faults.
    pub(super) fn each(&self, mut look: impl FnMut(Field<'a>)) {
        self.list(|item| {
            look(item);
            Some(())
        });
    }

    /// A list of texts.
    pub(super) fn texts(&self) -> Option<Vec<String>> {
        self.list(|item| item.text())
    }

    fn item(&self, index: usize, node: &'a Node) -> Self {
        let path = format!("{}[{index}]", self.path);
        Self { node, line: node.line, path, source: self.source, is_active: self.is_active }
    }

    /// A table of keys that are known. Every key that `read` does not ask for is a fault.
    pub(super) fn table<T>(&self, read: impl FnOnce(&mut Table<'_, 'a>) -> Option<T>) -> Option<T> {
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
    pub(super) fn visit(&self, look: impl FnOnce(&mut Table<'_, 'a>)) {
        self.table(|table| {
            look(table);
            Some(())
        });
    }

    /// A table of keys that the user chooses.
    pub(super) fn entries(&self) -> Option<Vec<(&'a str, Field<'a>)>> {
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

/// A table while it is read.
pub(super) struct Table<'f, 'a> {
    field: &'f Field<'a>,
    entries: &'a [Entry],
    known: Vec<&'static str>,
}

impl<'a> Table<'_, 'a> {
    /// The value of `key`, unless it is missing or nothing.
    pub(super) fn get(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.get_or_null(key).filter(|field| !matches!(field.node.value, NodeValue::Null))
    }

    /// The value of `key`, unless it is missing.
    pub(super) fn get_or_null(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.known.push(key);
        self.entries.iter().find(|entry| entry.key == key).map(|entry| self.field.child(entry))
    }

    /// The value of `key`; without one it is a fault.
    pub(super) fn require(&mut self, key: &'static str) -> Option<Field<'a>> {
        let field = self.get_or_null(key);
        if field.is_none() {
            let path = self.field.key_path(key);
            self.field.source.fault(self.field.line, &path, "required key is missing".to_owned());
        }
        field
    }

    /// Names keys that mean nothing to this version, and whose values therefore do not matter.
    pub(super) fn skip(&mut self, keys: &[&'static str]) {
        self.known.extend_from_slice(keys);
    }

    /// Refuses `key` unless it is missing or empty; `instead` is what to do about it.
    pub(super) fn refuse(&mut self, key: &'static str, instead: &str) {
        if let Some(field) = self.get(key).filter(|field| !field.is_empty()) {
            field.not_supported(instead);
        }
    }

    /// The table itself.
    pub(super) const fn field(&self) -> &Field<'a> {
        self.field
    }

    fn refuse_unknown_keys(&self) {
        for entry in self.entries.iter().filter(|entry| !self.known.contains(&entry.key.as_str())) {
            let hint = match suggestion::closest(&entry.key, &self.known) {
                Some(key) => format!("did you mean '{key}'?"),
                None => format!("the keys here are {}", self.known.join(", ")),
            };
            self.field.source.fault(entry.line, &self.field.key_path(&entry.key), format!("unknown key; {hint}"));
        }
    }
}

/// What people write for true and false.
pub(super) fn parse_boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// Whether `host` is a name or an address of this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    /// The faults of reading `text` by `read`.
    fn faults(text: &str, read: impl FnOnce(&mut Table<'_, '_>)) -> Vec<String> {
        let node = tree::parse(text).unwrap();
        let env = |name: &str| (name == "PORT").then(|| "8001".to_owned());
        let references = References { env: &env, root: Path::new("/") };
        let source = Source::new(Path::new("x.yml"), Some(references));
        Field::root(&node, &source).visit(read);
        source.finish().0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_faults_are_reported_by_line() {
        let found = faults("b: 1\nport: x\nportt: 1\nlist:\n  - a\n  - 2\n", |table| {
            table.get("list").unwrap().texts();
            table.get("port").unwrap().whole_number(1..=5);
            table.get("b").unwrap().text();
            table.require("c");
        });
        assert_eq!(
            found,
            [
                "x.yml:1: b: expected a string, found a number",
                "x.yml:1: c: required key is missing",
                "x.yml:2: port: expected a whole number, found a string",
                "x.yml:3: portt: unknown key; did you mean 'port'?",
                "x.yml:6: list[1]: expected a string, found a number",
            ]
        );
    }

    #[test]
    fn a_number_or_a_boolean_may_come_from_a_variable() {
        let found = faults("a: ${PORT}\nb: 'yes'\nc: \"12\"\nd: 1\ne: 8002\n", |table| {
            assert_eq!(table.get("a").unwrap().whole_number(0..=65535), Some(8001));
            assert_eq!(table.get("b").unwrap().boolean(), Some(true));
            assert_eq!(table.get("c").unwrap().whole_number(0..=65535), Some(12));
            assert_eq!(table.get("d").unwrap().boolean(), None);
            assert_eq!(table.get("e").unwrap().whole_number(0..=5), None);
        });
        assert_eq!(
            found,
            ["x.yml:4: d: expected true or false, found a number", "x.yml:5: e: expected a whole number from 0 to 5"]
        );
    }

    #[test]
    fn a_word_that_is_nearly_right_is_suggested() {
        let found = faults("a: githib\nb: zzz\n", |table| {
            table.get("a").unwrap().choice(&[("github", 1), ("oidc", 2)]);
            table.get("b").unwrap().choice(&[("github", 1), ("oidc", 2)]);
        });
        assert_eq!(
            found,
            [
                "x.yml:1: a: expected one of github, oidc; did you mean 'github'?",
                "x.yml:2: b: expected one of github, oidc"
            ]
        );
    }

    #[test]
    fn only_the_shape_of_an_inactive_part_matters() {
        let found = faults("p:\n  a: ${NOPE}\n  n: ${NOPE}\n  t: 5 parsecs\n  x: 1\n", |table| {
            table.get("p").unwrap().inactive().visit(|table| {
                table.get("a").unwrap().text();
                table.get("n").unwrap().whole_number(1..=5);
                table.get("t").unwrap().duration();
            });
        });
        assert_eq!(found, ["x.yml:5: p.x: unknown key; the keys here are a, n, t"]);
    }

    #[test]
    fn a_url_over_the_network_must_be_https() {
        let found =
            faults("a: http://example.com/x\nb: http://localhost:1/x\nc: https://example.com\nd: ftp://x\n", |table| {
                assert!(table.get("a").unwrap().secure_url().is_none());
                assert!(table.get("b").unwrap().secure_url().is_some());
                assert!(table.get("c").unwrap().secure_url().is_some());
                assert!(table.get("d").unwrap().secure_url().is_none());
            });
        assert_eq!(found.len(), 2);
    }
}

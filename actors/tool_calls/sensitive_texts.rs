//! Covering sensitive arguments in texts that others wrote: a database repeats in its errors what
//! it could not use, often in part only.

use super::redaction::{REDACTED, is_sensitive};
use crate::model::field_name::is_same_field;
use crate::model::schema::{TypeDefinition, TypeKind};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// What is shorter says nothing.
const CHARS_MIN: usize = 2;
/// From this length on a text is covered wherever it turns up, a shorter one only where it stands
/// by itself: two letters are part of most words.
const CHARS_ANYWHERE: usize = 4;
/// Of longer texts every run of so many bytes is covered, since errors cut long values off.
const RUN: usize = 10;
/// The most of an error that is kept when something in it may have to be covered, so that covering
/// never takes long.
const TEXT_MAX: usize = 16 * 1024;
/// The most of them that are looked for inside of the texts of a result; of more, only values that
/// are the same are covered, so that the time grows with the result alone.
const SOUGHT_MAX: usize = 64;

/// The texts that the sensitive arguments of one call may turn up as, in lower case: a query may
/// have changed the case. True for those that count only between spaces and signs, as numbers and
/// short texts do.
#[derive(Debug, Default)]
pub(super) struct SensitiveTexts(HashMap<String, bool>);

impl SensitiveTexts {
    /// Adds what is sensitive in `value`, at any depth. A value that does not have the declared
    /// form is sensitive as a whole.
    pub(super) fn add(&mut self, value: &Value, of: &TypeDefinition) {
        if !is_sensitive(of) {
            return;
        }
        match (of.kind, value) {
            (TypeKind::Array, Value::Array(items)) if !of.sensitive => {
                let item_type = of.items.as_deref();
                items.iter().for_each(|item| item_type.into_iter().for_each(|of| self.add(item, of)));
            }
            (TypeKind::Object, Value::Object(fields)) if !of.sensitive => {
                for (declared, property) in &of.properties {
                    let meant = fields.iter().filter(|(name, _)| is_same_field(name, declared));
                    meant.for_each(|(_, field)| self.add(field, property));
                }
            }
            (_, value) => self.add_all(value),
        }
    }

    /// Adds everything in `value`. Truth values are words like others and give nothing away.
    pub(super) fn add_all(&mut self, value: &Value) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => self.add_text(&number.to_string(), true),
            Value::String(text) => {
                self.add_text(text, false);
                // As it stands in a literal of SQL, and in JSON.
                self.add_text(&text.replace('\'', "''"), false);
                let json = value.to_string();
                self.add_text(json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(&json), false);
            }
            Value::Array(items) => items.iter().for_each(|item| self.add_all(item)),
            Value::Object(fields) => fields.values().for_each(|field| self.add_all(field)),
        }
    }

    fn add_text(&mut self, text: &str, is_word: bool) {
        let chars = text.chars().take(CHARS_ANYWHERE).count();
        if chars >= CHARS_MIN {
            let is_word = is_word || chars < CHARS_ANYWHERE;
            self.0.entry(text.to_ascii_lowercase()).and_modify(|known| *known &= is_word).or_insert(is_word);
        }
    }

    /// The text with everything sensitive covered.
    pub(super) fn cover(&self, mut text: String) -> String {
        if self.0.is_empty() {
            return text;
        }
        text.truncate(text.floor_char_boundary(TEXT_MAX));
        // Only ASCII changes its case, so places are the same in both.
        let covered = self.find(&text.to_ascii_lowercase());
        let mut rest = String::with_capacity(text.len());
        let mut was_covered = false;
        for (start, char) in text.char_indices() {
            let is_covered = covered.get(start..start + char.len_utf8()).is_some_and(|bytes| bytes.contains(&true));
            match (was_covered, is_covered) {
                (_, false) => rest.push(char),
                (false, true) => rest.push_str(REDACTED),
                (true, true) => {}
            }
            was_covered = is_covered;
        }
        rest
    }

    /// A result without them, at any depth; the very same unless there is something to cover. A value
    /// that holds one is covered as a whole, because SQL may give back what it was given.
    pub(super) fn covered(&self, value: Arc<Value>) -> Arc<Value> {
        if self.0.is_empty() || !self.is_in(&value) {
            return value;
        }
        let mut value = Arc::unwrap_or_clone(value);
        self.cover_value(&mut value);
        Arc::new(value)
    }

    fn is_in(&self, value: &Value) -> bool {
        match value {
            Value::Null | Value::Bool(_) => false,
            Value::Number(number) => self.0.contains_key(&number.to_string()),
            Value::String(text) => self.is_in_text(text),
            Value::Array(items) => items.iter().any(|item| self.is_in(item)),
            Value::Object(fields) => fields.iter().any(|(name, field)| self.is_in_text(name) || self.is_in(field)),
        }
    }

    fn is_in_text(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        let holds = |(sought, is_word): (&String, &bool)| {
            let mut places = text.match_indices(sought.as_str());
            places.any(|(start, found)| !is_word || stands_alone(&text, start, start + found.len()))
        };
        self.0.contains_key(&text) || (self.0.len() <= SOUGHT_MAX && self.0.iter().any(holds))
    }

    fn cover_value(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.cover_value(item)),
            Value::Object(fields) => {
                // A column may be named by what it holds.
                *fields = std::mem::take(fields)
                    .into_iter()
                    .map(|(name, mut field)| {
                        self.cover_value(&mut field);
                        (if self.is_in_text(&name) { REDACTED.to_owned() } else { name }, field)
                    })
                    .collect();
            }
            value if self.is_in(value) => *value = Value::from(REDACTED),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// Which bytes of `text` belong to something sensitive. The time that it takes does not depend
    /// on how many sensitive texts there are, or how often one repeats itself.
    fn find(&self, text: &str) -> Vec<bool> {
        let mut covered = vec![false; text.len()];
        let mut mark = |start: usize, length: usize| {
            if let Some(bytes) = covered.get_mut(start..start + length) {
                bytes.fill(true);
            }
        };
        for length in CHARS_MIN..RUN {
            for (start, piece) in pieces(text, length) {
                let found = self.0.get(piece);
                if found.is_some_and(|is_word| !is_word || stands_alone(text, start, start + length)) {
                    mark(start, length);
                }
            }
        }
        let mut runs: HashMap<&[u8], Vec<usize>> = HashMap::new();
        for (start, run) in text.as_bytes().windows(RUN).enumerate() {
            runs.entry(run).or_default().push(start);
        }
        for run in self.0.keys().flat_map(|text| text.as_bytes().windows(RUN)) {
            runs.remove(run).into_iter().flatten().for_each(|start| mark(start, RUN));
        }
        covered
    }
}

/// All pieces of `text` that are so many bytes long, and where they begin.
fn pieces(text: &str, length: usize) -> impl Iterator<Item = (usize, &str)> {
    text.char_indices().filter_map(move |(start, _)| Some((start, text.get(start..start + length)?)))
}

fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    let before = text.get(..start).and_then(|text| text.chars().next_back());
    let after = text.get(end..).and_then(|text| text.chars().next());
    !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
}

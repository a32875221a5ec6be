//! YAML text as a tree that still knows the line of everything in it.
//!
//! Reading into a tree first, and into settings second, lets every fault of a file be
//! reported at once, each with its line, where a derived reader would stop at the first.

use super::error::ConfigError;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_yaml::{Error, Spanned};
use std::fmt;
use std::path::Path;

/// Nesting that no honest file reaches; the tree is walked recursively.
const DEPTH_MAX: usize = 64;

/// Nodes after all aliases are replaced; a file that stays below is read in a fraction of a second.
const NODES_MAX: usize = 200_000;

/// What is said of a file that goes beyond either.
const TOO_LARGE: &str = "too large, or nested too deeply";

/// A value of a YAML file.
pub(super) struct Node {
    /// The line, counted from 1, that it begins in; an alias counts where it is used.
    pub(super) line: u32,
    /// The line and column, counted from 1, where it is written down.
    pub(super) written_at: (u32, u32),
    /// What it is.
    pub(super) value: NodeValue,
}

/// What a node can be.
pub(super) enum NodeValue {
    /// Nothing, or `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys with values, in the order of the file.
    Table(Vec<Entry>),
}

/// A key with its value.
pub(super) struct Entry {
    /// The key.
    pub(super) key: String,
    /// The line of the key.
    pub(super) line: u32,
    /// The value.
    pub(super) value: Node,
}

/// Why a text is no tree.
#[derive(Debug)]
pub(super) struct SyntaxError {
    /// Where the fault was noticed, when that is known.
    pub(super) line: Option<u32>,
    /// What it is; never quotes a value.
    pub(super) message: String,
}

impl Node {
    /// What the node is, with its article.
    pub(super) const fn kind(&self) -> &'static str {
        match self.value {
            NodeValue::Null => "nothing",
            NodeValue::Boolean(_) => "true or false",
            NodeValue::Number(_) => "a number",
            NodeValue::Text(_) => "a string",
            NodeValue::List(_) => "a list",
            NodeValue::Table(_) => "a table of keys",
        }
    }

    /// The node as JSON.
    pub(super) fn to_json(&self) -> Value {
        match &self.value {
            NodeValue::Null => Value::Null,
            NodeValue::Boolean(value) => Value::Bool(*value),
            NodeValue::Number(value) => Value::Number(value.clone()),
            NodeValue::Text(value) => Value::String(value.clone()),
            NodeValue::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            NodeValue::Table(entries) => Value::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }
}

/// Shows the shape alone: the user configuration holds secrets.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in line {}", self.kind(), self.line)
    }
}

/// Reads `text`, which holds one YAML document or nothing.
///
/// Doubled keys are refused, and so are files that grow or nest without measure. Booleans are
/// those of YAML 1.2, so that `no` and `y` stay the texts that they look like, and so do
/// numbers with leading zeros or underscores.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let options = serde_yaml::options! {
        budget: serde_yaml::budget! { max_depth: DEPTH_MAX, max_nodes: NODES_MAX },
        emit_comments: false,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    serde_yaml::from_str_with_options::<Node>(text, options).map_err(|error| SyntaxError::of(&error))
}

impl SyntaxError {
    /// The same as a fault of `file`.
    pub(super) fn in_file(self, file: &Path) -> ConfigError {
        ConfigError { line: self.line, ..ConfigError::of_file(file, self.message) }
    }

    /// Chooses words of our own wherever the parser's could quote a value.
    fn of(error: &Error) -> Self {
        let mut cause = error.without_snippet();
        while let Error::AliasError { error: inner, .. } = cause {
            cause = inner.without_snippet();
        }
        let message = match cause {
            Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key '{key}' is there twice"),
            Error::DuplicateMappingKey { key: None, .. } => "a key is there twice".to_owned(),
            Error::MultipleDocuments { .. } => "more than one YAML document in the file".to_owned(),
            Error::Budget { .. }
            | Error::AliasReplayLimitExceeded { .. }
            | Error::AliasExpansionLimitExceeded { .. }
            | Error::AliasReplayStackDepthExceeded { .. } => TOO_LARGE.to_owned(),
            Error::UnknownAnchor { .. } => "an alias without its anchor".to_owned(),
            Error::UnsupportedTag { .. } | Error::TaggedScalarCannotDeserializeIntoString { .. } => {
                "a YAML tag that is not supported".to_owned()
            }
            Error::NonFiniteFloat { .. } => "a number that is not finite".to_owned(),
            Error::ExternalMessage { msg, .. } if msg.starts_with("recursion limit") => TOO_LARGE.to_owned(),
            // The scanner's own words, and ours of the visitor below.
            Error::ExternalMessage { msg, .. } | Error::Message { msg, .. } => format!("not valid YAML: {msg}"),
            _ => "not valid YAML".to_owned(),
        };
        let line = error.location().and_then(|location| u32::try_from(location.line()).ok()).filter(|line| *line > 0);
        Self { line, message }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<NodeValue>::deserialize(deserializer)?;
        let place = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let written_at = (place(spanned.defined.line()), place(spanned.defined.column()));
        Ok(Self { line: line_of(&spanned), written_at, value: spanned.value })
    }
}

/// The line that `spanned` begins in.
fn line_of<T>(spanned: &Spanned<T>) -> u32 {
    u32::try_from(spanned.referenced.line()).unwrap_or(u32::MAX)
}

impl<'de> Deserialize<'de> for NodeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

/// Takes whatever comes.
struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = NodeValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<NodeValue, E> {
        Ok(NodeValue::Null)
    }

    fn visit_none<E>(self) -> Result<NodeValue, E> {
        Ok(NodeValue::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<NodeValue, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<NodeValue, E> {
        Ok(NodeValue::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<NodeValue, E> {
        Ok(NodeValue::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<NodeValue, E> {
        Ok(NodeValue::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<NodeValue, E> {
        Number::from_f64(value).map(NodeValue::Number).ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<NodeValue, E> {
        Ok(NodeValue::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<NodeValue, E> {
        Ok(NodeValue::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<NodeValue, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(NodeValue::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<NodeValue, A::Error> {
        let mut table: Vec<Entry> = Vec::new();
        while let Some((key, value)) = entries.next_entry::<Spanned<String>, Node>()? {
            let line = line_of(&key);
            // The parser compares keys by their type; here `1` and `"1"` are the same key.
            if table.iter().any(|entry| entry.key == key.value) {
                return Err(A::Error::custom(format_args!("the key '{}' is there twice", key.value)));
            }
            table.push(Entry { key: key.value, line, value });
        }
        Ok(NodeValue::Table(table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn entries(node: &Node) -> &[Entry] {
        match &node.value {
            NodeValue::Table(entries) => entries,
            _ => panic!("{node:?}"),
        }
    }

    #[test]
    fn every_value_knows_its_line() {
        let node = parse("a: 1\nb:\n  - x\n  - c: true\n    d:\n").unwrap();
        let [a, b] = entries(&node) else { panic!() };
        assert_eq!((a.line, a.value.line, b.line), (1, 1, 2));
        let NodeValue::List(items) = &b.value.value else { panic!() };
        assert_eq!(items[0].line, 3);
        let [c, d] = entries(&items[1]) else { panic!() };
        assert_eq!((c.line, d.line, d.value.kind()), (4, 5, "nothing"));
        assert_eq!(node.to_json(), json!({"a": 1, "b": ["x", {"c": true, "d": null}]}));
    }

    #[test]
    fn an_alias_and_a_merge_are_replaced() {
        let node = parse("base: &base {x: 1}\none: *base\ntwo:\n  <<: *base\n  y: 2\n").unwrap();
        assert_eq!(node.to_json(), json!({"base": {"x": 1}, "one": {"x": 1}, "two": {"x": 1, "y": 2}}));
        assert_eq!(entries(&node)[1].value.line, 2);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        assert_eq!(parse("\u{feff}a: 1\nb: 2\n").unwrap().to_json(), json!({"a": 1, "b": 2}));
    }

    #[test]
    fn scalars_are_those_of_yaml_1_2() {
        let node =
            parse("[yes, y, True, null, ~, 08, 1_0, 0x10, 1.5, -3, '1', 2024-01-01, 18446744073709551615]").unwrap();
        assert_eq!(
            node.to_json(),
            json!([
                "yes",
                "y",
                true,
                null,
                null,
                "08",
                "1_0",
                16,
                1.5,
                -3,
                "1",
                "2024-01-01",
                18_446_744_073_709_551_615_u64
            ])
        );
    }

    #[test]
    fn nothing_is_a_document_too() {
        for text in ["", "# only a comment\n", "---\n"] {
            assert_eq!(parse(text).unwrap().kind(), "nothing", "{text:?}");
        }
    }

    #[test]
    fn doubled_keys_are_refused_with_their_line() {
        for text in ["a: 1\nb: 2\na: 3\n", "b: 2\n1: 1\n\"1\": 3\n"] {
            let error = parse(text).unwrap_err();
            assert!(error.message.contains("is there twice"), "{error:?}");
        }
        assert_eq!(parse("a: 1\nb: 2\na: 3\n").unwrap_err().line, Some(3));
    }

    #[test]
    fn endless_files_are_refused() {
        let bomb: String = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned()
            + &(1..12).fold(String::new(), |text, n| {
                let alias = format!("*a{}", n - 1);
                text + &format!("a{n}: &a{n} [{}]\n", [alias.as_str(); 9].join(", "))
            });
        assert_eq!(parse(&bomb).unwrap_err().message, TOO_LARGE);
        assert_eq!(parse(&"[".repeat(5000)).unwrap_err().message, TOO_LARGE);
        assert_eq!(parse(&"a:\n".repeat(3)).unwrap_err().message, "the key 'a' is there twice");
    }

    #[test]
    fn no_error_quotes_a_value() {
        for text in [
            "client_secret: hunter2: x\n",
            "client_secret: \"hunter2\n",
            "client_secret: !!int hunter2\n",
            "client_secret: !hunter2 x\n",
            "client_secret: *hunter2\n",
            "client_secret: [hunter2\n",
            "a: 1\n---\nclient_secret: hunter2\n",
            "client_secret: .inf\n",
            "? [hunter2]\n: x\n",
            "client_secret hunter2\nb: 1\n",
            "client_secret: @hunter2\n",
            "client_secret: !!binary hunter2\n",
        ] {
            let error = parse(text).unwrap_err();
            assert!(!error.message.contains("hunter2"), "{text:?}: {error:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}") {
            let _outcome = parse(&text).map(|node| node.to_json());
        }

        #[test]
        fn no_yaml_like_text_makes_it_panic(text in "[-a-c0-9:&*<>|!?{}\\[\\],#'\"%@ \n\t.~]{0,120}") {
            let _outcome = parse(&text).map(|node| node.to_json());
        }
    }
}

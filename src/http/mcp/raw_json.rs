//! JSON text in parts, none of which is read before somebody needs it.
//!
//! Parts stay as they were written, so that an identifier goes back with its spelling and a part of
//! the wrong type is the fault of the method that needs it. The library has such a type too, but
//! switching it on lets a text anywhere in a document be read as further JSON, beyond every limit of
//! depth.

use super::error::Fault;
use mxcp_actors::model::json_depth::DEPTH_MAX;
use serde::de::IgnoredAny;
use std::borrow::Cow;

/// The text of a JSON value, known to be well-formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawJson<'a>(&'a str);

/// Why the members of a value cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoMembers {
    /// It is no object.
    NotAnObject,
    /// A member that was asked for is given twice.
    Repeated,
}

impl<'a> RawJson<'a> {
    /// Checks a text.
    ///
    /// # Errors
    /// When it is no JSON, or nested too deeply.
    pub(super) fn parse(text: &'a [u8]) -> Result<Self, Fault> {
        let text = std::str::from_utf8(text).map_err(|_| Fault::NotJson)?.trim_matches(is_space);
        // Looks at everything, keeps nothing, and does not recurse.
        serde_json::from_str::<IgnoredAny>(text).map_err(|_| Fault::NotJson)?;
        if depth(text) > DEPTH_MAX {
            return Err(Fault::NotAMessage("the message is nested more than 64 levels deep"));
        }
        Ok(Self(text))
    }

    /// The text, without spaces around it.
    pub(super) const fn get(self) -> &'a str {
        self.0
    }

    /// The members of these names.
    ///
    /// # Errors
    /// When the value is no object, or has one of them twice.
    pub(super) fn members<const N: usize>(self, names: [&str; N]) -> Result<[Option<Self>; N], NoMembers> {
        let mut members = [None; N];
        let mut rest = self.0.strip_prefix('{').ok_or(NoMembers::NotAnObject)?;
        while let Some((key, value, after)) = first_member(rest) {
            rest = after;
            let key = text_of(key).ok_or(NoMembers::NotAnObject)?;
            let place = names.iter().zip(&mut members).find(|(name, _)| **name == key);
            if let Some((_, place)) = place
                && place.replace(Self(value)).is_some()
            {
                return Err(NoMembers::Repeated);
            }
        }
        Ok(members)
    }

    /// The text of a JSON string, borrowed where it has no escapes; `None` for any other value.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        text_of(self.0)
    }

    /// The value, unless it is null.
    pub(super) fn unless_null(self) -> Option<Self> {
        (self.0 != "null").then_some(self)
    }
}

fn text_of(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(json).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

const fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

/// The key and value that an object goes on with, and what follows; nothing at its end.
fn first_member(rest: &str) -> Option<(&str, &str, &str)> {
    let rest = rest.trim_start_matches(|character| is_space(character) || character == ',');
    let (key, rest) = first_value(rest)?;
    let rest = rest.trim_start_matches(is_space).strip_prefix(':')?;
    let (value, rest) = first_value(rest.trim_start_matches(is_space))?;
    Some((key, value, rest))
}

/// The value that a well-formed text begins with, and what follows.
fn first_value(text: &str) -> Option<(&str, &str)> {
    let mut scan = Scan::default();
    let is_composed = text.starts_with(['{', '[', '"']);
    for (at, byte) in text.bytes().enumerate() {
        if is_composed {
            scan.take(byte);
            if scan.is_outside() {
                return text.split_at_checked(at + 1);
            }
        } else if matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r') {
            return text.split_at_checked(at).filter(|(value, _)| !value.is_empty());
        }
    }
    (!is_composed && !text.is_empty()).then_some((text, ""))
}

/// The most levels that a well-formed text has.
fn depth(text: &str) -> usize {
    let mut scan = Scan::default();
    text.bytes().map(|byte| scan.take(byte)).max().unwrap_or_default()
}

/// Where in a well-formed text one is.
#[derive(Default)]
struct Scan {
    depth: usize,
    is_in_text: bool,
    is_escaped: bool,
}

impl Scan {
    /// Goes on by a byte, and tells how deep that is.
    const fn take(&mut self, byte: u8) -> usize {
        if self.is_in_text {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.is_in_text = false,
                _ => {}
            }
        } else {
            match byte {
                b'"' => self.is_in_text = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        self.depth
    }

    /// Whether nothing is open.
    const fn is_outside(&self) -> bool {
        self.depth == 0 && !self.is_in_text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    /// Any JSON, with names and texts that look like other parts of it.
    fn any_json() -> impl Strategy<Value = Value> {
        let text = "[a-c{}\\[\\],:\"\\\\ \n]{0,6}";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, move |inner| {
            let fields = prop::collection::vec((text, inner.clone()), 0..5);
            prop_oneof![
                prop::collection::vec(inner, 0..5).prop_map(Value::from),
                fields.prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_object_is_split_as_the_library_reads_it(
            a in any_json(), b in any_json(), other in any_json(), is_pretty in any::<bool>(),
        ) {
            let object = serde_json::json!({"a": a, "x{\"": other, "b": b});
            let text = if is_pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) };
            let text = text.unwrap();
            let parts = RawJson::parse(text.as_bytes()).unwrap().members(["a", "b", "x{\"", "c"]).unwrap();
            let read = parts.map(|part| part.map(|part| serde_json::from_str::<Value>(part.get()).unwrap()));
            prop_assert_eq!(read, [Some(a), Some(b), Some(other), None]);
        }
    }

    #[test]
    fn members_are_found_as_they_were_written() {
        let text = "{ \"a\" : {\"b\":[1, \"}\\\"]\"]} ,\"c\\u0064\":-1.5e3,\"e\": null\n, \"f\":\"x\\\\\", \"a b\":[]}";
        let json = RawJson::parse(text.as_bytes()).unwrap();
        let [a, cd, e, f, b] = json.members(["a", "cd", "e", "f", "b"]).unwrap();
        assert_eq!(a.map(RawJson::get), Some("{\"b\":[1, \"}\\\"]\"]}"));
        assert_eq!(cd.map(RawJson::get), Some("-1.5e3"));
        assert_eq!(e.map(RawJson::unless_null), Some(None));
        assert_eq!(f.and_then(RawJson::text).as_deref(), Some("x\\"));
        assert_eq!(b, None, "it stands deeper");
    }

    #[test]
    fn what_was_split_is_what_the_library_reads() {
        for text in
            ["{}", " {\t} ", "{\"a\":1}", "{\"a\":[],\"b\":{}}", "{\"\":\"\",\"a\":\"{\"}", "{\"a\":true ,\"b\":false}"]
        {
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            let json = RawJson::parse(text.as_bytes()).unwrap();
            let parts = json.members(["a", "b", ""]).unwrap();
            for (name, part) in ["a", "b", ""].iter().zip(parts) {
                let read = part.map(|part| serde_json::from_str::<serde_json::Value>(part.get()).unwrap());
                assert_eq!(read.as_ref(), value.get(name), "{text}: {name}");
            }
        }
    }

    #[test]
    fn what_is_no_object_or_has_a_member_twice_is_told() {
        let members = |text: &'static str| RawJson::parse(text.as_bytes()).unwrap().members(["a"]);
        assert_eq!(members("[1]"), Err(NoMembers::NotAnObject));
        assert_eq!(members("\"{\""), Err(NoMembers::NotAnObject));
        assert_eq!(members("{\"a\":1,\"\\u0061\":2}"), Err(NoMembers::Repeated));
        assert!(members("{\"b\":1,\"b\":2}").is_ok(), "nobody asked for it");
    }

    #[test]
    fn depth_is_limited_and_texts_do_not_count() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(RawJson::parse(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert!(RawJson::parse(format!("\"{}\"", nested(200)).as_bytes()).is_ok());
        for levels in [DEPTH_MAX + 1, 200, 1_000_000] {
            let text = nested(levels);
            let refused = RawJson::parse(text.as_bytes());
            let told = format!("more than {DEPTH_MAX} levels");
            assert!(matches!(refused, Err(Fault::NotAMessage(why)) if why.contains(&told)), "{levels}: {refused:?}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            &b""[..],
            b"{",
            b"{\"a\":1,}",
            b"{\"a\" 1}",
            b"{}{}",
            b"nul",
            b"\xff",
            b"{\"a\":\"\xff\"}",
            b"{\"a\":\"\n\"}",
        ] {
            assert!(matches!(RawJson::parse(text), Err(Fault::NotJson)), "{text:?}");
        }
    }
}

//! Templates of URIs (RFC 6570, level 1), and which URIs fit them.
//!
//! A template is cut at the signs that structure a URI (`/`, `?`, `#`), and a variable never reaches
//! across one: `item://{id}/detail` has one place for `id`, and a URI with more or fewer parts does
//! not fit. Both sides are brought to one spelling first (RFC 3986 section 6.2.2), so that what is
//! compared does not depend on who escaped what.

use std::fmt;

/// The longest URI that is looked at, in bytes.
pub const URI_MAX: usize = 8 * 1024;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriTemplateError {
    /// It begins with no scheme.
    #[error("a URI begins with a scheme, as in item://{{id}}")]
    NoScheme,
    /// It is too long.
    #[error("a URI has at most {URI_MAX} bytes")]
    TooLong,
    /// A brace has no partner.
    #[error("a brace is not closed, or not opened")]
    Braces,
    /// An expression is not a plain name.
    #[error("{{{0}}} is not the name of a variable; only the simple form {{name}} of RFC 6570 is known")]
    NotAName(String),
    /// A name stands twice.
    #[error("{{{0}}} stands in it twice")]
    Doubled(String),
    /// Two variables touch.
    #[error("nothing stands between two variables, so nobody could tell where one ends")]
    Adjacent,
    /// A character that no URI holds.
    #[error("it holds a character that no URI may hold")]
    Character,
}

/// How the URIs that fit two templates relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// No URI fits both.
    None,
    /// Whatever fits the first fits the second too, which takes more.
    FirstIsNarrower,
    /// The other way round.
    SecondIsNarrower,
    /// A URI could fit both, and neither is the better choice.
    Ambiguous,
}

/// A piece of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Variable(String),
}

/// What stands between two signs of structure.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    pieces: Vec<Piece>,
    /// The sign behind it, if any.
    end: Option<char>,
}

/// A template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriTemplate {
    text: String,
    parts: Vec<Part>,
}

impl UriTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// When it is none of level 1, or could be read in two ways.
    pub fn parse(text: &str) -> Result<Self, UriTemplateError> {
        if text.len() > URI_MAX {
            return Err(UriTemplateError::TooLong);
        }
        let pieces = cut(text)?;
        let scheme = match pieces.first() {
            Some(Piece::Literal(literal)) => literal.split_once(':').map(|(scheme, _)| scheme),
            _ => None,
        };
        if !scheme.is_some_and(is_scheme) {
            return Err(UriTemplateError::NoScheme);
        }
        Ok(Self { text: text.to_owned(), parts: parts(pieces)? })
    }

    /// The template as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of its variables, in order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().flat_map(|part| &part.pieces).filter_map(|piece| match piece {
            Piece::Variable(name) => Some(name.as_str()),
            Piece::Literal(_) => None,
        })
    }

    /// Whether it stands for one URI alone.
    #[must_use]
    pub fn is_static(&self) -> bool {
        self.variables().next().is_none()
    }

    /// How much it leaves open; of two that a URI fits, the narrower has the smaller number.
    #[must_use]
    pub fn breadth(&self) -> usize {
        self.parts.iter().map(Part::breadth).sum()
    }

    /// The values of the variables, when the URI fits.
    #[must_use]
    pub fn matches(&self, uri: &NormalUri) -> Option<Vec<(&str, String)>> {
        if uri.parts.len() != self.parts.len() {
            return None;
        }
        let mut values = Vec::new();
        for (part, (text, end)) in self.parts.iter().zip(&uri.parts) {
            if part.end != *end {
                return None;
            }
            part.matches(text, &mut values)?;
        }
        values.into_iter().map(|(name, value)| Some((name, decoded(value)?))).collect()
    }

    /// How the URIs that fit this one and `other` relate.
    #[must_use]
    pub fn overlap(&self, other: &Self) -> Overlap {
        if self.parts.len() != other.parts.len() {
            return Overlap::None;
        }
        let mut is_narrower = false;
        let mut is_wider = false;
        let mut is_unclear = false;
        for (one, two) in self.parts.iter().zip(&other.parts) {
            if one.end != two.end {
                return Overlap::None;
            }
            match one.overlap(two) {
                PartOverlap::None => return Overlap::None,
                PartOverlap::Same => {}
                PartOverlap::FirstIsNarrower => is_narrower = true,
                PartOverlap::SecondIsNarrower => is_wider = true,
                PartOverlap::Unclear => is_unclear = true,
            }
        }
        match (is_narrower, is_wider, is_unclear) {
            (true, false, false) => Overlap::FirstIsNarrower,
            (false, true, false) => Overlap::SecondIsNarrower,
            _ => Overlap::Ambiguous,
        }
    }
}

impl fmt::Display for UriTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

enum PartOverlap {
    None,
    Same,
    FirstIsNarrower,
    SecondIsNarrower,
    Unclear,
}

impl Part {
    fn breadth(&self) -> usize {
        match self.pieces.as_slice() {
            [Piece::Variable(_)] => 2,
            pieces => usize::from(pieces.iter().any(|piece| matches!(piece, Piece::Variable(_)))),
        }
    }

    fn literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Takes `text` apart: each variable has at least one character and ends where the literal
    /// behind it stands first, the last one at the end. That finds a way if there is one, in time
    /// linear in the text for each variable.
    fn matches<'t, 'u>(&'t self, text: &'u str, values: &mut Vec<(&'t str, &'u str)>) -> Option<()> {
        let mut rest = text;
        let mut open: Option<&str> = None;
        for (index, piece) in self.pieces.iter().enumerate() {
            match (piece, open.take()) {
                (Piece::Variable(name), _) => open = Some(name),
                (Piece::Literal(literal), None) => rest = rest.strip_prefix(literal.as_str())?,
                (Piece::Literal(literal), Some(name)) => {
                    let is_last = index + 1 == self.pieces.len();
                    let at = if is_last {
                        rest.strip_suffix(literal.as_str())?.len()
                    } else {
                        let first = rest.chars().next()?.len_utf8();
                        first + rest.get(first..)?.find(literal.as_str())?
                    };
                    values.push((name, rest.get(..at).filter(|value| !value.is_empty())?));
                    rest = rest.get(at + literal.len()..)?;
                }
            }
        }
        match open {
            Some(name) if !rest.is_empty() => values.push((name, rest)),
            None if rest.is_empty() => {}
            _ => return None,
        }
        Some(())
    }

    fn overlap(&self, other: &Self) -> PartOverlap {
        let fits = |part: &Self, text: &str| part.matches(text, &mut Vec::new()).is_some();
        match (self.literal(), other.literal()) {
            (Some(one), Some(two)) if one == two => PartOverlap::Same,
            (Some(one), None) if fits(other, one) => PartOverlap::FirstIsNarrower,
            (None, Some(two)) if fits(self, two) => PartOverlap::SecondIsNarrower,
            (Some(_), _) | (_, Some(_)) => PartOverlap::None,
            (None, None) => self.overlap_of_open(other),
        }
    }

    /// Of two parts with variables. What is not certainly apart is taken to overlap.
    fn overlap_of_open(&self, other: &Self) -> PartOverlap {
        match (self.breadth(), other.breadth()) {
            (2, 2) => PartOverlap::Same,
            (1, 2) => PartOverlap::FirstIsNarrower,
            (2, 1) => PartOverlap::SecondIsNarrower,
            _ if self.has_same_literals(other) => PartOverlap::Same,
            _ => {
                let (heads, tails) = ((self.head(), other.head()), (self.tail(), other.tail()));
                let can_begin = heads.0.starts_with(heads.1) || heads.1.starts_with(heads.0);
                let can_end = tails.0.ends_with(tails.1) || tails.1.ends_with(tails.0);
                if can_begin && can_end { PartOverlap::Unclear } else { PartOverlap::None }
            }
        }
    }

    fn has_same_literals(&self, other: &Self) -> bool {
        self.pieces.len() == other.pieces.len()
            && self.pieces.iter().zip(&other.pieces).all(|pair| match pair {
                (Piece::Literal(one), Piece::Literal(two)) => one == two,
                (Piece::Variable(_), Piece::Variable(_)) => true,
                _ => false,
            })
    }

    fn head(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Literal(text)) => text,
            _ => "",
        }
    }

    fn tail(&self) -> &str {
        match self.pieces.last() {
            Some(Piece::Literal(text)) => text,
            _ => "",
        }
    }
}

/// A URI in its normal spelling, cut into parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NormalUri {
    parts: Vec<(String, Option<char>)>,
}

impl NormalUri {
    /// Reads a URI; `None` when it is none, or too long to be looked at.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > URI_MAX || !text.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme)) {
            return None;
        }
        let text = with_low_scheme(&normal(text)?);
        let mut parts = Vec::new();
        let mut rest = text.as_str();
        while let Some((at, end)) = rest.char_indices().find(|(_, sign)| is_structure(*sign)) {
            parts.push((rest.get(..at)?.to_owned(), Some(end)));
            rest = rest.get(at + 1..)?;
        }
        parts.push((rest.to_owned(), None));
        Some(Self { parts })
    }
}

/// Cuts a template into literals, in their normal spelling, and variables.
fn cut(text: &str) -> Result<Vec<Piece>, UriTemplateError> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (literal, from_brace) = rest.split_at(at);
        push_literal(&mut pieces, literal)?;
        let inner = from_brace.strip_prefix('{').ok_or(UriTemplateError::Braces)?;
        let (name, behind) = inner.split_once('}').ok_or(UriTemplateError::Braces)?;
        if !is_name(name) {
            return Err(UriTemplateError::NotAName(name.to_owned()));
        }
        if pieces.iter().any(|piece| matches!(piece, Piece::Variable(known) if known == name)) {
            return Err(UriTemplateError::Doubled(name.to_owned()));
        }
        if matches!(pieces.last(), Some(Piece::Variable(_))) {
            return Err(UriTemplateError::Adjacent);
        }
        pieces.push(Piece::Variable(name.to_owned()));
        rest = behind;
    }
    push_literal(&mut pieces, rest)?;
    Ok(pieces)
}

fn push_literal(pieces: &mut Vec<Piece>, literal: &str) -> Result<(), UriTemplateError> {
    if !literal.is_empty() {
        let literal = normal(literal).ok_or(UriTemplateError::Character)?;
        let literal = if pieces.is_empty() { with_low_scheme(&literal) } else { literal };
        pieces.push(Piece::Literal(literal));
    }
    Ok(())
}

/// Groups pieces into parts.
fn parts(pieces: Vec<Piece>) -> Result<Vec<Part>, UriTemplateError> {
    let mut parts = Vec::new();
    let mut current = Vec::new();
    for piece in pieces {
        let Piece::Literal(text) = piece else {
            current.push(piece);
            continue;
        };
        let mut rest = text.as_str();
        while let Some((at, end)) = rest.char_indices().find(|(_, sign)| is_structure(*sign)) {
            let (literal, behind) = rest.split_at(at);
            if !literal.is_empty() {
                current.push(Piece::Literal(literal.to_owned()));
            }
            parts.push(Part { pieces: std::mem::take(&mut current), end: Some(end) });
            rest = behind.get(1..).ok_or(UriTemplateError::Character)?;
        }
        if !rest.is_empty() {
            current.push(Piece::Literal(rest.to_owned()));
        }
    }
    parts.push(Part { pieces: current, end: None });
    Ok(parts)
}

fn is_structure(sign: char) -> bool {
    matches!(sign, '/' | '?' | '#')
}

/// RFC 3986 section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && text.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
}

/// Schemes do not depend on case (RFC 3986 section 6.2.2.1).
fn with_low_scheme(text: &str) -> String {
    match text.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => format!("{}:{rest}", scheme.to_ascii_lowercase()),
        _ => text.to_owned(),
    }
}

/// The normal spelling: what need not be escaped is not, everything else is, in capitals. `None`
/// with a control character, or a `%` that escapes nothing.
fn normal(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut normal = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'%' {
            push_byte(&mut normal, escaped(bytes, at)?, false);
            at += 3;
        } else if byte.is_ascii_control() {
            return None;
        } else {
            push_byte(&mut normal, byte, is_reserved(byte));
            at += 1;
        }
    }
    Some(normal)
}

fn push_byte(text: &mut String, byte: u8, is_plain: bool) {
    if is_plain || byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        text.push(char::from(byte));
        return;
    }
    let digit = |value: u8| HEX.get(usize::from(value)).map_or('0', |&digit| char::from(digit));
    text.extend(['%', digit(byte >> 4), digit(byte & 15)]);
}

/// Signs that mean something where they stand unescaped (RFC 3986 section 2.2).
fn is_reserved(byte: u8) -> bool {
    b":/?#[]@!$&'()*+,;=".contains(&byte)
}

fn escaped(bytes: &[u8], at: usize) -> Option<u8> {
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    u8::try_from(digit(at + 1)? * 16 + digit(at + 2)?).ok()
}

/// A value without its escapes, which are taken off once; `None` when it is no UTF-8.
fn decoded(value: &str) -> Option<String> {
    let bytes = value.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let is_escape = byte == b'%';
        plain.push(if is_escape { escaped(bytes, at)? } else { byte });
        at += if is_escape { 3 } else { 1 };
    }
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn template(text: &str) -> UriTemplate {
        UriTemplate::parse(text).unwrap()
    }

    fn values(text: &str, uri: &str) -> Option<Vec<String>> {
        let values = template(text).matches(&NormalUri::parse(uri)?)?.into_iter().map(|(_, value)| value).collect();
        Some(values)
    }

    #[track_caller]
    fn assert_values(text: &str, uri: &str, expected: &[&str]) {
        let expected: Vec<String> = expected.iter().map(|&value| value.to_owned()).collect();
        assert_eq!(values(text, uri), Some(expected), "{text} and {uri}");
    }

    #[test]
    fn a_uri_that_fits_gives_its_values() {
        assert_values("item://{id}/detail", "item://42/detail", &["42"]);
        assert_values("item://{id}/detail", "ITEM://a%20b/detail", &["a b"]);
        assert_values("x://{a}/{b}.json", "x://one/two.json.json", &["one", "two.json"]);
        assert_values("x://{a}-{b}", "x://1-2-3", &["1", "2-3"]);
        assert_values("x://y?q={q}&n={n}", "x://y?q=a%26b&n=2", &["a&b", "2"]);
        assert_values("urn:isbn:{n}", "urn:isbn:978", &["978"]);
        assert_values("data://gr\u{f6}\u{df}e/{n}", "data://gr%c3%b6%C3%9fe/1", &["1"]);
        assert_values("data://a b", "data://%61%20b", &[]);
        assert_values("x://{a}", "x://..", &[".."]);
    }

    #[test]
    fn a_slash_is_matched_only_when_it_is_escaped() {
        assert_eq!(values("x://{a}", "x://1/2"), None);
        assert_values("x://{a}", "x://1%2F2", &["1/2"]);
        assert_values("x://{a}", "x://1%252F2", &["1%2F2"]);
        assert_eq!(values("x://{a}", "x://1?y=2"), None);
        assert_eq!(values("x://{a}", "x://1#y"), None);
    }

    #[test]
    fn a_uri_that_does_not_fit_gives_nothing() {
        for uri in ["x://", "x:///", "y://1", "x://1/", "x:1", "x", "", "x://%", "x://%zz", "x://%f0", "x://a\nb"] {
            assert_eq!(values("x://{a}", uri), None, "{uri}");
        }
        assert_eq!(values("x://{a}", &format!("x://{}", "a".repeat(URI_MAX))), None);
    }

    #[test]
    fn what_is_no_template_of_level_one_is_refused() {
        for (text, error) in [
            ("{a}://b", UriTemplateError::NoScheme),
            ("items", UriTemplateError::NoScheme),
            ("", UriTemplateError::NoScheme),
            ("x://{a", UriTemplateError::Braces),
            ("x://a}", UriTemplateError::Braces),
            ("x://{}", UriTemplateError::NotAName(String::new())),
            ("x://{+a}", UriTemplateError::NotAName("+a".to_owned())),
            ("x://y{?a,b}", UriTemplateError::NotAName("?a,b".to_owned())),
            ("x://{a*}", UriTemplateError::NotAName("a*".to_owned())),
            ("x://{a:3}", UriTemplateError::NotAName("a:3".to_owned())),
            ("x://{a}/{a}", UriTemplateError::Doubled("a".to_owned())),
            ("x://{a}{b}", UriTemplateError::Adjacent),
            ("x://a\tb", UriTemplateError::Character),
            ("x://50%", UriTemplateError::Character),
        ] {
            assert_eq!(UriTemplate::parse(text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn templates_are_told_apart_or_found_to_clash() {
        for (one, two, overlap) in [
            ("x://{a}", "x://{b}", Overlap::Ambiguous),
            ("x://a/{b}", "x://{a}/b", Overlap::Ambiguous),
            ("x://{a}.json", "x://data.{b}", Overlap::Ambiguous),
            ("x://a", "X://%61", Overlap::Ambiguous),
            ("x://me", "x://{a}", Overlap::FirstIsNarrower),
            ("x://{a}", "x://v{b}", Overlap::SecondIsNarrower),
            ("x://a/{b}", "x://{a}/{b}", Overlap::FirstIsNarrower),
            ("x://{a}", "x://{a}/{b}", Overlap::None),
            ("x://{a}", "y://{a}", Overlap::None),
            ("x://a/{b}", "x://c/{b}", Overlap::None),
            ("x://v{a}", "x://w{a}", Overlap::None),
            ("x://{a}.json", "x://{a}.xml", Overlap::None),
            ("x://{a}/b", "x://{a}?b", Overlap::None),
        ] {
            assert_eq!(template(one).overlap(&template(two)), overlap, "{one} and {two}");
        }
        assert!(template("x://me").breadth() < template("x://v{a}").breadth());
        assert!(template("x://v{a}").breadth() < template("x://{a}").breadth());
    }

    proptest! {
        #[test]
        fn a_value_comes_back_as_it_was_put_in(value in "\\PC{1,20}") {
            let escaped = value.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02x}"));
            prop_assert_eq!(values("x://a/{v}/b", &format!("x://a/{escaped}/b")), Some(vec![value]));
        }

        #[test]
        fn no_uri_and_no_template_makes_it_panic(text in "(x:)?[-{}a/?#%2\u{e9}.]{0,30}", uri in "(x:)?[-{}a/?#%2\u{e9}.]{0,30}") {
            if let (Ok(template), Some(uri)) = (UriTemplate::parse(&text), NormalUri::parse(&uri)) {
                let _outcome = template.matches(&uri);
                prop_assert_eq!(template.overlap(&template), Overlap::Ambiguous);
            }
        }
    }
}

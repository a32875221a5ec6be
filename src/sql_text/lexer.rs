//! The words of a SQL text, as DuckDB tells them apart.
//!
//! Knows texts (also `E'…'` and `$tag$…$tag$`), quoted names, parameters and comments, which nest,
//! so that nobody takes what is inside of one for SQL. It reads no grammar.

use std::borrow::Cow;

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A keyword or a name without quotes.
    Word,
    /// A name in double quotes.
    QuotedName,
    /// A text constant of any kind.
    Text,
    /// `$name`, `$1` or `?`.
    Parameter,
    /// A number.
    Number,
    /// An operator, a bracket, a comma; `:=`, `=>`, `==` and `::` are one, others a letter each.
    Symbol,
}

/// A word and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'s> {
    pub(crate) kind: TokenKind,
    /// As it is written, quotes included.
    pub(crate) text: &'s str,
    /// The byte at which it begins.
    pub(crate) start: usize,
}

impl<'s> Token<'s> {
    /// The byte after its last.
    pub(crate) const fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is this symbol.
    pub(crate) fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == TokenKind::Symbol && self.text == symbol
    }

    /// Whether it is this keyword, in any case and without quotes.
    pub(crate) fn is_keyword(&self, keyword: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    /// The name that it may be, without quotes; names are alike in any case.
    pub(crate) fn name(&self) -> Option<Cow<'s, str>> {
        match self.kind {
            TokenKind::Word => Some(Cow::Borrowed(self.text)),
            TokenKind::QuotedName => {
                let inside = self.text.strip_prefix('"')?.strip_suffix('"')?;
                Some(if inside.contains('"') { inside.replace("\"\"", "\"").into() } else { inside.into() })
            }
            TokenKind::Text | TokenKind::Parameter | TokenKind::Number | TokenKind::Symbol => None,
        }
    }

    /// Whether it is this name, in any case, with or without quotes.
    pub(crate) fn is_name(&self, name: &str) -> bool {
        self.name().is_some_and(|own| own.eq_ignore_ascii_case(name))
    }
}

/// The words of `sql`; `None` when it cannot be told where one ends.
pub(crate) fn tokens(sql: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut start = 0;
    loop {
        start += blank_len(sql.get(start..)?)?;
        let rest = sql.get(start..)?;
        if rest.is_empty() {
            return Some(tokens);
        }
        let (kind, len) = token_at(rest)?;
        tokens.push(Token { kind, text: rest.get(..len)?, start });
        start += len;
        if follows_wrongly(&tokens) {
            return None;
        }
    }
}

/// The names of the parameters in order of first use, which are alike in any case.
pub(crate) fn parameters(tokens: &[Token<'_>]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut unnamed = 0;
    for token in tokens.iter().filter(|token| token.kind == TokenKind::Parameter) {
        let name = token.text.strip_prefix('$').map_or_else(
            || {
                unnamed += 1;
                unnamed.to_string()
            },
            str::to_owned,
        );
        if !names.iter().any(|other| other.eq_ignore_ascii_case(&name)) {
            names.push(name);
        }
    }
    names
}

/// How many bytes of space and comments `rest` begins with; `None` when a comment does not end.
fn blank_len(rest: &str) -> Option<usize> {
    let mut len = 0;
    loop {
        let tail = rest.get(len..)?;
        let spaces = tail.len() - tail.trim_start().len();
        let tail = tail.get(spaces..)?;
        let comment = if tail.starts_with("--") {
            tail.find(['\n', '\r']).unwrap_or(tail.len())
        } else if tail.starts_with("/*") {
            comment_len(tail)?
        } else {
            0
        };
        len += spaces + comment;
        if comment == 0 {
            return Some(len);
        }
    }
}

/// The length of the comment that `rest` begins with. Comments nest.
fn comment_len(rest: &str) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        let next = at + rest.get(at..)?.find(['/', '*'])?;
        let mark = rest.get(next..next + 2).unwrap_or_default();
        at = next + if mark == "/*" || mark == "*/" { 2 } else { 1 };
        match mark {
            "/*" => depth += 1,
            "*/" if depth <= 1 => return Some(at),
            "*/" => depth -= 1,
            _ => {}
        }
    }
}

/// Kind and length of the word that `rest` begins with.
fn token_at(rest: &str) -> Option<(TokenKind, usize)> {
    let mut letters = rest.chars();
    let first = letters.next()?;
    let second = letters.next();
    match first {
        '\'' => Some((TokenKind::Text, quoted_len(rest, '\'')?)),
        '"' => Some((TokenKind::QuotedName, quoted_len(rest, '"')?)),
        'e' | 'E' if second == Some('\'') => Some((TokenKind::Text, 1 + escaped_len(rest.get(1..)?)?)),
        '$' => dollar(rest),
        '?' => Some((TokenKind::Parameter, 1)),
        _ if begins_name(first) => Some((TokenKind::Word, run_len(rest, |c| continues_name(c) || c == '$'))),
        '0'..='9' => Some((TokenKind::Number, run_len(rest, |c| continues_name(c) || c == '.'))),
        _ => {
            let long = [":=", "=>", "==", "::"].into_iter().find(|symbol| rest.starts_with(symbol));
            Some((TokenKind::Symbol, long.map_or(first.len_utf8(), str::len)))
        }
    }
}

/// The length of what stands between `quote` and `quote`, both included; doubled ones are inside.
fn quoted_len(rest: &str, quote: char) -> Option<usize> {
    let mut len = 1;
    loop {
        len += rest.get(len..)?.find(quote)? + 1;
        if !rest.get(len..)?.starts_with(quote) {
            return Some(len);
        }
        len += 1;
    }
}

/// The same for a text in which a backslash hides what follows it.
fn escaped_len(rest: &str) -> Option<usize> {
    let mut len = 1;
    loop {
        let next = len + rest.get(len..)?.find(['\'', '\\'])?;
        let tail = rest.get(next + 1..)?;
        if rest.get(next..)?.starts_with('\\') {
            len = next + 1 + tail.chars().next()?.len_utf8();
        } else if tail.starts_with('\'') {
            len = next + 2;
        } else {
            return Some(next + 1);
        }
    }
}

/// What begins with a dollar: a text between two equal tags, or a parameter.
fn dollar(rest: &str) -> Option<(TokenKind, usize)> {
    let name_len = run_len(rest.get(1..)?, continues_name);
    let (name, tail) = rest.get(1..)?.split_at_checked(name_len)?;
    if tail.starts_with('$') && !name.starts_with(|c: char| c.is_ascii_digit()) {
        let tag = rest.get(..name_len + 2)?;
        let inside = rest.get(tag.len()..)?.find(tag)?;
        return Some((TokenKind::Text, inside + 2 * tag.len()));
    }
    Some(if name.is_empty() { (TokenKind::Symbol, 1) } else { (TokenKind::Parameter, 1 + name_len) })
}

fn run_len(rest: &str, is_part: impl Fn(char) -> bool) -> usize {
    rest.find(|c| !is_part(c)).unwrap_or(rest.len())
}

fn begins_name(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic() || (!c.is_ascii() && !c.is_whitespace())
}

fn continues_name(c: char) -> bool {
    begins_name(c) || c.is_ascii_digit()
}

/// Whether the last word leaves a doubt where it ends: there are texts that go on in the next line,
/// and words that end with an E right before a text with a backslash.
fn follows_wrongly(tokens: &[Token<'_>]) -> bool {
    let [.., before, last] = tokens else { return false };
    if last.kind != TokenKind::Text || !last.text.contains('\\') || !last.text.starts_with('\'') {
        return false;
    }
    let is_escaped = before.kind == TokenKind::Text && !before.text.starts_with(['\'', '$']);
    let ends_with_e = before.end() == last.start && before.text.ends_with(['e', 'E']);
    is_escaped || ends_with_e
}

#[cfg(test)]
mod tests {
    use super::*;
    use TokenKind::{Number, Parameter, QuotedName, Symbol, Text, Word};
    use proptest::prelude::*;

    fn kinds(sql: &str) -> Vec<(TokenKind, &str)> {
        let tokens = tokens(sql).unwrap_or_else(|| panic!("{sql}"));
        tokens.iter().map(|token| (token.kind, token.text)).collect()
    }

    #[test]
    fn words_are_told_apart() {
        let sql = "SELECT a$b, \"x\"\"y\" FROM f(1.5e3, $p, ?, k := 'it''s', m => 1, n = x::INT) WHERE a == 'b'";
        let expected = [
            (Word, "SELECT"),
            (Word, "a$b"),
            (Symbol, ","),
            (QuotedName, "\"x\"\"y\""),
            (Word, "FROM"),
            (Word, "f"),
            (Symbol, "("),
            (Number, "1.5e3"),
            (Symbol, ","),
            (Parameter, "$p"),
            (Symbol, ","),
            (Parameter, "?"),
            (Symbol, ","),
            (Word, "k"),
            (Symbol, ":="),
            (Text, "'it''s'"),
            (Symbol, ","),
            (Word, "m"),
            (Symbol, "=>"),
            (Number, "1"),
            (Symbol, ","),
            (Word, "n"),
            (Symbol, "="),
            (Word, "x"),
            (Symbol, "::"),
            (Word, "INT"),
            (Symbol, ")"),
            (Word, "WHERE"),
            (Word, "a"),
            (Symbol, "=="),
            (Text, "'b'"),
        ];
        assert_eq!(kinds(sql), expected);
    }

    #[test]
    fn texts_and_comments_end_where_duckdb_ends_them() {
        for (sql, text) in [
            (r"SELECT E'a\'b' x", r"E'a\'b'"),
            (r"SELECT e'a\\' x", r"e'a\\'"),
            (r"SELECT 'a\' x", r"'a\'"),
            ("SELECT $$ ' $$ x", "$$ ' $$"),
            ("SELECT $a$ $b$ ' $a$ x", "$a$ $b$ ' $a$"),
            ("SELECT $é$'$é$ x", "$é$'$é$"),
            ("SELECT /* ' /* ' */ ' */ '-- /*' x", "'-- /*'"),
            ("SELECT -- '\n'a' x", "'a'"),
            ("SELECT -- '\r'a' x", "'a'"),
            ("SELECT /**/'a'/***/ x", "'a'"),
        ] {
            assert_eq!(kinds(sql), [(Word, "SELECT"), (Text, text), (Word, "x")], "{sql}");
        }
    }

    #[test]
    fn a_text_that_does_not_end_is_not_followed() {
        for sql in ["'a", "\"a", "E'a\\'", "$$ a", "$a$ $b$", "/* /* */", "/*/", "E'a'\n'b\\'c'", "DATE'\\'", "'a''"] {
            assert_eq!(tokens(sql), None, "{sql}");
        }
        assert!(tokens("DATE'2026-01-01'").is_some());
        assert_eq!(kinds(""), []);
    }

    #[test]
    fn parameters_are_named_once() {
        let names = |sql| parameters(&tokens(sql).unwrap());
        assert_eq!(names("SELECT $b, $a, $B, '$c', $$ $d $$, /* $e */ $é"), ["b", "a", "é"]);
        assert_eq!(names("SELECT ?, ?"), ["1", "2"]);
        assert_eq!(names("SELECT $2, $1, $2"), ["2", "1"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_or_lose_a_byte(sql in r"[-'\x22/*$a-eE1(),=:?\\\n é]{0,40}") {
            if let Some(tokens) = tokens(&sql) {
                let mut end = 0;
                for token in tokens {
                    prop_assert!(token.start >= end && !token.text.is_empty());
                    prop_assert_eq!(sql.get(token.start..token.end()), Some(token.text));
                    end = token.end();
                }
                prop_assert!(end <= sql.len());
            }
        }
    }
}

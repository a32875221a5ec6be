//! Calls of file readers with `headers`, which DuckDB does not know, as calls that it does.
//!
//! `read_json_auto(url, headers = MAP {…}, rest)` becomes
//! `read_json_auto(__mxcp_fetch(url, to_json(MAP {…})::VARCHAR, 'call'), rest)`: the function sends the
//! request and answers with the path of what came. A call without `headers` stays as it is, byte for
//! byte, and so does a text that cannot be cut into words with certainty: then DuckDB says what it
//! thinks of `headers`.

mod note;

pub(super) use note::CallNote;

use super::fetch::FETCH_FUNCTION;
use crate::sql_text::lexer::{self, Token, TokenKind};
use std::fmt::Write as _;
use std::ops::Range;

/// The functions that may be given `headers`.
const READERS: [&str; 12] = [
    "read_json",
    "read_json_auto",
    "read_json_objects",
    "read_json_objects_auto",
    "read_ndjson",
    "read_ndjson_auto",
    "read_ndjson_objects",
    "read_csv",
    "read_csv_auto",
    "read_parquet",
    "read_text",
    "read_blob",
];

/// The parameter that makes a request of a call.
const HEADERS: &str = "headers";

/// The parameter that says how the data is compressed.
const COMPRESSION: &str = "compression";

/// What may stand between CREATE and what is created.
const BETWEEN: [&str; 6] = ["OR", "REPLACE", "TEMP", "TEMPORARY", "RECURSIVE", "MATERIALIZED"];

/// How deep calls may stand in the arguments of other calls; deeper ones are left to DuckDB.
const DEPTH_MAX: usize = 16;

/// A text whose calls send requests.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rewritten {
    /// The text for DuckDB.
    pub(super) sql: String,
    /// The names of all parameters in order of first use.
    pub(super) parameters: Vec<String>,
    /// Texts that are written out as values of headers, and may be keys.
    pub(super) secrets: Vec<String>,
}

/// Rewrites the calls with `headers` in `sql`; nothing when there are none.
///
/// # Errors
/// Why a call cannot be made, for its author.
pub(super) fn rewrite(sql: &str) -> Result<Option<Rewritten>, String> {
    if !mentions(sql, HEADERS) {
        return Ok(None);
    }
    let Some(tokens) = lexer::tokens(sql) else { return Ok(None) };
    let Some(partners) = partners(&tokens) else { return Ok(None) };
    let mut rewriter = Rewriter { sql, tokens: &tokens, partners: &partners, calls: 0, secrets: Vec::new() };
    let Some(rewritten) = rewriter.rewritten(0..tokens.len(), 0)? else { return Ok(None) };
    if rewriter.calls == 0 {
        return Ok(None);
    }
    let secrets = rewriter.secrets;
    if tokens.iter().any(|token| token.kind == TokenKind::Parameter && token.text == "?") {
        // They are counted where they stand, and headers move to the front.
        return Err(
            "a text with a call with headers needs parameters with names, such as $name, in place of ?".to_owned()
        );
    }
    Ok(Some(Rewritten { sql: rewritten, parameters: lexer::parameters(&tokens), secrets }))
}

/// Whether `word`, which is in lower case, is anywhere in `sql`: most texts need no more to be told
/// from those that matter.
fn mentions(sql: &str, word: &str) -> bool {
    sql.as_bytes().windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

/// The position of the bracket that closes the one at each position; `None` when they do not fit.
fn partners(tokens: &[Token<'_>]) -> Option<Vec<usize>> {
    let mut partners = vec![0; tokens.len()];
    let mut open: Vec<(usize, &str)> = Vec::new();
    for (position, token) in tokens.iter().enumerate().filter(|(_, token)| token.kind == TokenKind::Symbol) {
        match token.text {
            "(" => open.push((position, ")")),
            "[" => open.push((position, "]")),
            "{" => open.push((position, "}")),
            closing @ (")" | "]" | "}") => {
                let (opened, expected) = open.pop()?;
                if closing != expected {
                    return None;
                }
                *partners.get_mut(opened)? = position;
            }
            // A statement ends outside of brackets.
            ";" if !open.is_empty() => return None,
            _ => {}
        }
    }
    open.is_empty().then_some(partners)
}

/// A call with `headers`; everything by positions of tokens.
struct Call {
    reader: usize,
    /// The closing bracket.
    close: usize,
    arguments: Vec<Range<usize>>,
    /// Which of the arguments is the first without a name, and which is `headers`.
    source: usize,
    headers: usize,
    /// The value of `headers`.
    value: Range<usize>,
    has_compression: bool,
}

struct Rewriter<'s> {
    sql: &'s str,
    tokens: &'s [Token<'s>],
    partners: &'s [usize],
    calls: usize,
    secrets: Vec<String>,
}

impl Rewriter<'_> {
    /// The text of these tokens, from the first to the last; `None` when calls stand too deep.
    fn rewritten(&mut self, range: Range<usize>, depth: usize) -> Result<Option<String>, String> {
        if depth > DEPTH_MAX {
            return Ok(None);
        }
        let mut text = String::with_capacity(self.sql.len());
        // The text before the first and after the last statement's token is part of the whole.
        let (mut at, end) = if depth == 0 { (0, self.sql.len()) } else { self.bytes(&range) };
        let mut position = range.start;
        while position < range.end {
            let Some(call) = self.call_at(position)? else {
                position += 1;
                continue;
            };
            let arguments_start = self.byte_after(call.reader + 1);
            text.push_str(self.sql.get(at..arguments_start).unwrap_or_default());
            let Some(arguments) = self.arguments_of(&call, depth)? else { return Ok(None) };
            text.push_str(&arguments);
            at = self.bytes(&(call.close..call.close + 1)).0;
            position = call.close;
        }
        text.push_str(self.sql.get(at..end).unwrap_or_default());
        Ok(Some(text))
    }

    /// The arguments that DuckDB is given.
    fn arguments_of(&mut self, call: &Call, depth: usize) -> Result<Option<String>, String> {
        self.refuse_definition(call.reader)?;
        let reader = self.tokens.get(call.reader).and_then(Token::name).unwrap_or_default().to_ascii_lowercase();
        let note = CallNote { number: self.calls, has_compression: call.has_compression, reader }.to_string();
        self.calls += 1;
        self.note_secrets(&call.value);
        let Some(headers) = self.rewritten(call.value.clone(), depth + 1)? else { return Ok(None) };
        let mut text = String::new();
        for (index, argument) in call.arguments.iter().enumerate().filter(|(index, _)| *index != call.headers) {
            let Some(argument_text) = self.rewritten(argument.clone(), depth + 1)? else { return Ok(None) };
            if !text.is_empty() {
                text.push_str(", ");
            }
            // Writing to a String cannot fail.
            let _infallible = if index != call.source {
                write!(text, "{argument_text}")
            } else if self.is_list(argument) {
                let each = format!("{FETCH_FUNCTION}(mxcp_url, to_json({headers})::VARCHAR, '{note}')");
                write!(text, "list_transform({argument_text}, lambda mxcp_url: {each})")
            } else {
                write!(text, "{FETCH_FUNCTION}({argument_text}, to_json({headers})::VARCHAR, '{note}')")
            };
        }
        Ok(Some(text))
    }

    /// Remembers the texts among these tokens that are not the names of headers.
    fn note_secrets(&mut self, value: &Range<usize>) {
        let tokens = self.tokens.get(value.clone()).unwrap_or_default();
        let next = tokens.iter().skip(1).map(Some).chain([None]);
        let texts = tokens
            .iter()
            .zip(next)
            .filter(|(token, next)| token.kind == TokenKind::Text && !next.is_some_and(|next| next.is_symbol(":")));
        self.secrets.extend(texts.map(|(token, _)| {
            let inside = token.text.trim_start_matches(['e', 'E']).strip_prefix('\'');
            inside.and_then(|inside| inside.strip_suffix('\'')).unwrap_or(token.text).replace("''", "'")
        }));
    }

    /// The call whose function's name stands at `position`, if it has `headers` and what to read.
    fn call_at(&self, position: usize) -> Result<Option<Call>, String> {
        let (Some(name), Some(open)) = (self.tokens.get(position), self.tokens.get(position + 1)) else {
            return Ok(None);
        };
        if !open.is_symbol("(") || !READERS.iter().any(|reader| name.is_name(reader)) || !self.is_builtin(position) {
            return Ok(None);
        }
        let close = self.partners.get(position + 1).copied().unwrap_or_default();
        let arguments = self.split(position + 2..close);
        let named = |name: &str| {
            let is_it = |argument: &&Range<usize>| self.argument_name(argument).is_some_and(|own| own.is_name(name));
            arguments.iter().filter(is_it).count()
        };
        match named(HEADERS) {
            0 => return Ok(None),
            1 => {}
            _ => return Err(format!("{} has more than one headers", name.text)),
        }
        let is_headers = |argument: &Range<usize>| self.argument_name(argument).is_some_and(|own| own.is_name(HEADERS));
        let headers = arguments.iter().position(is_headers).unwrap_or_default();
        let value = arguments.get(headers).map_or(0..0, |argument| argument.start + 2..argument.end);
        let source = arguments.iter().position(|argument| self.argument_name(argument).is_none());
        let is_whole = !value.is_empty() && arguments.iter().all(|argument| !argument.is_empty());
        let Some(source) = source.filter(|_| is_whole) else { return Ok(None) };
        let has_compression = named(COMPRESSION) > 0;
        Ok(Some(Call { reader: position, close, arguments, source, headers, value, has_compression }))
    }

    /// Whether the name at `position` is that of DuckDB's own function, and in a call.
    fn is_builtin(&self, position: usize) -> bool {
        let before = |distance: usize| position.checked_sub(distance).and_then(|before| self.tokens.get(before));
        match before(1) {
            Some(dot) if dot.is_symbol(".") => {
                before(2).is_some_and(|schema| schema.is_name("main") || schema.is_name("system"))
            }
            // A definition of a macro with that name.
            Some(token) => !["MACRO", "FUNCTION", "EXISTS"].iter().any(|keyword| token.is_keyword(keyword)),
            None => true,
        }
    }

    /// The parts of `range` between commas that stand in no brackets.
    fn split(&self, range: Range<usize>) -> Vec<Range<usize>> {
        let mut parts = Vec::new();
        let (mut start, mut position) = (range.start, range.start);
        while let Some(token) = self.tokens.get(position).filter(|_| position < range.end) {
            if token.is_symbol(",") {
                parts.push(start..position);
                start = position + 1;
            } else if token.kind == TokenKind::Symbol && ["(", "[", "{"].contains(&token.text) {
                position = self.partners.get(position).copied().unwrap_or(position).max(position);
            }
            position += 1;
        }
        // A comma may stand at the end.
        if start < range.end || parts.is_empty() {
            parts.push(start..range.end);
        }
        parts
    }

    /// The name of an argument such as `headers = …`.
    fn argument_name(&self, argument: &Range<usize>) -> Option<&Token<'_>> {
        let name = self.tokens.get(argument.start).filter(|_| argument.len() >= 2)?;
        let sign = self.tokens.get(argument.start + 1)?;
        let is_named = ["=", ":=", "=>"].iter().any(|symbol| sign.is_symbol(symbol));
        (is_named && name.name().is_some()).then_some(name)
    }

    /// Whether an argument is a list in brackets, and nothing else.
    fn is_list(&self, argument: &Range<usize>) -> bool {
        let begins = self.tokens.get(argument.start).is_some_and(|token| token.is_symbol("["));
        begins && self.partners.get(argument.start) == Some(&(argument.end - 1))
    }

    /// A view or a macro would keep the call in the database, where nobody could make it.
    fn refuse_definition(&self, position: usize) -> Result<(), String> {
        let before = self.tokens.get(..position).unwrap_or_default();
        let start = before.iter().rposition(|token| token.is_symbol(";")).map_or(0, |end| end + 1);
        let mut words = before.get(start..).unwrap_or_default().iter();
        if !words.next().is_some_and(|word| word.is_keyword("CREATE")) {
            return Ok(());
        }
        let what = words.find(|word| !BETWEEN.iter().any(|between| word.is_keyword(between)));
        let is_kept = |word: &Token<'_>| ["VIEW", "MACRO", "FUNCTION"].iter().any(|kept| word.is_keyword(kept));
        match what.filter(|word| is_kept(word)) {
            Some(word) => Err(format!(
                "a {} cannot keep a call with headers, because nobody could be asked for it later; make the call in \
                 the tool's SQL, or keep its rows with CREATE TABLE … AS",
                word.text.to_lowercase()
            )),
            None => Ok(()),
        }
    }

    fn bytes(&self, range: &Range<usize>) -> (usize, usize) {
        let start = self.tokens.get(range.start).map_or(0, |token| token.start);
        let last = range.end.checked_sub(1).and_then(|last| self.tokens.get(last));
        (start, last.map_or(start, Token::end).max(start))
    }

    fn byte_after(&self, position: usize) -> usize {
        self.tokens.get(position).map_or(0, Token::end)
    }
}

#[cfg(test)]
mod tests;

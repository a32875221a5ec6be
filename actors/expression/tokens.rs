//! The words and signs of a condition's text, and how far a part of the condition reaches in it.
//!
//! The parser notes one token of each part: of a call its bracket, of a field its dot. What belongs to
//! it before and behind is found here.

use super::Span;
use super::compile::span_of;
use cel_interpreter::IdedExpr;
use cel_interpreter::common::ast::operators::OPT_SELECT;
use cel_interpreter::common::ast::{EntryExpr, Expr, LiteralValue, SourceInfo};

/// A word or a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A name, or a keyword.
    Word,
    /// An opening bracket.
    Open,
    /// A closing bracket.
    Close,
    /// A number, a text in quotes, or another sign.
    Other,
}

/// A token; spaces and comments are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) at: Span,
    /// The index of the bracket that belongs to this one.
    partner: Option<usize>,
}

/// All tokens of a condition.
#[derive(Debug)]
pub(super) struct Tokens {
    characters: Vec<char>,
    all: Vec<Token>,
}

impl Tokens {
    pub(super) fn of(text: &str) -> Self {
        let characters: Vec<char> = text.chars().collect();
        let (mut all, mut open, mut at): (Vec<Token>, Vec<usize>, _) = (Vec::new(), Vec::new(), 0);
        while let Some(first) = characters.get(at) {
            let (kind, end) = match first {
                first if first.is_whitespace() => {
                    at += 1;
                    continue;
                }
                '/' if characters.get(at + 1) == Some(&'/') => {
                    at = find(&characters, at, |letter| letter == '\n');
                    continue;
                }
                '(' | '[' | '{' => (TokenKind::Open, at + 1),
                ')' | ']' | '}' => (TokenKind::Close, at + 1),
                '\'' | '"' | '`' => (TokenKind::Other, end_of_text(&characters, at, false)),
                first if first.is_ascii_digit() => (TokenKind::Other, end_of_number(&characters, at)),
                first if is_letter(*first) => word(&characters, at),
                _ => (TokenKind::Other, at + 1),
            };
            let index = all.len();
            let partner = if kind == TokenKind::Close { open.pop() } else { None };
            if let Some(opening) = partner.and_then(|partner| all.get_mut(partner)) {
                opening.partner = Some(index);
            }
            if kind == TokenKind::Open {
                open.push(index);
            }
            all.push(Token { kind, at: Span { start: at, end }, partner });
            at = end;
        }
        Self { characters, all }
    }

    pub(super) fn text(&self, at: Span) -> String {
        let end = at.end.min(self.characters.len());
        self.characters.get(at.start.min(end)..end).unwrap_or_default().iter().collect()
    }

    /// The words whose tokens lie at `character` or before it, the nearest first.
    pub(super) fn words_back_from(&self, character: usize) -> impl Iterator<Item = String> {
        let before = self.all.iter().rev().skip_while(move |token| token.at.start > character);
        before.map_while(|token| (token.kind == TokenKind::Word).then(|| self.text(token.at)))
    }

    /// The part of the text that `node` was made from.
    pub(super) fn extent_of(&self, node: &IdedExpr, source: &SourceInfo) -> Option<Span> {
        let mut reach = Reach { tokens: self, source, range: None };
        reach.add(node);
        let (first, last) = self.balanced(reach.range?);
        Some(Span { start: self.all.get(first)?.at.start, end: self.all.get(last)?.at.end })
    }

    /// The same tokens, and more on either side until every bracket has its partner.
    fn balanced(&self, (mut first, mut last): (usize, usize)) -> (usize, usize) {
        loop {
            let partners = self.all.get(first..=last).unwrap_or_default().iter().filter_map(|token| token.partner);
            let (low, high) = partners.fold((first, last), |(low, high), at| (low.min(at), high.max(at)));
            if (low, high) == (first, last) {
                return (first, last);
            }
            (first, last) = (low, high);
        }
    }

    fn index_at(&self, character: usize) -> Option<usize> {
        self.all.iter().position(|token| (token.at.start..token.at.end).contains(&character))
    }

    fn is(&self, index: usize, sign: char) -> bool {
        self.all.get(index).and_then(|token| self.characters.get(token.at.start)) == Some(&sign)
    }

    fn is_word(&self, index: usize) -> bool {
        self.all.get(index).is_some_and(|token| token.kind == TokenKind::Word)
    }
}

/// The tokens of a part while they are gathered.
struct Reach<'t> {
    tokens: &'t Tokens,
    source: &'t SourceInfo,
    range: Option<(usize, usize)>,
}

impl Reach<'_> {
    fn add(&mut self, node: &IdedExpr) {
        let token = span_of(self.source, node.id).and_then(|at| self.tokens.index_at(at.start));
        if let Some(index) = token {
            let (first, last) = self.widened(node, index);
            let known = self.range.get_or_insert((first, last));
            *known = (known.0.min(first), known.1.max(last));
        }
        self.add_parts(&node.expr);
    }

    /// The token with those beside it that belong to the same node.
    fn widened(&self, node: &IdedExpr, index: usize) -> (usize, usize) {
        let before = index.checked_sub(1);
        let first = match (&node.expr, before) {
            // The name in front of a bracket, as of a function; `has` is a selection by then.
            (Expr::Call(_) | Expr::Select(_) | Expr::Comprehension(_), Some(name))
                if self.tokens.is(index, '(') && self.tokens.is_word(name) =>
            {
                let dot = name.checked_sub(1).filter(|dot| self.tokens.is(*dot, '.'));
                dot.unwrap_or(name)
            }
            (Expr::Literal(literal), Some(sign)) if is_negative(literal) && self.tokens.is(sign, '-') => sign,
            _ => index,
        };
        let has_field = match &node.expr {
            Expr::Select(_) => true,
            Expr::Call(call) => call.func_name == OPT_SELECT,
            _ => false,
        };
        let last = if has_field && self.tokens.is(index, '.') {
            // The name behind the dot, or behind its question mark.
            index + 1 + usize::from(self.tokens.is(index + 1, '?'))
        } else {
            index
        };
        (first, last.min(self.tokens.all.len().saturating_sub(1)))
    }

    fn add_parts(&mut self, of: &Expr) {
        let mut add = |node: &IdedExpr| self.add(node);
        match of {
            Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) | Expr::Struct(_) => {}
            Expr::Select(select) => add(&select.operand),
            Expr::Call(call) => call.target.iter().map(Box::as_ref).chain(&call.args).for_each(add),
            Expr::List(list) => list.elements.iter().for_each(add),
            Expr::Map(map) => map.entries.iter().for_each(|entry| {
                if let EntryExpr::MapEntry(pair) = &entry.expr {
                    add(&pair.key);
                    add(&pair.value);
                }
            }),
            Expr::Comprehension(of) => [&of.iter_range, &of.loop_step, &of.result].into_iter().for_each(add),
        }
    }
}

const fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn is_negative(literal: &LiteralValue) -> bool {
    match literal {
        LiteralValue::Int(number) => *number.inner() < 0,
        LiteralValue::Double(number) => number.inner().is_sign_negative(),
        _ => false,
    }
}

/// The first place from `at` on where `is_end` holds, or the end.
fn find(characters: &[char], at: usize, is_end: impl Fn(char) -> bool) -> usize {
    let rest = characters.get(at..).unwrap_or_default();
    at + rest.iter().position(|letter| is_end(*letter)).unwrap_or(rest.len())
}

/// A name, or the text whose prefix it is (`r'…'`, `b"…"`).
fn word(characters: &[char], at: usize) -> (TokenKind, usize) {
    let end = find(characters, at, |letter| !is_letter(letter));
    let name = characters.get(at..end).unwrap_or_default();
    let is_prefix = name.len() <= 2 && name.iter().all(|letter| "rRbB".contains(*letter));
    if is_prefix && matches!(characters.get(end), Some('\'' | '"')) {
        let is_raw = name.iter().any(|letter| "rR".contains(*letter));
        return (TokenKind::Other, end_of_text(characters, end, is_raw));
    }
    (TokenKind::Word, end)
}

/// Digits, and a dot that digits follow.
fn end_of_number(characters: &[char], at: usize) -> usize {
    let end = find(characters, at, |letter| !is_letter(letter));
    let is_fraction = characters.get(end) == Some(&'.') && characters.get(end + 1).is_some_and(char::is_ascii_digit);
    if is_fraction { find(characters, end + 1, |letter| !is_letter(letter)) } else { end }
}

/// Behind the text whose quote stands at `at`; it may have three of them.
fn end_of_text(characters: &[char], at: usize, is_raw: bool) -> usize {
    let Some(quote) = characters.get(at) else { return at };
    let is_quote = |index: usize| characters.get(index) == Some(quote);
    let quotes = if is_quote(at + 1) && is_quote(at + 2) { 3 } else { 1 };
    let mut index = at + quotes;
    while let Some(letter) = characters.get(index) {
        if (0..quotes).all(|offset| is_quote(index + offset)) {
            return index + quotes;
        }
        index += if *letter == '\\' && !is_raw { 2 } else { 1 };
    }
    characters.len()
}

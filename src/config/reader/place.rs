//! Where a part of a text stands in the file that it was read from, to point at it.

use std::fmt::Write as _;

/// What is shown of a long line: this many characters before the place, and this many in all.
const SHOWN_BEFORE: usize = 60;
const SHOWN_MAX: usize = 120;

/// A place in a file, with the part of its line that belongs to the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The line in the file, from 1.
    pub(super) line: u32,
    /// What stands there of the text.
    excerpt: String,
    /// The first character of the place in the excerpt, and how many there are.
    caret: (usize, usize),
}

impl Place {
    /// Finds the characters `start..end` of `text`, a scalar that begins in line and column `begin` of
    /// `file`. Nothing where they cannot be found, as behind an alias of something else.
    ///
    /// Nothing of the line but the scalar is shown: a neighbour may be a secret.
    pub(super) fn find(file: &str, begin: (u32, u32), text: &str, (start, end): (usize, usize)) -> Option<Self> {
        let file: Vec<char> = file.strip_prefix('\u{feff}').unwrap_or(file).chars().collect();
        let first = index_of(&file, begin)?;
        let placed = align(&file, first, text)?;
        // What is missing at the end of a text is missing after its last character.
        let from = placed.get(start).map_or_else(|| placed.last().map(|last| last.1), |place| Some(place.0))?;
        let to = placed.get(end.checked_sub(1)?).map_or(from + 1, |place| place.1).max(from + 1);
        let line_start = file.get(..from)?.iter().rposition(|letter| *letter == '\n').map_or(0, |newline| newline + 1);
        let line_end = file.get(from..)?.iter().position(|letter| *letter == '\n').map_or(file.len(), |at| from + at);
        let text_start = placed.first()?.0.max(line_start);
        let text_end = placed.last()?.1.min(line_end).max(from);
        let shown_start = text_start.max(from.saturating_sub(SHOWN_BEFORE));
        let excerpt: Vec<char> = file.get(shown_start..text_end)?.iter().take(SHOWN_MAX).copied().collect();
        let indent = excerpt.iter().take_while(|letter| letter.is_whitespace()).count().min(from - shown_start);
        let newlines = file.get(..from)?.iter().filter(|letter| **letter == '\n').count();
        Some(Self {
            line: u32::try_from(newlines + 1).ok()?,
            caret: (from - shown_start - indent, to.min(text_end.max(from + 1)) - from),
            excerpt: excerpt
                .iter()
                .skip(indent)
                .map(|letter| if letter.is_control() { ' ' } else { *letter })
                .collect(),
        })
    }

    /// The line with a mark under the place.
    pub(super) fn show(&self) -> String {
        let number = self.line.to_string();
        let (before, length) = self.caret;
        let mut text = format!("    {number} | {}\n", self.excerpt);
        // Writing to a String cannot fail.
        let _infallible = write!(text, "    {:1$} | ", "", number.len());
        let _infallible = write!(text, "{:before$}{}", "", "^".repeat(length));
        text
    }
}

/// The index of a line and column, both from 1.
fn index_of(file: &[char], (line, column): (u32, u32)) -> Option<usize> {
    let (line, column) = (usize::try_from(line).ok()?, usize::try_from(column).ok()?);
    let line_start = match line.checked_sub(2) {
        None => 0,
        Some(before) => file.iter().enumerate().filter(|(_, letter)| **letter == '\n').nth(before)?.0 + 1,
    };
    Some(line_start + column.checked_sub(1)?)
}

/// How a scalar is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// As it is, with line breaks folded or kept.
    Plain,
    /// `'…'`.
    SingleQuoted,
    /// `"…"`.
    DoubleQuoted,
}

/// For each character of `text` where it begins and ends in the file. White space is compared
/// loosely, since YAML folds it; all else has to be there.
fn align(file: &[char], first: usize, text: &str) -> Option<Vec<(usize, usize)>> {
    let read = |(at, style)| align_from(file, at, style, text);
    // A block that begins with a quote looks like a quoted text.
    content(file, first).and_then(read).or_else(|| read((first, Style::Plain)))
}

fn align_from(file: &[char], mut at: usize, style: Style, text: &str) -> Option<Vec<(usize, usize)>> {
    let mut placed = Vec::new();
    for wanted in text.chars() {
        if wanted.is_whitespace() {
            placed.push((at, at + 1));
            continue;
        }
        at = skip_space(file, at, style);
        let (letter, end) = letter(file, at, style)?;
        if letter != wanted {
            return None;
        }
        placed.push((at, end));
        at = end;
    }
    Some(placed)
}

/// Where the content of a scalar begins, behind its properties, quote or header.
fn content(file: &[char], first: usize) -> Option<(usize, Style)> {
    let mut at = first;
    loop {
        match file.get(at)? {
            // An anchor or a tag.
            '&' | '!' => {
                at += file.get(at..)?.iter().position(|letter| letter.is_whitespace())?;
                at = skip_space(file, at, Style::Plain);
            }
            '\'' => return Some((at + 1, Style::SingleQuoted)),
            '"' => return Some((at + 1, Style::DoubleQuoted)),
            '|' | '>' => return Some((at + file.get(at..)?.iter().position(|letter| *letter == '\n')?, Style::Plain)),
            _ => return Some((at, Style::Plain)),
        }
    }
}

fn skip_space(file: &[char], mut at: usize, style: Style) -> usize {
    loop {
        match (file.get(at), file.get(at + 1)) {
            (Some(letter), _) if letter.is_whitespace() => at += 1,
            // An escaped line break or space.
            (Some('\\'), Some(next))
                if style == Style::DoubleQuoted && (next.is_whitespace() || "nrt".contains(*next)) =>
            {
                at += 2;
            }
            _ => return at,
        }
    }
}

/// The character that is written at `at`, and where the next one begins.
fn letter(file: &[char], at: usize, style: Style) -> Option<(char, usize)> {
    match (style, *file.get(at)?, file.get(at + 1)) {
        (Style::SingleQuoted, '\'', Some('\'')) => Some(('\'', at + 2)),
        (Style::DoubleQuoted, '\\', Some(escape)) => {
            let digits = match escape {
                'x' => 2,
                'u' => 4,
                'U' => 8,
                plain => return Some((*plain, at + 2)),
            };
            let code: String = file.get(at + 2..at + 2 + digits)?.iter().collect();
            Some((char::from_u32(u32::from_str_radix(&code, 16).ok()?)?, at + 2 + digits))
        }
        (_, letter, _) => Some((letter, at + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree::{self, Node, NodeValue};

    fn condition(node: &Node) -> Option<&Node> {
        match &node.value {
            NodeValue::Table(entries) => {
                let own = entries.iter().find(|entry| entry.key == "condition").map(|entry| &entry.value);
                own.or_else(|| entries.iter().find_map(|entry| condition(&entry.value)))
            }
            NodeValue::List(items) => items.iter().find_map(condition),
            _ => None,
        }
    }

    /// The line, and what is shown for `part` of the condition in `file`.
    fn shown(file: &str, part: &str) -> (u32, String) {
        let node = tree::parse(file).unwrap();
        let node = condition(&node).unwrap();
        let NodeValue::Text(text) = &node.value else { panic!("{node:?}") };
        let start = text.find(part).map(|bytes| text[..bytes].chars().count()).unwrap();
        let place = Place::find(file, node.written_at, text, (start, start + part.chars().count()));
        place.map_or_else(|| (0, format!("{:?}", node.written_at)), |place| (place.line, place.show()))
    }

    #[test]
    fn the_place_is_found_however_the_condition_is_written() {
        let mut faults = Vec::new();
        for (file, line, text) in [
            ("a: 1\ncondition: user.x == usr\n", 2, "    2 | user.x == usr\n      |           ^^^"),
            ("condition: \"user.x == usr\"  # no\n", 1, "    1 | user.x == usr\n      |           ^^^"),
            (
                "condition: 'user.x == ''ä'' || usr'\n",
                1,
                "    1 | user.x == ''ä'' || usr\n      |                    ^^^",
            ),
            (
                "condition: \"x == \\\"\\u00e4\\\" || usr\"\n",
                1,
                "    1 | x == \\\"\\u00e4\\\" || usr\n      |                    ^^^",
            ),
            ("condition: |\n  user.x == 1\n  || usr == 2\nb: 2\n", 3, "    3 | || usr == 2\n      |    ^^^"),
            ("condition: |\n  'a' == usr\n", 2, "    2 | 'a' == usr\n      |        ^^^"),
            ("- b:\n    condition: >-\n\n      x == 1\n      || usr == 2\n", 5, "    5 | || usr == 2\n      |    ^^^"),
            ("condition: x == 1\n  || usr == 2\n", 2, "    2 | || usr == 2\n      |    ^^^"),
            ("condition: \"x == 1\n  || usr == 2\"\n", 2, "    2 | || usr == 2\n      |    ^^^"),
            ("condition: \"x == 1\\\n  || usr == 2\"\n", 2, "    2 | || usr == 2\n      |    ^^^"),
            ("a: [{condition: x || usr, secret: s}]\n", 1, "    1 | x || usr\n      |      ^^^"),
            ("a: {condition: &c 'usr', b: *c}\n", 1, "    1 | usr\n      | ^^^"),
            ("b: &b usr\na: {condition: *b}\n", 1, "    1 | usr\n      | ^^^"),
            ("\u{feff}condition: usr\n", 1, "    1 | usr\n      | ^^^"),
            ("a: 1\r\ncondition: x ==\r\n  usr\r\n", 3, "    3 | usr\n      | ^^^"),
        ] {
            if shown(file, "usr") != (line, text.to_owned()) {
                faults.push(format!("{file}{:?}", shown(file, "usr")));
            }
        }
        assert_eq!(faults, Vec::<String>::new());
    }

    #[test]
    fn of_a_long_line_only_the_part_around_the_place_is_shown() {
        let file = format!("condition: {} || usr || {}\n", "x".repeat(200), "y".repeat(200));
        let (_, text) = shown(&file, "usr");
        assert!(text.lines().all(|line| line.len() < 140), "{text}");
        assert!(text.contains("|| usr ||"), "{text}");
    }

    #[test]
    fn what_is_missing_at_the_end_is_marked_behind_it() {
        let place = Place::find("c: 'x =='\n", (1, 4), "x ==", (4, 5)).unwrap();
        assert_eq!(place.show(), "    1 | x ==\n      |     ^");
    }

    #[test]
    fn a_text_that_is_not_there_has_no_place() {
        assert_eq!(Place::find("c: abc\n", (1, 4), "abd", (0, 1)), None);
        assert_eq!(Place::find("c: abc\n", (9, 9), "abc", (0, 1)), None);
        assert_eq!(Place::find("", (0, 0), "abc", (0, 1)), None);
        assert_eq!(Place::find("c: ''\n", (1, 4), "", (0, 1)), None);
    }
}

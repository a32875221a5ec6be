//! What is written into a rewritten call about it.

use super::COMPRESSION;
use std::fmt;

/// What the function that fetches is told of the call that it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::adapters::duckdb) struct CallNote {
    /// Tells the calls of a text apart.
    pub(in crate::adapters::duckdb) number: usize,
    /// Whether the author says how the data is compressed.
    pub(in crate::adapters::duckdb) has_compression: bool,
    /// The function that reads.
    pub(in crate::adapters::duckdb) reader: String,
}

impl CallNote {
    /// Reads what was written for DuckDB.
    pub(in crate::adapters::duckdb) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (number, reader) = (words.next()?.parse().ok()?, words.next()?.to_owned());
        let has_compression = match words.next() {
            None => false,
            Some(COMPRESSION) => true,
            Some(_) => return None,
        };
        Some(Self { number, has_compression, reader })
    }
}

impl fmt::Display for CallNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, has_compression, reader } = self;
        write!(f, "{number} {reader}")?;
        if *has_compression { write!(f, " {COMPRESSION}") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_survives_its_text_form() {
        for has_compression in [false, true] {
            let note = CallNote { number: 7, has_compression, reader: "read_csv".to_owned() };
            assert_eq!(CallNote::parse(&note.to_string()), Some(note));
        }
        for text in ["", "read_csv", "7", "7 read_csv quickly", "-1 read_csv"] {
            assert_eq!(CallNote::parse(text), None, "{text}");
        }
    }
}

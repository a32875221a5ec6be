//! A CSV file (RFC 4180): times as RFC 3339, whole numbers as they are, nested values as JSON.
//!
//! Names in the log were chosen by callers, and spreadsheets run what begins like a formula. Such a
//! text gets a `'` in front, which they take for the sign of a text (OWASP, CSV Injection).

use super::{COLUMNS, Cell};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// What a formula may begin with. The wide forms are taken for the narrow ones where those are
/// usual.
const FORMULA_BEGINS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// A file that is being written.
pub(super) struct CsvFile {
    file: BufWriter<File>,
    count: usize,
}

impl CsvFile {
    /// Creates the file, readable for its owner alone, as the log is.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        let mut file = BufWriter::with_capacity(256 * 1024, file);
        file.write_all(COLUMNS.join(",").as_bytes())?;
        file.write_all(b"\r\n")?;
        Ok(Self { file, count: 0 })
    }

    pub(super) fn write(&mut self, row: &[Cell]) -> io::Result<()> {
        for (at, cell) in row.iter().enumerate() {
            if at > 0 {
                self.file.write_all(b",")?;
            }
            match cell {
                Cell::Missing => {}
                Cell::Number(number) => write!(self.file, "{number}")?,
                Cell::Text(text) => self.write_text(text)?,
            }
        }
        self.count += 1;
        self.file.write_all(b"\r\n")
    }

    /// An empty text is quoted, so that it is not taken for a missing one.
    fn write_text(&mut self, text: &str) -> io::Result<()> {
        let mark = if is_formula(text) { "'" } else { "" };
        if !text.is_empty() && !text.contains([',', ';', '"', '\r', '\n']) {
            return write!(self.file, "{mark}{text}");
        }
        write!(self.file, "\"{mark}{}\"", text.replace('"', "\"\""))
    }

    /// Makes sure that all is written, and tells how many rows there are.
    pub(super) fn finish(mut self) -> io::Result<usize> {
        self.file.flush()?;
        Ok(self.count)
    }
}

/// Whether a spreadsheet may take `text` for a formula. Numbers are none.
fn is_formula(text: &str) -> bool {
    text.starts_with(FORMULA_BEGINS) && serde_json::from_str::<serde_json::Number>(text).is_err()
}

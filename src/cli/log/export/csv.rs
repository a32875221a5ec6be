//! A CSV file (RFC 4180): times as RFC 3339, whole numbers as they are, nested values as JSON.

use super::{COLUMNS, Cell};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

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
        if !text.is_empty() && !text.contains([',', '"', '\r', '\n']) {
            return self.file.write_all(text.as_bytes());
        }
        write!(self.file, "\"{}\"", text.replace('"', "\"\""))
    }

    /// Makes sure that all is written, and tells how many rows there are.
    pub(super) fn finish(mut self) -> io::Result<usize> {
        self.file.flush()?;
        Ok(self.count)
    }
}

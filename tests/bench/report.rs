//! The table.

use std::fmt;
use std::io::{self, Write};

/// A figure, and what it should be at most or at least.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) what: &'static str,
    pub(crate) figure: f64,
    pub(crate) unit: &'static str,
    pub(crate) aim: Aim,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Aim {
    /// It stands beside others to be understood.
    None,
    Below(f64),
    Above(f64),
}

impl Line {
    fn verdict(&self) -> &'static str {
        let is_met = match self.aim {
            Aim::None => return "",
            Aim::Below(limit) => self.figure <= limit,
            Aim::Above(limit) => self.figure >= limit,
        };
        if is_met { "ok" } else { "missed" }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::None => String::new(),
            Self::Below(limit) => format!("<= {limit}"),
            Self::Above(limit) => format!(">= {limit}"),
        };
        f.pad(&text)
    }
}

/// Writes the table.
///
/// # Errors
/// When nobody takes it.
pub(crate) fn print(out: &mut dyn Write, lines: &[Line]) -> io::Result<()> {
    writeln!(out, "{:<58} {:>12} {:<10} {:>10}", "", "figure", "", "aim")?;
    for line in lines {
        let digits = if line.figure < 100.0 { 2 } else { 0 };
        let verdict = line.verdict();
        writeln!(out, "{:<58} {:>12.digits$} {:<10} {:>10} {verdict}", line.what, line.figure, line.unit, line.aim)?;
    }
    let missed = lines.iter().filter(|line| line.verdict() == "missed").count();
    writeln!(out, "{missed} missed")
}

/// Says why there is no table.
pub(crate) fn complain(error: &anyhow::Error) {
    // There is nowhere left to say that this failed.
    let _nobody_reads = writeln!(io::stderr(), "{error:#}");
}

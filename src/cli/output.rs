//! How commands report: text for people, or one JSON document for programs.

use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::io::Write;
use std::process::ExitCode;

/// The most rows of a table, and the most characters of a cell, that a person is shown.
const ROWS_MAX: usize = 100;
const CELL_CHARS_MAX: usize = 50;

/// What a command has to say when it worked.
#[derive(Debug)]
pub(super) struct Report {
    /// For people.
    pub(super) text: String,
    /// For programs; stands under `result`.
    pub(super) result: Value,
    /// Whether what it found makes the command fail all the same.
    pub(super) is_failure: bool,
    /// Whether the command has written it already, as it came; then only the warnings are left.
    pub(super) is_told: bool,
    /// What else a person should know, for standard error.
    pub(super) warnings: Vec<String>,
}

impl Report {
    /// A report of text alone.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::new(text, Value::Null)
    }

    /// A report of something that went well.
    pub(super) fn new(text: impl Into<String>, result: Value) -> Self {
        Self { text: text.into(), result, is_failure: false, is_told: false, warnings: Vec::new() }
    }
}

/// Wrong usage that only shows once the arguments are read together: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct UsageError(pub(super) String);

/// Writes the outcome and tells the exit code.
pub(super) fn finish(out: &mut dyn Write, is_json: bool, outcome: anyhow::Result<Report>) -> ExitCode {
    let mut err = std::io::stderr();
    let warnings = outcome.as_ref().map_or(&[][..], |report| &report.warnings);
    for warning in warnings {
        drop(writeln!(err, "Warning: {warning}"));
    }
    let (code, written) = match outcome {
        Ok(report) if report.is_told => (u8::from(report.is_failure), Ok(())),
        Ok(report) if is_json => {
            let status = if report.is_failure { "error" } else { "ok" };
            let document = json!({"status": status, "result": report.result});
            (u8::from(report.is_failure), writeln!(out, "{}", ascii(&document)))
        }
        Ok(report) if report.text.is_empty() => (u8::from(report.is_failure), Ok(())),
        Ok(report) => (u8::from(report.is_failure), writeln!(out, "{}", report.text.trim_end_matches('\n'))),
        Err(error) if error.is::<UsageError>() => (2, writeln!(err, "Error: {error}")),
        Err(error) if is_json => {
            let document = json!({"status": "error", "error": format!("{error:#}")});
            (1, writeln!(out, "{}", ascii(&document)).and_then(|()| writeln!(err, "Aborted!")))
        }
        Err(error) => (1, writeln!(err, "Error: {error:#}\nAborted!")),
    };
    // A closed pipe is how `head` ends a command; there is nobody left to tell.
    drop(written);
    ExitCode::from(code)
}

/// `document` on lines of its own and in ASCII: whatever reads it need not guess an encoding,
/// and nothing in it can steer a terminal.
fn ascii(document: &Value) -> String {
    escape_beyond_ascii(&format!("{document:#}"))
}

/// The same on one line.
pub(super) fn ascii_line(document: &Value) -> String {
    escape_beyond_ascii(&document.to_string())
}

fn escape_beyond_ascii(json: &str) -> String {
    // Characters beyond ASCII occur in strings only, so they can be escaped afterwards.
    let mut text = String::new();
    for character in json.chars() {
        if character.is_ascii() {
            text.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _infallible = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

/// A result for people: a table of rows, a list, an object, or a plain value.
pub(super) fn render(value: &Value) -> String {
    match value {
        Value::Array(items) if items.is_empty() => "[]".to_owned(),
        Value::Array(items) => {
            let rows: Option<Vec<&Map<String, Value>>> = items.iter().map(Value::as_object).collect();
            match rows {
                Some(rows) => table(&rows),
                None => list(items),
            }
        }
        Value::Object(_) => format!("{value:#}"),
        scalar => cell(scalar),
    }
}

fn list(items: &[Value]) -> String {
    let lines = items.iter().take(ROWS_MAX).map(cell);
    let text: Vec<String> = ["Value".to_owned(), "─".repeat(5)].into_iter().chain(lines).collect();
    text.join("\n") + &more(items.len())
}

fn table(rows: &[&Map<String, Value>]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in rows.iter().flat_map(|row| row.keys()) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let shown: Vec<Vec<String>> = rows
        .iter()
        .take(ROWS_MAX)
        .map(|row| names.iter().map(|name| row.get(*name).map_or_else(String::new, cell)).collect())
        .collect();
    let width = |at: usize, name: &str| {
        let cells = shown.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        cells.chain([name.chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = names.iter().enumerate().map(|(at, name)| width(at, name)).collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join(" │ ").trim_end().to_owned()
    };
    let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
    let mut lines = vec![line(names.clone()), rule.join("─┼─")];
    lines.extend(shown.iter().map(|row| line(row.iter().map(String::as_str).collect())));
    lines.join("\n") + &more(rows.len())
}

fn more(count: usize) -> String {
    let hidden = count.saturating_sub(ROWS_MAX);
    if hidden == 0 { String::new() } else { format!("\n... and {hidden} more rows") }
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.replace(['\n', '\r', '\t'], " "),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    if text.chars().count() <= CELL_CHARS_MAX {
        return text;
    }
    text.chars().take(CELL_CHARS_MAX - 3).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_and_in_ascii() {
        let mut out = Vec::new();
        let report = Report::new(String::new(), json!("Käthe 🦆"));
        finish(&mut out, true, Ok(report));
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "{\n  \"status\": \"ok\",\n  \"result\": \"K\\u00e4the \\ud83e\\udd86\"\n}\n");
    }

    #[test]
    fn rows_become_a_table() {
        let rows = json!([{"id": 1, "name": "Ada"}, {"id": 20, "name": null}]);
        assert_eq!(render(&rows), "id │ name\n───┼─────\n1  │ Ada\n20 │");
    }

    #[test]
    fn long_cells_and_long_tables_are_cut() {
        let rows: Vec<Value> = (0..101).map(|n| json!({"n": n, "t": "x".repeat(60)})).collect();
        let text = render(&Value::Array(rows));
        assert!(text.ends_with("... and 1 more rows"));
        assert!(text.contains(&format!("{}...", "x".repeat(47))));
        assert!(!text.contains(&"x".repeat(48)));
    }

    #[test]
    fn everything_else_prints_as_it_is() {
        assert_eq!(render(&json!([])), "[]");
        assert_eq!(render(&json!("text")), "text");
        assert_eq!(render(&json!([1, 2])), "Value\n─────\n1\n2");
        assert_eq!(render(&json!({"a": 1})), "{\n  \"a\": 1\n}");
    }
}

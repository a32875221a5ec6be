//! The envelope that every command's JSON comes in.

use serde::Serialize;
use serde_json::json;
use std::io::{self, Write};

/// Writes `{"status":"ok","result":…}`.
///
/// # Errors
/// When `out` cannot be written, or `result` cannot be said in JSON.
pub fn write_result(out: &mut dyn Write, result: &impl Serialize) -> io::Result<()> {
    write_json(out, &json!({"status": "ok", "result": result}))
}

/// Writes `{"status":"error","error":…}`.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_error(out: &mut dyn Write, error: &str) -> io::Result<()> {
    write_json(out, &json!({"status": "error", "error": error}))
}

/// Writes `value` on lines of its own, in ASCII: whatever reads it need not guess an encoding,
/// and nothing in it can steer a terminal.
fn write_json(out: &mut dyn Write, value: &serde_json::Value) -> io::Result<()> {
    // Characters beyond ASCII occur in strings only, so they can be escaped afterwards.
    let text = serde_json::to_string_pretty(value)?;
    let mut ascii = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| ascii.push_str(&format!("\\u{unit:04x}")));
        }
    }
    ascii.push('\n');
    out.write_all(ascii.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_indented_and_in_ascii() {
        let mut out = Vec::new();
        write_result(&mut out, &json!({"name": "Käthe 🦆"})).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "{\n  \"status\": \"ok\",\n  \"result\": {\n    \"name\": \"K\\u00e4the \\ud83e\\udd86\"\n  }\n}\n"
        );
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["result"]["name"], "Käthe 🦆");
    }

    #[test]
    fn an_error_has_its_text() {
        let mut out = Vec::new();
        write_error(&mut out, "no \"such\" thing").unwrap();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value, json!({"status": "error", "error": "no \"such\" thing"}));
    }
}

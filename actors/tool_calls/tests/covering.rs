//! What is covered in the texts of others.

use super::*;
use proptest::prelude::*;

/// `text` as it may be written down after a call with `argument`, which is of type `of`.
fn covered(argument: Value, of: TypeDefinition, text: &str) -> String {
    let parameters = CompiledParameters::compile(&parameters(vec![("p", of)])).unwrap();
    let arguments = [("p".to_owned(), argument)].into_iter().collect();
    parameters.sensitive_texts(&arguments).cover(text.to_owned())
}

#[test]
fn a_sensitive_text_is_covered_wherever_it_turns_up() {
    for (argument, text, expected) in [
        ("hunter2", "cannot use 'hunter2'", "cannot use '[REDACTED]'"),
        ("hunter2", "hunter2 and hunter2", "[REDACTED] and [REDACTED]"),
        ("hunter2", "got xhunter22", "got x[REDACTED]2"),
        ("Hunter2", "cannot use HUNTER2", "cannot use [REDACTED]"),
        ("pässwörd", "«pässwörd»", "«[REDACTED]»"),
        ("it's mine", "near 'it''s mine'", "near '[REDACTED]'"),
        ("say \"so\"", r#"in {"a": "say \"so\""}"#, r#"in {"a": "[REDACTED]"}"#),
        // Errors cut long values off.
        ("a very long secret", "Input: 'a very long s...'", "Input: '[REDACTED]...'"),
        ("a very long secret", "at '...ry long secret'", "at '...[REDACTED]'"),
        ("abababababX", "abababababababX", "[REDACTED]"),
        ("aaaa", "aaaaaaa", "[REDACTED]"),
        // Short ones are parts of words that say nothing.
        ("in", "invalid input in 'in'", "invalid input [REDACTED] '[REDACTED]'"),
        ("x", "x is not 1", "x is not 1"),
        ("", "nothing", "nothing"),
        ("hunter2", "no such table", "no such table"),
    ] {
        assert_eq!(covered(json!(argument), sensitive(TypeKind::String), text), expected, "{argument}");
    }
}

#[test]
fn a_sensitive_number_is_covered_where_it_stands_alone() {
    let of = |kind| sensitive(kind);
    for (argument, of, text, expected) in [
        (json!(4711), of(TypeKind::Integer), "value 4711 is out of range", "value [REDACTED] is out of range"),
        (json!(4711), of(TypeKind::Integer), "INT4711 147110", "INT4711 147110"),
        // As it came, and as the query had it.
        (json!("4.2e3"), of(TypeKind::Integer), "4.2e3 is 4200", "[REDACTED] is [REDACTED]"),
        (json!(true), of(TypeKind::Boolean), "true is no number", "true is no number"),
    ] {
        assert_eq!(covered(argument, of, text), expected);
    }
}

#[test]
fn only_what_is_sensitive_is_covered() {
    let login = || object(vec![("user", of(TypeKind::String)), ("pin", sensitive(TypeKind::String))]);
    let text = "ada with 4711-0815";
    let argument = json!({"user": "ada", "pin": "4711-0815"});
    assert_eq!(covered(argument.clone(), login(), text), "ada with [REDACTED]");
    assert_eq!(covered(Value::String(argument.to_string()), login(), text), "ada with [REDACTED]", "given as text");
    assert_eq!(covered(json!([argument]), list_of(login()), text), "ada with [REDACTED]");
    assert_eq!(covered(json!("ada"), of(TypeKind::String), "ada"), "ada");
    // Nobody knows what is in a value of another form.
    assert_eq!(covered(json!(["4711-0815"]), login(), text), "ada with [REDACTED]");
}

#[test]
fn covering_takes_no_time_however_long_the_value_and_the_error_are() {
    let long = "a".repeat(1_000_000);
    let covered = covered(json!(format!("{long}b")), sensitive(TypeKind::String), &long);
    assert_eq!(covered, "[REDACTED]");
}

#[test]
fn defaults_and_misspelt_parameters_are_covered_too() {
    let secret = with(TypeKind::String, |of| (of.sensitive, of.default) = (true, Some(json!("built-in"))));
    let parameters = CompiledParameters::compile(&parameters(vec![("p", secret)])).unwrap();
    let cover = |arguments: Value, text: &str| {
        parameters.sensitive_texts(arguments.as_object().unwrap()).cover(text.to_owned())
    };
    assert_eq!(cover(json!({}), "not 'built-in'"), "not '[REDACTED]'");
    assert_eq!(cover(json!({"P": "hunter2"}), "not 'hunter2'"), "not '[REDACTED]'");
}

proptest! {
    #[test]
    fn no_sensitive_text_of_useful_length_survives(
        secret in "[ -~äöü€]{4,30}", before in "[ -~äöü€]{0,20}", after in "[ -~äöü€]{0,20}",
    ) {
        let text = format!("{before}{secret}{after}");
        let covered = covered(json!(secret), sensitive(TypeKind::String), &text);
        let pieces: Vec<&str> = covered.split("[REDACTED]").collect();
        prop_assert!(pieces.len() > 1 && !pieces.iter().any(|piece| piece.contains(&secret)), "{covered}");
    }
}

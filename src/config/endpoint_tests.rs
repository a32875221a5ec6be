//! `tests` of an endpoint.
//!
//! They are for a command, not for the daemon, which checks no more than that they are well
//! formed: nothing that it does depends on them.

use super::reader::{Field, Table};

/// Checks the tests.
pub(super) fn check(field: &Field<'_>) {
    field.each(|item| item.visit(check_test));
}

fn check_test(table: &mut Table<'_, '_>) {
    table.require("name").and_then(|field| field.nonempty_text());
    table.get("description").and_then(|field| field.text());
    if let Some(arguments) = table.require("arguments") {
        arguments.each(|item| item.visit(check_argument));
    }
    table.get("user_context").and_then(|field| field.entries());
    table.get("result_contains_text").and_then(|field| field.text());
    table.get("result_length").and_then(|field| field.whole_number(0..=u64::MAX));
    table.get("result_not_contains").and_then(|field| field.texts());
    table.get("result_contains_all").inspect(|field| field.each(drop));
    // Any value may be expected.
    table.skip(&["result", "result_contains", "result_contains_item"]);
}

fn check_argument(table: &mut Table<'_, '_>) {
    table.require("key").and_then(|field| field.nonempty_text());
    // Null is a value too.
    table.require("value");
}

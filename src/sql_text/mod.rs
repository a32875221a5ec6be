//! What can be told of a SQL text without the engine.
//!
//! Owns how a text is cut into words. Must not run SQL, and knows no tools and no files.

pub(crate) mod lexer;

/// The function that hands out the caller's token at the provider.
const TOKEN_FUNCTION: &str = "get_user_external_token";

/// Whether `sql` may call `get_user_external_token()`, so that a fresh token must be at hand.
///
/// Comments and texts do not count. In doubt the answer is yes: a token that nobody reads costs
/// a refresh now and then, while a stale one makes the call fail. A call inside of a macro of the
/// database cannot be seen from here.
pub(crate) fn may_read_external_token(sql: &str) -> bool {
    let lower = sql.to_lowercase();
    if !lower.contains(TOKEN_FUNCTION) {
        return false;
    }
    // `query('…')` runs what is in a text.
    if lower.contains("query") {
        return true;
    }
    lexer::tokens(sql).is_none_or(|tokens| tokens.iter().any(|token| token.is_name(TOKEN_FUNCTION)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_call_is_seen() {
        for sql in [
            "SELECT get_user_external_token()",
            "select GET_USER_EXTERNAL_TOKEN ( )",
            "SELECT \"get_user_external_token\"()",
            "SELECT 'it''s' || get_user_external_token()",
            "-- it's\nSELECT get_user_external_token()",
            "SELECT 1 - 2 / 3, /* ' */ get_user_external_token()",
            "SELECT \"a'b\", get_user_external_token(), 'x'",
            "SELECT $$it's$$, get_user_external_token(), $$it's$$",
            "SELECT $a$it's$a$, get_user_external_token(), $a$it's$a$",
            "SELECT E'\\'', get_user_external_token(), E'\\''",
            // In doubt.
            "FROM query('SELECT get_user_external_token()')",
            "/* /* */ ' */ SELECT get_user_external_token() -- '",
            "SELECT 'get_user_external_token()",
        ] {
            assert!(may_read_external_token(sql), "{sql}");
        }
    }

    #[test]
    fn a_mention_is_no_call() {
        for sql in [
            "SELECT 1",
            "-- get_user_external_token()\nSELECT 1",
            "/* get_user_external_token() */ SELECT $name",
            "SELECT 'get_user_external_token()', $a, $b",
            "SELECT $a$ get_user_external_token() $a$, $b",
            "/* /* */ get_user_external_token() */ SELECT 1",
        ] {
            assert!(!may_read_external_token(sql), "{sql}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(sql in "[-'\"/*$a\\\\\né]{0,30}(get_user_external_token)?[-'\"/*$a\\\\\né]{0,30}") {
            let _outcome = may_read_external_token(&sql);
        }
    }
}

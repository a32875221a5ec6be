//! What can be told of a SQL text without the engine.

/// The function that hands out the caller's token at the provider.
const TOKEN_FUNCTION: &str = "get_user_external_token";

/// Whether `sql` may call `get_user_external_token()`, so that a fresh token must be at hand.
///
/// Comments and texts do not count. In doubt the answer is yes: a token that nobody reads costs
/// a refresh now and then, while a stale one makes the call fail. A call inside of a macro of the
/// database cannot be seen from here.
pub(super) fn may_read_external_token(sql: &str) -> bool {
    let sql = sql.to_lowercase();
    if !sql.contains(TOKEN_FUNCTION) {
        return false;
    }
    // Dollar quotes would need the engine's own lexer, and `query('…')` runs what is in a text.
    if has_dollar_quote(&sql) || sql.contains("query") {
        return true;
    }
    code_of(&sql).is_none_or(|code| code.contains(TOKEN_FUNCTION))
}

/// Whether a `$tag$` is in `sql`.
fn has_dollar_quote(sql: &str) -> bool {
    let mut pieces = sql.split('$');
    // What stands before the first dollar is no tag, and neither is what follows the last.
    pieces.next();
    let mut pieces: Vec<&str> = pieces.collect();
    pieces.pop();
    pieces.iter().any(|tag| tag.chars().all(|letter| letter.is_alphanumeric() || letter == '_'))
}

/// `sql` without comments and texts; `None` when it cannot be told where one ends.
fn code_of(sql: &str) -> Option<String> {
    let mut code = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(at) = rest.find(['\'', '"', '-', '/']) {
        let (before, tail) = rest.split_at(at);
        code.push_str(before);
        rest = if let Some(comment) = tail.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, rest)| rest)
        } else if let Some(comment) = tail.strip_prefix("/*") {
            let (inside, rest) = comment.split_once("*/")?;
            // Comments nest.
            if inside.contains("/*") {
                return None;
            }
            code.push(' ');
            rest
        } else if let Some(text) = tail.strip_prefix('\'') {
            let (inside, rest) = text.split_once('\'')?;
            // Only after an E does a backslash hide the quote.
            if inside.contains('\\') && before.ends_with('e') {
                return None;
            }
            rest
        } else if let Some(name) = tail.strip_prefix('"') {
            let (inside, rest) = name.split_once('"')?;
            code.push_str(inside);
            rest
        } else {
            let mut letters = tail.chars();
            code.extend(letters.next());
            letters.as_str()
        };
    }
    code.push_str(rest);
    Some(code)
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
            // In doubt.
            "SELECT $$it's$$, get_user_external_token(), $$it's$$",
            "SELECT $a$it's$a$, get_user_external_token(), $a$it's$a$",
            "SELECT E'\\'', get_user_external_token(), E'\\''",
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

//! The word that was probably meant.

/// How alike two words must be, where 1 is the same: one slip in a word of three letters passes.
const LIKENESS_MIN: f64 = 0.6;

/// The one of `known` that is most like `word`, if one is.
#[must_use]
pub fn closest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase();
    known
        .iter()
        .map(|known| (strsim::normalized_damerau_levenshtein(&word, &known.to_lowercase()), *known))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        assert_eq!(closest("pth", &["path", "readonly"]), Some("path"));
        assert_eq!(closest("Client_ID", &["client_id", "client_secret"]), Some("client_id"));
        assert_eq!(closest("redirect_uri", &["redirect_uris"]), Some("redirect_uris"));
        assert_eq!(closest("colour", &["path", "readonly"]), None);
        assert_eq!(closest("x", &[]), None);
    }
}

//! What a provider granted, compared with what it was asked for.

use mxcp_actors::model::scope::ScopeSet;

/// A scope that is granted, and one that comes with it: a longer name for the same, or a part.
pub(super) type Included = (&'static str, &'static str);

/// The scopes that were asked for and not granted.
///
/// `granted` without any scope says nothing: the rights of such a token are set elsewhere, as
/// those of a GitHub App are. Nor is a scope missing whose whole effect came with the answer:
/// providers leave `openid` and `offline_access` out of it now and then.
pub(super) fn missing(requested: &str, granted: &ScopeSet, included: &[Included], effects: &[&str]) -> ScopeSet {
    if granted.is_empty() {
        return ScopeSet::default();
    }
    let has = |scope: &str| granted.contains(scope) || effects.contains(&scope);
    let is_included = |scope: &str| included.iter().any(|(whole, part)| *part == scope && has(whole));
    requested.split_ascii_whitespace().filter(|scope| !has(scope) && !is_included(scope)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INCLUDED: &[Included] = &[("https://provider.example/email", "email"), ("user", "user:email")];

    fn of(requested: &str, granted: &str) -> String {
        missing(requested, &ScopeSet::parse(granted).unwrap(), INCLUDED, &["openid"]).to_string()
    }

    #[test]
    fn what_was_not_granted_is_missing() {
        assert_eq!(of("read write", "write"), "read");
        assert_eq!(of("read write", "write read more"), "");
        assert_eq!(of("openid read", "read"), "", "the identity token is there");
    }

    #[test]
    fn a_scope_is_there_under_its_long_name_or_within_a_wider_one() {
        assert_eq!(of("email user:email", "https://provider.example/email user"), "");
        assert_eq!(of("https://provider.example/email", "email"), "https://provider.example/email");
    }

    #[test]
    fn an_answer_without_scopes_says_nothing() {
        assert_eq!(of("read", ""), "");
    }
}

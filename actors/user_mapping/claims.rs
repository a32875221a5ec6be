//! From values of claims to capabilities.

use serde_json::Value;
use std::borrow::Cow;

/// The most values of one claim that are looked at.
const VALUES_MAX: usize = 1_000;

/// One claim of `claim_mappings`, and what its values stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimMapping {
    /// Where the claim is: its name, or names from the outside in with dots between them.
    pub path: String,
    /// For each value the capabilities that it gives.
    pub values: Vec<(String, Vec<String>)>,
}

/// The capabilities that `claims` give, in the order of the mappings.
pub(super) fn capabilities(mappings: &[ClaimMapping], claims: &Value) -> Vec<String> {
    let mut given = Vec::new();
    for mapping in mappings {
        let Some(claim) = find(claims, &mapping.path) else { continue };
        let values = values(claim);
        for (value, capabilities) in &mapping.values {
            if values.iter().any(|held| held == value) {
                given.extend(capabilities.iter().cloned());
            }
        }
    }
    given
}

/// A name that is there as it is written counts first, because names may hold dots, as those do
/// that are URLs.
fn find<'a>(claims: &'a Value, path: &str) -> Option<&'a Value> {
    if let Some(claim) = claims.get(path) {
        return Some(claim);
    }
    path.split('.').try_fold(claims, |inside, name| inside.get(name))
}

/// What a claim says, as texts: the items of a list; a text whole and word by word, as scopes are
/// written; a boolean or a number as JSON writes it.
fn values(claim: &Value) -> Vec<Cow<'_, str>> {
    match claim {
        Value::Array(items) => items.iter().take(VALUES_MAX).filter_map(scalar).collect(),
        Value::String(text) => {
            let words = text.split_whitespace().take(VALUES_MAX).map(Cow::Borrowed);
            std::iter::once(Cow::Borrowed(text.as_str())).chain(words).collect()
        }
        other => scalar(other).into_iter().collect(),
    }
}

fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(_) | Value::Number(_) => Some(Cow::Owned(value.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

//! From claims to a user.

use super::signed_token::Claims;
use mxcp_actors::model::ids::UserId;
use mxcp_actors::model::principal::User;
use serde_json::Value;

/// Claims that belong to one login and not to the person.
const PROTOCOL_CLAIMS: &[&str] = &["nonce", "at_hash", "c_hash", "s_hash"];

/// Claims that mean something only beside the address that they were sent with.
const EMAIL_CLAIMS: &[&str] = &["email", "email_verified"];

/// The longest list that two lists are joined to, so that joining them takes no time.
const ITEMS_MAX: usize = 1_000;

/// Lays the answer of the userinfo endpoint over the claims of the `id_token`.
///
/// The address and the word that it is verified come from the same document: otherwise the
/// verification of one address would count for another.
pub(super) fn merge(mut claims: Claims, userinfo: Option<Claims>) -> Claims {
    if let Some(userinfo) = userinfo {
        if userinfo.contains_key("email") {
            claims.retain(|name, _| !EMAIL_CLAIMS.contains(&name.as_str()));
        }
        claims.extend(userinfo);
    }
    claims.retain(|name, _| !PROTOCOL_CLAIMS.contains(&name.as_str()));
    claims
}

/// Adds those claims of another token that have these names. Lists are joined; where both have a
/// text the one that is there stays.
pub(super) fn add(claims: &mut Claims, mut more: Claims, names: &[&str]) {
    for name in names {
        if let Some(claim) = more.remove(*name) {
            join(claims.entry(*name).or_insert(Value::Null), claim);
        }
    }
}

fn join(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Array(into), Value::Array(more)) => {
            for item in more {
                if into.len() < ITEMS_MAX && !into.contains(&item) {
                    into.push(item);
                }
            }
        }
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                join(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into @ Value::Null, more) => *into = more,
        _ => (),
    }
}

/// Describes the person of that subject.
pub(in crate::adapters) fn user(provider: &str, subject: &str, claims: Claims) -> User {
    let email = text(&claims, "email");
    User {
        id: UserId::of(provider, subject),
        provider: provider.to_owned(),
        subject: subject.to_owned(),
        username: username(&claims, email.as_deref(), subject),
        email_verified: email.is_some() && is_true(claims.get("email_verified")),
        email,
        name: text(&claims, "name"),
        role: text(&claims, "role"),
        permissions: list(claims.get("permissions"), char::is_whitespace),
        // A group's name may hold spaces, so a single text is one group.
        groups: list(claims.get("groups"), |_| false),
        capabilities: Vec::new(),
        claims: Value::Object(claims),
    }
}

fn username(claims: &Claims, email: Option<&str>, subject: &str) -> String {
    text(claims, "preferred_username")
        .or_else(|| email.and_then(|email| email.split('@').next()).filter(|part| !part.is_empty()).map(str::to_owned))
        .unwrap_or_else(|| subject.to_owned())
}

fn text(claims: &Claims, name: &str) -> Option<String> {
    claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Some providers send the boolean as text.
fn is_true(claim: Option<&Value>) -> bool {
    match claim {
        Some(Value::Bool(value)) => *value,
        Some(Value::String(text)) => text == "true",
        _ => false,
    }
}

fn list(claim: Option<&Value>, is_separator: impl Fn(char) -> bool) -> Vec<String> {
    match claim {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(text)) => {
            text.split(is_separator).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;

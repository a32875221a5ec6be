use super::*;
use serde_json::json;

fn object(value: Value) -> Claims {
    serde_json::from_value(value).unwrap()
}

fn described(claims: Value) -> User {
    user("oidc", "7", object(claims))
}

#[test]
fn the_username_falls_back_to_the_address_and_the_subject() {
    let full = json!({"preferred_username": "ada", "email": "al@example.com"});
    assert_eq!(described(full).username, "ada");
    assert_eq!(described(json!({"preferred_username": "", "email": "al@example.com"})).username, "al");
    assert_eq!(described(json!({"email": "@example.com"})).username, "7");
    assert_eq!(described(json!({})).username, "7");
}

#[test]
fn the_identity_is_provider_and_subject() {
    let user = described(json!({"email": "ada@example.com", "sub": "7"}));
    assert_eq!(user.id, UserId::of("oidc", "7"));
    assert_eq!(user.subject, "7");
}

#[test]
fn an_address_is_verified_only_if_the_provider_says_so() {
    for (claim, verified) in [
        (json!(true), true),
        (json!("true"), true),
        (json!(false), false),
        (json!("false"), false),
        (json!(1), false),
        (json!("TRUE?"), false),
        (json!(null), false),
    ] {
        let user = described(json!({"email": "a@b", "email_verified": claim}));
        assert_eq!(user.email_verified, verified, "{claim}");
    }
    assert!(!described(json!({"email": "a@b"})).email_verified);
    assert!(!described(json!({"email_verified": true})).email_verified);
}

#[test]
fn permissions_and_groups_are_lists_or_texts() {
    let lists = described(json!({"permissions": ["a", 1, "b c"], "groups": ["All staff", null]}));
    assert_eq!(lists.permissions, ["a", "b c"]);
    assert_eq!(lists.groups, ["All staff"]);
    let texts = described(json!({"permissions": " a  b", "groups": "All staff", "role": "admin"}));
    assert_eq!(texts.permissions, ["a", "b"]);
    assert_eq!(texts.groups, ["All staff"]);
    assert_eq!(texts.role.as_deref(), Some("admin"));
    let odd = described(json!({"permissions": {"a": 1}, "groups": 7, "role": ["admin"]}));
    assert!(odd.permissions.is_empty() && odd.groups.is_empty() && odd.role.is_none());
}

#[test]
fn userinfo_wins_over_the_id_token_and_the_login_leaves_no_trace() {
    let claims = merge(
        object(json!({"sub": "7", "name": "Old", "role": "user", "nonce": "n", "at_hash": "h"})),
        Some(object(json!({"sub": "7", "name": "New"}))),
    );
    assert_eq!(Value::Object(claims), json!({"sub": "7", "role": "user", "name": "New"}));
}

#[test]
fn a_verification_does_not_pass_to_another_address() {
    let id_token = json!({"email": "old@example.com", "email_verified": true});
    let moved = merge(object(id_token.clone()), Some(object(json!({"email": "new@example.com"}))));
    assert!(!user("oidc", "7", moved).email_verified);
    let kept = merge(object(id_token), Some(object(json!({"name": "Ada"}))));
    assert!(user("oidc", "7", kept).email_verified);
}

#[test]
fn claims_of_another_token_are_joined_and_take_nothing_away() {
    let mut claims = object(json!({"roles": {"a": ["x"], "b": "kept"}, "groups": ["g"], "role": "kept", "odd": 1}));
    let more = json!({
        "roles": {"a": ["y", "x"], "b": "other", "c": ["z"]}, "groups": ["h", "g"], "role": "other", "odd": ["x"],
        "new": [1], "secret": "not asked for",
    });
    add(&mut claims, object(more), &["roles", "groups", "role", "odd", "new", "missing"]);
    let joined = json!({
        "roles": {"a": ["x", "y"], "b": "kept", "c": ["z"]}, "groups": ["g", "h"], "role": "kept", "odd": 1, "new": [1],
    });
    assert_eq!(Value::Object(claims), joined);
}

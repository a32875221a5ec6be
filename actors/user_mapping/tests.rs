use super::{ClaimMapping, MappingRule, UserMapping};
use crate::model::principal::User;
use crate::testkit::conditions::{WITHOUT_ANSWER, odd_user};
use crate::testkit::samples;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

fn user(claims: Value) -> Arc<User> {
    Arc::new(User { claims, role: None, permissions: Vec::new(), groups: Vec::new(), ..samples::user("ada") })
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|&text| text.to_owned()).collect()
}

fn rule(when: &str, role: Option<&str>, permissions: &[&str], groups: &[&str]) -> MappingRule {
    MappingRule::new(when, role.map(str::to_owned), texts(permissions), texts(groups)).unwrap()
}

fn by_rules(rules: Vec<MappingRule>, user: Arc<User>) -> Arc<User> {
    UserMapping::new(HashMap::new(), rules).apply(user)
}

fn capabilities(path: &str, claims: Value) -> Vec<String> {
    let values = vec![
        ("admin".to_owned(), texts(&["write", "read"])),
        ("auditor".to_owned(), texts(&["read"])),
        ("true".to_owned(), texts(&["yes"])),
        ("7".to_owned(), texts(&["seven"])),
    ];
    let mapping = ClaimMapping { path: path.to_owned(), values };
    let user = user(claims);
    let by_provider = HashMap::from([(user.provider.clone(), vec![mapping])]);
    UserMapping::new(by_provider, Vec::new()).apply(user).capabilities.clone()
}

#[test]
fn values_of_claims_give_capabilities() {
    for (path, claims, given) in [
        ("roles", json!({"roles": ["admin", "auditor"]}), &["write", "read"] as &[&str]),
        ("roles", json!({"roles": "auditor admin"}), &["write", "read"]),
        ("roles", json!({"roles": "administrator"}), &[]),
        ("roles", json!({"roles": ["not admin"]}), &[]),
        ("realm_access.roles", json!({"realm_access": {"roles": ["auditor"]}}), &["read"]),
        ("https://acme.example/roles", json!({"https://acme.example/roles": ["auditor"]}), &["read"]),
        ("a.b", json!({"a.b": "auditor", "a": {"b": "admin"}}), &["read"]),
        ("staff", json!({"staff": true}), &["yes"]),
        ("level", json!({"level": 7}), &["seven"]),
        ("level", json!({"level": 7.5}), &[]),
        ("roles", json!({"roles": {"admin": true}}), &[]),
        ("roles", json!({"roles": null}), &[]),
        ("roles.0", json!({"roles": ["admin"]}), &[]),
        ("roles", json!({}), &[]),
        ("roles", json!("admin"), &[]),
    ] {
        assert_eq!(capabilities(path, claims.clone()), texts(given), "{path} of {claims}");
    }
}

#[test]
fn mappings_of_one_provider_say_nothing_about_the_people_of_another() {
    let mapping = ClaimMapping { path: "role".to_owned(), values: vec![("admin".to_owned(), texts(&["all"]))] };
    let mapping = UserMapping::new(HashMap::from([("elsewhere".to_owned(), vec![mapping])]), Vec::new());
    assert_eq!(mapping.apply(user(json!({"role": "admin"}))).capabilities, [] as [String; 0]);
}

#[test]
fn every_rule_that_holds_adds_and_the_first_role_counts() {
    let mapped = by_rules(
        vec![
            rule("claims.hd == 'other.example'", Some("stranger"), &["none"], &[]),
            rule("claims.hd == 'acme.example'", None, &["read"], &["staff"]),
            rule("'board' in claims.teams", Some("admin"), &["read", "write"], &["board"]),
            rule("user.email.endsWith('@example.com')", Some("guest"), &[], &[]),
        ],
        user(json!({"hd": "acme.example", "teams": ["board"]})),
    );
    assert_eq!(mapped.role.as_deref(), Some("admin"));
    assert_eq!(mapped.permissions, texts(&["read", "write"]));
    assert_eq!(mapped.groups, texts(&["staff", "board"]));
}

#[test]
fn a_role_that_is_given_here_takes_the_place_of_the_providers_and_none_leaves_it() {
    let of_provider = Arc::new(User { role: Some("admin".to_owned()), ..samples::user("ada") });
    let mapped = by_rules(vec![rule("true", Some("reader"), &[], &[])], Arc::clone(&of_provider));
    assert_eq!(mapped.role.as_deref(), Some("reader"));
    let mapped = by_rules(vec![rule("false", Some("reader"), &[], &[])], of_provider);
    assert_eq!(mapped.role.as_deref(), Some("admin"));
}

#[test]
fn a_missing_claim_never_grants() {
    for when in
        ["claims.role != 'user'", "claims.level > 3", "!(claims.is_guest)", "claims.role", "claims.teams[0] != 'x'"]
    {
        let mapped = by_rules(vec![rule(when, Some("admin"), &["all"], &["board"])], user(json!({})));
        assert_eq!((mapped.role.as_deref(), mapped.permissions.len(), mapped.groups.len()), (None, 0, 0), "{when}");
    }
}

#[test]
fn rules_do_not_see_what_other_rules_gave() {
    let mapped = by_rules(
        vec![rule("true", Some("admin"), &[], &["board"]), rule("'board' in user.groups", None, &["all"], &[])],
        user(json!({})),
    );
    assert_eq!(mapped.permissions, [] as [String; 0]);
}

#[test]
fn capabilities_are_seen_by_rules() {
    let by_provider = HashMap::from([(
        samples::user("ada").provider,
        vec![ClaimMapping { path: "role".to_owned(), values: vec![("boss".to_owned(), texts(&["approve"]))] }],
    )]);
    let mapping = UserMapping::new(by_provider, vec![rule("'approve' in user.capabilities", Some("admin"), &[], &[])]);
    assert_eq!(mapping.apply(user(json!({"role": "boss"}))).role.as_deref(), Some("admin"));
}

#[test]
fn no_condition_without_an_answer_gives_anything() {
    let rules = WITHOUT_ANSWER.iter().map(|when| rule(when, Some("admin"), &["write"], &["staff"])).collect();
    assert_eq!(*by_rules(rules, Arc::new(odd_user())), odd_user());
}

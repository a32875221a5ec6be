use super::compile::{Endpoint, PolicyTarget};
use super::state::{PolicyBook, UserCache};
use crate::model::ids::UserId;
use crate::model::policy::{PolicyAction, PolicyRule, PolicySet};
use crate::model::principal::{Principal, User};
use crate::model::schema::{TypeDefinition, TypeKind};
use serde_json::{Value, json};
use std::sync::Arc;

fn rule(condition: &str, action: PolicyAction, fields: &[&str]) -> PolicyRule {
    let fields = fields.iter().map(|&name| name.to_owned()).collect();
    PolicyRule { condition: condition.to_owned(), action, reason: Some("no".to_owned()), fields }
}

fn endpoint(input: Vec<PolicyRule>, output: Vec<PolicyRule>) -> Endpoint {
    let mut secret = TypeDefinition::of(TypeKind::String);
    secret.sensitive = true;
    let mut inner = TypeDefinition::of(TypeKind::Object);
    inner.properties = vec![("iban".to_owned(), secret.clone())];
    let mut row = TypeDefinition::of(TypeKind::Object);
    row.properties = vec![("ssn".to_owned(), secret), ("bank".to_owned(), inner)];
    let mut rows = TypeDefinition::of(TypeKind::Array);
    rows.items = Some(Box::new(row));
    Endpoint {
        name: "t".to_owned(),
        parameters: vec!["n".to_owned()],
        returns: Some(rows),
        policies: PolicySet { input, output },
    }
}

fn user(email: Option<&str>, role: &str) -> Arc<Principal> {
    let user = User {
        id: UserId::of("local", "ada"),
        provider: "local".to_owned(),
        subject: "ada".to_owned(),
        username: "ada".to_owned(),
        email: email.map(str::to_owned),
        email_verified: false,
        name: None,
        role: Some(role.to_owned()),
        permissions: Vec::new(),
        groups: vec!["staff".to_owned()],
        capabilities: Vec::new(),
        claims: json!({}),
    };
    Arc::new(Principal { user: Some(Arc::new(user)), client_id: None, session_id: None, ..Principal::anonymous() })
}

fn denies(condition: &str, principal: &Arc<Principal>, arguments: &Value) -> bool {
    let rules = vec![rule(condition, PolicyAction::Deny, &[])];
    let book = PolicyBook::compile(vec![endpoint(rules, vec![])]).unwrap();
    let mut users = UserCache::default();
    book.decide_input("t", users.get(principal), arguments.as_object().unwrap()).denial.is_some()
}

fn output(rules: Vec<PolicyRule>, mut response: Value) -> (bool, Value) {
    let book = PolicyBook::compile(vec![endpoint(vec![], rules)]).unwrap();
    let mut users = UserCache::default();
    let verdict = book.decide_output("t", users.get(&user(None, "guest")), &mut response);
    (verdict.denial.is_some(), response)
}

#[test]
fn a_rule_denies_when_it_holds_and_only_then() {
    let inside = user(Some("ada@yourcompany.com"), "admin");
    let outside = user(Some("eve@example.com"), "admin");
    let condition = "!user.email.endsWith('@yourcompany.com')";
    assert!(!denies(condition, &inside, &json!({})));
    assert!(denies(condition, &outside, &json!({})));
    assert!(denies("n > 5", &inside, &json!({"n": 6})));
    assert!(!denies("n > 5", &inside, &json!({"n": 5})));
    assert!(denies("'staff' in user.groups", &inside, &json!({})));
}

#[test]
fn what_cannot_be_evaluated_denies() {
    let nobody = Arc::new(Principal::anonymous());
    for condition in [
        "!user.email.endsWith('@yourcompany.com')",
        "user.claims.department == 'x'",
        "n > 'text'",
        "user.role",
        "n / 0 == 1",
    ] {
        assert!(denies(condition, &nobody, &json!({"n": 1})), "{condition}");
    }
    assert!(denies("n > 5", &nobody, &json!({})), "a missing argument");
}

#[test]
fn a_parameter_named_user_does_not_stand_in_for_the_user() {
    assert!(denies("user.role != 'admin'", &user(None, "guest"), &json!({"user": {"role": "admin"}})));
}

#[test]
fn a_rule_that_could_never_work_is_refused_when_it_is_loaded() {
    for (condition, part) in [
        ("1 +", "does not parse"),
        ("", "does not parse"),
        ("usr.role == 'admin'", "'usr' is not known here"),
        ("user.emial == 'x'", "'user.emial' does not exist"),
        ("m > 1", "'m' is not known here"),
        ("response.x == 1", "'response' is not known here"),
        (&format!("'{}' == ''", "x".repeat(5000)), "longer than 4096 bytes"),
    ] {
        let rules = vec![rule(condition, PolicyAction::Deny, &[])];
        let errors = PolicyBook::compile(vec![endpoint(rules, vec![])]).unwrap_err();
        assert!(errors[0].message.contains(part), "{condition}: {}", errors[0]);
    }
    let mask = vec![rule("true", PolicyAction::MaskFields, &["x"])];
    assert_eq!(PolicyBook::compile(vec![endpoint(mask, vec![])]).unwrap_err()[0].target, PolicyTarget::Input);
}

#[test]
fn names_bound_by_a_macro_are_known() {
    assert!(denies("user.groups.exists(g, g == 'staff')", &user(None, "x"), &json!({})));
}

#[test]
fn deep_nesting_is_refused_without_a_crash() {
    let condition = format!("{}true{}", "(".repeat(1500), ")".repeat(1500));
    let rules = vec![rule(&condition, PolicyAction::Deny, &[])];
    assert!(PolicyBook::compile(vec![endpoint(rules, vec![])]).is_err());
}

#[test]
fn fields_are_filtered_and_masked_through_lists_and_objects() {
    let rows = json!([{"a": 1, "b": {"c": 2, "d": 3}}, {"a": 4, "b": [{"c": 5}]}]);
    let rules = vec![
        rule("user.role == 'guest'", PolicyAction::FilterFields, &["b.c", "missing"]),
        rule("true", PolicyAction::MaskFields, &["a"]),
        rule("false", PolicyAction::FilterFields, &["a"]),
    ];
    assert_eq!(output(rules, rows), (false, json!([{"a": "****", "b": {"d": 3}}, {"a": "****", "b": [{}]}])));
}

#[test]
fn sensitive_fields_go_at_any_depth() {
    let rows = json!([{"ssn": "1", "bank": {"iban": "2", "bic": "3"}, "x": 4}]);
    let rules = vec![rule("true", PolicyAction::FilterSensitiveFields, &[])];
    assert_eq!(output(rules, rows), (false, json!([{"bank": {"bic": "3"}, "x": 4}])));
}

#[test]
fn a_response_is_withheld_when_a_rule_denies_or_cannot_be_evaluated() {
    let row = json!([{"a": 1}]);
    let deny = |condition| vec![rule(condition, PolicyAction::Deny, &[])];
    assert_eq!(output(deny("size(response) == 1"), row.clone()), (true, Value::Null));
    assert_eq!(output(deny("response[0].b == 1"), row.clone()), (true, Value::Null));
    let mask = vec![rule("response[0].b == 1", PolicyAction::MaskFields, &["a"])];
    assert_eq!(output(mask, row), (true, Value::Null));
}

use super::compile::Endpoint;
use super::state::PolicyBook;
use super::users::context_of;
use crate::model::endpoint::EndpointKind;
use crate::model::ids::UserId;
use crate::model::policy::{PolicyAction, PolicyRule, PolicySet, PolicyTarget};
use crate::model::principal::{Principal, User};
use crate::model::schema::{TypeDefinition, TypeKind};
use crate::testkit::conditions::{WITHOUT_ANSWER, odd_user};
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
        kind: EndpointKind::Tool,
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
    let book = PolicyBook::compile(&PolicySet::default(), vec![endpoint(rules, vec![])]).unwrap();
    book.decide_input("t", &context_of(principal), arguments.as_object().unwrap()).denial.is_some()
}

fn output(rules: Vec<PolicyRule>, mut response: Value) -> (bool, Value) {
    let book = PolicyBook::compile(&PolicySet::default(), vec![endpoint(vec![], rules)]).unwrap();
    let verdict = book.decide_output("t", &context_of(&user(None, "guest")), &mut response);
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
    for condition in
        ["!user.email.endsWith('@yourcompany.com')", "user.claims.department == 'x'", "n > 'text'", "n / 0 == 1"]
    {
        assert!(denies(condition, &nobody, &json!({"n": 1})), "{condition}");
    }
    assert!(denies("n > 5", &nobody, &json!({})), "a missing argument");
}

#[test]
fn no_condition_without_an_answer_lets_a_call_or_a_response_pass() {
    let odd = Arc::new(Principal { user: Some(Arc::new(odd_user())), ..Principal::anonymous() });
    for condition in WITHOUT_ANSWER {
        assert!(denies(condition, &odd, &json!({})), "{condition}");
        for action in [PolicyAction::Deny, PolicyAction::MaskFields, PolicyAction::FilterSensitiveFields] {
            let rules = vec![rule(condition, action, &["a"])];
            let book = PolicyBook::compile(&PolicySet::default(), vec![endpoint(vec![], rules)]).unwrap();
            let mut response = json!([{"a": 1}]);
            let verdict = book.decide_output("t", &context_of(&odd), &mut response);
            assert!(verdict.denial.is_some() && response == Value::Null, "{condition}");
        }
    }
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
        ("user.role", "this is a text and not true or false"),
        ("m > 1", "'m' is not known here"),
        ("response.x == 1", "'response' is not known here"),
        (&format!("'{}' == ''", "x".repeat(5000)), "longer than 4096 bytes"),
    ] {
        let rules = vec![rule(condition, PolicyAction::Deny, &[])];
        let errors = PolicyBook::compile(&PolicySet::default(), vec![endpoint(rules, vec![])]).unwrap_err();
        assert!(errors[0].message.contains(part), "{condition}: {}", errors[0]);
    }
    let mask = vec![rule("true", PolicyAction::MaskFields, &["x"])];
    assert_eq!(
        PolicyBook::compile(&PolicySet::default(), vec![endpoint(mask, vec![])]).unwrap_err()[0].target,
        PolicyTarget::Input
    );
}

#[test]
fn names_bound_by_a_macro_are_known() {
    assert!(denies("user.groups.exists(g, g == 'staff')", &user(None, "x"), &json!({})));
}

#[test]
fn deep_nesting_is_refused_without_a_crash() {
    let condition = format!("{}true{}", "(".repeat(1500), ")".repeat(1500));
    let rules = vec![rule(&condition, PolicyAction::Deny, &[])];
    assert!(PolicyBook::compile(&PolicySet::default(), vec![endpoint(rules, vec![])]).is_err());
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

#[test]
fn a_rule_can_be_written_for_people_without_an_e_mail() {
    let (with, without) = (user(Some("ada@x.com"), "r"), user(None, "r"));
    for condition in [
        "has(user.email) && !user.email.endsWith('@x.com')",
        "user.email != null && !user.email.endsWith('@x.com')",
        "!user.?email.orValue('@x.com').endsWith('@x.com')",
    ] {
        for principal in [&with, &without, &Arc::new(Principal::anonymous())] {
            assert!(!denies(condition, principal, &json!({})), "{condition}");
        }
        assert!(denies(condition, &user(Some("eve@y.com"), "r"), &json!({})), "{condition}");
    }
    assert!(denies("!has(user.email)", &without, &json!({})));
    assert!(denies("user.email == null", &without, &json!({})));
}

#[test]
fn somebody_without_a_role_has_none_and_nobody_known_is_anonymous() {
    let without = User { role: None, ..User::clone(user(None, "").user.as_ref().unwrap()) };
    let without = Arc::new(Principal { user: Some(Arc::new(without)), ..Principal::anonymous() });
    assert!(denies("user.role == null && !has(user.role)", &without, &json!({})));
    assert!(denies("user.role != 'admin'", &without, &json!({})));
    assert!(!denies("user.role == 'user'", &without, &json!({})));
    assert!(denies("user.role.startsWith('a')", &without, &json!({})), "it cannot be evaluated");
    let nobody = Arc::new(Principal::anonymous());
    assert!(denies("user.role == 'anonymous' && user.id == null && user.name == null", &nobody, &json!({})));
    assert!(denies("user.groups == [] && user.permissions == []", &nobody, &json!({})));
}

fn book(profile: &PolicySet, own: PolicySet) -> PolicyBook {
    PolicyBook::compile(profile, vec![endpoint(own.input, own.output)]).unwrap()
}

#[test]
fn rules_of_the_profile_come_first_and_hold_for_everything() {
    let deny = |condition: &str| vec![rule(condition, PolicyAction::Deny, &[])];
    let profile = PolicySet {
        input: deny("!user.email.endsWith('@yourcompany.com')"),
        output: vec![rule("user.role != 'admin'", PolicyAction::MaskFields, &["a"])],
    };
    let book = book(&profile, PolicySet { input: deny("n > 5"), output: Vec::new() });
    let inside = context_of(&user(Some("ada@yourcompany.com"), "guest"));
    let outside = context_of(&user(Some("eve@example.com"), "guest"));
    let arguments = json!({"n": 9}).as_object().unwrap().clone();
    let evaluated = |user, endpoint| book.decide_input(endpoint, user, &arguments).evaluated;
    let label = "profile.input[0]: !user.email.endsWith('@yourcompany.com')";
    assert_eq!(evaluated(&inside, "t"), [label, "input[0]: n > 5"]);
    assert_eq!(evaluated(&outside, "t"), [label]);
    assert_eq!(evaluated(&inside, "something that has no rules of its own"), [label]);
    let mut response = json!({"a": 1});
    let verdict = book.decide_output("something else", &inside, &mut response);
    assert_eq!((verdict.modified_by, response), (Some(PolicyAction::MaskFields), json!({"a": "****"})));
    let unknown = PolicySet { input: deny("n > 5"), output: Vec::new() };
    let error = PolicyBook::compile(&unknown, vec![endpoint(vec![], vec![])]).unwrap_err();
    assert!(error[0].to_string().starts_with("profile: policies.input[0]: 'n' is not known here"), "{}", error[0]);
}

#[test]
fn rules_of_the_profile_tell_endpoints_apart_whatever_their_parameters_are_called() {
    let deny = |condition: &str| vec![rule(condition, PolicyAction::Deny, &[])];
    let profile = |condition: &str| PolicySet { input: deny(condition), output: deny(condition) };
    let mut masked = endpoint(deny("endpoint == 'n'"), Vec::new());
    masked.parameters = vec!["endpoint".to_owned()];
    let plain = Endpoint { name: "p".to_owned(), kind: EndpointKind::Prompt, ..endpoint(Vec::new(), Vec::new()) };
    let ada = context_of(&user(None, "guest"));
    let arguments = json!({"endpoint": {"name": "p", "type": "prompt"}}).as_object().unwrap().clone();
    for condition in ["endpoint.name == 't'", "endpoint.type == 'tool'", "endpoint.name != 'p'"] {
        let book = PolicyBook::compile(&profile(condition), vec![masked.clone(), plain.clone()]).unwrap();
        let denial = |name: &str| book.decide_input(name, &ada, &arguments).denial;
        assert!(denial("t").is_some_and(|denial| denial.detail.is_none()), "{condition}");
        assert_eq!(denial("p"), None, "{condition}");
        assert!(book.decide_output("t", &ada, &mut json!(1)).denial.is_some(), "{condition}");
        assert_eq!(book.decide_output("p", &ada, &mut json!(1)).denial, None, "{condition}");
        assert!(denial("unknown").is_some() != (condition == "endpoint.name == 't'"), "{condition}");
    }
    let idle = PolicyBook::compile(&profile("endpoint.name == 'x'"), vec![masked]).unwrap();
    let of_own = |argument: &str| {
        let arguments = json!({"endpoint": argument}).as_object().unwrap().clone();
        idle.decide_input("t", &ada, &arguments).denial.is_some()
    };
    assert!(of_own("n") && !of_own("x"), "its own rules see its parameter");
}

#[test]
fn only_what_has_rules_is_judged() {
    let own = PolicySet { input: vec![rule("n > 5", PolicyAction::Deny, &[])], output: Vec::new() };
    let without_profile = book(&PolicySet::default(), own.clone());
    assert!(without_profile.judges_input("t") && !without_profile.judges_output("t"));
    assert!(!without_profile.judges_input("other"));
    assert!(book(&own_for_all(), own).judges_output("other"));
}

fn own_for_all() -> PolicySet {
    PolicySet { input: Vec::new(), output: vec![rule("false", PolicyAction::Deny, &[])] }
}

#[test]
fn a_filter_of_sensitive_fields_that_filters_nothing_is_refused() {
    let rules = vec![rule("true", PolicyAction::FilterSensitiveFields, &[])];
    for returns in [None, Some(TypeDefinition::of(TypeKind::Object))] {
        let endpoint = Endpoint { returns, ..endpoint(vec![], rules.clone()) };
        let errors = PolicyBook::compile(&PolicySet::default(), vec![endpoint]).unwrap_err();
        assert!(errors[0].message.contains("nothing to filter"), "{}", errors[0]);
    }
}

#[test]
fn the_published_schema_is_true_of_what_the_rules_leave() {
    let required = |names: &[&str], of: TypeDefinition| TypeDefinition {
        required: names.iter().map(|&name| name.to_owned()).collect(),
        additional_properties: Some(false),
        ..of
    };
    let mut rows = endpoint(vec![], vec![]).returns.unwrap();
    let mut row = required(&["ssn", "bank", "n"], *rows.items.take().unwrap());
    row.properties[1].1 = required(&["iban"], row.properties[1].1.clone());
    row.properties
        .push(("n".to_owned(), TypeDefinition { minimum: Some(0.0), ..TypeDefinition::of(TypeKind::Integer) }));
    let object = row.clone();
    rows.items = Some(Box::new(row));
    rows.unique_items = true;
    let response = json!([
        {"ssn": "1", "bank": {"iban": "2"}, "n": 4}, {"ssn": "5", "bank": {"iban": "2"}, "n": 4}
    ]);
    let one = response[0].clone();
    let sensitive = TypeDefinition { sensitive: true, ..object.clone() };
    for (returns, response) in [(rows, response), (object, one.clone()), (sensitive, one)] {
        for rules in [
            vec![rule("true", PolicyAction::FilterFields, &["ssn", "bank.iban"])],
            vec![rule("true", PolicyAction::FilterFields, &["SSN", "Bank.IBAN"])],
            vec![rule("true", PolicyAction::MaskFields, &["n", "bank", "ssn"])],
            vec![rule("true", PolicyAction::MaskFields, &["N", "BANK", "Ssn"])],
            vec![
                rule("false", PolicyAction::MaskFields, &["Bank"]),
                rule("true", PolicyAction::FilterFields, &["bank.Iban"]),
            ],
            vec![
                rule("false", PolicyAction::MaskFields, &["Bank"]),
                rule("true", PolicyAction::FilterSensitiveFields, &[]),
            ],
            vec![
                rule("true", PolicyAction::MaskFields, &["bank.iban"]),
                rule("true", PolicyAction::MaskFields, &["n"]),
            ],
            vec![rule("true", PolicyAction::FilterSensitiveFields, &[])],
            vec![
                rule("true", PolicyAction::MaskFields, &["n"]),
                rule("true", PolicyAction::FilterFields, &["n"]),
                rule("true", PolicyAction::FilterSensitiveFields, &[]),
            ],
        ] {
            let endpoint = Endpoint { returns: Some(returns.clone()), ..endpoint(vec![], rules.clone()) };
            let book = PolicyBook::compile(&PolicySet::default(), vec![endpoint]).unwrap();
            let is_object = returns.kind == TypeKind::Object;
            let wrapped = |value: Value| if is_object { value } else { json!({"result": value}) };
            let mut schema = returns.result_schema();
            if is_object {
                schema["type"] = json!("object");
            } else {
                schema = json!({"type": "object", "properties": {"result": schema}, "required": ["result"]});
            }
            assert!(jsonschema::is_valid(&schema, &wrapped(response.clone())));
            let mut left = response.clone();
            book.decide_output("t", &context_of(&Principal::anonymous()), &mut left);
            assert!(!jsonschema::is_valid(&schema, &wrapped(left.clone())), "{left}: the rules change nothing");
            book.adapt_schema("t", &mut schema);
            let validator = jsonschema::validator_for(&schema).unwrap();
            assert!(validator.is_valid(&wrapped(left.clone())), "{rules:?}: {left} is not {schema}");
            assert!(validator.is_valid(&wrapped(response.clone())), "{rules:?}: the rules may leave all of it");
        }
    }
}

#[test]
fn the_published_schema_is_true_of_names_with_dots_and_of_lists_of_values() {
    let integer = || TypeDefinition::of(TypeKind::Integer);
    let object = |name: &str, of: TypeDefinition| TypeDefinition {
        properties: vec![(name.to_owned(), of)],
        required: vec![name.to_owned()],
        ..TypeDefinition::of(TypeKind::Object)
    };
    let response = json!({"pay.old": {"base": 1}});
    let returns = TypeDefinition {
        enumeration: Some(vec![response.clone()]),
        ..object("pay.old", TypeDefinition { enumeration: Some(vec![json!({"base": 1})]), ..object("base", integer()) })
    };
    for action in [PolicyAction::FilterFields, PolicyAction::MaskFields] {
        let rules = vec![rule("true", action, &["PAY.old.Base"])];
        let endpoint = Endpoint { returns: Some(returns.clone()), ..endpoint(vec![], rules) };
        let book = PolicyBook::compile(&PolicySet::default(), vec![endpoint]).unwrap();
        let mut schema = returns.result_schema();
        let mut left = response.clone();
        book.decide_output("t", &context_of(&Principal::anonymous()), &mut left);
        assert!(!jsonschema::is_valid(&schema, &left), "{left}: the rule changes nothing");
        book.adapt_schema("t", &mut schema);
        assert!(jsonschema::is_valid(&schema, &left), "{left} is not {schema}");
    }
}

#[test]
fn only_a_response_that_was_changed_is_said_to_be() {
    let rules = vec![
        rule("true", PolicyAction::MaskFields, &["ssn"]),
        rule("true", PolicyAction::FilterFields, &["missing"]),
        rule("true", PolicyAction::FilterSensitiveFields, &[]),
    ];
    let book = PolicyBook::compile(&PolicySet::default(), vec![endpoint(vec![], rules)]).unwrap();
    let modified_by =
        |mut of: Value| book.decide_output("t", &context_of(&Principal::anonymous()), &mut of).modified_by;
    assert_eq!(modified_by(json!([])), None);
    assert_eq!(modified_by(json!([{"other": 1}])), None);
    assert_eq!(modified_by(json!([{"Missing": 1}])), Some(PolicyAction::FilterFields));
    assert_eq!(modified_by(json!([{"ssn": 1, "missing": 1}])), Some(PolicyAction::FilterSensitiveFields));
}

#[test]
fn an_explanation_is_of_the_verdict_itself() {
    let rules = vec![rule("n > 5", PolicyAction::Deny, &[]), rule("m.x == 1", PolicyAction::Deny, &[])];
    let mut of = endpoint(rules, vec![rule("response == 1", PolicyAction::Deny, &[])]);
    of.parameters.push("m".to_owned());
    let book = PolicyBook::compile(&PolicySet::default(), vec![of]).unwrap();
    let explain = |arguments: Value| {
        let report = book.explain_input("t", &Principal::anonymous(), arguments.as_object().unwrap());
        let holds = |rule: &super::RuleReport| rule.explanation.as_ref().map(|it| it.outcome.as_ref().ok().copied());
        (report.verdict.denial.is_some(), report.rules.iter().map(holds).collect::<Vec<_>>())
    };
    assert_eq!(explain(json!({"n": 6, "m": {"x": 1}})), (true, vec![Some(Some(true)), None]));
    assert_eq!(explain(json!({"n": 5, "m": {"x": 2}})), (false, vec![Some(Some(false)), Some(Some(false))]));
    assert_eq!(explain(json!({"n": 5, "m": {}})), (true, vec![Some(Some(false)), Some(None)]));
    let report = book.explain_output("t", &Principal::anonymous(), &mut json!(1));
    assert_eq!(report.rules[0].explanation.as_ref().unwrap().seen, [("response".to_owned(), json!(1))]);
}

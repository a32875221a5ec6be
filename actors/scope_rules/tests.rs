use super::*;
use crate::testkit::conditions::{WITHOUT_ANSWER, odd_user};
use crate::testkit::samples;

fn set(text: &str) -> ScopeSet {
    samples::scopes(text)
}

fn hierarchy() -> ScopeHierarchy {
    ScopeHierarchy::new([("write".to_owned(), set("read"))]).unwrap()
}

fn rule(when: &str, scopes: &str) -> GrantRule {
    GrantRule::new(when, set(scopes)).unwrap()
}

fn rules(grants: Vec<GrantRule>) -> ScopeRules {
    let clients = [(&ClientId::new("reader"), &set("read"))];
    ScopeRules::new(hierarchy(), Some(grants), clients)
}

fn user(role: Option<&str>) -> User {
    User { role: role.map(str::to_owned), ..samples::user("ada") }
}

#[test]
fn without_grants_everybody_is_entitled_to_everything() {
    let rules = ScopeRules::new(hierarchy(), None, []);
    assert_eq!(rules.entitlement(&user(None)), Reach::Everything);
}

#[test]
fn what_matches_is_added_up_and_followed_to_the_end() {
    let rules = rules(vec![rule("user.role == 'admin'", "write"), rule("true", "mxcp:access")]);
    assert_eq!(rules.entitlement(&user(Some("admin"))), Reach::Only(set("write mxcp:access read")));
    assert_eq!(rules.entitlement(&user(Some("guest"))), Reach::Only(set("mxcp:access")));
}

#[test]
fn a_rule_that_cannot_be_evaluated_grants_nothing() {
    for when in ["user.claims.team == 'x'", "user.role.startsWith('a')", "user.claims.sub"] {
        assert_eq!(rules(vec![rule(when, "write")]).entitlement(&user(None)), Reach::Only(set("")), "{when}");
    }
    assert_eq!(rules(Vec::new()).entitlement(&user(None)), Reach::Only(set("")));
}

#[test]
fn no_condition_without_an_answer_grants_anything() {
    let grants = WITHOUT_ANSWER.iter().map(|when| rule(when, "write")).collect();
    assert_eq!(rules(grants).entitlement(&odd_user()), Reach::Only(set("")));
}

#[test]
fn numbers_of_claims_are_those_of_policies() {
    let entitlement =
        rules(vec![rule("user.claims.n + 1 == 6 && user.claims.n - 7 < 0", "read")]).entitlement(&odd_user());
    assert_eq!(entitlement, Reach::Only(set("read")));
}

#[test]
fn a_name_that_does_not_exist_is_refused_when_it_is_loaded() {
    for when in ["claims.role == 'x'", "user.rolle == 'x'", "role == 'x'", "user.role ==", "user.username"] {
        assert!(GrantRule::new(when, set("read")).is_err(), "{when}");
    }
}

#[test]
fn a_configured_client_limits_whoever_uses_it() {
    let rules = rules(vec![rule("true", "write")]);
    let reach = |client| rules.reach(&user(None), Some(&ClientId::new(client)));
    assert_eq!(reach("reader"), Reach::Only(set("read")));
    assert_eq!(reach("registered"), Reach::Only(set("write read")));
}

#[test]
fn a_rule_is_for_everybody_when_it_looks_at_nobody() {
    for (when, is_for_everybody) in [
        ("true", true),
        ("1 == 1", true),
        ("user.role == 'x' || true", true),
        ("user.role == 'x'", false),
        ("false", false),
    ] {
        assert_eq!(rule(when, "read").is_for_everybody(), is_for_everybody, "{when}");
    }
}

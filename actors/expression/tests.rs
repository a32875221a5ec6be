use super::{Budget, Expression, ExpressionErrorKind, cel_value, context};
use crate::model::principal::Principal;
use crate::testkit::conditions::{WITHOUT_ANSWER, odd_user};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;
use tokio::time::Instant;

fn judge(condition: &str, claims: &Value) -> Result<bool, String> {
    let expression = Expression::compile(condition, &["claims"]).unwrap();
    let mut context = context();
    context.add_variable_as_val("claims", cel_value(claims));
    expression.holds(&context)
}

fn refused(condition: &str) -> ExpressionErrorKind {
    Expression::compile(condition, &["claims", "user"]).unwrap_err().kind
}

/// The text that a fault is about.
fn at_fault(condition: &str) -> String {
    let at = Expression::compile(condition, &["claims", "user"]).unwrap_err().at.unwrap();
    condition.chars().skip(at.start).take(at.end - at.start).collect()
}

#[test]
fn a_condition_is_true_or_false_or_cannot_be_told() {
    let claims = json!({"hd": "example.com", "n": 7});
    assert_eq!(judge("claims.hd == 'example.com'", &claims), Ok(true));
    assert_eq!(judge("claims.n > 7", &claims), Ok(false));
    assert_eq!(judge("claims.n + 1 == 8", &claims), Ok(true));
    assert_eq!(judge("has(claims.role) && claims.role == 'admin'", &claims), Ok(false));
    assert!(judge("claims.role == 'admin'", &claims).unwrap_err().contains("role"));
    assert_eq!(judge("claims.hd", &claims), Err("gives a string instead of true or false".to_owned()));
    let odd = judge("claims.hd > 7", &claims).unwrap_err();
    assert!(!odd.contains("example.com"), "{odd}");
}

#[test]
fn what_is_null_counts_as_not_there() {
    let claims = json!({"email": null, "team": "x", "deep": {"a": null}});
    for (condition, holds) in [
        ("has(claims.email)", false),
        ("has(claims.team)", true),
        ("has(claims.nothing)", false),
        ("has(claims.deep.a)", false),
        ("claims.email == null", true),
        ("claims.team == null", false),
        ("claims.email != null && claims.email.endsWith('@x')", false),
        ("claims.email == null || !claims.email.endsWith('@x')", true),
        ("!has(claims.email) || claims.email.endsWith('@x')", true),
        ("claims.?email.orValue('') == ''", true),
        ("claims.?team.orValue('') == 'x'", true),
        ("claims.?email.hasValue()", false),
    ] {
        assert_eq!(judge(condition, &claims), Ok(holds), "{condition}");
    }
    for condition in ["claims.email.endsWith('@x')", "claims.email > 'a'", "has(claims.email.x)", "claims.team.x == 1"]
    {
        assert!(judge(condition, &claims).is_err(), "{condition}");
    }
}

#[test]
fn either_side_of_a_chain_may_decide_it() {
    let claims = json!({"n": 1});
    assert_eq!(judge("claims.missing == 1 || claims.n == 1", &claims), Ok(true));
    assert_eq!(judge("claims.missing == 1 && claims.n == 2", &claims), Ok(false));
    assert!(judge("claims.missing == 1 && claims.n == 1", &claims).is_err());
    assert!(judge("claims.missing == 1 || claims.n == 2", &claims).is_err());
}

#[test]
fn what_does_not_exist_is_refused_when_it_is_compiled() {
    assert_eq!(refused("user.emial == 'x'"), ExpressionErrorKind::UnknownUserField("emial".to_owned()));
    assert_eq!(refused("user.?emial.orValue('') == ''"), ExpressionErrorKind::UnknownUserField("emial".to_owned()));
    assert_eq!(refused("has(user.emial)"), ExpressionErrorKind::UnknownUserField("emial".to_owned()));
    assert!(matches!(refused("claim.hd == 'x'"), ExpressionErrorKind::UnknownVariable { name, .. } if name == "claim"));
    assert_eq!(refused("lower(user.email) == 'x'"), ExpressionErrorKind::UnknownFunction("lower".to_owned()));
    assert_eq!(refused("user.email.lower() == 'x'"), ExpressionErrorKind::UnknownFunction("lower".to_owned()));
    assert!(matches!(refused("1 +"), ExpressionErrorKind::Syntax(_)));
    assert!(matches!(refused(""), ExpressionErrorKind::Syntax(_)));
    assert_eq!(refused(&"x".repeat(5_000)), ExpressionErrorKind::TooLong);
}

#[test]
fn what_can_never_be_true_or_false_is_refused() {
    for condition in ["user.role", "user.groups && true", "!user.email", "'x'", "size(user.groups)", "[1]", "user"] {
        assert!(matches!(refused(condition), ExpressionErrorKind::NotBoolean(_)), "{condition}");
    }
    assert!(Expression::compile("user.email_verified", &["user"]).is_ok());
}

#[test]
fn a_fault_says_where_it_is() {
    assert_eq!(at_fault("true && usr.role == 'x'"), "usr");
    assert_eq!(at_fault("user.role == 'ä' && usr == 1"), "usr");
    assert_eq!(at_fault("user.role == 'x'\n  && clams.a == 1"), "clams");
    assert_eq!(at_fault("true || user.emial == 'x'"), "user.emial");
    assert_eq!(at_fault("has(user.emial)"), "user.emial");
    assert_eq!(at_fault("user.email.matches('(')"), "'('");
    assert_eq!(at_fault("user.role == ) "), ")");
    assert_eq!(at_fault("'ä' == ) "), ")");
    assert_eq!(at_fault("'a' == 'ä' &&\n  'ä' == ) "), ")");
    assert_eq!(at_fault("'日本' == lower('ä')"), "lower");
    assert_eq!(at_fault("user.email.lower() == 'x'"), "lower");
    assert_eq!(at_fault("'ä' == '' || user.email.matches(user.role)"), "user.role");
    assert_eq!(at_fault("matches(user.email, user.claims['a'].b)"), "user.claims['a'].b");
    assert_eq!(at_fault("true && user.role"), "user.role");
    assert_eq!(at_fault("size(user.groups)"), "size(user.groups)");
    assert_eq!(at_fault("true || (user.id + 'x')"), "user.id + 'x'");
}

#[test]
fn what_is_missing_at_the_end_is_missing_behind_the_last_word() {
    for condition in ["user.role == 'x' &&\n\n", "user.role ==\n", "user.role == 'ä' ||", "has(user.email  \n  "] {
        let at = Expression::compile(condition, &["user"]).unwrap_err().at.unwrap();
        let end = condition.trim_end().chars().count();
        assert_eq!((at.start, at.end), (end, end + 1), "{condition:?}");
    }
}

#[test]
fn words_of_other_languages_are_explained() {
    for (condition, hint) in [
        ("user.role == 'a' and user.id == 'b'", "; CEL writes && for 'and'"),
        ("user.role == 'a' OR user.id == 'b'", "; CEL writes || for 'OR'"),
        ("not user.email_verified", "; CEL writes ! for 'not'"),
        ("not(user.email_verified)", "; CEL writes ! for 'not'"),
        ("'x' not in user.groups", "; CEL writes ! for 'not'"),
        ("user.role == 'a' and not user.email_verified", "; CEL writes && for 'and'"),
        ("user.email == None", "; CEL writes null for 'None'"),
        ("user.email is null", "; CEL writes == for 'is'"),
    ] {
        let error = Expression::compile(condition, &["user"]).unwrap_err().to_string();
        assert!(error.ends_with(hint), "{condition}: {error}");
    }
    let error = Expression::compile("user.role == 'and' ||", &["user"]).unwrap_err().to_string();
    assert!(!error.contains("CEL writes"), "{error}");
}

#[test]
fn patterns_are_checked_when_they_are_compiled() {
    assert!(matches!(refused("user.email.matches('[a')"), ExpressionErrorKind::Pattern(_)));
    assert!(matches!(refused("user.email.matches('(a{1000}){1000}')"), ExpressionErrorKind::Pattern(_)));
    assert_eq!(refused("user.email.matches(user.name)"), ExpressionErrorKind::PatternNotLiteral);
    let claims = json!({"hd": "example.com", "n": 1});
    assert_eq!(judge("claims.hd.matches('^ex.*com$')", &claims), Ok(true));
    assert_eq!(judge("matches(claims.hd, 'x$')", &claims), Ok(false));
    assert!(judge("claims.n.matches('1')", &claims).is_err());
}

/// A thread as the workers have it.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(work).unwrap().join().unwrap();
}

#[test]
fn deep_nesting_is_refused_or_evaluated_and_never_fatal() {
    on_a_small_stack(|| {
        for depth in [10, 60, 90, 120, 200, 1_000, 1_900] {
            let conditions = [
                format!("{}true{}", "(".repeat(depth), ")".repeat(depth)),
                format!("{}true", "!".repeat(depth)),
                format!("1{} > 0", "+1".repeat(depth)),
                format!("claims{} == 1", ".a".repeat(depth)),
                format!("true{}", " && true".repeat(depth.min(500))),
                format!("{}1{} == 1", "[".repeat(depth), "]".repeat(depth)),
                format!("{}true{}", "true ? ".repeat(depth.min(500)), " : false".repeat(depth.min(300))),
                format!("{}true{}", "[1].all(x, ".repeat(depth.min(200)), ")".repeat(depth.min(200))),
            ];
            for condition in conditions {
                let mut context = context();
                context.add_variable_as_val("claims", cel_value(&Value::Null));
                // Whether it is one or the other is the library's business.
                let _outcome = Expression::compile(&condition, &["claims"]).map(|it| it.holds(&context));
            }
        }
    });
}

#[test]
fn deeply_nested_data_is_no_danger() {
    on_a_small_stack(|| {
        let mut value = json!(1);
        for _ in 0..120 {
            value = json!({"a": [value]});
        }
        assert_eq!(judge("claims == claims && has(claims.a)", &value), Ok(true));
        assert_eq!(judge("[1, 2].all(x, claims.a == claims.a)", &value), Ok(true));
    });
}

#[test]
fn no_condition_loops_for_long() {
    let list: Vec<u32> = (0..20_000).collect();
    let text = "x".repeat(100_000);
    let claims = json!({"list": list, "text": text, "texts": vec![text.clone(); 20]});
    let mut doubling = "['x'.size() > 0 ? claims.text : '']".to_owned();
    for _ in 0..40 {
        doubling.push_str(".map(a, a + a)");
    }
    let mut growing = "[1, 2, 3, 4, 5, 6, 7, 8]".to_owned();
    for _ in 0..40 {
        growing.push_str(".map(a, [a, a, a, a])");
    }
    for condition in [
        "claims.list.all(x, claims.list.all(y, claims.list.all(z, x + y + z >= 0)))",
        "claims.list.exists(x, claims.list.exists(y, x * y < 0))",
        "claims.list.map(x, claims.list).size() == 1",
        "claims.list.map(x, claims.list.map(y, y)).size() == 1",
        "claims.list.filter(x, claims.text.contains(claims.text + 'y')).size() == 1",
        "claims.list.all(x, claims.text.matches('(a|x)*y$') == false)",
        "claims.list.all(x, claims.texts.all(t, t == claims.text))",
        "claims.list.all(x, 100000 in claims.list || true)",
        "claims.list.exists_one(x, claims.list == claims.list.map(y, y))",
        "claims.list.all(x, {'a': claims.list}.a == [claims.list][0])",
        &format!("{doubling}.size() == 1"),
        &format!("{growing}.size() == 1"),
    ] {
        let started = Instant::now();
        let outcome = judge(condition, &claims);
        assert_eq!(outcome, Err("takes too long: it loops over too much".to_owned()), "{condition}");
        // Far more than it takes; without a limit it would be hours.
        assert!(started.elapsed() < Duration::from_secs(20), "{condition}: {:?}", started.elapsed());
    }
    assert_eq!(judge("claims.list.all(x, x >= 0) && claims.list.map(x, x + 1).size() == 20000", &claims), Ok(true));
}

#[test]
fn what_was_cut_short_is_no_result() {
    let claims = json!({"list": (0..20_000).collect::<Vec<u32>>()});
    let endless = "claims.list.all(x, claims.list.all(y, x + y >= 0))";
    assert!(judge(&format!("{endless} || true"), &claims).is_err());
    assert!(judge(&format!("!({endless} && false)"), &claims).is_err());
}

#[test]
fn conditions_that_belong_together_share_their_limit() {
    let value = json!({"list": (0..20_000).collect::<Vec<u32>>()});
    let expression = Expression::compile("claims.list.all(x, x >= 0)", &["claims"]).unwrap();
    let mut context = context();
    context.add_variable_as_val("claims", cel_value(&value));
    let mut budget = Budget::default();
    let outcomes: Vec<_> = (0..100).map(|_| expression.holds_within(&context, &mut budget)).collect();
    assert_eq!(outcomes.first(), Some(&Ok(true)));
    assert!(outcomes.last().unwrap().is_err());
}

#[test]
fn an_explanation_tells_each_part_and_what_it_saw() {
    let claims = json!({"role": "guest", "email": null, "n": 3});
    let mut context = context();
    context.add_variable_as_val("claims", cel_value(&claims));
    let explain = |condition: &str| Expression::compile(condition, &["claims"]).unwrap().explain(&context);
    let told = explain("claims.role == 'admin' || (claims.n > 2 && !claims.email.endsWith(\"@x)\"))");
    assert!(told.outcome.is_err());
    let mut text = String::new();
    for part in &told.parts {
        let outcome = part.outcome.as_ref().map(|outcome| outcome.as_ref().ok());
        writeln!(text, "{} {} {outcome:?}", part.depth, part.text).unwrap();
    }
    assert_eq!(
        text,
        "1 claims.role == 'admin' Some(Some(false))\n\
         1 claims.n > 2 && !claims.email.endsWith(\"@x)\") Some(None)\n\
         2 claims.n > 2 Some(Some(true))\n\
         2 !claims.email.endsWith(\"@x)\") Some(None)\n\
         3 claims.email.endsWith(\"@x)\") Some(None)\n"
    );
    let seen = [("claims.role", json!("guest")), ("claims.n", json!(3)), ("claims.email", Value::Null)];
    assert_eq!(told.seen, seen.map(|(name, value)| (name.to_owned(), value)));
    let skipped = explain("claims.role == 'guest' || claims.n > 1");
    assert_eq!(skipped.outcome, Ok(true));
    assert_eq!(skipped.parts[1].outcome, None);
    assert_eq!(explain("has(claims.email)").seen, [("claims.email".to_owned(), Value::Null)]);
}

#[test]
fn parts_are_told_as_they_are_written() {
    let user = json!({"groups": ["x"], "claims": {"k": 1}, "email": "e"});
    let mut context = context();
    context.add_variable_as_val("user", cel_value(&user));
    for part in [
        "has(user.email)",
        "has(user.claims.k.c)",
        "has( user . email )",
        "has (user.email)",
        "user.email_verified",
        "user.claims.a.b[0].c",
        "user.claims[\"k\"]",
        "user.claims[\"k\"] == 1",
        "'x' in user.groups",
        "!has(user.email)",
        "!(user.email == 'a')",
        "matches(user.email, 'a[(]')",
        "size(user.groups.map(g, size(g))) == 1",
        "user.email.startsWith(string(user.claims.k))",
        "user.groups.exists(g, g == 'x')",
        "user.groups.all(g, g.startsWith('x') && has(user.email))",
        "user.groups.exists_one(g, g == ')')",
        "user.groups.filter(g, g != \"(\").size() == 1",
        "user.groups.map(g, [g, {'a': g}]) == []",
        "user.email == '''it's ((('''",
        "user.email == r'\\('",
        "user.email == '\\') || ('",
        "-1 == user.claims.k",
        "user.claims.k == -1.5",
        "(user.claims.k + 1) * 2 > 3",
        "3 < ((user.claims.k + 1) * 2)",
        "[1, 2][0] == user.claims.k",
        "{'a': [1]}.a == []",
        "user.?email.orValue('(') == 'e'",
        "user.?email.hasValue()",
        "user.email > 'a' == true",
        "user.email == 'ä日本'",
        "true",
    ] {
        for (before, after) in [
            ("", " || false"),
            ("'日本(ä' == '' || ", ""),
            ("false || ", " // ) and (\n || 'x' == ''"),
            ("'a' == 'b' && (", ") && 'c' == 'd'"),
            ("(user.email == 'q') ? (", ") : false"),
        ] {
            let condition = format!("{before}{part}{after}");
            let told =
                Expression::compile(&condition, &["user"]).unwrap_or_else(|error| panic!("{condition}: {error}"));
            let parts: Vec<String> = told.explain(&context).parts.into_iter().map(|part| part.text).collect();
            assert!(parts.iter().any(|told| told == part), "{condition}: {parts:?}");
        }
    }
    let ternary = "user.email == 'a' ? has(user.email) : !(('x' in user.groups))";
    let told = Expression::compile(ternary, &["user"]).unwrap().explain(&context);
    let parts: Vec<_> = told.parts.iter().map(|part| (part.depth, part.text.as_str())).collect();
    let expected =
        [(1, "user.email == 'a'"), (1, "has(user.email)"), (1, "!(('x' in user.groups))"), (2, "'x' in user.groups")];
    assert_eq!(parts, expected);
}

#[test]
fn a_condition_without_an_answer_is_neither_true_nor_false() {
    let user = Principal::policy_user_of(&odd_user());
    let mut context = context();
    context.add_variable_as_val("user", cel_value(&user));
    let told = |condition: &&str| {
        let expression =
            Expression::compile(condition, &["user"]).unwrap_or_else(|error| panic!("{condition}: {error}"));
        Some(format!("{condition}: {}", expression.holds(&context).ok()?))
    };
    assert_eq!(WITHOUT_ANSWER.iter().filter_map(told).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn no_name_gets_past_the_check_of_names() {
    for condition in [
        ".matches(user.email, user.role)",
        ".size(user.groups) == 0",
        ".user.email == 'x'",
        "_secret(user.email) == 'x'",
        ".lower(user.email) == 'x'",
        "user.`emial` == 'x'",
        "has(user.`emial`)",
        "user.groups.exists(g, emial == g)",
        "[user].exists(u, u.email == '') && usr",
        "@has(user, 'email')",
        "_==_(user.email, 'x')",
        "user{a: 1} == user",
    ] {
        assert!(Expression::compile(condition, &["user"]).is_err(), "{condition}");
    }
}

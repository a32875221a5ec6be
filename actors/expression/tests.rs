use super::{Expression, ExpressionErrorKind, context};
use cel_interpreter::to_value;
use serde_json::{Value, json};

fn judge(condition: &str, claims: &Value) -> Result<bool, String> {
    let expression = Expression::compile(condition, &["claims"]).unwrap();
    let mut context = context();
    context.add_variable_from_value("claims", to_value(claims).unwrap());
    expression.holds(&context)
}

#[test]
fn a_condition_is_true_or_false_or_cannot_be_told() {
    let claims = json!({"hd": "example.com", "n": 7});
    assert_eq!(judge("claims.hd == 'example.com'", &claims), Ok(true));
    assert_eq!(judge("claims.n > 7", &claims), Ok(false));
    assert_eq!(judge("has(claims.role) && claims.role == 'admin'", &claims), Ok(false));
    assert!(judge("claims.role == 'admin'", &claims).unwrap_err().contains("role"));
    assert_eq!(judge("claims.hd", &claims), Err("gives a string instead of true or false".to_owned()));
    let odd = judge("claims.hd > 7", &claims).unwrap_err();
    assert!(!odd.contains("example.com"), "{odd}");
}

#[test]
fn what_does_not_exist_is_refused_when_it_is_compiled() {
    let refused = |condition: &str| Expression::compile(condition, &["claims", "user"]).unwrap_err().kind;
    assert_eq!(refused("user.emial == 'x'"), ExpressionErrorKind::UnknownUserField("emial".to_owned()));
    assert!(matches!(refused("claim.hd == 'x'"), ExpressionErrorKind::UnknownVariable { name, .. } if name == "claim"));
    assert!(matches!(refused("1 +"), ExpressionErrorKind::Syntax(_)));
    assert!(matches!(refused(""), ExpressionErrorKind::Syntax(_)));
    assert_eq!(refused(&"x".repeat(5_000)), ExpressionErrorKind::TooLong);
}

#[test]
fn deep_nesting_is_refused_or_evaluated_and_never_fatal() {
    for depth in [10, 90, 200, 1_000] {
        let condition = format!("{}true{}", "(".repeat(depth), ")".repeat(depth));
        // Whether it is one or the other is the library's business.
        let _outcome = Expression::compile(&condition, &[]).map(|expression| expression.holds(&context()));
        let condition = format!("{}true", "!".repeat(depth));
        let _outcome = Expression::compile(&condition, &[]).map(|expression| expression.holds(&context()));
    }
}

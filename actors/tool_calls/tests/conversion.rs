//! From arguments as they come to values for SQL.

use super::*;
use proptest::prelude::*;

fn convert(types: Vec<(&str, TypeDefinition)>, given: &Value) -> Result<ConvertedArguments, ArgumentError> {
    CompiledParameters::compile(&parameters(types)).unwrap().convert(given.as_object().unwrap().clone())
}

fn bound(of: &TypeDefinition, given: &Value) -> Result<SqlValue, ArgumentError> {
    convert(vec![("p", of.clone())], &json!({"p": given})).map(|mut converted| converted.sql.remove(0).1)
}

#[test]
fn values_reach_sql_in_the_declared_type() {
    use SqlValue as S;
    let (string, integer, number) = (of(TypeKind::String), of(TypeKind::Integer), of(TypeKind::Number));
    let (boolean, array) = (of(TypeKind::Boolean), of(TypeKind::Array));
    for (of, given, expected) in [
        (&string, json!("x"), S::Text("x".into())),
        (&string, json!(""), S::Text(String::new())),
        (&string, json!(5), S::Text("5".into())),
        (&string, json!(1.5), S::Text("1.5".into())),
        (&string, json!(true), S::Text("true".into())),
        (&integer, json!(3), S::Integer(3)),
        (&integer, json!("3"), S::Integer(3)),
        (&integer, json!(" -3 "), S::Integer(-3)),
        (&integer, json!(3.0), S::Integer(3)),
        (&integer, json!("3e2"), S::Integer(300)),
        (&integer, json!(9_223_372_036_854_775_807_i64), S::Integer(i64::MAX)),
        (&integer, json!("-9223372036854775808"), S::Integer(i64::MIN)),
        (&integer, json!("18446744073709551615"), S::Unsigned(u64::MAX)),
        (&number, json!(1), S::Double(1.0)),
        (&number, json!("1.25"), S::Double(1.25)),
        (&number, json!("-1e3"), S::Double(-1_000.0)),
        (&boolean, json!(false), S::Boolean(false)),
        (&boolean, json!("Yes"), S::Boolean(true)),
        (&boolean, json!("0"), S::Boolean(false)),
        (&array, json!([1, "a", null]), S::List(vec![S::Integer(1), S::Text("a".into()), S::Null])),
        (&list_of(integer.clone()), json!("[1, \"2\"]"), S::List(vec![S::Integer(1), S::Integer(2)])),
        (
            &object(vec![("n", number.clone())]),
            json!("{\"n\": 1, \"x\": \"y\"}"),
            S::Struct(vec![("n".into(), S::Double(1.0)), ("x".into(), S::Text("y".into()))]),
        ),
    ] {
        assert_eq!(bound(of, &given), Ok(expected), "{:?} from {given}", of.kind);
    }
}

#[test]
fn texts_with_a_format_become_points_in_time() {
    use SqlValue as S;
    let hour = 3_600_000_000_i64;
    for (format, given, expected) in [
        (Format::Date, json!("1970-01-02"), S::Date(1)),
        (Format::Date, json!("1969-12-31"), S::Date(-1)),
        (Format::Date, json!("2024-02-29"), S::Date(19_782)),
        (Format::Time, json!("01:00:00"), S::Time(hour)),
        (Format::Time, json!("01:00:00Z"), S::Time(hour)),
        (Format::Time, json!("00:00:00.000001"), S::Time(1)),
        (Format::Time, json!("23:59:59.999999"), S::Time(24 * hour - 1)),
        (Format::DateTime, json!("1970-01-01T01:00:00Z"), S::TimestampTz(hour)),
        (Format::DateTime, json!("1970-01-01T01:00:00+01:00"), S::TimestampTz(0)),
        (Format::DateTime, json!("1969-12-31T23:59:59.5Z"), S::TimestampTz(-500_000)),
        (Format::DateTime, json!("1970-01-01 01:00:00"), S::TimestampTz(hour)),
        (Format::DateTime, json!("1970-01-01"), S::TimestampTz(0)),
        (Format::Timestamp, json!(1), S::TimestampTz(1_000_000)),
        (Format::Timestamp, json!(1.5), S::TimestampTz(1_500_000)),
        (Format::Timestamp, json!("-2"), S::TimestampTz(-2_000_000)),
        (Format::Duration, json!("P1DT12H"), S::Text("P1DT12H".into())),
        (Format::Email, json!("ada@example.com"), S::Text("ada@example.com".into())),
        (Format::Uri, json!("https://example.com/x"), S::Text("https://example.com/x".into())),
    ] {
        assert_eq!(bound(&text(format), &given), Ok(expected), "{format:?} from {given}");
    }
}

#[test]
fn what_is_not_of_the_declared_type_is_refused() {
    let short = with(TypeKind::String, |of| of.max_length = Some(2));
    let even = with(TypeKind::Integer, |of| of.multiple_of = Some(2.0));
    let pair = with(TypeKind::Array, |of| of.min_items = Some(2));
    let named = with(TypeKind::Object, |of| of.required = vec!["name".to_owned()]);
    let pattern = with(TypeKind::String, |of| of.pattern = Some("^a+$".to_owned()));
    for (of, given) in [
        (of(TypeKind::String), json!([])),
        (of(TypeKind::Integer), json!("three")),
        (of(TypeKind::Integer), json!(3.5)),
        (of(TypeKind::Integer), json!("")),
        (of(TypeKind::Integer), json!(true)),
        (of(TypeKind::Number), json!("NaN")),
        (of(TypeKind::Number), json!("inf")),
        (of(TypeKind::Boolean), json!("maybe")),
        (of(TypeKind::Boolean), json!(2)),
        (of(TypeKind::Array), json!("1, 2")),
        (of(TypeKind::Array), json!({"a": 1})),
        (of(TypeKind::Object), json!("[]")),
        (list_of(of(TypeKind::Integer)), json!([1, "x"])),
        (short, json!("abc")),
        (even, json!("3")),
        (pair, json!([1])),
        (named, json!({"nam": 1})),
        (pattern, json!("aab")),
        (text(Format::Date), json!("2023-02-29")),
        (text(Format::Date), json!("01/02/2024")),
        (text(Format::Time), json!("25:00:00")),
        (text(Format::Time), json!("10:00")),
        (text(Format::Time), json!("10:00:00+02:00")),
        (text(Format::Time), json!("10:00:00-02:00")),
        (text(Format::DateTime), json!("2024-01-01T25:00")),
        (text(Format::Timestamp), json!("NaN")),
        (text(Format::Timestamp), json!("inf")),
        (text(Format::Timestamp), json!(1e300)),
        (text(Format::Timestamp), json!("yesterday")),
        (text(Format::Email), json!("ada")),
        (text(Format::Uri), json!("not a uri")),
        (text(Format::Duration), json!("12 hours")),
    ] {
        let refused = bound(&of, &given).unwrap_err();
        assert!(matches!(refused, ArgumentError::Invalid { .. }), "{:?} from {given}: {refused}", of.kind);
    }
}

#[test]
fn what_is_left_out_takes_its_default_or_is_missing() {
    let page = with(TypeKind::Integer, |of| of.default = Some(json!("1")));
    let note = with(TypeKind::String, |of| of.default = Some(Value::Null));
    let inner = object(vec![("unit", with(TypeKind::String, |of| of.default = Some(json!("kg"))))]);
    let types = vec![("page", page), ("note", note), ("what", inner)];
    let converted = convert(types.clone(), &json!({"page": null, "what": {}})).unwrap();
    assert_eq!(Value::Object(converted.json), json!({"page": 1, "note": null, "what": {"unit": "kg"}}));
    let unit = SqlValue::Struct(vec![("unit".into(), SqlValue::Text("kg".into()))]);
    let expected = [("page", SqlValue::Integer(1)), ("note", SqlValue::Null), ("what", unit)];
    assert_eq!(converted.sql, expected.map(|(name, value)| (name.to_owned(), value)));
    for given in [json!({}), json!({"what": null})] {
        assert_eq!(convert(types.clone(), &given).unwrap_err(), ArgumentError::Missing("what".to_owned()));
    }
    let unknown = convert(types, &json!({"what": {}, "pgae": 1})).unwrap_err();
    assert_eq!(unknown.to_string(), "Unknown parameter: pgae");
}

#[test]
fn only_the_values_of_an_enumeration_are_taken_however_they_are_written() {
    let choice = |kind, values: Value| with(kind, |of| of.enumeration = values.as_array().cloned());
    let colours = choice(TypeKind::String, json!(["red", "blue"]));
    assert_eq!(bound(&colours, &json!("red")), Ok(SqlValue::Text("red".into())));
    let refused = bound(&colours, &json!("green")).unwrap_err();
    assert_eq!(refused.to_string(), "Invalid value for p. Must be one of: ['red', 'blue']");
    let sizes = choice(TypeKind::Integer, json!([1, 2]));
    assert_eq!(bound(&sizes, &json!("2")), Ok(SqlValue::Integer(2)));
    assert!(bound(&sizes, &json!(3)).is_err());
    // JavaScript writes 1.0 as 1, and YAML's 1 may be sent as 1.0.
    for values in [json!([1.0, 2.5]), json!([1, 2.5])] {
        let rates = choice(TypeKind::Number, values);
        for given in [json!(1), json!(1.0), json!("1")] {
            assert_eq!(bound(&rates, &given), Ok(SqlValue::Double(1.0)), "{given}");
        }
        assert!(bound(&rates, &json!(2)).is_err());
    }
}

#[test]
fn an_error_about_a_sensitive_value_does_not_repeat_it() {
    let secret = |change: fn(&mut TypeDefinition)| {
        with(TypeKind::String, |of| {
            of.sensitive = true;
            change(of);
        })
    };
    for (of, given) in [
        (secret(|of| of.max_length = Some(3)), json!("hunter2")),
        (secret(|of| of.enumeration = Some(vec![json!("a")])), json!("hunter2")),
        (secret(|of| of.format = Some(Format::Timestamp)), json!(777e300)),
        (secret(|of| of.format = Some(Format::Time)), json!("23:59:60Z")),
        (object(vec![("pin", secret(|of| of.format = Some(Format::Timestamp)))]), json!({"pin": 777e300})),
    ] {
        let refused = bound(&of, &given).unwrap_err().to_string();
        for part in ["hunter2", "777", "7.77", "23:59:60"] {
            assert!(!refused.contains(part), "{refused}");
        }
    }
}

#[test]
fn what_is_sensitive_is_covered_in_whatever_form_it_comes() {
    let person = || object(vec![("name", of(TypeKind::String)), ("ssn", sensitive(TypeKind::String))]);
    let types = vec![
        ("password", sensitive(TypeKind::String)),
        ("person", person()),
        ("people", list_of(person())),
        ("page", of(TypeKind::Integer)),
    ];
    let compiled = CompiledParameters::compile(&parameters(types)).unwrap();
    for (given, expected) in [
        (json!({"password": "x", "page": 1}), json!({"password": "[REDACTED]", "page": 1})),
        (json!({"password": ["x"]}), json!({"password": "[REDACTED]"})),
        (json!({"person": {"name": "Ada", "ssn": "x"}}), json!({"person": {"name": "Ada", "ssn": "[REDACTED]"}})),
        (json!({"people": [{"ssn": {"no": "x"}}]}), json!({"people": [{"ssn": "[REDACTED]"}]})),
        (
            json!({"person": "{\"name\":\"Ada\",\"ssn\":\"x\"}"}),
            json!({"person": {"name": "Ada", "ssn": "[REDACTED]"}}),
        ),
        (json!({"people": "[{\"ssn\":\"x\"}]"}), json!({"people": [{"ssn": "[REDACTED]"}]})),
        (json!({"people": "{\"ssn\":\"x\"}"}), json!({"people": "[REDACTED]"})),
        (json!({"people": ["{\"ssn\":\"x\"}"]}), json!({"people": [{"ssn": "[REDACTED]"}]})),
        (json!({"person": "ssn x"}), json!({"person": "[REDACTED]"})),
        (json!({"person": ["x"]}), json!({"person": "[REDACTED]"})),
        (json!({"person": null}), json!({"person": null})),
        (json!({"Password": "x"}), json!({"Password": "[REDACTED]"})),
    ] {
        assert_eq!(compiled.redacted(given.as_object().unwrap().clone()), expected, "{given}");
    }
    let plain = CompiledParameters::compile(&parameters(vec![("page", of(TypeKind::Integer))])).unwrap();
    let given = json!({"page": "x", "pgae": 1});
    assert_eq!(
        plain.redacted(given.as_object().unwrap().clone()),
        given,
        "where nothing is sensitive nothing is covered"
    );
}

proptest! {
    #[test]
    fn a_whole_number_is_the_same_as_number_and_as_text(n: i64) {
        let integer = of(TypeKind::Integer);
        prop_assert_eq!(bound(&integer, &json!(n)), Ok(SqlValue::Integer(n)));
        prop_assert_eq!(bound(&integer, &json!(n.to_string())), Ok(SqlValue::Integer(n)));
    }

    #[test]
    fn any_text_is_taken_as_text_and_converting_it_never_panics(given in "\\PC{0,20}") {
        prop_assert_eq!(bound(&of(TypeKind::String), &json!(given.clone())), Ok(SqlValue::Text(given.clone())));
        for format in [Format::Date, Format::Time, Format::DateTime, Format::Timestamp, Format::Duration] {
            let _outcome = bound(&text(format), &json!(given.clone()));
        }
        for kind in [TypeKind::Integer, TypeKind::Number, TypeKind::Boolean, TypeKind::Array, TypeKind::Object] {
            let _outcome = bound(&of(kind), &json!(given.clone()));
        }
    }

    #[test]
    fn every_valid_day_and_time_is_bound(days in -700_000_i32..2_900_000, secs in 0_i64..86_400, millis in 0_i64..1_000) {
        let day = time::Date::from_julian_day(days + 2_440_588).unwrap();
        prop_assume!((0..10_000).contains(&day.year()));
        prop_assert_eq!(bound(&text(Format::Date), &json!(day.to_string())), Ok(SqlValue::Date(days)));
        let clock = format!("{:02}:{:02}:{:02}.{millis:03}", secs / 3_600, secs / 60 % 60, secs % 60);
        let expected = SqlValue::Time(secs * 1_000_000 + millis * 1_000);
        prop_assert_eq!(bound(&text(Format::Time), &json!(clock)), Ok(expected));
    }
}

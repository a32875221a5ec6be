//! From rows to the declared result.

use super::*;
use crate::model::sql_value::Column;

fn shaped(returns: Option<&TypeDefinition>, rows: SqlRows) -> Result<Value, String> {
    let compiled = CompiledResult::compile(returns).unwrap();
    let value = compiled.shape(rows)?;
    compiled.check(&value).map(|()| value)
}

#[test]
fn rows_take_the_declared_shape() {
    let row = || object(vec![("n", of(TypeKind::Integer))]);
    let two = json!([{"n": 1}, {"n": 2}]);
    for (returns, rows, expected) in [
        (None, json!([{"n": 1}]), json!([{"n": 1}])),
        (Some(of(TypeKind::Array)), two.clone(), two.clone()),
        (Some(list_of(row())), two.clone(), two.clone()),
        (Some(list_of(row())), json!([]), json!([])),
        (Some(list_of(of(TypeKind::Integer))), two, json!([1, 2])),
        (Some(row()), json!([{"n": 1}]), json!({"n": 1})),
        (Some(row()), json!([{"n": null}]), json!({"n": null})),
        (Some(of(TypeKind::Integer)), json!([{"n": 1}]), json!(1)),
        (Some(of(TypeKind::String)), json!([{"n": null}]), Value::Null),
        (Some(text(Format::DateTime)), json!([{"t": "2024-01-02T03:04:05.6"}]), json!("2024-01-02T03:04:05.6")),
    ] {
        assert_eq!(shaped(returns.as_ref(), FakeSql::rows(&rows)), Ok(expected), "{returns:?}");
    }
}

#[test]
fn rows_that_do_not_fit_the_declared_shape_are_an_error() {
    let row = object(vec![("n", of(TypeKind::Integer))]);
    for (returns, rows, part) in [
        (row.clone(), json!([]), "No results returned"),
        (row.clone(), json!([{"n": 1}, {"n": 2}]), "but got 2 results"),
        (row.clone(), json!([{"n": "x"}]), "Output validation failed: at /n"),
        (list_of(row), json!([{"n": 1}, {"n": "x"}]), "at /1/n"),
        (of(TypeKind::Integer), json!([{"n": 1}, {"n": 2}]), "but got 2 results"),
        (
            of(TypeKind::Integer),
            json!([{"n": 1, "m": 2}]),
            "Expected single value for return type 'integer', but got 2 values",
        ),
        (of(TypeKind::Integer), json!([{"n": 1.5}]), "Output validation failed"),
    ] {
        let error = shaped(Some(&returns), FakeSql::rows(&rows)).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn the_columns_are_counted_also_when_there_is_one_row_without_values() {
    let rows = SqlRows { columns: vec![Column { name: "n".into() }, Column { name: "m".into() }], rows: Vec::new() };
    assert_eq!(shaped(Some(&list_of(of(TypeKind::Integer))), rows), Ok(json!([])));
}

#[test]
fn sensitive_results_are_covered_in_the_record_and_in_errors() {
    let row = object(vec![("ssn", sensitive(TypeKind::String)), ("name", of(TypeKind::String))]);
    let compiled = CompiledResult::compile(Some(&list_of(row.clone()))).unwrap();
    let value = Arc::new(json!([{"ssn": "123", "name": "Ada"}]));
    assert_eq!(*compiled.redacted(&value), json!([{"ssn": "[REDACTED]", "name": "Ada"}]));
    let error = shaped(Some(&row), FakeSql::rows(&json!([{"ssn": 123, "name": "Ada"}]))).unwrap_err();
    assert!(!error.contains("123"), "{error}");
}

#[test]
fn a_tool_that_cannot_be_checked_by_is_refused_with_its_file() {
    let broken = with(TypeKind::String, |of| of.pattern = Some("(".to_owned()));
    let errors = ToolCatalog::build(vec![
        tool("fine", vec![], None),
        tool("broken", vec![("p", broken.clone())], None),
        tool("worse", vec![], Some(broken)),
    ])
    .unwrap_err();
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(texts[0].starts_with("tools/broken.yml: tool 'broken': parameter 'p': "), "{texts:?}");
    assert!(texts[1].starts_with("tools/worse.yml: tool 'worse': return: "), "{texts:?}");
}

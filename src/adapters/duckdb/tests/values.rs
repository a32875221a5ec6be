use super::*;

async fn shown(expression: &str) -> Value {
    one(&engine(), ask(format!("SELECT {expression}"))).await
}

#[tokio::test]
async fn every_scalar_type_has_its_json_form() {
    let engine = engine();
    let cases = [
        ("true", json!(true)),
        ("42::TINYINT", json!(42)),
        ("-7::BIGINT", json!(-7)),
        ("18446744073709551615::UBIGINT", json!(u64::MAX)),
        ("170141183460469231731687303715884105727::HUGEINT", json!("170141183460469231731687303715884105727")),
        ("340282366920938463463374607431768211455::UHUGEINT", json!("340282366920938463463374607431768211455")),
        ("sum(x) FROM (VALUES (1), (2)) t(x)", json!(3)),
        ("1.5::DOUBLE", json!(1.5)),
        ("0.1::FLOAT", json!(0.1)),
        ("'nan'::DOUBLE", Value::Null),
        ("'-inf'::DOUBLE", Value::Null),
        ("'inf'::FLOAT", Value::Null),
        ("12.345::DECIMAL(9, 3)", json!(12.345)),
        ("1.1::DECIMAL(4, 1)", json!(1.1)),
        ("12345678901234567890.12::DECIMAL(38, 2)", json!("12345678901234567890.12")),
        ("'123456789012345678901234567890123456789012'::BIGNUM", json!("123456789012345678901234567890123456789012")),
        ("'-5'::BIGNUM", json!(-5)),
        ("DATE '2024-01-02'", json!("2024-01-02")),
        ("'infinity'::DATE", json!("infinity")),
        ("'-infinity'::TIMESTAMP", json!("-infinity")),
        ("'infinity'::TIMESTAMPTZ", json!("infinity")),
        ("'0044-03-15 (BC)'::DATE", json!("-0043-03-15")),
        ("TIME '03:04:05.25'", json!("03:04:05.25")),
        ("'03:04:05.123456789'::TIME_NS", json!("03:04:05.123456789")),
        ("'03:04:05.5+02:30'::TIMETZ", json!("03:04:05.5+02:30")),
        ("TIMESTAMP '2024-01-02 03:04:05.123456'", json!("2024-01-02T03:04:05.123456")),
        ("'2024-01-02 03:04:05'::TIMESTAMP_S", json!("2024-01-02T03:04:05")),
        ("'2024-01-02 03:04:05.12'::TIMESTAMP_MS", json!("2024-01-02T03:04:05.12")),
        ("'2024-01-02 03:04:05.123456789'::TIMESTAMP_NS", json!("2024-01-02T03:04:05.123456789")),
        ("TIMESTAMPTZ '2024-01-02 03:04:05+02'", json!("2024-01-02T01:04:05Z")),
        ("INTERVAL '1 year 2 months 3 days 4 hours'", json!("P1Y2M3DT4H")),
        ("'text with a \u{e9} and more than twelve bytes'", json!("text with a \u{e9} and more than twelve bytes")),
        ("''", json!("")),
        ("'\\xAA\\x00\\xFF'::BLOB", json!("qgD/")),
        ("'0101011'::BIT", json!("0101011")),
        ("'10101011'::BIT", json!("10101011")),
        ("'f81d4fae-7dec-11d0-a765-00a0c91e6bf6'::UUID", json!("f81d4fae-7dec-11d0-a765-00a0c91e6bf6")),
        ("'00000000-0000-0000-0000-000000000001'::UUID", json!("00000000-0000-0000-0000-000000000001")),
        ("'b'::ENUM('a', 'b')", json!("b")),
        ("NULL", Value::Null),
        ("NULL::INTEGER", Value::Null),
        ("getvariable('nothing')", Value::Null),
        ("'{\"a\": [1, null]}'::JSON", json!({"a": [1, null]})),
    ];
    for (expression, expected) in cases {
        assert_eq!(one(&engine, ask(format!("SELECT {expression}"))).await, expected, "{expression}");
    }
}

#[tokio::test]
async fn every_nested_type_has_its_json_form() {
    let engine = engine();
    let cases = [
        ("[1, NULL, 3]", json!([1, null, 3])),
        ("[]", json!([])),
        ("[[1], NULL, [2, 3]]", json!([[1], null, [2, 3]])),
        ("[1, 2, 3]::INTEGER[3]", json!([1, 2, 3])),
        ("{'a': 1, 'b': {'c': 'x'}}", json!({"a": 1, "b": {"c": "x"}})),
        ("row(1, 'x')", json!([1, "x"])),
        ("MAP {'a': 1, 'b': NULL}", json!({"a": 1, "b": null})),
        ("MAP {1: 'x'}", json!({"1": "x"})),
        ("MAP {DATE '2024-01-02': [true]}", json!({"2024-01-02": [true]})),
        ("union_value(n := 5)::UNION(t VARCHAR, n INTEGER)", json!(5)),
        ("'x'::UNION(t VARCHAR, n INTEGER)", json!("x")),
        ("[{'when': DATE '2024-01-02', 'n': 1.5::DECIMAL(3, 1)}]", json!([{"when": "2024-01-02", "n": 1.5}])),
        ("['a', 'b']::ENUM('a', 'b')[]", json!(["a", "b"])),
        ("['{}'::JSON]", json!([{}])),
        ("[NULL]", json!([null])),
    ];
    for (expression, expected) in cases {
        assert_eq!(one(&engine, ask(format!("SELECT {expression}"))).await, expected, "{expression}");
    }
}

#[tokio::test]
async fn nested_values_keep_their_rows_across_chunks() {
    let sql = "SELECT i, [i, i + 1] AS l, {'n': i} AS s, MAP {'k': i} AS m, \
               CASE WHEN i % 3 = 0 THEN NULL ELSE [i]::BIGINT[1] END AS a, 'text number ' || i AS t \
               FROM range(10000) r(i) WHERE i % 2 = 1";
    let rows = rows(&engine(), sql).await;
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 5000);
    for row in rows {
        let i = row["i"].as_i64().unwrap();
        assert_eq!(row["l"], json!([i, i + 1]));
        assert_eq!(row["s"], json!({"n": i}));
        assert_eq!(row["m"], json!({"k": i}));
        assert_eq!(row["a"], if i % 3 == 0 { Value::Null } else { json!([i]) });
        assert_eq!(row["t"], json!(format!("text number {i}")));
    }
}

#[tokio::test]
async fn the_extremes_of_all_types_can_be_read() {
    let all = engine().query(ask("SELECT * EXCLUDE (geometry) FROM test_all_types()")).await.unwrap();
    assert_eq!(all.rows.len(), 3);
    assert!(all.columns.len() > 50);
    for column in &all.columns {
        assert_eq!(all.rows[2][&column.name], Value::Null, "{column:?}");
    }
}

#[tokio::test]
async fn a_type_without_json_form_is_refused_by_name() {
    let error = failure(&engine(), ask("SELECT 42::VARIANT AS v")).await;
    assert_eq!(error, "column \"v\" has the type VARIANT, which has no JSON form; cast it in the query");
}

#[tokio::test]
async fn json_that_is_broken_stays_text() {
    assert_eq!(shown("'1e'::VARCHAR").await, json!("1e"));
}

#[tokio::test]
async fn columns_of_one_name_are_numbered() {
    let rows = engine().query(ask("SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS a, 5 AS b")).await.unwrap();
    let names: Vec<_> = rows.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["a", "a_2", "a_1", "a_3", "b"]);
    assert_eq!(Value::Object(rows.rows[0].clone()), json!({"a": 1, "a_2": 2, "a_1": 3, "a_3": 4, "b": 5}));
}

#[tokio::test]
async fn columns_are_known_without_rows() {
    let rows = engine().query(ask("SELECT 1 AS a, 2 AS b WHERE false")).await.unwrap();
    assert_eq!(rows.columns.len(), 2);
    assert!(rows.rows.is_empty());
}

#[tokio::test]
async fn arguments_keep_their_type() {
    let engine = engine();
    let cases = [
        (SqlValue::Boolean(true), "BOOLEAN", json!(true)),
        (SqlValue::Integer(-5), "BIGINT", json!(-5)),
        (SqlValue::Unsigned(u64::MAX), "UBIGINT", json!(u64::MAX)),
        (SqlValue::Double(1.5), "DOUBLE", json!(1.5)),
        (SqlValue::Text("it's; DROP TABLE x --\0".to_owned()), "VARCHAR", json!("it's; DROP TABLE x --\0")),
        (SqlValue::Date(19_782), "DATE", json!("2024-02-29")),
        (SqlValue::Time(1_000_000), "TIME", json!("00:00:01")),
        (SqlValue::TimestampTz(0), "TIMESTAMP WITH TIME ZONE", json!("1970-01-01T00:00:00Z")),
        (SqlValue::Interval { months: 1, days: 2, micros: 3_000_000 }, "INTERVAL", json!("P1M2DT3S")),
    ];
    let sql: Arc<str> = "SELECT typeof($v) AS t, $v AS v".into();
    for (value, name, expected) in cases {
        let rows = engine.query(with(ask(Arc::clone(&sql)), "v", value)).await.unwrap();
        assert_eq!(Value::Object(rows.rows[0].clone()), json!({"t": name, "v": expected}));
    }
    assert_eq!(one(&engine, with(ask("SELECT $v"), "v", SqlValue::Null)).await, Value::Null);
}

fn texts(texts: &[&str]) -> SqlValue {
    SqlValue::List(texts.iter().map(|text| SqlValue::Text((*text).to_owned())).collect())
}

#[tokio::test]
async fn lists_and_objects_are_bound_as_such() {
    let engine = engine();
    let person = |name: &str, age: SqlValue| {
        SqlValue::Struct(vec![("name".to_owned(), SqlValue::Text(name.to_owned())), ("age".to_owned(), age)])
    };
    let only_name = SqlValue::Struct(vec![("name".to_owned(), SqlValue::Text("Cy".to_owned()))]);
    let cases = [
        (texts(&["a", "b"]), "VARCHAR[]", json!(["a", "b"])),
        (SqlValue::List(vec![SqlValue::Integer(1), SqlValue::Null]), "BIGINT[]", json!([1, null])),
        (SqlValue::List(vec![SqlValue::Integer(1), SqlValue::Double(2.5)]), "DOUBLE[]", json!([1.0, 2.5])),
        (SqlValue::List(vec![SqlValue::Integer(-1), SqlValue::Unsigned(u64::MAX)]), "HUGEINT[]", json!([-1, u64::MAX])),
        (SqlValue::List(vec![SqlValue::Integer(1), SqlValue::Text("x".to_owned())]), "VARCHAR[]", json!(["1", "x"])),
        (SqlValue::List(vec![texts(&["a"]), SqlValue::List(vec![])]), "VARCHAR[][]", json!([["a"], []])),
        (person("Al", SqlValue::Integer(3)), "STRUCT(\"name\" VARCHAR, age BIGINT)", json!({"name": "Al", "age": 3})),
        (
            SqlValue::List(vec![person("Al", SqlValue::Null), only_name, person("Bo", SqlValue::Integer(4))]),
            "STRUCT(\"name\" VARCHAR, age BIGINT)[]",
            json!([{"name": "Al", "age": null}, {"name": "Cy", "age": null}, {"name": "Bo", "age": 4}]),
        ),
    ];
    for (value, name, expected) in cases {
        let rows = engine.query(with(ask("SELECT typeof($v) AS t, $v AS v"), "v", value)).await.unwrap();
        assert_eq!(Value::Object(rows.rows[0].clone()), json!({"t": name, "v": expected}));
    }
    assert_eq!(one(&engine, with(ask("SELECT len($v)"), "v", SqlValue::List(vec![]))).await, json!(0));
    let empty = SqlValue::Struct(vec![]);
    assert_eq!(one(&engine, with(ask("SELECT $v"), "v", empty)).await, Value::Null);
    let contains = with(ask("SELECT list_contains($v, 'b')"), "v", texts(&["a", "b"]));
    assert_eq!(one(&engine, contains).await, json!(true));
}

#[tokio::test]
async fn a_list_of_values_and_lists_is_refused() {
    let mixed = SqlValue::List(vec![SqlValue::Integer(1), SqlValue::List(vec![])]);
    let error = failure(&engine(), with(ask("SELECT $v"), "v", mixed)).await;
    assert_eq!(error, "the parameter $v: a list cannot mix values, lists and objects");
}

#[tokio::test]
async fn only_parameters_of_the_statement_are_bound_and_all_must_be_there() {
    let engine = engine();
    let surplus = with(with(ask("SELECT $a"), "a", SqlValue::Integer(1)), "b", SqlValue::Integer(2));
    assert_eq!(one(&engine, surplus).await, json!(1));
    let error = failure(&engine, with(ask("SELECT $a, $b"), "a", SqlValue::Integer(1))).await;
    assert_eq!(error, "the parameter $b has no value");
}

#[tokio::test]
async fn a_value_does_not_survive_its_query() {
    let engine = narrow_engine();
    let sql: Arc<str> = "SELECT $a".into();
    assert_eq!(one(&engine, with(ask(Arc::clone(&sql)), "a", SqlValue::Integer(1))).await, json!(1));
    assert_eq!(failure(&engine, ask(sql)).await, "the parameter $a has no value");
}

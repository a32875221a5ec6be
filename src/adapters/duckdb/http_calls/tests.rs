use super::*;
use proptest::prelude::*;

fn rewritten(sql: &str) -> String {
    rewrite(sql).unwrap().unwrap_or_else(|| panic!("left alone: {sql}")).sql
}

fn fetch(url: &str, headers: &str, note: &str) -> String {
    format!("__mxcp_fetch({url}, to_json({headers})::VARCHAR, '{note}')")
}

#[test]
fn the_call_of_the_documentation_becomes_one_that_duckdb_knows() {
    let sql = "SELECT *\nFROM read_json_auto(\n    'https://api.github.com/user/repos',\n    headers = MAP {\n        \
               'Authorization': 'Bearer ' || get_user_external_token(),\n        'User-Agent': 'MXCP'\n    }\n);\n";
    let map =
        "MAP {\n        'Authorization': 'Bearer ' || get_user_external_token(),\n        'User-Agent': 'MXCP'\n    }";
    let call = fetch("'https://api.github.com/user/repos'", map, "0 read_json_auto");
    assert_eq!(rewritten(sql), format!("SELECT *\nFROM read_json_auto({call});\n"));
}

#[test]
fn a_call_is_found_however_it_is_written() {
    for (call, reader, rest) in [
        ("read_json('u', headers = $h)", "read_json", ""),
        ("READ_CSV('u', HEADERS := $h, delim = ';')", "read_csv", ", delim = ';'"),
        ("\"Read_Csv_Auto\" ( 'u' , \"headers\" => $h )", "read_csv_auto", ""),
        ("main.read_parquet('u', headers=$h)", "read_parquet", ""),
        ("system.main.read_text/* x */('u', -- y\n headers = $h -- z\n)", "read_text", ""),
        ("read_json('u', headers = $h,)", "read_json", ""),
        ("read_ndjson(headers = $h, 'u')", "read_ndjson", ""),
        (
            "read_json_objects('u', columns = {a: 'INT', b: 'INT'}, headers = $h)",
            "read_json_objects",
            ", columns = {a: 'INT', b: 'INT'}",
        ),
    ] {
        let sql = format!("SELECT 1 FROM {call} AS t");
        let open = call.find('(').unwrap();
        let expected =
            format!("SELECT 1 FROM {}({}{rest}) AS t", &call[..open], fetch("'u'", "$h", &format!("0 {reader}")));
        assert_eq!(rewritten(&sql), expected);
    }
}

#[test]
fn several_calls_and_calls_in_calls_are_all_found() {
    let sql = "SELECT 1; FROM read_json('a', headers = x) JOIN read_csv('b', compression = 'gzip', headers = y) USING (i); FROM read_csv('c')";
    let (a, b) = (fetch("'a'", "x", "0 read_json"), fetch("'b'", "y", "1 read_csv compression"));
    let expected =
        format!("SELECT 1; FROM read_json({a}) JOIN read_csv({b}, compression = 'gzip') USING (i); FROM read_csv('c')");
    assert_eq!(rewritten(sql), expected);
    let nested =
        "FROM read_json((SELECT u FROM read_csv('b', headers = y)), headers = (FROM read_text('c', headers = z)))";
    let inner = (fetch("'b'", "y", "2 read_csv"), fetch("'c'", "z", "1 read_text"));
    let outer = fetch(
        &format!("(SELECT u FROM read_csv({}))", inner.0),
        &format!("(FROM read_text({}))", inner.1),
        "0 read_json",
    );
    assert_eq!(rewritten(nested), format!("FROM read_json({outer})"));
}

#[test]
fn a_list_of_urls_is_fetched_one_by_one() {
    let each = fetch("mxcp_url", "h", "0 read_json");
    let expected = format!("FROM read_json(list_transform(['a', $b], lambda mxcp_url: {each}))");
    assert_eq!(rewritten("FROM read_json(['a', $b], headers = h)"), expected);
    let one = fetch("['a', 'b'][1]", "h", "0 read_json");
    assert_eq!(rewritten("FROM read_json(['a', 'b'][1], headers = h)"), format!("FROM read_json({one})"));
}

#[test]
fn other_texts_stay_as_they_are() {
    for sql in [
        "FROM read_json('u')",
        "FROM read_json('u', columns = {headers: 'JSON'})",
        "SELECT headers FROM read_json('u')",
        "SELECT 'read_json(''u'', headers = h)'",
        "SELECT $$ read_json('u', headers = h) $$",
        "-- read_json('u', headers = h)\nSELECT 1",
        "SELECT \"read_json('u', headers = h)\"",
        "FROM my_reader('u', headers = h)",
        "FROM mine.read_json('u', headers = h)",
        "FROM read_json(headers = h)",
        "FROM read_json('u', headers = )",
        "FROM read_json('u', headers == h)",
        "FROM read_json('u', headers >= h)",
        "FROM read_json('u', x.headers = h)",
        "FROM read_json('u', , headers = h)",
        "FROM read_json('u', headers = h",
        "FROM read_json('u', headers = h])",
        "FROM read_json('u; SELECT 1', headers = h); SELECT 'x",
        "CREATE MACRO read_json(u, headers := NULL) AS TABLE SELECT 1",
        "SELECT read_json, headers = 1",
    ] {
        assert_eq!(rewrite(sql), Ok(None), "{sql}");
    }
}

#[test]
fn what_would_be_kept_for_later_is_refused() {
    for definition in ["CREATE VIEW v AS", "create or replace temp view v AS", "CREATE MACRO m() AS TABLE"] {
        let sql = format!("SELECT 1; {definition} SELECT * FROM read_json('u', headers = h)");
        let error = rewrite(&sql).unwrap_err();
        assert!(error.contains("cannot keep a call with headers"), "{error}");
    }
    assert!(rewrite("CREATE TABLE view AS FROM read_json('u', headers = h)").unwrap().is_some());
    let twice = rewrite("FROM read_json('u', headers = a, headers = b)");
    assert_eq!(twice, Err("read_json has more than one headers".to_owned()));
}

#[test]
fn parameters_are_told_without_the_engine() {
    let sql = "SELECT $b FROM read_json($url, headers = MAP {'X': $a, 'Y': '$c'}) WHERE $B";
    assert_eq!(rewrite(sql).unwrap().unwrap().parameters, ["b", "url", "a"]);
}

#[test]
fn calls_that_stand_too_deep_are_left_alone() {
    let deep = |depth: usize| format!("{}'u'{}", "read_json(".repeat(depth), ", headers = h)".repeat(depth));
    assert!(rewrite(&deep(DEPTH_MAX)).unwrap().is_some());
    assert_eq!(rewrite(&deep(DEPTH_MAX + 1)), Ok(None));
    assert_eq!(rewrite(&deep(2000)), Ok(None));
}

const PIECES: [&str; 22] = [
    "read_json",
    "READ_CSV",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    "=",
    ":=",
    "'u'",
    "h",
    " ",
    "\n",
    "--",
    "/*",
    "*/",
    "$$",
    "\"",
    "'",
    ";",
];

fn texts(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(pieces), 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(before in texts(&PIECES), after in texts(&PIECES)) {
        let _outcome = rewrite(&format!("{before}headers{after}"));
    }

    #[test]
    fn a_text_without_headers_is_left_alone(sql in texts(&PIECES)) {
        prop_assert_eq!(rewrite(&sql), Ok(None));
    }

    #[test]
    fn what_stands_around_a_call_stays_as_it_is(before in texts(&["x", " ", ",", "\n", "-- c\n", "/* ' */", "'a'", "$p "])) {
        let sql = format!("{before} FROM read_json('u', headers = h) {before}");
        let expected = format!("{before} FROM read_json({}) {before}", fetch("'u'", "h", "0 read_json"));
        prop_assert_eq!(rewritten(&sql), expected);
    }
}

use super::*;
use ::duckdb::Connection;
use mxcp_actors::model::audit_filter::AuditName;
use std::fs;
use tempfile::TempDir;

fn line(number: u64, name: &str) -> String {
    let record = json!({
        "schema_name": "mxcp.endpoints", "schema_version": 2, "record_id": format!("id-{number}"), "sequence": number,
        "timestamp": format!("2026-11-23T10:00:{number:02}.25Z"), "operation_type": "tool", "operation_name": name,
        "operation_status": "success", "duration_ms": 1500, "caller_type": "http", "user_id": "local:ada",
        "input_data": {"text": "a \"b\", c\nd"}, "output_data": null, "policies_evaluated": ["p"],
        "business_context": {}, "prev_hash": "00", "record_hash": "11",
    });
    format!("{record}\n")
}

struct Rig {
    folder: TempDir,
}

impl Rig {
    fn new() -> Self {
        let rig = Self { folder: TempDir::new().unwrap() };
        rig.write("logs-20261123T100000.jsonl", &[line(1, "one"), line(2, "two")]);
        rig
    }

    fn write(&self, name: &str, lines: &[String]) {
        fs::write(self.folder.path().join(name), lines.concat()).unwrap();
    }

    fn reader(&self) -> JsonlAuditReader {
        JsonlAuditReader::new(&self.folder.path().join("logs.jsonl")).unwrap()
    }

    fn to_duckdb(&self) -> anyhow::Result<Value> {
        let path = self.folder.path().join("out.duckdb");
        Ok(to_duckdb(&self.reader(), &AuditFilter::default(), &path)?.result["exported"].clone())
    }

    fn query(&self, sql: &str) -> Vec<String> {
        let connection = Connection::open(self.folder.path().join("out.duckdb")).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }
}

#[test]
fn a_csv_file_has_every_column_and_is_for_its_owner_alone() {
    let rig = Rig::new();
    let path = rig.folder.path().join("out.csv");
    let names = vec![AuditName::Tool("two".to_owned())];
    let report = to_csv(&rig.reader(), &AuditFilter { names, ..AuditFilter::default() }, &path).unwrap();
    assert_eq!(report.result, json!({"exported": 1, "format": "csv", "path": path.display().to_string()}));
    let expected = "mxcp.endpoints,2,id-2,2,2026-11-23T10:00:02.25Z,tool,two,success,1500,http,local:ada,,,,\
        \"{\"\"text\"\":\"\"a \\\"\"b\\\"\", c\\nd\"\"}\",,,\"[\"\"p\"\"]\",,,{},[],,00,11";
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\r\n{expected}\r\n", COLUMNS.join(",")));
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn no_cell_of_a_csv_file_is_a_formula() {
    let names =
        ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1", "-5", "-1.5e3", "a=b", "'a"];
    let rig = Rig { folder: TempDir::new().unwrap() };
    let lines: Vec<_> = (1..).zip(names).map(|(number, name)| line(number, name)).collect();
    rig.write("logs-20261123T100000.jsonl", &lines);
    let path = rig.folder.path().join("out.csv");
    to_csv(&rig.reader(), &AuditFilter::default(), &path).unwrap();
    let connection = Connection::open_in_memory().unwrap();
    let read = format!(
        "SELECT operation_name FROM read_csv('{}', all_varchar = true, header = true, quote = '\"', new_line = '\\r\\n')",
        path.display()
    );
    let mut statement = connection.prepare(&read).unwrap();
    let cells: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let expected = [
        "'=cmd|' /C calc'!A0",
        "'+1+1",
        "'-2+3",
        "'@SUM(A1)",
        "'\tx",
        "'\rx",
        "'\nx",
        "'＝1",
        "-5",
        "-1.5e3",
        "a=b",
        "'a",
    ];
    assert_eq!(cells, expected);
}

#[test]
fn a_table_can_be_computed_with() {
    let rig = Rig::new();
    assert_eq!(rig.to_duckdb().unwrap(), 2);
    let found = rig.query(
        "SELECT concat_ws(' ', epoch_us(timestamp), duration_ms + 1, input_data->>'text', policies_evaluated->>0) \
         FROM audit_logs WHERE sequence = 2 AND timestamp > TIMESTAMPTZ '2026-11-23 10:00:02+00'",
    );
    assert_eq!(found, ["1795428002250000 1501 a \"b\", c\nd p"]);
}

#[test]
fn a_second_export_adds_only_what_is_new() {
    let rig = Rig::new();
    assert_eq!(rig.to_duckdb().unwrap(), 2);
    assert_eq!(rig.to_duckdb().unwrap(), 0);
    rig.write("logs-20261123T110000.jsonl", &[line(3, "three")]);
    assert_eq!(rig.to_duckdb().unwrap(), 1);
    assert_eq!(rig.query("SELECT operation_name FROM audit_logs ORDER BY sequence"), ["one", "two", "three"]);
}

#[test]
fn a_table_of_something_else_is_refused() {
    let rig = Rig::new();
    let connection = Connection::open(rig.folder.path().join("out.duckdb")).unwrap();
    connection.execute_batch("CREATE TABLE audit_logs (record_id VARCHAR)").unwrap();
    drop(connection);
    let error = rig.to_duckdb().unwrap_err().to_string();
    assert!(error.contains("has other columns than this version exports; export to another file"), "{error}");
}

#[test]
fn a_table_of_an_earlier_version_gets_the_columns_that_it_lacks() {
    let rig = Rig::new();
    assert_eq!(rig.to_duckdb().unwrap(), 2);
    let connection = Connection::open(rig.folder.path().join("out.duckdb")).unwrap();
    connection
        .execute_batch("ALTER TABLE audit_logs DROP execution_events; ALTER TABLE audit_logs DROP signature")
        .unwrap();
    drop(connection);
    rig.write("logs-20261123T110000.jsonl", &[line(3, "three")]);
    assert_eq!(rig.to_duckdb().unwrap(), 1);
    let found =
        rig.query("SELECT concat_ws(' ', sequence, execution_events, record_hash) FROM audit_logs ORDER BY sequence");
    assert_eq!(found, ["1 11", "2 11", "3 [] 11"]);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let rig = Rig::new();
    let path = rig.folder.path().join("out.duckdb");
    fs::write(&path, "a,b\n1,2\n").unwrap();
    let error = rig.to_duckdb().unwrap_err().to_string();
    assert!(error.ends_with("out.duckdb is there and no DuckDB database; export to another file"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "a,b\n1,2\n");
}

#[test]
fn a_new_database_is_for_its_owner_alone() {
    let rig = Rig::new();
    assert_eq!(rig.to_duckdb().unwrap(), 2);
    let metadata = fs::metadata(rig.folder.path().join("out.duckdb")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777, 0o600);
}

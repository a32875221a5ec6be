use super::*;
use clap::Parser;
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

const NOW: &str = "2026-11-23T12:00:00Z";

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    log: LogArgs,
}

fn now() -> Timestamp {
    Timestamp::parse_rfc3339(NOW).unwrap()
}

fn line(kind: &str, name: &str, status: &str, at: &str, user: Option<&str>) -> String {
    let decision = if status == "error" { "deny" } else { "allow" };
    let record = json!({
        "schema_name": "mxcp.endpoints", "schema_version": 2, "record_id": format!("id-{name}"), "timestamp": at,
        "operation_type": kind, "operation_name": name, "operation_status": status, "duration_ms": 3,
        "caller_type": "http", "user_id": user, "input_data": {"secret": "s3cret"}, "output_data": [1],
        "policy_decision": decision, "policy_reason": "because", "business_context": {"operation_name": name},
    });
    format!("{record}\n")
}

/// A log with one record of each kind, the oldest two hours old.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let lines = [
        line("tool", "revenue", "error", "2026-11-23T10:00:00Z", Some("local:ben")),
        line("prompt", "greeting", "success", "2026-11-23T11:00:00Z", None),
        line("resource", "item://{id}", "success", "2026-11-23T11:30:00Z", Some("local:ada")),
        line("auth", "auth.login_succeeded", "success", "2026-11-23T11:59:58.123456Z", Some("local:ada")),
    ];
    fs::write(folder.path().join("logs-20261123T100000.jsonl"), lines.concat()).unwrap();
    folder
}

fn report_of(folder: &TempDir, options: &[&str]) -> anyhow::Result<Report> {
    report_on(folder, options, None)
}

fn report_on(folder: &TempDir, options: &[&str], screen: Option<Screen>) -> anyhow::Result<Report> {
    let args = Command::try_parse_from([&["log"], options].concat()).unwrap().log;
    let path = folder.path().join("logs.jsonl");
    let source = AuditSource { profile: "default", is_enabled: true, path: &path, socket: None };
    let mut out = Vec::new();
    let report = report(&args, source, now(), screen, &mut out)?;
    if !report.is_told {
        return Ok(report);
    }
    let text = String::from_utf8(out).unwrap();
    let result = if args.json { serde_json::from_str::<Value>(&text).unwrap()["result"].take() } else { Value::Null };
    Ok(Report { text: text.trim_end().to_owned(), result, ..report })
}

fn names(options: &[&str]) -> Vec<String> {
    let result = report_of(&folder(), &[options, &["--json"]].concat()).unwrap().result;
    let records = result["records"].as_array().unwrap();
    assert_eq!(result["count"], records.len());
    records.iter().map(|record| record["operation_name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_text_has_a_line_for_each_record_newest_first() {
    let rule = "=".repeat(80);
    let expected = format!(
        "{rule}\n\
         ✅ 2026-11-23 11:59:58 [auth] auth.login_succeeded (3ms) - local:ada\n\
         ✅ 2026-11-23 11:30:00 [resource] item://{{id}} (3ms) - local:ada\n\
         ✅ 2026-11-23 11:00:00 [prompt] greeting (3ms) - unknown\n\
         ❌ 2026-11-23 10:00:00 [tool] revenue (3ms) - local:ben\n\
         {rule}\n\
         Total records: 4"
    );
    assert_eq!(report_of(&folder(), &[]).unwrap().text, expected);
}

#[test]
fn the_json_has_the_fields_that_scripts_know_and_no_arguments_or_results() {
    assert_eq!(
        report_of(&folder(), &["--limit", "1"]).unwrap().result,
        json!({"count": 1, "records": [{
            "record_id": "id-auth.login_succeeded",
            "timestamp": "2026-11-23T11:59:58.123456Z",
            "caller_type": "http",
            "operation_type": "auth",
            "operation_name": "auth.login_succeeded",
            "duration_ms": 3,
            "user_id": "local:ada",
            "session_id": null,
            "trace_id": null,
            "operation_status": "success",
            "error": null,
            "business_context": {"operation_name": "auth.login_succeeded"},
            "policy_decision": "allow",
        }]})
    );
}

#[test]
fn names_are_joined_by_or() {
    assert_eq!(names(&["--tool", "revenue", "--resource", "item://{id}"]), ["item://{id}", "revenue"]);
    assert_eq!(names(&["--tool", "revenue", "--tool", "x", "--prompt", "greeting"]), ["greeting", "revenue"]);
    assert!(names(&["--tool", "rev'enue"]).is_empty());
}

#[test]
fn records_are_chosen_by_kind_decision_and_status() {
    assert_eq!(names(&["--type", "auth"]), ["auth.login_succeeded"]);
    assert_eq!(names(&["--policy", "deny"]), ["revenue"]);
    assert_eq!(names(&["--policy", "n/a"]).len(), 4);
    assert_eq!(names(&["--status", "error"]), ["revenue"]);
    assert!(names(&["--type", "auth", "--status", "error"]).is_empty());
}

#[test]
fn since_goes_back_from_now() {
    assert_eq!(names(&["--since", "2s"]), ["auth.login_succeeded"]);
    assert_eq!(names(&["--since", "30m"]), ["auth.login_succeeded", "item://{id}"]);
    assert_eq!(names(&["--since", "24h"]).len(), 4);
}

#[test]
fn a_time_span_has_two_ends() {
    assert_eq!(names(&["--until", "1h"]), ["greeting", "revenue"], "both ends belong to it");
    assert_eq!(
        names(&["--since", "2026-11-23T11:00:00Z", "--until", "2026-11-23T13:30:00+02:00"]),
        ["item://{id}", "greeting"]
    );
}

#[test]
fn records_are_chosen_by_person_and_event() {
    assert_eq!(names(&["--user", "ada"]), ["auth.login_succeeded", "item://{id}"]);
    assert_eq!(names(&["--user", "local:ben", "--user", "x"]), ["revenue"]);
    assert_eq!(names(&["--event", "login", "--tool", "revenue"]), ["auth.login_succeeded", "revenue"]);
    assert_eq!(names(&["--event", "*_failed"]), [] as [&str; 0]);
    for option in ["--client", "--session", "--trace"] {
        assert!(names(&[option, "x"]).is_empty());
    }
}

#[test]
fn a_line_of_json_for_each_record_is_in_ascii_and_can_be_whole() {
    let text = report_of(&folder(), &["--jsonl", "--tool", "revenue"]).unwrap().text;
    let record: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&record["operation_name"], record.get("input_data")), (&json!("revenue"), None));
    let text = report_of(&folder(), &["--jsonl", "--full"]).unwrap().text;
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((records.len(), &records[3]["input_data"]["secret"]), (4, &json!("s3cret")));
}

#[test]
fn all_of_a_record_is_told_when_asked_for() {
    let text = report_of(&folder(), &["--full", "--tool", "revenue"]).unwrap().text;
    for part in ["  Policy: deny: because", "  Provider: local", "  Caller: http", "  Details: {\"secret\":\"s3cret\"}"]
    {
        assert!(text.lines().any(|line| line == part), "{part}: {text}");
    }
}

#[test]
fn a_terminal_gets_a_table() {
    let screen = Screen { width: 100, has_colour: false };
    let text = report_on(&folder(), &["--tool", "revenue"], Some(screen)).unwrap().text;
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("TIME (UTC)"), "{text}");
    assert!(lines[1].starts_with("2026-11-23 10:00:00  denied         3  tool revenue"), "{text}");
    assert_eq!(lines[2], "Total records: 1");
}

#[test]
fn a_span_of_an_unknown_unit_is_an_error() {
    let error = report_of(&folder(), &["--since", "1w"]).unwrap_err();
    let expected = "Invalid time format: 1w. Use format like '10m', '2h', '1d', or a time such as ";
    assert!(error.to_string().starts_with(expected), "{error}");
}

#[test]
fn nothing_found_is_said() {
    let empty = TempDir::new().unwrap();
    let report = report_of(&empty, &[]).unwrap();
    assert_eq!(report.text, "No audit records found matching the criteria.");
    assert_eq!(report.result, json!({"count": 0, "records": []}));
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);
}

#[test]
fn a_profile_without_a_log_is_an_error() {
    let args = Command::try_parse_from(["log"]).unwrap().log;
    let source = AuditSource { profile: "p", is_enabled: false, path: Path::new("audit/logs-p.jsonl"), socket: None };
    let error = report(&args, source, now(), None, &mut Vec::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Audit logging is not enabled for profile 'p'. \
         Enable it in mxcp-site.yml under profiles.p.audit.enabled"
    );
}

#[test]
fn a_name_that_a_caller_chose_cannot_steer_the_terminal_or_forge_a_line() {
    let folder = TempDir::new().unwrap();
    let name = "x\u{1b}[2J\n✅ forged\u{202e}";
    fs::write(folder.path().join("logs-20261123T100000.jsonl"), line("tool", name, "error", NOW, None)).unwrap();
    let output = report_of(&folder, &["--debug"]).unwrap().text;
    assert!(output.contains("[tool] x\\u{1b}[2J\\u{a}✅ forged\\u{202e} (3ms) - unknown\n"), "{output}");
    assert_eq!(output.lines().count(), 5, "{output}");
}

#[test]
fn what_nobody_sees_is_told_apart() {
    for hidden in
        ["\u{ad}", "\u{200b}", "\u{200d}", "\u{200f}", "\u{2060}", "\u{206f}", "\u{feff}", "\u{e0000}", "\u{e007f}"]
    {
        let escaped = hidden.escape_unicode();
        assert_eq!(printable(&format!("ad{hidden}min")), format!("ad{escaped}min"));
    }
    assert_eq!(printable("é 漢字 ✅ \u{2010}\u{2070}"), "é 漢字 ✅ \u{2010}\u{2070}");
}

#[test]
fn options_that_do_not_exist_are_refused() {
    for options in [
        ["--policy", "denied", ""],
        ["--limit", "-1", ""],
        ["--limit", "0", ""],
        ["--follow", "--json", ""],
        ["--json", "--jsonl", ""],
        ["--follow", "--export-csv", "x"],
    ] {
        let options: Vec<_> = options.into_iter().filter(|option| !option.is_empty()).collect();
        assert!(Command::try_parse_from([&["log"], &*options].concat()).is_err(), "{options:?}");
    }
}

#[test]
fn a_list_of_a_time_looks_as_any_other() {
    for options in [&["--json"][..], &["--jsonl"], &["--full"], &["--tool", "none"], &["--tool", "none", "--json"]] {
        let (all, of_time) =
            (report_of(&folder(), options), report_of(&folder(), &[options, &["--since", "24h"]].concat()));
        let (all, of_time) = (all.unwrap(), of_time.unwrap());
        assert!(of_time.is_told && !all.is_told);
        if options.contains(&"--json") {
            assert_eq!(of_time.result, all.result, "{options:?}");
        } else {
            assert_eq!(of_time.text, all.text, "{options:?}");
        }
    }
}

#[test]
fn a_limit_must_be_a_number_from_one_on() {
    for limit in ["0", "-5", "x"] {
        let error = Command::try_parse_from(["log", "--limit", limit]).unwrap_err().to_string();
        assert!(error.contains("it must be a whole number from 1 on"), "{error}");
    }
}

#[test]
fn what_is_over_cannot_be_followed() {
    let error = report_of(&folder(), &["--follow", "--until", "1h"]).unwrap_err();
    assert!(error.is::<crate::cli::output::UsageError>(), "{error}");
}

#[test]
fn more_records_than_are_shown_are_told_of() {
    let folder = TempDir::new().unwrap();
    let lines: String = (0..101).map(|_| line("tool", "t", "success", NOW, None)).collect();
    fs::write(folder.path().join("logs-20261123T100000.jsonl"), lines).unwrap();
    let report = report_of(&folder, &[]).unwrap();
    assert_eq!(report.text.lines().last(), Some("Total records: 100"));
    assert!(report.warnings[0].starts_with("more records match"), "{report:?}");
    assert!(report_of(&folder, &["--limit", "101"]).unwrap().warnings.is_empty());
    assert!(report_of(&folder, &["--since", "24h"]).unwrap().text.ends_with("Total records: 101"));
}

#[test]
fn a_damaged_file_does_not_hide_the_others_and_is_no_success() {
    let folder = folder();
    fs::write(folder.path().join("logs-20261123T090000.jsonl.gz"), "damaged").unwrap();
    let csv = folder.path().join("out.csv");
    for options in [&["--limit", "50"][..], &["--since", "24h"], &["--export-csv", csv.to_str().unwrap()]] {
        let report = report_of(&folder, options).unwrap();
        assert!(report.is_failure && report.warnings[0].contains("logs-20261123T090000.jsonl.gz"), "{report:?}");
        assert!(["Total records: 4", "Exported 4 records"].iter().any(|end| report.text.contains(end)), "{report:?}");
    }
}

/// A log whose newest record is whole but nested deeper than a reader follows.
fn folder_with_a_deep_record() -> TempDir {
    let folder = folder();
    let (deep, ends) = ("[".repeat(200), "]".repeat(200));
    let line = line("auth", "auth.deep", "success", "2026-11-23T11:59:59Z", None);
    let line = line.trim_end().strip_suffix('}').unwrap();
    let line = line.replacen('{', "{\"sequence\":7,", 1);
    let chained = format!("{line},\"more\":{deep}{ends},\"prev_hash\":null,\"record_hash\":\"{}\"}}\n", "0".repeat(64));
    let chained = chained.replace("\"input_data\":{\"secret\":\"s3cret\"}", &format!("\"input_data\":{deep}{ends}"));
    fs::write(folder.path().join("logs-20261123T115959.jsonl"), chained).unwrap();
    folder
}

#[test]
fn a_record_that_cannot_be_read_does_not_hide_the_others_and_is_no_success() {
    let folder = folder_with_a_deep_record();
    let csv = folder.path().join("out.csv");
    let wanted = "the record with the number 7 in ";
    for options in [&[][..], &["--since", "24h"], &["--export-csv", csv.to_str().unwrap()]] {
        let report = report_of(&folder, options).unwrap();
        assert!(report.is_failure && report.warnings[0].starts_with(wanted), "{report:?}");
        assert!(["Total records: 4", "Exported 4 records"].iter().any(|end| report.text.contains(end)), "{report:?}");
    }
    assert!(!report_of(&folder, &["--tool", "revenue"]).unwrap().is_failure);
    let soon = ["--follow", "--until", "2026-11-23T12:00:00.001Z"];
    assert!(report_of(&folder, &soon).unwrap().is_failure);
}

//! How files, environment and command line come together.

use crate::config_project::{PLAIN_SITE, Project};
use mxcp::config::{EndpointFaults, EndpointKind, LogLevel};
use std::path::Path;

const SITE: &str = "
project: my-project
profile: default
paths: {tools: ./definitions, data: ~/data}
profiles:
  default:
    duckdb: {readonly: true, connections: 3, query_timeout: 1m 30s, max_rows: 5}
    audit: {enabled: false, path: ~/audit/log.jsonl}
  staging:
    duckdb: {path: staging.duckdb}
";

const SIGN_IN: &str = "
projects:
  my-project:
    profiles:
      default:
        auth:
          provider: github
          github: &app
            client_id: a
            client_secret: ${SECRET}
            callback_path: /callback
            auth_url: http://127.0.0.1:9000/authorize
            token_url: http://127.0.0.1:9000/token
";

#[test]
fn without_any_settings_the_defaults_hold() {
    let project = Project::new(PLAIN_SITE);
    let configuration = project.load().unwrap();
    assert!(configuration.auth.providers.is_empty());
    assert_eq!(configuration.user_file, None);
    assert_eq!(configuration.http.base_url(None), "http://localhost:8000");
    assert_eq!(configuration.duckdb.path, project.root().join("data/db-default.duckdb"));
    assert!(!configuration.duckdb.is_readonly);
    assert!(!configuration.audit.is_enabled);
    assert_eq!(configuration.audit.path, project.root().join("audit/logs-default.jsonl"));
}

#[test]
fn the_site_file_says_what_belongs_to_the_project() {
    let project = Project::new(SITE).with_env("HOME", "/home/ada");
    let configuration = project.load().unwrap();
    assert_eq!(configuration.paths.tools, project.root().join("./definitions"));
    assert_eq!(configuration.duckdb.path, Path::new("/home/ada/data/db-default.duckdb"));
    assert!(configuration.duckdb.is_readonly);
    assert_eq!(configuration.duckdb.connections, Some(3));
    assert_eq!(configuration.duckdb.query_timeout.as_secs(), 90);
    assert_eq!(configuration.duckdb.max_rows, 5);
    assert_eq!(configuration.audit.path, Path::new("/home/ada/audit/log.jsonl"));
}

#[test]
fn the_command_line_goes_before_the_environment_and_that_before_the_file() {
    let mut project = Project::new(SITE);
    assert_eq!(project.load().unwrap().profile, "default");
    project = project.with_env("MXCP_PROFILE", "staging");
    let staging = project.load().unwrap();
    assert_eq!(staging.profile, "staging");
    assert_eq!(staging.duckdb.path, project.root().join("staging.duckdb"));
    assert!(!staging.duckdb.is_readonly);
    project.options.profile = Some("other".to_owned());
    let other = project.load().unwrap();
    assert_eq!(other.profile, "other");
    assert_eq!(other.audit.path, project.root().join("audit/logs-other.jsonl"));
}

#[test]
fn the_environment_overrides_the_database_the_audit_log_and_the_log_level() {
    let project = Project::new(SITE)
        .with_env("MXCP_DUCKDB_PATH", "other.duckdb")
        .with_env("MXCP_AUDIT_ENABLED", "yes")
        .with_env("MXCP_DEBUG", "1");
    let configuration = project.load().unwrap();
    assert_eq!(configuration.duckdb.path, project.root().join("other.duckdb"));
    assert!(configuration.audit.is_enabled);
    assert_eq!(configuration.logging.level, Some(LogLevel::Debug));
}

#[test]
fn the_database_is_read_only_when_anybody_says_so() {
    let mut project = Project::new(PLAIN_SITE).with_env("MXCP_READONLY", "true");
    assert!(project.load().unwrap().duckdb.is_readonly);
    project.env.clear();
    project.options.is_readonly = true;
    assert!(project.load().unwrap().duckdb.is_readonly);
    let project = Project::new(SITE).with_env("MXCP_READONLY", "false");
    assert!(project.load().unwrap().duckdb.is_readonly);
}

#[test]
fn calls_are_recorded_when_people_sign_in() {
    let project = Project::new(PLAIN_SITE).with_user(SIGN_IN).with_env("SECRET", "s3cret");
    assert!(project.load().unwrap().audit.is_enabled);
    let project = project.with_env("MXCP_AUDIT_ENABLED", "0");
    assert!(!project.load().unwrap().audit.is_enabled);
}

#[test]
fn the_user_configuration_is_found_in_the_home_folder() {
    let project = Project::new(PLAIN_SITE).with_env("SECRET", "s3cret");
    project.write("home/.mxcp/config.yml", SIGN_IN);
    let home = project.root().join("home").display().to_string();
    let project = project.with_env("HOME", &home);
    let configuration = project.load().unwrap();
    assert!(configuration.auth.is_enabled());
    assert_eq!(configuration.user_file, Some(project.root().join("home/.mxcp/config.yml")));
    // A variable that is set to nothing is not set.
    assert!(project.with_env("MXCP_CONFIG", "").load().unwrap().auth.is_enabled());
}

#[test]
fn no_secret_shows_when_a_configuration_is_printed() {
    let project = Project::new(PLAIN_SITE).with_user(SIGN_IN).with_env("SECRET", "hunter2");
    let printed = format!("{:?}", project.load().unwrap());
    assert!(printed.contains("[redacted]") && !printed.contains("hunter2"));
}

#[test]
fn faulty_tools_can_be_left_out_with_a_warning() {
    let mut project = Project::new(PLAIN_SITE);
    project.write("tools/a.yml", "tool: {name: a, source: {code: SELECT 1}}");
    project.write("tools/b.yml", "tool: {name: b, source: {}}");
    project.write("tools/c.yml", "tool: {name: c, enabled: false, source: {code: SELECT 1}}");
    project.write("tools/.hidden.yml", "nonsense");
    project.write("tools/notes.txt", "nonsense");
    assert_eq!(project.errors().len(), 1);
    project.options.endpoint_faults = EndpointFaults::Skip;
    let configuration = project.load().unwrap();
    let names: Vec<_> = configuration.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["a"]);
    assert_eq!(configuration.warnings, ["tools/b.yml:1: tool.source: expected one of the keys code, file"]);
    let files: Vec<_> = configuration
        .endpoint_files
        .iter()
        .map(|file| (file.path.to_str().unwrap(), file.kind, file.is_enabled, file.errors.is_some()))
        .collect();
    assert_eq!(
        files,
        [
            ("tools/a.yml", Some(EndpointKind::Tool), true, false),
            ("tools/b.yml", Some(EndpointKind::Tool), true, true),
            ("tools/c.yml", Some(EndpointKind::Tool), false, false),
        ]
    );
}

#[test]
fn the_sql_of_a_tool_may_lie_beside_it_or_below_the_root() {
    let project = Project::new(PLAIN_SITE);
    project.write("tools/deep/a.yml", "tool: {name: a, source: {file: a.sql}}");
    project.write("tools/deep/a.sql", "SELECT get_user_external_token()");
    project.write("tools/b.yml", "tool: {name: b, source: {file: /sql/b.sql}}");
    project.write("sql/b.sql", "SELECT 2");
    let tools = project.load().unwrap().tools;
    assert_eq!((tools[0].name.as_str(), &*tools[0].sql, tools[0].needs_external_token), ("b", "SELECT 2", false));
    assert_eq!((tools[1].name.as_str(), tools[1].needs_external_token), ("a", true));
    assert_eq!(tools[1].path, Path::new("tools/deep/a.yml"));
}

#[test]
fn a_tool_keeps_everything_that_is_said_of_it() {
    let project = Project::new(PLAIN_SITE).with_user(SIGN_IN).with_env("SECRET", "x");
    project.write("tools/full.yml", include_str!("../config-examples/full-tool.yaml"));
    let tool = project.load().unwrap().tools.remove(0);
    assert_eq!(tool.annotations.idempotent, Some(true));
    assert_eq!(tool.tags, ["orders"]);
    let schema = tool.input_schema();
    assert_eq!(schema["required"], serde_json::json!(["customer", "period"]));
    assert_eq!(schema["properties"]["customer"]["pattern"], "@example\\.com$");
    assert_eq!(schema["properties"]["numbers"]["items"]["minimum"], 1);
    assert_eq!(schema["properties"]["discount"]["default"], serde_json::Value::Null);
    assert_eq!(schema["properties"]["period"]["additionalProperties"], false);
    assert_eq!(tool.policies.output[0].fields, ["margin"]);
    assert!(tool.returns.unwrap().items.unwrap().properties[2].1.sensitive);
}

#[test]
fn settings_that_let_the_wrong_people_in_are_warned_of() {
    let warnings = |project: Project| project.load().unwrap().warnings.join("\n");
    let open = Project::new(PLAIN_SITE).with_user("transport: {http: {host: 0.0.0.0}}");
    assert!(warnings(open).contains("the server on 0.0.0.0 has no authentication"));
    let http = "transport: {http: {host: 0.0.0.0, base_url: 'http://mxcp.example.com/'}}\n";
    let plain = Project::new(PLAIN_SITE).with_user(&(http.to_owned() + SIGN_IN)).with_env("SECRET", "x");
    assert!(warnings(plain).contains("plain http"));
    let unnamed = "transport: {http: {host: 0.0.0.0}}\n".to_owned() + SIGN_IN;
    let unnamed = Project::new(PLAIN_SITE).with_user(&unnamed).with_env("SECRET", "x");
    assert!(warnings(unnamed).contains("base_url is not set"));
}

#[test]
fn clients_that_cannot_work_are_warned_of() {
    let auth = "
          authorization: {required_scopes: [admin]}
          clients: [{client_id: a, name: A}]
";
    let project = Project::new(PLAIN_SITE).with_user(&(SIGN_IN.trim_end().to_owned() + auth)).with_env("SECRET", "x");
    let warnings = project.load().unwrap().warnings.join("\n");
    assert!(warnings.contains("client 'a' has no redirect_uris"), "{warnings}");
    assert!(warnings.contains("client 'a' may not have all of the required_scopes"), "{warnings}");
}

#[test]
fn rules_that_keep_everybody_out_are_warned_of() {
    let warnings = |authorization: &str| {
        let auth = format!("\n          authorization: {authorization}\n");
        let project = Project::new(PLAIN_SITE).with_user(&(SIGN_IN.trim_end().to_owned() + &auth));
        project.write("tools/t.yml", "tool: {name: t, source: {code: SELECT 1}, scopes: [reports]}");
        project.with_env("SECRET", "x").load().unwrap().warnings.join("\n")
    };
    let strict = "{required_scopes: [a], grants: [{when: user.role == 'x', scopes: [a, reports]}]}";
    assert_eq!(warnings(strict), "");
    assert_eq!(warnings("{required_scopes: [a]}"), "", "that is for the start to say");
    let closed = warnings("{required_scopes: [a, b], grants: [{when: user.role == 'x', scopes: [a, reports]}]}");
    assert!(closed.contains("no rule in grants gives b, which required_scopes names"), "{closed}");
    let unasked = warnings("{grants: [{when: 'true', scopes: [reports]}]}");
    assert!(unasked.contains("no rule in grants gives mxcp:access"), "{unasked}");
    let unreachable = warnings("{grants: [{when: 'true', scopes: ['mxcp:access']}]}");
    assert_eq!(unreachable, "tools/t.yml: nobody can use tool 't': no rule in auth.authorization.grants gives reports");
}

#[test]
fn what_has_no_effect_in_a_tool_is_warned_of() {
    let project = Project::new(PLAIN_SITE);
    project.write(
        "tools/t.yml",
        "tool:
  name: my tool
  source: {code: SELECT 1}
  parameters:
    - {name: a, type: integer, minLength: 3}
",
    );
    let warnings = project.load().unwrap().warnings;
    assert_eq!(
        warnings,
        [
            "tools/t.yml:2: tool.name: some clients take only names of up to 64 letters, digits, _ and -",
            "tools/t.yml:5: tool.parameters[0].minLength: has no effect on type integer; it speaks of texts",
        ]
    );
}

#[test]
fn a_database_in_memory_is_refused_from_the_environment_too() {
    let project = Project::new(PLAIN_SITE).with_env("MXCP_DUCKDB_PATH", ":memory:");
    assert_eq!(
        project.errors(),
        ["environment variable MXCP_DUCKDB_PATH: a database in memory would be lost at every restart; name a file"]
    );
}

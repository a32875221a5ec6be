//! Policies, from the file to the answer and the audit log, and the commands that are about them.

use crate::common::{OAuthClient, Setup, TestApp};
use crate::config_project::{PASSWORD_HASH, PLAIN_SITE, Project};
use serde_json::{Value, json};
use std::process::{Command, Output};

/// The seed's sample.
const DOMAIN: &str = "!user.email.endsWith('@example.com')";
/// What only a query that ran can say.
const RAN: &str = "the query ran";

fn domain() -> Value {
    json!({"input": [{"condition": DOMAIN, "action": "deny", "reason": "Access restricted to company domain"}]})
}

async fn answer(app: &TestApp, user: &str, tool: &str) -> Value {
    let token = OAuthClient::register(app).await.tokens(app, user).await.access;
    app.call(&token, tool).send().await.unwrap().json::<Value>().await.unwrap()["result"].take()
}

/// Older revisions of the protocol need no session then.
fn stateless() -> Setup {
    Setup { http: json!({"host": "127.0.0.1", "stateless": true}), ..Setup::default() }
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap()
}

fn records_of(app: &TestApp, tool: &str) -> Vec<Value> {
    app.audit().into_iter().filter(|record| record["operation_name"] == tool).collect()
}

#[tokio::test]
async fn the_domain_restriction_works_in_a_tool_and_in_the_profile() {
    for (is_profile, prefix) in [(false, ""), (true, "profile.")] {
        let mut setup = Setup::default().with_tool("fails", &format!("SELECT error('{RAN}')"));
        if is_profile {
            setup.auth["policies"] = domain();
        } else {
            setup.tools.values_mut().for_each(|tool| tool["policies"] = domain());
        }
        let app = TestApp::with(setup).await;
        // Ada has an address of the domain, ben has none at all.
        assert_eq!(answer(&app, "ada", "whoami").await["isError"], false);
        assert!(text(&answer(&app, "ada", "fails").await).contains(RAN));
        let denied = answer(&app, "ben", "fails").await;
        assert_eq!(denied["isError"], true);
        assert!(text(&denied).contains("Policy enforcement failed: Access denied by policy"), "{denied}");
        assert!(!text(&denied).contains(RAN), "{denied}");
        let records = records_of(&app, "fails");
        let [_, denied] = records.as_slice() else { panic!("{records:?}") };
        let label = format!("{prefix}input[0]: {DOMAIN}");
        assert_eq!(denied["policy_decision"], "deny");
        assert_eq!(denied["policies_evaluated"], json!([label]));
        let reason = denied["policy_reason"].as_str().unwrap();
        assert!(reason.starts_with(&format!("{label} could not be evaluated: ")), "{reason}");
    }
}

#[tokio::test]
async fn rules_of_the_profile_come_before_those_of_the_tool() {
    let mut setup = Setup::default();
    setup.auth["policies"] = json!({"input": [
        {"condition": "user.role == 'analyst'", "action": "deny", "reason": "no analysts"},
    ]});
    setup.tools.get_mut("whoami").unwrap()["policies"] =
        json!({"input": [{"condition": "true", "action": "deny", "reason": "nobody"}]});
    let app = TestApp::with(setup).await;
    assert!(text(&answer(&app, "ben", "whoami").await).ends_with("no analysts"));
    assert!(text(&answer(&app, "ada", "whoami").await).ends_with("nobody"));
    let records = records_of(&app, "whoami");
    assert_eq!(records[0]["policies_evaluated"], json!(["profile.input[0]: user.role == 'analyst'"]));
    assert_eq!(records[1]["policies_evaluated"].as_array().unwrap().len(), 2);
    assert_eq!(records[1]["policy_reason"], "nobody");
}

#[tokio::test]
async fn rules_see_converted_parameters_with_their_defaults() {
    let mut setup = stateless();
    setup.tools.insert("page", json!({
        "parameters": [
            {"name": "n", "type": "integer", "default": 10, "description": "How many"},
            {"name": "by", "type": "string", "default": null, "description": "By what"},
        ],
        "source": {"code": "SELECT $n AS n, $by AS \"by\""},
        "policies": {"input": [
            {"condition": "n + 1 > 101", "action": "deny", "reason": "too many"},
            {"condition": "has(user.email) && by != null && by.startsWith('x')", "action": "deny", "reason": "not by x"},
        ]},
    }));
    let app = TestApp::with(setup).await;
    let token = OAuthClient::register(&app).await.tokens(&app, "ada").await.access;
    let call = async |arguments: Value| {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "page", "arguments": arguments}});
        let request = app.mcp(&body).bearer_auth(&token).header("mcp-protocol-version", "2025-06-18");
        let response: Value = request.send().await.unwrap().json().await.unwrap();
        response["result"]["content"][0]["text"].as_str().map_or_else(|| response.to_string(), str::to_owned)
    };
    for (arguments, part) in [
        (json!({}), "\"n\": 10"),
        (json!({"n": "100"}), "\"n\": 100"),
        (json!({"n": "101"}), "too many"),
        (json!({"by": "xy"}), "not by x"),
    ] {
        let text = call(arguments.clone()).await;
        assert!(text.contains(part), "{arguments}: {text}");
    }
}

#[tokio::test]
async fn what_is_taken_out_of_a_result_fits_the_published_schema() {
    let row = json!({"type": "object", "required": ["id", "salary", "bank"], "additionalProperties": false, "properties": {
        "id": {"type": "integer"}, "salary": {"type": "integer", "minimum": 1},
        "bank": {"type": "object", "required": ["iban", "bic"], "properties": {
            "iban": {"type": "string", "sensitive": true}, "bic": {"type": "string"},
        }},
    }});
    let mut setup = stateless();
    setup.auth["policies"] = json!({"output": [
        {"condition": "user.role != 'admin'", "action": "filter_sensitive_fields"},
    ]});
    setup.tools.insert(
        "people",
        json!({
            "return": {"type": "array", "items": row},
            "source": {"code": "SELECT 1 AS id, 9 AS salary, {'iban': 'DE1', 'bic': 'X'} AS bank"},
            "policies": {"output": [
                {"condition": "user.role != 'admin' && response.exists(row, row.salary > 5)", "action": "mask_fields",
                 "fields": ["salary"]},
                {"condition": "!('finance' in user.groups)", "action": "filter_fields", "fields": ["bank.bic"]},
            ]},
        }),
    );
    let app = TestApp::with(setup).await;
    let token = OAuthClient::register(&app).await.tokens(&app, "ada").await.access;
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}});
    let request = app.mcp(&list).bearer_auth(&token).header("mcp-protocol-version", "2025-06-18");
    let listed: Value = request.send().await.unwrap().json().await.unwrap();
    let tools = listed["result"]["tools"].as_array().unwrap_or_else(|| panic!("{listed}"));
    let schema = &tools.iter().find(|tool| tool["name"] == "people").unwrap()["outputSchema"];
    let validator = jsonschema::validator_for(schema).unwrap();
    for (user, expected) in [
        ("ada", json!([{"id": 1, "salary": 9, "bank": {"iban": "DE1"}}])),
        ("ben", json!([{"id": 1, "salary": "****", "bank": {}}])),
    ] {
        let result = answer(&app, user, "people").await;
        assert_eq!(result["structuredContent"]["result"], expected, "{result}");
        assert!(validator.is_valid(&result["structuredContent"]), "{result} is not {schema}");
    }
    let records = records_of(&app, "people");
    assert_eq!(records[1]["policy_decision"], "warn");
    assert_eq!(records[1]["policies_evaluated"].as_array().unwrap().len(), 3);
    assert_eq!(records[1]["output_data"][0]["salary"], "****");
}

#[tokio::test]
async fn a_response_that_cannot_be_judged_is_withheld() {
    let mut setup = Setup::default();
    setup.tools.get_mut("whoami").unwrap()["policies"] = json!({"output": [{"condition": "response[0].missing == 'x'", "action": "mask_fields", "fields": ["username"]}]});
    let app = TestApp::with(setup).await;
    let result = answer(&app, "ada", "whoami").await;
    assert!(text(&result).ends_with("Output policy enforcement failed: Output blocked by policy"), "{result}");
    let record = &records_of(&app, "whoami")[0];
    assert_eq!((&record["policy_decision"], &record["output_data"]), (&json!("deny"), &Value::Null));
    assert!(record["policy_reason"].as_str().unwrap().contains("No such key: missing"), "{record}");
}

/// What the program says in the project's folder.
fn mxcp(project: &Project, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mxcp"));
    command.current_dir(project.root()).env_clear().envs(&project.env).args(args).output().unwrap()
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

const FAULTY: &str = "\
tool:
  name: t
  parameters:
    - {name: n, type: integer, description: A number}
  source: {code: SELECT $n}
  policies:
    input:
      - condition: \"usr.role != 'admin'\"
        action: deny
      - condition: |
          user.role == 'admin' ||
            m > 5
        action: deny
    output:
      - {condition: user.role == , action: deny}
";

/// What is said of it, by whatever command.
const FAULTS: [&str; 3] = [
    "tools/t.yml:8: tool.policies.input[0].condition: 'usr' is not known here; the names are: user, n\n    \
         8 | usr.role != 'admin'\n      | ^^^",
    "tools/t.yml:12: tool.policies.input[1].condition: 'm' is not known here; the names are: user, n\n    \
         12 | m > 5\n       | ^",
    "tools/t.yml:15: tool.policies.output[0].condition: does not parse: ",
];

#[test]
fn a_rule_that_cannot_work_stops_serve_and_validate_and_is_pointed_at() {
    let project = Project::new(PLAIN_SITE);
    project.write("tools/t.yml", FAULTY);
    project.write("tools/fine.yml", "tool: {name: fine, source: {code: SELECT 1}}");
    let served = mxcp(&project, &["serve", "--port", "0"]);
    let said = String::from_utf8(served.stderr.clone()).unwrap();
    assert_eq!(served.status.code(), Some(1), "{said}");
    let validated = mxcp(&project, &["validate", "--json-output"]);
    assert_eq!(validated.status.code(), Some(1));
    let document = json_of(&validated);
    assert_eq!((&document["status"], &document["result"]["status"]), (&json!("error"), &json!("error")));
    let files = document["result"]["validated"].as_array().unwrap();
    assert_eq!(files[0], json!({"status": "ok", "path": "tools/fine.yml"}));
    assert_eq!((&files[1]["status"], &files[1]["path"]), (&json!("error"), &json!("tools/t.yml")));
    let message = files[1]["message"].as_str().unwrap();
    for fault in FAULTS {
        assert!(message.contains(fault), "{fault}\n{message}");
        assert!(said.contains(fault), "{fault}\n{said}");
    }
    let shown = String::from_utf8(mxcp(&project, &["validate", "tools/t.yml"]).stdout).unwrap();
    assert!(shown.contains("✗ tools/t.yml") && shown.contains("^^^") && !shown.contains("fine.yml"), "{shown}");
}

#[test]
fn what_is_missing_at_the_end_of_a_block_is_pointed_at_in_the_block() {
    let project = Project::new(PLAIN_SITE);
    let errors = |condition: &str| {
        let text = format!(
            "tool:\n  name: t\n  source: {{code: SELECT 1}}\n  policies:\n    input:\n      - condition: {condition}\n        \
             action: deny\n"
        );
        project.write("tools/t.yml", &text);
        project.errors().join("\n")
    };
    let unfinished = errors("|\n          user.role == 'x' &&\n");
    assert!(unfinished.starts_with("tools/t.yml:7: tool.policies.input[0].condition: does not parse"), "{unfinished}");
    assert!(unfinished.ends_with("    7 | user.role == 'x' &&\n      |                    ^"), "{unfinished}");
    let python = errors("\"user.role == 'x' and user.id == 'y'\"");
    assert!(python.contains("; CEL writes && for 'and'\n    6 | user.role == 'x' and user.id"), "{python}");
    assert!(python.ends_with("      |                  ^"), "{python}");
    let pattern = errors("user.email.matches(user.role)");
    assert!(
        pattern.ends_with("    6 | user.email.matches(user.role)\n      |                    ^^^^^^^^^"),
        "{pattern}"
    );
}

#[test]
fn a_faulty_rule_of_the_profile_is_pointed_at_without_its_neighbours() {
    let auth = "{policies: {input: [{condition: \"usr.email == 'x'\", action: deny}]}, persistence: {type: sqlite, \
                auth_encryption_key: s3cr3t}}";
    let user = format!("mxcp: 1\nprojects: {{my-project: {{profiles: {{default: {{auth: {auth}}}}}}}}}\n");
    let project = Project::new(PLAIN_SITE).with_user(&user);
    let errors = project.errors().join("\n");
    assert!(errors.contains("| usr.email == 'x'\n"), "{errors}");
    assert!(errors.contains("^^^") && !errors.contains("s3cr3t"), "{errors}");
    let with_parameter = user.replace("usr.email == 'x'", "n > 5");
    let errors = Project::new(PLAIN_SITE).with_user(&with_parameter).errors().join("\n");
    assert!(errors.contains("'n' is not known here; the names are: user"), "{errors}");
}

#[test]
fn validate_looks_at_the_sql_too_and_says_when_it_could_not() {
    let project = Project::new(PLAIN_SITE);
    project.write("tools/t.yml", "tool: {name: t, source: {code: SELECT * FROM nowhere}}");
    let unchecked = mxcp(&project, &["validate", "--json-output"]);
    assert_eq!(unchecked.status.code(), Some(0));
    let message = json_of(&unchecked)["result"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("the SQL was not checked: "), "{message}");
    assert_eq!(mxcp(&project, &["query", "CREATE TABLE somewhere (a INTEGER)"]).status.code(), Some(0));
    let checked = mxcp(&project, &["validate", "tools/t.yml", "--json-output"]);
    assert_eq!(checked.status.code(), Some(1));
    let result = json_of(&checked)["result"].clone();
    assert_eq!((&result["status"], &result["path"]), (&json!("error"), &json!("tools/t.yml")));
    assert!(result["message"].as_str().unwrap().contains("nowhere"), "{result}");
    project.write("tools/t.yml", "tool: {name: t, source: {code: INSERT INTO somewhere VALUES (1)}}");
    let fine = mxcp(&project, &["validate"]);
    assert_eq!(fine.status.code(), Some(0), "{fine:?}");
    assert_eq!(mxcp(&project, &["validate", "tools/none.yml"]).status.code(), Some(2));
    assert_eq!(mxcp(&Project::new(PLAIN_SITE), &["validate"]).status.code(), Some(1), "there is nothing to serve");
}

#[test]
fn explain_tells_what_each_rule_saw_and_decided() {
    let user =
        format!("mxcp: 1\nprojects: {{my-project: {{profiles: {{default: {{auth: {{policies: {}}}}}}}}}}}\n", domain());
    let project = Project::new(PLAIN_SITE).with_user(&user);
    project.write(
        "tools/t.yml",
        "tool:\n  name: t\n  parameters: [{name: n, type: integer, default: 3, description: A number}]\n  \
         source: {code: SELECT $n}\n  policies:\n    input:\n      \
         - {condition: \"user.role != 'admin' && n > 5\", action: deny, reason: too many}\n    output:\n      \
         - {condition: 'size(response) > 1', action: mask_fields, fields: [a]}\n",
    );
    let explain = |options: &[&str]| {
        let output = mxcp(&project, &[&["policy", "explain", "t", "--json"], options].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        json_of(&output)["result"].clone()
    };
    let ada = r#"{"email": "ada@example.com", "role": "guest"}"#;
    let allowed = explain(&["--user-context", ada, "--param", "n=5"]);
    assert_eq!(allowed["policy_decision"], "allow");
    assert_eq!(allowed["input"][0]["saw"], json!({"user.email": "ada@example.com"}));
    assert_eq!(allowed["input"][1]["saw"], json!({"user.role": "guest", "n": 5}));
    assert_eq!(
        allowed["input"][1]["parts"][1],
        json!({
            "depth": 1, "text": "n > 5", "holds": false, "error": null, "is_reached": true,
        })
    );
    assert_eq!(allowed["output"], Value::Null);
    let denied = explain(&["-u", ada, "-p", "n=6", "--result", "[]"]);
    assert_eq!((&denied["policy_decision"], &denied["reason"]), (&json!("deny"), &json!("too many")));
    assert_eq!(denied["output"], Value::Null, "a denied call has no result");
    let nobody = explain(&[]);
    assert_eq!((&nobody["policy_decision"], &nobody["reason"]), (&json!("deny"), &json!("Access denied by policy")));
    assert!(nobody["input"][0]["error"].is_string() && nobody["input"][1]["is_reached"] == json!(false), "{nobody}");
    let masked = explain(&["-u", ada, "--result", r#"[{"a": 1}, {"a": 2}]"#]);
    assert_eq!(
        (&masked["policy_decision"], &masked["result"]),
        (&json!("warn"), &json!([{"a": "****"}, {"a": "****"}]))
    );
    let shown = mxcp(&project, &["policy", "explain", "t", "-u", ada, "-p", "n=6"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    for part in ["✗ input[0]: user.role != 'admin' && n > 5", "n = 6", "n > 5 → true", "the caller is told: too many"]
    {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    let unknown = mxcp(&project, &["policy", "explain", "u"]);
    assert_eq!(unknown.status.code(), Some(1));
}

#[test]
fn fields_that_no_result_can_have_stop_the_start_and_are_pointed_at() {
    let project = Project::new(PLAIN_SITE);
    let file = |additional: &str, fields: &str| {
        format!(
            "tool:\n  name: t\n  source: {{code: SELECT 1}}\n  return:\n    type: array\n    items: {{type: object, \
             properties: {{salary: {{type: integer}}}}{additional}}}\n  policies:\n    output:\n      \
             - condition: 'true'\n        action: mask_fields\n        fields:\n{fields}"
        )
    };
    let validated = |text: &str| {
        project.write("tools/t.yml", text);
        let output = mxcp(&project, &["validate"]);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let closed = ", additionalProperties: false";
    let (code, said) = validated(&file(closed, "          - salary\n          - salry\n          - 'pay..base'\n"));
    let impossible = "tools/t.yml:13: tool.policies.output[0].fields[1]: return can have no such field";
    let malformed = "tools/t.yml:14: tool.policies.output[0].fields[2]: expected names joined by single dots";
    assert!(code == Some(1) && said.contains(impossible) && said.contains(malformed), "{said}");
    assert_eq!(validated(&file(closed, "          - salary\n")).0, Some(0));
    assert!(said.contains("the rule would protect nothing; did you mean 'salary'?"), "{said}");
    assert_eq!(validated(&file(closed, "          - SALARY\n")).0, Some(0), "SQL names columns in any case");
    let (code, said) = validated(&file("", "          - salry\n"));
    let unsaid = "tools/t.yml:12: tool.policies.output[0].fields[0]: return lists other fields and not this one, so \
                  the rule may protect nothing; did you mean 'salary'?";
    assert!(code == Some(1) && said.contains(unsaid), "{said}");
    let (_, said) = validated(&file("", "          - bonus\n"));
    assert!(
        said.contains("protect nothing; correct the name, add it to return, or say additionalProperties"),
        "{said}"
    );
    assert_eq!(validated(&file(", additionalProperties: true", "          - salry\n")).0, Some(0), "it is said");
    let warnings = project.load().unwrap().warnings.join("\n");
    assert!(warnings.contains("fields[0]: return does not list such a field"), "{warnings}");
    let undeclared = file("", "          - salry\n").replace("properties: {salary: {type: integer}}", "properties: {}");
    assert_eq!(validated(&undeclared).0, Some(0), "nothing is said of what is there");
    assert_eq!(validated(&file("", "          - salary.\n")).0, Some(1));
    let (code, said) = validated(&file("", "          - salary\n").replace("mask_fields", "filter_sensitive_fields"));
    let useless = "tools/t.yml:10: tool.policies.output[0].action: filter_sensitive_fields has nothing to filter";
    assert!(code == Some(1) && said.contains(useless), "{said}");
}

/// A project whose profile has these rules on output.
fn with_output_rules(site: &str, rules: &Value) -> Project {
    let rules = rules.to_string();
    let lines = format!(
        "mxcp: 1\nprojects:\n  my-project:\n    profiles:\n      default:\n        auth:\n          policies:\n            \
         output: {rules}\n"
    );
    Project::new(site).with_user(&lines)
}

#[test]
fn fields_that_no_message_of_a_prompt_has_stop_the_start() {
    let project = Project::new(PLAIN_SITE);
    let errors = |parameter: &str, rule: &str| {
        let text = format!(
            "prompt:\n  name: p\n  parameters: [{{name: a, type: string, description: An a{parameter}}}]\n  \
             messages: [{{prompt: '{{{{ a }}}}'}}]\n  policies:\n    output:\n      - {{condition: 'true', {rule}}}\n"
        );
        project.write("prompts/p.yml", &text);
        project.errors().join("\n")
    };
    for field in ["salary", "role", "type", "messages"] {
        let errors = errors("", &format!("action: mask_fields, fields: [{field}]"));
        let expected = "prompts/p.yml:7: prompt.policies.output[0].fields[0]: a prompt gives messages, of which only";
        assert!(errors.contains(expected), "{field}: {errors}");
    }
    assert_eq!(errors("", "action: filter_fields, fields: [prompt]"), "");
    let nothing = errors("", "action: filter_sensitive_fields");
    let expected = "prompts/p.yml:7: prompt.policies.output[0].action: filter_sensitive_fields has nothing to filter: \
                    messages are sensitive when a parameter is; mark one with sensitive: true";
    assert_eq!(nothing, expected);
    assert_eq!(errors(", sensitive: true", "action: filter_sensitive_fields"), "");
}

#[test]
fn fields_of_the_profile_that_no_result_has_are_warned_of_at_the_start_and_by_validate() {
    let rules = json!([
        {"condition": "true", "action": "mask_fields", "fields": ["Salary", "salry", "prompt", "role"]},
        {"condition": "true", "action": "filter_sensitive_fields"},
    ]);
    let project = with_output_rules(PLAIN_SITE, &rules);
    let tool = |name: &str, returns: &str| {
        let text = format!("tool: {{name: {name}, source: {{code: SELECT 1 AS salary}}{returns}}}");
        project.write(&format!("tools/{name}.yml"), &text);
    };
    let warnings = || {
        let warnings = project.load().unwrap().warnings.into_iter();
        warnings.filter(|warning| warning.contains("auth.policies")).collect::<Vec<_>>()
    };
    let declared = ", return: {type: array, items: {type: object, properties: {salary: {type: integer}}}}";
    tool("a", declared);
    project.write("prompts/p.yml", "prompt: {name: p, messages: [{prompt: Hello}]}");
    let key = "config.yml:8: projects.my-project.profiles.default.auth.policies.output";
    let idle = |index| {
        format!(
            "{key}[0].fields[{index}]: no endpoint's return has such a field, so the rule does nothing; correct the name"
        )
    };
    let useless = format!(
        "{key}[1].action: filter_sensitive_fields does nothing: no endpoint marks anything with sensitive: true"
    );
    assert_eq!(warnings(), [idle(1), idle(3), useless.clone()]);
    let validated = mxcp(&project, &["validate"]);
    let said = String::from_utf8(validated.stderr).unwrap();
    assert!(validated.status.success() && said.contains(&idle(1)), "{said}");
    tool("b", "");
    assert_eq!(warnings(), [useless], "b may have anything");
    tool("b", ", return: {type: object, additionalProperties: true, properties: {x: {type: string, sensitive: true}}}");
    assert_eq!(warnings(), [""; 0], "b may have more than it says");
}

#[test]
fn rules_about_fields_and_sql_of_callers_do_not_go_together() {
    let rules = json!([
        {"condition": "user.role == 'x'", "action": "deny"},
        {"condition": "true", "action": "mask_fields", "fields": ["salary"]},
    ]);
    let site = |sql_tools: &str| format!("{PLAIN_SITE}sql_tools: {sql_tools}\n");
    let project = with_output_rules(&site("{enabled: true}"), &rules);
    let refusal = "config.yml:8: projects.my-project.profiles.default.auth.policies.output[1].action: mask_fields cannot \
                   hold while sql_tools are enabled";
    let errors = project.errors();
    assert!(matches!(errors.as_slice(), [error] if error.starts_with(refusal)), "{errors:?}");
    for way_out in ["sql_tools.enabled to false", "sql_tools.may_bypass_field_policies to true"] {
        assert!(errors[0].contains(way_out), "{errors:?}");
    }
    for (sql_tools, rules) in [
        ("{enabled: false}", rules.clone()),
        ("{enabled: true, may_bypass_field_policies: true}", rules.clone()),
        ("{enabled: true}", json!([rules[0]])),
    ] {
        assert_eq!(with_output_rules(&site(sql_tools), &rules).errors(), [""; 0], "{sql_tools}: {rules}");
    }
    let mut switched = with_output_rules(PLAIN_SITE, &rules);
    assert_eq!(switched.errors(), [""; 0]);
    switched.options.sql_tools = Some(true);
    assert!(switched.errors().join("\n").contains(refusal), "{:?}", switched.errors());
}

#[tokio::test]
async fn a_call_whose_result_needed_no_change_is_recorded_as_allowed() {
    let mut setup = Setup::default();
    setup.auth["policies"] =
        json!({"output": [{"condition": "true", "action": "filter_fields", "fields": ["salary"]}]});
    let app = TestApp::with(setup.with_tool("paid", "SELECT 1 AS SALARY")).await;
    answer(&app, "ada", "whoami").await;
    answer(&app, "ada", "paid").await;
    let (untouched, changed) = (&records_of(&app, "whoami")[0], &records_of(&app, "paid")[0]);
    assert_eq!((&untouched["policy_decision"], &untouched["policy_reason"]), (&json!("allow"), &Value::Null));
    assert_eq!(changed["policy_decision"], "warn");
    assert_eq!(changed["policy_reason"], "the response was changed by filter_fields");
    assert_eq!(changed["output_data"], json!([{}]));
}

#[test]
fn explain_tells_the_scopes_that_a_call_needs_and_who_may_have_them() {
    let user = json!({"mxcp": 1, "projects": {"my-project": {"profiles": {"default": {"auth": {
        "provider": "local",
        "local": {"users": [{"username": "ada", "password_hash": PASSWORD_HASH}]},
        "authorization": {
            "required_scopes": ["mxcp:access"],
            "implies": {"reports:admin": ["reports:read"]},
            "grants": [
                {"when": "true", "scopes": ["mxcp:access"]},
                {"when": "user.role == 'admin'", "scopes": ["reports:admin"]},
            ],
        },
    }}}}}});
    let project = Project::new(PLAIN_SITE).with_user(&user.to_string());
    project.write("tools/t.yml", "tool: {name: t, scopes: ['reports:read'], source: {code: SELECT 1}}");
    let scopes = |options: &[&str]| {
        let output = mxcp(&project, &[&["policy", "explain", "t", "--json"], options].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        json_of(&output)["result"]["scopes"].clone()
    };
    let required = json!(["mxcp:access", "reports:read"]);
    assert_eq!(scopes(&[]), json!({"required": required, "granted": null, "missing": null}));
    assert_eq!(
        scopes(&["-u", r#"{"role": "admin"}"#]),
        json!({"required": required, "granted": required, "missing": []})
    );
    assert_eq!(
        scopes(&["-u", r#"{"role": "analyst"}"#]),
        json!({"required": required, "granted": ["mxcp:access"], "missing": ["reports:read"]})
    );
    let shown = mxcp(&project, &["policy", "explain", "t", "-u", "{}"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("Needs the scopes mxcp:access reports:read\n  ✗ nothing in"), "{shown}");
    assert!(shown.contains("gives this user reports:read, so a call is refused"), "{shown}");
}

#[test]
fn explain_takes_the_uri_of_a_resource_and_says_which_keys_of_a_user_are_none() {
    let project = Project::new(PLAIN_SITE);
    project.write(
        "resources/r.yml",
        "resource:\n  uri: 'users://{id}/profile'\n  parameters: [{name: id, type: integer, description: Who}]\n  \
         source: {code: SELECT $id}\n  policies:\n    input:\n      \
         - {condition: 'id > 41 && user.claims.dept == \"x\"', action: deny}\n",
    );
    let explain = |options: &[&str]| mxcp(&project, &[&["policy", "explain", "--json"], options].concat());
    let user = r#"{"dept": "x", "emial": "a@b", "role": 5, "groups": "g", "provider": "github", "claims": {"k": 1}}"#;
    let output = explain(&["users://42/profile", "-u", user]);
    let result = json_of(&output)["result"].clone();
    assert_eq!((&result["endpoint"], &result["policy_decision"]), (&json!("users://{id}/profile"), &json!("deny")));
    assert_eq!(result["input"][0]["saw"], json!({"id": 42, "user.claims.dept": "x"}));
    let said = String::from_utf8(output.stderr).unwrap();
    for warning in [
        "--user-context: 'dept' is no field of user; conditions find it as user.claims.dept",
        "--user-context: 'emial' is no field of user; conditions find it as user.claims.emial (did you mean 'email'?)",
        "--user-context: role is no text, so it is left out",
        "--user-context: groups is no list of texts, so it is left out",
        "--user-context: provider is always 'cli' here; conditions find yours as user.claims.provider",
    ] {
        assert!(said.contains(warning), "{warning}\n{said}");
    }
    assert!(!said.contains("'claims'"), "{said}");
    let by_name = explain(&["users://{id}/profile", "-p", "id=41", "-u", r#"{"claims": {"dept": "x"}}"#]);
    assert_eq!(json_of(&by_name)["result"]["input"][0]["saw"]["user.claims.dept"], "x");
    assert!(by_name.stderr.is_empty(), "{by_name:?}");
    let both = explain(&["users://42/profile", "-p", "id=41"]);
    assert!(both.status.code() == Some(1) && json_of(&both).to_string().contains("leave out --param"), "{both:?}");
}

/// What a call of `tool` with these arguments is answered, as text.
async fn answer_to(app: &TestApp, token: &str, tool: &str, arguments: Value) -> String {
    let params = json!({"name": tool, "arguments": arguments});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let request = app.mcp(&body).bearer_auth(token).header("mcp-protocol-version", "2025-06-18");
    request.send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn no_field_in_another_case_passes_what_rules_and_schemas_say_of_it() {
    let mut setup = stateless();
    let field = json!({"type": "string", "enum": ["safe", "bad"]});
    let object = json!({"type": "object", "properties": {"x": field}});
    for (name, of, sql) in [
        ("one", object.clone(), "SELECT $o.x AS seen"),
        ("many", json!({"type": "array", "items": object}), "SELECT list_transform($o, lambda e: e.x)[1] AS seen"),
    ] {
        let condition = if name == "one" { "has(o.x) && o.x == 'bad'" } else { "o.exists(e, e.x == 'bad')" };
        let mut parameter = of;
        parameter["name"] = json!("o");
        parameter["description"] = json!("what");
        setup.tools.insert(
            name,
            json!({
                "parameters": [parameter], "source": {"code": sql},
                "policies": {"input": [{"condition": condition, "action": "deny", "reason": "not that"}]},
            }),
        );
    }
    let app = TestApp::with(setup).await;
    let token = OAuthClient::register(&app).await.tokens(&app, "ada").await.access;
    for (object, said) in [
        (json!({"x": "safe"}), "safe"),
        (json!({"x": "bad"}), "not that"),
        (json!({"X": "bad", "x": "safe"}), "the field 'X' must be written 'x'"),
        (json!({"X": "neither", "x": "safe"}), "the field 'X' must be written 'x'"),
        (json!({"x": "safe", "y": 1, "Y": 2}), "the field 'Y' is there twice"),
    ] {
        let one = answer_to(&app, &token, "one", json!({"o": object})).await;
        assert!(one.contains(said) && !one.contains("seen\\\": \\\"bad"), "{object}: {one}");
        let many = answer_to(&app, &token, "many", json!({"o": [object]})).await;
        assert!(many.contains(said) && !many.contains("seen\\\": \\\"bad"), "{object}: {many}");
    }
}

#[tokio::test]
async fn nothing_is_nested_so_deeply_that_the_log_cannot_be_read() {
    let mut setup = stateless();
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let deep = nested(120).to_string();
    setup = setup.with_tool("deep", &format!("SELECT '{deep}'::JSON AS deep"));
    setup.tools.insert(
        "takes",
        json!({
            "parameters": [{"name": "o", "type": "array", "description": "anything"}],
            "source": {"code": "SELECT len($o) AS n"},
        }),
    );
    let app = TestApp::with(setup).await;
    let token = OAuthClient::register(&app).await.tokens(&app, "ada").await.access;
    let refused = answer_to(&app, &token, "takes", json!({"o": nested(100)})).await;
    assert!(refused.contains("nested more than 64 levels deep"), "{refused}");
    // As a text the same is no list.
    let refused = answer_to(&app, &token, "takes", json!({"o": deep})).await;
    assert!(refused.contains("Error validating parameter 'o'"), "{refused}");
    assert!(answer_to(&app, &token, "deep", json!({})).await.contains("\"isError\":false"));
    let records = records_of(&app, "takes").len() + records_of(&app, "deep").len();
    assert_eq!(records, 2, "{:?}", app.audit());
}

#[tokio::test]
async fn a_json_column_comes_out_as_it_is() {
    let column = r#"{"$serde_json::private::RawValue":"[1,2]"}"#;
    let app = TestApp::with(stateless().with_tool("json", &format!("SELECT '{column}'::JSON AS j"))).await;
    let token = OAuthClient::register(&app).await.tokens(&app, "ada").await.access;
    let answer: Value = serde_json::from_str(&answer_to(&app, &token, "json", json!({})).await).unwrap();
    let row: Value = serde_json::from_str(text(&answer["result"])).unwrap();
    assert_eq!(row["j"].to_string(), column, "{answer}");
}

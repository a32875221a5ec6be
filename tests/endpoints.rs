//! Resources, prompts and the built-in SQL tools, over MCP and from the command line.

use crate::common::{TestApp, legacy_initialize, modern};
use crate::config_project::{PASSWORD_HASH, Project};
use crate::daemon_process::{Serving, mxcp, repository, run};
use reqwest::Response;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

const SITE: &str = r"
mxcp: 1
project: bookshop
profile: default
sql_tools: {enabled: true, list_tables: {description: All our tables}}
profiles: {default: {audit: {enabled: true}}}
";

const STATUS: &str = r#"
resource:
  name: status
  uri: shop://status
  description: How the shop is
  mime_type: application/json
  source: {code: "SELECT 'open' AS state, 1234 AS pin"}
  return: {type: object}
  policies:
    output:
      - {condition: "user.role == 'anonymous'", action: filter_fields, fields: [pin]}
"#;

const BOOK: &str = r#"
resource:
  uri: "shop://books/{id}"
  parameters:
    - {name: id, type: integer, sensitive: true}
  source: {code: "SELECT title FROM books WHERE id = $id"}
  return: {type: string}
  policies:
    input:
      - {condition: "id > 5", action: deny, reason: not for sale}
"#;

const REVIEW: &str = r#"
prompt:
  name: review
  description: Reviews a book
  parameters:
    - {name: title, type: string, description: Which book, sensitive: true}
    - {name: stars, type: integer, default: 3}
  messages:
    - prompt: "Review {{ title }}{% for star in range(stars) %}*{% endfor %}"
    - {role: assistant, type: text, prompt: "With pleasure"}
  policies:
    input:
      - {condition: "stars > 5", action: deny, reason: five at most}
"#;

const HELLO: &str = "tool: {name: hello, source: {code: SELECT 1 AS one}}";
const BOOKS: &str = "CREATE TABLE books AS SELECT range AS id, 'Book ' || range AS title FROM range(10)";

/// A project with one endpoint of each kind.
fn project() -> Project {
    let project = Project::new(SITE).with_user("mxcp: 1\n");
    project.write("tools/hello.yml", HELLO);
    project.write("resources/status.yml", STATUS);
    project.write("resources/books/book.yml", BOOK);
    project.write("prompts/review.yml", REVIEW);
    run(mxcp(project.root()).args(["query", BOOKS]));
    project
}

async fn start(project: Project) -> TestApp {
    let mut app = TestApp::outside(project, 0);
    app.start_again().await;
    app
}

async fn answer(response: Response) -> (u16, Value) {
    (response.status().as_u16(), response.json().await.unwrap())
}

/// What a client of the newest revision is answered.
async fn ask(app: &TestApp, method: &str, params: Value) -> (u16, Value) {
    let name = params["uri"].as_str().or(params["name"].as_str()).map(str::to_owned);
    let mut request = modern(&app.http, &app.address, method, params);
    if let Some(name) = name {
        request = request.header("mcp-name", name);
    }
    answer(request.send().await.unwrap()).await
}

/// What a client of an older revision is answered.
async fn ask_legacy(app: &TestApp, method: &str, params: Value) -> Value {
    let session = app.mcp(&legacy_initialize()).send().await.unwrap().headers()["mcp-session-id"].clone();
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let (status, answer) = answer(app.mcp(&message).header("mcp-session-id", session).send().await.unwrap()).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

#[test]
fn the_sdks_read_resources_use_prompts_and_look_at_the_database() {
    let project = project();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.0.0.1:{}/mcp", listener.local_addr().unwrap().port());
    let _serving = Serving::start(&project, &listener);
    let wishes = ["shop://books/2", "shop://books/6", "review", r#"{"title": "Ulysses", "stars": "2"}"#];
    for sdk in ["python1", "python2", "typescript1", "typescript2"] {
        let folder = PathBuf::from(std::env::var_os("MXCP_TEST_SDKS").unwrap()).join(sdk);
        let mut client = if sdk.starts_with("python") {
            let mut python = Command::new(folder.join("bin/python"));
            python.arg(repository().join("tests/clients/python_read.py"));
            python
        } else {
            let mut node = Command::new("node");
            node.arg(repository().join("tests/clients/ts_read.mjs")).arg(folder);
            node
        };
        client.arg(&url).args(wishes).arg("SELECT max(id) AS last FROM books");
        let report: Value = serde_json::from_str(&run(&mut client)).unwrap();
        let status = json!([{"uri": "shop://status", "name": "status", "description": "How the shop is",
            "mimeType": "application/json"}]);
        assert_eq!(report["resources"], status, "{sdk}");
        let book = json!([{"uriTemplate": "shop://books/{id}", "name": "shop://books/{id}", "mimeType": "text/plain"}]);
        assert_eq!(report["templates"], book, "{sdk}");
        let review = json!([{"name": "review", "description": "Reviews a book", "arguments": [
            {"name": "title", "description": "Which book", "required": true}, {"name": "stars", "required": false},
        ]}]);
        assert_eq!(report["prompts"], review, "{sdk}");
        let contents = json!([{"uri": "shop://books/2", "mimeType": "text/plain", "text": "Book 2"}]);
        assert_eq!(report["contents"], contents, "{sdk}");
        assert_eq!(report["refused"]["code"], -32600, "{sdk}: {report}");
        let why = report["refused"]["message"].as_str().unwrap();
        assert!(why.contains("Policy enforcement failed: not for sale"), "{sdk}: {why}");
        let messages = json!([
            {"role": "user", "content": {"type": "text", "text": "Review Ulysses**"}},
            {"role": "assistant", "content": {"type": "text", "text": "With pleasure"}},
        ]);
        assert_eq!(report["messages"], messages, "{sdk}");
        assert_eq!(report["rows"], json!([{"type": "text", "text": "{\n  \"last\": 9\n}"}]), "{sdk}");
    }
}

#[tokio::test]
async fn resources_are_read_by_uri_after_their_policies() {
    let app = start(project()).await;
    let (status, read) = ask(&app, "resources/read", json!({"uri": "SHOP://status"})).await;
    let text = read["result"]["contents"][0]["text"].as_str().unwrap();
    assert_eq!((status, serde_json::from_str::<Value>(text).unwrap()), (200, json!({"state": "open"})));
    assert_eq!(read["result"]["contents"][0]["uri"], "SHOP://status", "as it was asked for");
    assert_eq!((&read["result"]["cacheScope"], &read["result"]["ttlMs"]), (&json!("private"), &json!(0)));
    assert_eq!(read["result"]["resultType"], "complete");
    let (_, book) = ask(&app, "resources/read", json!({"uri": "shop://books/%33"})).await;
    assert_eq!(book["result"]["contents"][0]["text"], "Book 3");
    let legacy = ask_legacy(&app, "resources/read", json!({"uri": "shop://books/3"})).await;
    let contents = json!([{"uri": "shop://books/3", "mimeType": "text/plain", "text": "Book 3"}]);
    assert_eq!(legacy["result"], json!({"contents": contents}));
}

#[tokio::test]
async fn a_read_that_fails_says_why_in_the_words_of_its_revision() {
    let app = start(project()).await;
    for (uri, code, why) in [
        ("shop://nothing", -32602, "Unknown resource: shop://nothing"),
        ("shop://books/1/2", -32602, "Unknown resource: shop://books/1/2"),
        ("nonsense", -32602, "Unknown resource: nonsense"),
        ("shop://books/x", -32602, "Error validating parameter 'id'"),
        ("shop://books/{id}", -32602, "Required parameter missing: id"),
        ("shop://books/7", -32600, "Policy enforcement failed: not for sale"),
        ("shop://books/-1", -32603, "No results returned"),
    ] {
        let (status, answer) = ask(&app, "resources/read", json!({"uri": uri})).await;
        let message = answer["error"]["message"].as_str().unwrap();
        assert!((status, answer["error"]["code"].as_i64()) == (200, Some(code)), "{uri}: {answer}");
        assert!(message.starts_with(why), "{uri}: {answer}");
    }
    let unknown = ask_legacy(&app, "resources/read", json!({"uri": "shop://nothing"})).await;
    assert_eq!(
        (&unknown["error"]["code"], &unknown["error"]["data"]["uri"]),
        (&json!(-32002), &json!("shop://nothing"))
    );
    let (_, nameless) = ask(&app, "resources/read", json!({})).await;
    assert_eq!(nameless["error"]["code"], -32602);
    for (params, why) in [
        (json!({"name": "reviews"}), "Unknown prompt: reviews"),
        (json!({"name": "shop://status"}), "Unknown prompt: shop://status"),
        (json!({"name": "review"}), "Required parameter missing: title"),
        (json!({"name": "review", "arguments": {"title": "x", "other": "y"}}), "Unknown parameter: other"),
    ] {
        let (_, answer) = ask(&app, "prompts/get", params).await;
        assert_eq!((&answer["error"]["code"], &answer["error"]["message"]), (&json!(-32602), &json!(why)));
    }
    let many = json!({"name": "review", "arguments": {"title": "x", "stars": "6"}});
    let (_, denied) = ask(&app, "prompts/get", many).await;
    assert_eq!(denied["error"]["message"], "Policy enforcement failed: five at most");
}

#[tokio::test]
async fn lists_are_private_pages_of_one() {
    let app = start(project()).await;
    let (_, discovery) = ask(&app, "server/discover", json!({})).await;
    assert_eq!(discovery["result"]["capabilities"], json!({"tools": {}, "resources": {}, "prompts": {}}));
    for (method, key) in [
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
        ("prompts/list", "prompts"),
    ] {
        let (_, listed) = ask(&app, method, json!({})).await;
        let result = &listed["result"];
        assert_eq!(result[key].as_array().unwrap().len(), 1, "{method}: {listed}");
        assert_eq!((&result["cacheScope"], &result["ttlMs"]), (&json!("private"), &json!(60_000)), "{method}");
        assert_eq!(result["resultType"], "complete", "{method}");
        let (_, page) = ask(&app, method, json!({"cursor": "x"})).await;
        assert_eq!(page["error"]["code"], -32602, "{method}");
        let legacy = ask_legacy(&app, method, json!({})).await;
        assert_eq!(legacy["result"].as_object().unwrap().keys().collect::<Vec<_>>(), [key], "{method}");
    }
    let (_, tools) = ask(&app, "tools/list", json!({})).await;
    let names: Vec<_> = tools["result"]["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["execute_sql_query", "get_table_schema", "hello", "list_tables"]);
}

#[tokio::test]
async fn a_server_without_resources_and_prompts_knows_no_methods_for_them() {
    let methods = ["resources/list", "resources/templates/list", "resources/read", "prompts/list", "prompts/get"];
    let plain = Project::new(SITE).with_user("mxcp: 1\n");
    plain.write("tools/hello.yml", HELLO);
    let app = start(plain).await;
    let (_, discovery) = ask(&app, "server/discover", json!({})).await;
    assert_eq!(discovery["result"]["capabilities"], json!({"tools": {}}));
    for method in methods {
        let (status, answer) = ask(&app, method, json!({"name": "x", "uri": "x"})).await;
        assert_eq!((status, &answer["error"]["code"]), (404, &json!(-32601)), "{method}");
    }
}

#[tokio::test]
async fn what_was_read_and_used_is_in_the_audit_log_without_what_is_sensitive() {
    let app = start(project()).await;
    ask(&app, "resources/read", json!({"uri": "shop://books/4"})).await;
    ask(&app, "resources/read", json!({"uri": "shop://books/6"})).await;
    ask(&app, "resources/read", json!({"uri": "shop://nothing/secret"})).await;
    ask(&app, "prompts/get", json!({"name": "review", "arguments": {"title": "Emma", "stars": "1"}})).await;
    let query = json!({"name": "execute_sql_query", "arguments": {"sql": "SELECT title FROM books"}});
    ask(&app, "tools/call", query).await;
    let log = app.audit();
    let seen: Vec<_> = log
        .iter()
        .map(|record| {
            let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
            (text("operation_type"), text("operation_name"), text("operation_status"), text("policy_decision"))
        })
        .collect();
    let row = |kind: &str, name: &str, status: &str, decision: &str| {
        (kind.to_owned(), name.to_owned(), status.to_owned(), decision.to_owned())
    };
    let expected = [
        row("resource", "shop://books/{id}", "success", "allow"),
        row("resource", "shop://books/{id}", "error", "deny"),
        row("resource", "shop:…", "error", ""),
        row("prompt", "review", "success", "allow"),
        row("tool", "execute_sql_query", "success", ""),
    ];
    assert_eq!(seen, expected);
    assert_eq!(log[0]["input_data"], json!({"id": "[REDACTED]"}));
    assert_eq!(log[0]["output_data"], "Book 4");
    assert_eq!(log[3]["input_data"], json!({"title": "[REDACTED]", "stars": "1"}));
    assert_eq!(log[3]["output_data"][0], json!({"prompt": "[REDACTED]", "role": "user", "type": "text"}));
    assert_eq!(log[4]["output_data"], Value::Null);
    assert_eq!(log[4]["input_data"], json!({"sql": "SELECT title FROM books"}));
    assert!(!log[2].to_string().contains("secret"), "{}", log[2]);
}

#[tokio::test]
async fn the_built_in_tools_can_only_look() {
    let app = start(project()).await;
    let call = async |tool: &str, arguments: Value| {
        let (_, answer) = ask(&app, "tools/call", json!({"name": tool, "arguments": arguments})).await;
        let texts = answer["result"]["content"].as_array().unwrap().iter();
        (
            answer["result"]["isError"].clone(),
            texts.map(|text| text["text"].as_str().unwrap().to_owned()).collect::<String>(),
        )
    };
    let (_, tables) = call("list_tables", json!({})).await;
    assert_eq!(serde_json::from_str::<Value>(&tables).unwrap(), json!({"name": "books", "type": "BASE TABLE"}));
    let (_, columns) = call("get_table_schema", json!({"table_name": "books"})).await;
    assert!(columns.contains("\"title\"") && columns.contains("\"VARCHAR\""), "{columns}");
    for sql in ["DROP TABLE books", "FROM read_text('config.yml')", "ATTACH 'x.db'", "SELECT 1; SELECT 2"] {
        let (is_error, why) = call("execute_sql_query", json!({"sql": sql})).await;
        assert_eq!(is_error, true, "{sql}: {why}");
        assert!(why.starts_with("Error executing tool execute_sql_query: Failed to execute SQL: "), "{why}");
    }
    let (is_error, _) = call("execute_sql_query", json!({"sql": "SELECT count(*) FROM books"})).await;
    assert_eq!(is_error, false);
}

#[test]
fn the_command_line_runs_every_kind() {
    let project = project();
    let result = |arguments: &[&str]| {
        let report = run(mxcp(project.root()).arg("run").args(arguments).arg("--json-output"));
        serde_json::from_str::<Value>(&report).unwrap()["result"].take()
    };
    assert_eq!(result(&["resource", "shop://books/{id}", "-p", "id=2"]), "Book 2");
    assert_eq!(result(&["resource", "shop://books/2"]), "Book 2");
    let context = r#"{"role": "admin"}"#;
    assert_eq!(result(&["resource", "shop://status", "-u", context]), json!({"state": "open", "pin": 1234}));
    let messages = json!([
        {"prompt": "Review Emma***", "role": "user", "type": "text"},
        {"prompt": "With pleasure", "role": "assistant", "type": "text"},
    ]);
    assert_eq!(result(&["prompt", "review", "-p", "title=Emma"]), messages);
    assert_eq!(result(&["tool", "list_tables"]), json!([{"name": "books", "type": "BASE TABLE"}]));
    let text = run(mxcp(project.root()).args(["run", "resource", "shop://books/2"]));
    assert!(text.starts_with("🚀 Running resource shop://books/2\n"), "{text}");
    for (arguments, why) in [
        (["resource", "status"], "Endpoint 'status' not found in resources"),
        (["prompt", "hello"], "Endpoint 'hello' not found in prompts"),
        (["resource", "shop://books/9"], "Policy enforcement failed: not for sale"),
    ] {
        let output = mxcp(project.root()).arg("run").args(arguments).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && errors.contains(why), "{errors}");
    }
}

#[tokio::test]
async fn endpoints_that_cannot_be_told_apart_or_rendered_stop_the_start() {
    let faulty = project();
    faulty.write("resources/other.yml", "resource: {uri: 'shop://{what}/1', source: {code: SELECT 1}}");
    faulty.write("tools/list_tables.yml", "tool: {name: list_tables, source: {code: SELECT 1}}");
    faulty.write("prompts/a.yml", "prompt: {name: a, messages: [{prompt: 'Hello {{ nobody }}'}]}");
    faulty.write("prompts/b.yml", "prompt: {name: b, messages: [{prompt: '{% for %}'}]}");
    faulty.write("resources/sql.yml", "resource: {uri: 'shop://sql', source: {code: SELECT nothing}}");
    let refusal = TestApp::outside(faulty, 0).refusal().await;
    for why in [
        "resources/books/book.yml: resource 'shop://books/{id}': a URI could also mean 'shop://{what}/1' in resources/other.yml",
        "mxcp-site.yml (sql_tools): tool 'list_tables': tools/list_tables.yml has an endpoint of the same name",
        "prompts/a.yml: prompt 'a': messages[0].prompt uses 'nobody', which is no parameter",
        "prompts/b.yml: prompt 'b': messages[0].prompt: syntax error",
        "resources/sql.yml: resource 'shop://sql': Binder Error",
    ] {
        assert!(refusal.contains(why), "{why}\n{refusal}");
    }
}

#[test]
fn the_command_line_has_the_last_word_about_built_in_tools() {
    let project = project();
    let tools = |switch: Option<bool>| {
        let options = mxcp::config::LoadOptions { sql_tools: switch, ..project.options.clone() };
        let env = project.env.clone();
        let configuration = mxcp::config::load(&options, &|name| env.get(name).cloned()).unwrap();
        configuration.tools.iter().filter(|tool| tool.path.starts_with("mxcp-site.yml (sql_tools)")).count()
    };
    assert_eq!((tools(None), tools(Some(true)), tools(Some(false))), (3, 3, 0));
    project.write("mxcp-site.yml", "mxcp: 1\nproject: bookshop\nprofile: default\n");
    assert_eq!((tools(None), tools(Some(true)), tools(Some(false))), (0, 3, 0));
}

#[tokio::test]
async fn policies_of_the_profile_judge_every_kind_and_the_built_in_tools() {
    let user = json!({"mxcp": 1, "projects": {"bookshop": {"profiles": {"default": {"auth": {"policies": {
        "input": [{"condition": "user.role == 'anonymous'", "action": "deny", "reason": "sign in first"}],
    }}}}}}});
    let app = start(project().with_user(&user.to_string())).await;
    let query = json!({"sql": "SELECT 1"});
    for (method, params) in [
        ("tools/call", json!({"name": "hello"})),
        ("tools/call", json!({"name": "execute_sql_query", "arguments": query})),
        ("tools/call", json!({"name": "list_tables"})),
        ("resources/read", json!({"uri": "shop://status"})),
        ("prompts/get", json!({"name": "review", "arguments": {"title": "x"}})),
    ] {
        let (_, answer) = ask(&app, method, params).await;
        assert!(answer.to_string().contains("Policy enforcement failed: sign in first"), "{method}: {answer}");
    }
    assert!(app.audit().iter().all(|record| record["policy_decision"] == "deny"));
    assert_eq!(app.audit().len(), 5);
}

#[tokio::test]
async fn policies_of_the_profile_can_name_endpoints() {
    let deny = |condition: &str| json!({"condition": condition, "action": "deny", "reason": condition});
    let rules = [
        "endpoint.name == 'execute_sql_query' && user.role != 'admin'",
        "endpoint.type == 'prompt'",
        "endpoint.type == 'resource' && endpoint.name.startsWith('shop://books/')",
    ];
    let user = json!({"mxcp": 1, "projects": {"bookshop": {"profiles": {"default": {"auth": {"policies": {
        "input": rules.map(deny),
    }}}}}}});
    let app = start(project().with_user(&user.to_string())).await;
    for (method, params, refused_by) in [
        ("tools/call", json!({"name": "hello"}), None),
        ("tools/call", json!({"name": "list_tables"}), None),
        ("resources/read", json!({"uri": "shop://status"}), None),
        ("tools/call", json!({"name": "execute_sql_query", "arguments": {"sql": "SELECT 1"}}), Some(rules[0])),
        ("prompts/get", json!({"name": "review", "arguments": {"title": "x"}}), Some(rules[1])),
        ("resources/read", json!({"uri": "shop://books/1"}), Some(rules[2])),
    ] {
        let (_, answer) = ask(&app, method, params.clone()).await;
        let text = answer.to_string();
        assert_eq!(text.contains("Policy enforcement failed"), refused_by.is_some(), "{params}: {text}");
        assert!(refused_by.is_none_or(|rule| text.contains(rule)), "{params}: {text}");
    }
}

#[test]
fn the_built_in_tools_have_scopes_where_people_sign_in() {
    let site = SITE.replace("{enabled: true, ", "{enabled: true, scopes: [tables:read], ");
    let project = Project::new(&site);
    let refusal = "mxcp-site.yml:5: sql_tools.scopes: nobody signs in without auth.provider";
    assert!(project.errors().iter().any(|error| error.starts_with(refusal)), "{:?}", project.errors());
    let user = json!({"mxcp": 1, "projects": {"bookshop": {"profiles": {"default": {"auth": {
        "provider": "local", "local": {"users": [{"username": "ada", "password_hash": PASSWORD_HASH}]},
    }}}}}});
    let project = project.with_user(&user.to_string());
    let configuration = project.load().unwrap();
    assert_eq!(configuration.tools.len(), 3);
    assert!(
        configuration.tools.iter().all(|tool| tool.scopes.to_string() == "tables:read"),
        "{:?}",
        configuration.tools
    );
}

#[tokio::test]
async fn rules_about_people_do_not_change_who_says_a_message() {
    let user = json!({"mxcp": 1, "projects": {"bookshop": {"profiles": {"default": {"auth": {"policies": {
        "output": [{"condition": "true", "action": "mask_fields", "fields": ["role", "type"]}],
    }}}}}}});
    let project = project().with_user(&user.to_string());
    project.write("mxcp-site.yml", "mxcp: 1\nproject: bookshop\nprofile: default\n");
    let app = start(project).await;
    let (_, answer) = ask(&app, "prompts/get", json!({"name": "review", "arguments": {"title": "x"}})).await;
    let messages = answer["result"]["messages"].as_array().unwrap();
    let roles: Vec<_> = messages.iter().map(|message| &message["role"]).collect();
    assert_eq!(roles, ["user", "assistant"], "{answer}");
}

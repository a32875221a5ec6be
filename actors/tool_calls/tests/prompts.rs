//! Prompts: templates, their limits, and what of them is written down.

use super::*;
use crate::model::endpoint::{PromptMessage, PromptRole, messages_type};
use crate::policy::PolicyBook;
use crate::testkit::rig::{Login, Rig};

fn prompt(name: &str, types: Vec<(&str, TypeDefinition)>, texts: &[&str]) -> ToolDefinition {
    let message = |text: &&str| PromptMessage { role: PromptRole::User, text: (*text).to_owned() };
    let definition = tool(name, types, None);
    ToolDefinition {
        form: EndpointForm::Prompt(texts.iter().map(message).collect()),
        sql: Arc::default(),
        returns: Some(messages_type(&definition.parameters)),
        ..definition
    }
}

fn use_of(name: &str, arguments: &Value) -> CallTool {
    CallTool { kind: EndpointKind::Prompt, ..calls::call(name, arguments) }
}

async fn outcome(definition: ToolDefinition, arguments: Value) -> Result<Value, CallToolError> {
    let rig = Rig::start(Login::Off).await;
    let name = definition.name.clone();
    let tools = rig.start_worker(ToolCatalog::build(vec![definition]).unwrap(), PolicyBook::default());
    let outcome = tools.call_tool(use_of(&name, &arguments)).await;
    assert!(rig.sql.queries().is_empty(), "a prompt runs no SQL");
    outcome.map(|ToolResult { value, .. }| Value::clone(&value))
}

fn build_error(definition: ToolDefinition) -> String {
    ToolCatalog::build(vec![definition]).unwrap_err().iter().map(ToString::to_string).collect()
}

#[actix::test]
async fn arguments_are_converted_and_put_into_the_texts() {
    let types = vec![("who", of(TypeKind::String)), ("n", with(TypeKind::Integer, |of| of.default = Some(json!(2))))];
    let texts = ["Dear {{ who }},{% if n + 1 > 3 %} many{% endif %}", "<{{ who }}> {% set x = n * 2 %}{{ x }}"];
    let messages = outcome(prompt("p", types, &texts), json!({"who": "{{ n }} & co", "n": "3"})).await.unwrap();
    let texts: Vec<_> =
        messages.as_array().unwrap().iter().map(|message| message["prompt"].as_str().unwrap()).collect();
    assert_eq!(texts, ["Dear {{ n }} & co, many", "<{{ n }} & co> 6"], "arguments are no templates");
}

#[actix::test]
async fn a_template_cannot_hold_a_core() {
    let text = "{% for a in range(n) %}{% for b in range(n) %}{% endfor %}{% endfor %}";
    let endless = prompt("p", vec![("n", of(TypeKind::Integer))], &[text]);
    let error = outcome(endless, json!({"n": 5_000})).await.unwrap_err().to_string();
    assert!(error.starts_with("Failed to render the prompt: ") && error.contains("fuel"), "{error}");
}

#[actix::test]
async fn a_template_cannot_fill_the_memory() {
    let text = "{% for a in range(100) %}{{ 'x' * n }}{% endfor %}";
    let large = prompt("p", vec![("n", of(TypeKind::Integer))], &[text]);
    let error = outcome(large, json!({"n": 90_000})).await.unwrap_err();
    let why = "the messages are longer than 4194304 bytes together";
    assert_eq!(error, CallToolError::Prompt(why.to_owned()));
}

#[test]
fn a_template_that_names_no_parameter_is_refused_when_it_is_loaded() {
    assert_eq!(
        build_error(prompt("p", vec![("a", of(TypeKind::String))], &["{{ a }}", "{{ b.c }}"])),
        "tools/p.yml: prompt 'p': messages[1].prompt uses 'b', which is no parameter"
    );
    assert!(build_error(prompt("p", vec![], &["{{ debug() }}"])).contains("uses 'debug'"));
    assert!(build_error(prompt("p", vec![], &["{{"])).contains("messages[0].prompt: syntax error"));
    assert!(ToolCatalog::build(vec![prompt("p", vec![], &["{{ range(3)|join }}"])]).is_ok());
}

#[actix::test]
async fn messages_with_sensitive_arguments_are_not_written_down() {
    let rig = Rig::start(Login::Off).await;
    let definition = prompt("p", vec![("pin", sensitive(TypeKind::String))], &["{{ pin|reverse }}"]);
    let tools = rig.start_worker(ToolCatalog::build(vec![definition]).unwrap(), PolicyBook::default());
    let result = tools.call_tool(use_of("p", &json!({"pin": "1234567"}))).await.unwrap();
    assert_eq!(result.value[0]["prompt"], "7654321");
    let record = rig.audit.records().pop().unwrap();
    assert_eq!(record.output_data.as_deref(), Some(&json!([{"prompt": "[REDACTED]", "role": "user", "type": "text"}])));
    assert_eq!(record.input_data, Some(json!({"pin": "[REDACTED]"})));
}

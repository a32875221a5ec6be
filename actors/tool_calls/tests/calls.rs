//! Calls through the actor, with their records.

use super::*;
use crate::model::audit_event::{AuditRecord, OperationStatus, PolicyDecision};
use crate::model::ids::{ClientId, SessionId};
use crate::model::policy::{PolicyAction, PolicyRule, PolicySet};
use crate::model::principal::Principal;
use crate::model::resource::Resource;
use crate::policy::{Endpoint, PolicyBook};
use crate::ports::sql_engine::SqlError;
use crate::sessions::NewSession;
use crate::testkit::fake_idp::FakeIdp;
use crate::testkit::rig::{Login, Rig};
use crate::testkit::samples::{self, scopes};
use futures_util::future::join_all;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn rule(condition: &str, action: PolicyAction, fields: &[&str]) -> PolicyRule {
    let fields = fields.iter().map(|&field| field.to_owned()).collect();
    PolicyRule { condition: condition.to_owned(), action, reason: Some("not for you".to_owned()), fields }
}

/// `plain` takes nothing; `guarded` judges `n` and its response; `secret` has something to hide;
/// `remote` needs the provider's token.
fn worker(rig: &Rig) -> ToolCallsHandle {
    let guarded = ToolDefinition {
        policies: PolicySet {
            input: vec![rule("n > 5", PolicyAction::Deny, &[])],
            output: vec![
                rule("size(response) > 1", PolicyAction::Deny, &[]),
                rule("user.username == 'ada'", PolicyAction::MaskFields, &["salary"]),
            ],
        },
        ..tool("guarded", vec![("n", of(TypeKind::Integer))], None)
    };
    let hidden = object(vec![("pin", sensitive(TypeKind::String))]);
    let types = vec![("password", sensitive(TypeKind::String)), ("page", of(TypeKind::Integer))];
    let remote = ToolDefinition { needs_external_token: true, ..tool("remote", vec![], None) };
    let tools = vec![tool("plain", vec![], None), guarded, tool("secret", types, Some(hidden)), remote];
    let endpoints = tools.iter().map(|tool| Endpoint {
        kind: tool.kind(),
        name: tool.name.clone(),
        parameters: tool.parameters.iter().map(|parameter| parameter.name.clone()).collect(),
        returns: tool.returns.clone(),
        policies: tool.policies.clone(),
    });
    let book = PolicyBook::compile(&PolicySet::default(), endpoints.collect()).unwrap();
    rig.start_worker(ToolCatalog::build(tools).unwrap(), book)
}

pub(super) fn call(name: &str, arguments: &Value) -> CallTool {
    CallTool {
        principal: Arc::new(samples::principal("ada", &SessionId::new("s"))),
        kind: EndpointKind::Tool,
        name: name.to_owned(),
        arguments: arguments.as_object().unwrap().clone(),
        caller_type: "http",
        trace_id: Some("trace".to_owned()),
        external_token: None,
    }
}

async fn run(tools: &ToolCallsHandle, name: &str, arguments: Value) -> Result<Value, CallToolError> {
    tools.call_tool(call(name, &arguments)).await.map(|ToolResult { value, .. }| Value::clone(&value))
}

fn last(rig: &Rig) -> Arc<AuditRecord> {
    rig.audit.records().pop().unwrap()
}

#[actix::test]
async fn a_call_runs_for_its_caller_and_is_recorded() {
    let rig = Rig::start(Login::Off).await;
    let tools = worker(&rig);
    rig.sql.answer_with(Ok(FakeSql::rows(&json!([{"n": 1}]))));
    rig.sql.take(2 * SECOND);
    assert_eq!(run(&tools, "plain", json!({})).await, Ok(json!([{"n": 1}])));
    let query = rig.sql.queries().remove(0);
    assert_eq!((query.sql.as_ref(), query.caller.username.as_str()), ("SELECT 'plain'", "ada"));
    assert_eq!((query.caller.email.as_str(), query.caller.provider.as_str()), ("ada@example.com", "fake"));
    assert!(query.caller.external_token.is_empty(), "SQL that does not ask for the token does not get it");
    assert_eq!((query.deadline, query.row_limit), (30 * SECOND, 100));
    let record = last(&rig);
    assert_eq!((record.operation_name.as_str(), record.operation_status), ("plain", OperationStatus::Success));
    assert_eq!(
        (record.input_data.as_ref(), record.output_data.as_deref()),
        (Some(&json!({})), Some(&json!([{"n": 1}])))
    );
    assert_eq!((record.caller_type.as_str(), record.trace_id.as_deref()), ("http", Some("trace")));
    assert_eq!((record.user_id.as_deref(), record.client_id.clone()), (Some("fake:ada"), Some(ClientId::new("app"))));
    assert_eq!((record.session_id.clone(), record.duration_ms / 100), (Some(SessionId::new("s")), 20));
    assert_eq!(record.policy_decision, None, "no rule, no decision");
}

#[actix::test]
async fn nobody_known_is_nobody_to_the_sql() {
    let rig = Rig::start(Login::Off).await;
    let tools = worker(&rig);
    let anonymous = CallTool { principal: Arc::new(Principal::anonymous()), ..call("remote", &json!({})) };
    assert!(tools.call_tool(anonymous).await.is_ok());
    let caller = &rig.sql.queries()[0].caller;
    assert!(caller.username.is_empty() && caller.email.is_empty() && caller.external_token.is_empty());
    assert_eq!((last(&rig).user_id.clone(), last(&rig).session_id.clone()), (None, None));
}

#[actix::test]
async fn a_denied_call_never_reaches_the_engine_and_is_recorded() {
    let rig = Rig::start(Login::Off).await;
    let tools = worker(&rig);
    let denied = run(&tools, "guarded", json!({"n": "6"})).await;
    assert_eq!(denied, Err(CallToolError::Denied("not for you".to_owned())));
    assert!(rig.sql.queries().is_empty());
    let record = last(&rig);
    assert_eq!((record.operation_status, record.policy_decision), (OperationStatus::Error, Some(PolicyDecision::Deny)));
    assert_eq!(record.policy_reason.as_deref(), Some("not for you"));
    assert_eq!(record.policies_evaluated, ["input[0]: n > 5"]);
    assert_eq!(record.error.as_deref(), Some("Policy enforcement failed: not for you"));
    assert_eq!(record.output_data, None);
}

#[actix::test]
async fn a_response_is_changed_or_withheld_by_its_rules_before_it_is_recorded() {
    let rig = Rig::start(Login::Off).await;
    let tools = worker(&rig);
    rig.sql.answer_with(Ok(FakeSql::rows(&json!([{"salary": 9}]))));
    let masked = json!([{"salary": "****"}]);
    assert_eq!(run(&tools, "guarded", json!({"n": 1})).await, Ok(masked.clone()));
    assert_eq!(
        (last(&rig).output_data.as_deref(), last(&rig).policy_decision),
        (Some(&masked), Some(PolicyDecision::Warn))
    );
    rig.sql.answer_with(Ok(FakeSql::rows(&json!([{"salary": 9}, {"salary": 8}]))));
    let withheld = run(&tools, "guarded", json!({"n": 1})).await;
    assert_eq!(withheld, Err(CallToolError::Withheld("not for you".to_owned())));
    let record = last(&rig);
    assert_eq!((record.output_data.clone(), record.policy_decision), (None, Some(PolicyDecision::Deny)));
    assert!(!serde_json::to_string(&*record).unwrap().contains("salary"));
}

#[actix::test]
async fn arguments_that_are_not_valid_never_reach_the_engine_and_are_recorded() {
    let rig = Rig::start(Login::Off).await;
    let tools = worker(&rig);
    for (arguments, part) in [
        (json!({}), "Required parameter missing: n"),
        (json!({"n": 1, "m": 2}), "Unknown parameter: m"),
        (json!({"n": "x"}), "Error validating parameter 'n'"),
    ] {
        let refused = run(&tools, "guarded", arguments.clone()).await.unwrap_err();
        assert!(matches!(&refused, CallToolError::InvalidArguments(text) if text.contains(part)), "{refused}");
        assert_eq!(
            (last(&rig).input_data.clone(), last(&rig).error.clone()),
            (Some(arguments), Some(refused.to_string()))
        );
    }
    assert!(rig.sql.queries().is_empty());
}

#[actix::test]
async fn a_call_of_no_tool_is_recorded_by_a_short_name_and_without_its_arguments() {
    let rig = Rig::start(Login::Off).await;
    let tools = worker(&rig);
    let unknown = run(&tools, "nothing", json!({"password": "hunter2"})).await;
    assert_eq!(unknown, Err(CallToolError::UnknownTool("nothing".to_owned())));
    let record = last(&rig);
    assert_eq!((record.operation_name.as_str(), record.operation_status), ("nothing", OperationStatus::Error));
    assert_eq!(record.error.as_deref(), Some("Endpoint 'nothing' not found in tools"));
    assert_eq!((record.user_id.as_deref(), record.trace_id.as_deref()), (Some("fake:ada"), Some("trace")));
    assert_eq!((record.input_data.clone(), record.output_data.clone()), (None, None));

    let endless = "ä".repeat(10_000);
    assert_eq!(run(&tools, &endless, json!({})).await, Err(CallToolError::UnknownTool(endless)));
    assert_eq!(last(&rig).operation_name, "…");
    for (name, recorded) in [
        ("=HYPERLINK(\"//x\")", "…HYPERLINK…x…"),
        ("rev enue", "rev…enue"),
        ("", "…"),
        ("a/b.c-D_9", "a…b.c-D_9"),
        (&"a".repeat(200), &format!("{}…", "a".repeat(128))),
    ] {
        assert!(run(&tools, name, json!({})).await.is_err());
        let record = last(&rig);
        assert_eq!(record.operation_name, recorded);
        assert!(record.error.as_deref().is_some_and(|error| error.contains(recorded)), "{:?}", record.error);
    }
    assert!(serde_json::to_string(&*last(&rig)).unwrap().len() < 2_000);

    rig.audit.fail_next();
    assert!(matches!(run(&tools, "nothing", json!({})).await, Err(CallToolError::NotRecorded(_))));
}

#[actix::test]
async fn an_error_of_the_database_does_not_go_past_what_is_covered_in_results() {
    let rig = Rig::start(Login::Off).await;
    let tools = worker(&rig);
    let text = "Conversion Error: Could not convert string 'hunter2' to INT32 on page 1";
    let failed = SqlError::Failed(text.to_owned());
    rig.sql.answer_with(Err(failed.clone()));
    let told = run(&tools, "secret", json!({"password": "hunter2", "page": 1})).await;
    let left = "Conversion Error; the rest is withheld, because it may hold what is covered in results";
    assert_eq!(told, Err(CallToolError::Sql(SqlError::Failed(left.to_owned()))));
    assert_eq!(last(&rig).error, Some(format!("Failed to execute SQL: {left}")));
}

#[actix::test]
async fn a_query_that_fails_is_told_and_recorded() {
    let rig = Rig::start(Login::Off).await;
    let tools = worker(&rig);
    for error in [SqlError::Failed("no such table".to_owned()), SqlError::Busy, SqlError::TooManyRows(100)] {
        rig.sql.answer_with(Err(error.clone()));
        assert_eq!(run(&tools, "plain", json!({})).await, Err(CallToolError::Sql(error.clone())));
        assert_eq!(last(&rig).error, Some(format!("Failed to execute SQL: {error}")));
    }
    assert_eq!(rig.audit.names().len(), 3);
}

#[actix::test]
async fn sensitive_values_are_not_in_the_record() {
    let rig = Rig::start(Login::Off).await;
    let tools = worker(&rig);
    rig.sql.answer_with(Ok(FakeSql::rows(&json!([{"pin": "4711"}]))));
    let arguments = json!({"password": "hunter2", "page": 1});
    assert_eq!(run(&tools, "secret", arguments).await, Ok(json!({"pin": "4711"})), "the caller gets them");
    assert_eq!(last(&rig).input_data, Some(json!({"password": "[REDACTED]", "page": 1})));
    assert_eq!(last(&rig).output_data.as_deref(), Some(&json!({"pin": "[REDACTED]"})));
    assert!(run(&tools, "secret", json!({"password": "hunter2", "page": "x"})).await.is_err());
    assert!(run(&tools, "secret", json!({"passwort": "hunter2"})).await.is_err());
    for record in rig.audit.records() {
        let line = serde_json::to_string(&*record).unwrap();
        assert!(!line.contains("hunter2") && !line.contains("4711"), "{line}");
    }
}

#[actix::test]
async fn a_call_that_could_not_be_recorded_gives_no_result() {
    let rig = Rig::start(Login::Off).await;
    let tools = worker(&rig);
    rig.audit.fail_next();
    let outcome = run(&tools, "plain", json!({})).await;
    assert!(matches!(outcome, Err(CallToolError::NotRecorded(_))), "{outcome:?}");
    assert!(run(&tools, "plain", json!({})).await.is_ok());
}

#[actix::test]
async fn a_caller_who_goes_away_interrupts_the_query_and_is_recorded() {
    let rig = Rig::start(Login::Off).await;
    let tools = worker(&rig);
    rig.sql.take(20 * SECOND);
    let gone = tokio::time::timeout(5 * SECOND, run(&tools, "plain", json!({}))).await;
    assert!(gone.is_err());
    rig.pass(Duration::from_millis(1)).await;
    assert_eq!((rig.sql.queries().len(), rig.sql.interrupted()), (1, 1));
    let record = last(&rig);
    assert_eq!(
        (record.operation_status, record.error.as_deref()),
        (OperationStatus::Error, Some("the call was cancelled"))
    );
    assert_eq!(record.duration_ms / 1_000, 5);
}

#[actix::test]
async fn calls_run_beside_each_other() {
    let rig = Rig::start(Login::Off).await;
    let tools = worker(&rig);
    rig.sql.take(SECOND);
    let started = rig.now();
    let outcomes = join_all((0..20).map(|_| run(&tools, "plain", json!({})))).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert!(rig.now().since(started) < 2 * SECOND);
    let numbers: Vec<u64> = rig.audit.records().iter().map(|record| record.sequence).collect();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
}

#[actix::test]
async fn sql_that_asks_for_the_providers_token_gets_a_fresh_one() {
    let rig = Rig::start(Login::Provider).await;
    let tools = worker(&rig);
    let session = NewSession {
        client_id: Some(ClientId::new("app")),
        user: samples::user("ada"),
        scopes: scopes("read"),
        resource: Resource::parse(samples::RESOURCE).unwrap(),
        upstream: Some(samples::upstream_tokens("old-at", Some("old-rt"), Some(rig.now()))),
    };
    let id = rig.sessions.open_session(session).await.unwrap().id;
    let remote = || CallTool { principal: Arc::new(samples::principal("ada", &id)), ..call("remote", &json!({})) };
    rig.idp.fail_next(FakeIdp::faulty());
    let failed = tools.call_tool(remote()).await.unwrap_err();
    assert!(matches!(failed, CallToolError::ExternalToken(_)));
    assert!(rig.sql.queries().is_empty());
    assert_eq!(last(&rig).error, Some(failed.to_string()));
    rig.pass(3 * SECOND).await;
    let outcomes = join_all((0..20).map(|_| tools.call_tool(remote()))).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert!(rig.sql.queries().iter().all(|query| query.caller.external_token.matches("upstream-at-1")));
    assert_eq!(rig.idp.refreshed_with(), ["old-rt", "old-rt"]);
}

/// A session whose provider's token seems to work for long, and a call that needs it.
async fn with_token(rig: &Rig, refresh: Option<&str>) -> CallTool {
    let session = NewSession {
        client_id: Some(ClientId::new("app")),
        user: samples::user("ada"),
        scopes: scopes("read"),
        resource: Resource::parse(samples::RESOURCE).unwrap(),
        upstream: Some(samples::upstream_tokens("old-at", refresh, None)),
    };
    let id = rig.sessions.open_session(session).await.unwrap().id;
    CallTool { principal: Arc::new(samples::principal("ada", &id)), ..call("remote", &json!({})) }
}

fn tokens_shown(rig: &Rig) -> Vec<String> {
    rig.sql.queries().iter().map(|query| query.caller.external_token.expose().to_owned()).collect()
}

#[actix::test]
async fn a_token_that_the_api_refuses_is_replaced_and_the_query_runs_once_more() {
    let rig = Rig::start(Login::Provider).await;
    let tools = worker(&rig);
    rig.sql.refuse_token("old-at");
    let call = with_token(&rig, Some("old-rt")).await;
    tools.call_tool(call.clone()).await.unwrap();
    assert_eq!(tokens_shown(&rig), ["old-at", "upstream-at-1"]);
    tools.call_tool(call).await.unwrap();
    assert_eq!(tokens_shown(&rig), ["old-at", "upstream-at-1", "upstream-at-1"]);
    assert_eq!(rig.idp.refreshed_with(), ["old-rt"]);
}

#[actix::test]
async fn a_refused_token_that_cannot_be_replaced_is_the_error_of_the_call() {
    let rig = Rig::start(Login::Provider).await;
    let tools = worker(&rig);
    rig.sql.refuse_token("old-at");
    let failed = tools.call_tool(with_token(&rig, None).await).await.unwrap_err();
    assert!(matches!(&failed, CallToolError::Sql(SqlError::TokenRefused(_))), "{failed:?}");
    rig.idp.fail_next(FakeIdp::faulty());
    let failed = tools.call_tool(with_token(&rig, Some("old-rt")).await).await.unwrap_err();
    assert!(matches!(&failed, CallToolError::ExternalToken(_)), "{failed:?}");
    assert_eq!(tokens_shown(&rig), ["old-at", "old-at"]);
}

#[actix::test]
async fn a_token_is_not_replaced_for_ever() {
    let rig = Rig::start(Login::Provider).await;
    let tools = worker(&rig);
    let call = with_token(&rig, Some("old-rt")).await;
    let refused = SqlError::TokenRefused("GET https://api.example.com/ answered with status 401".to_owned());
    rig.sql.answer_with(Err(refused.clone()));
    assert_eq!(tools.call_tool(call).await.unwrap_err(), CallToolError::Sql(refused));
    assert_eq!(tokens_shown(&rig).len(), 2);
}

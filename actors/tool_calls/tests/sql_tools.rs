//! The tools that the server brings along.

use super::*;
use crate::model::endpoint::SqlSource;
use crate::model::policy::{PolicyAction, PolicyRule, PolicySet};
use crate::policy::{Endpoint, PolicyBook};
use crate::ports::sql_engine::SqlAccess;
use crate::testkit::rig::{Login, Rig};

#[actix::test]
async fn the_sql_of_a_caller_is_run_only_to_look_and_under_the_policies() {
    let rig = Rig::start(Login::Off).await;
    let rule = PolicyRule {
        condition: "sql.contains('salaries')".to_owned(),
        action: PolicyAction::Deny,
        reason: None,
        fields: Vec::new(),
    };
    let definition = ToolDefinition {
        form: EndpointForm::SqlTool(SqlSource::Argument),
        sql: Arc::default(),
        policies: PolicySet { input: vec![rule], output: Vec::new() },
        ..tool("execute_sql_query", vec![("sql", of(TypeKind::String))], None)
    };
    let endpoint = Endpoint {
        kind: EndpointKind::Tool,
        name: definition.name.clone(),
        parameters: vec!["sql".to_owned()],
        returns: None,
        policies: definition.policies.clone(),
    };
    let book = PolicyBook::compile(&PolicySet::default(), vec![endpoint]).unwrap();
    let tools = rig.start_worker(ToolCatalog::build(vec![definition]).unwrap(), book);
    rig.sql.answer_with(Ok(FakeSql::rows(&json!([{"n": 1}]))));
    let call = |sql: &str| calls::call("execute_sql_query", &json!({"sql": sql}));
    assert_eq!(*tools.call_tool(call("SELECT 1 AS n")).await.unwrap().value, json!([{"n": 1}]));
    let query = rig.sql.queries().remove(0);
    assert_eq!((query.sql.as_ref(), query.access, query.arguments.len()), ("SELECT 1 AS n", SqlAccess::Look, 0));
    let record = rig.audit.records().pop().unwrap();
    assert_eq!(record.input_data, Some(json!({"sql": "SELECT 1 AS n"})));
    assert_eq!(record.output_data, None, "nobody knows what in it is sensitive");
    assert!(matches!(tools.call_tool(call("FROM salaries")).await, Err(CallToolError::Denied(_))));
    assert_eq!(rig.sql.queries().len(), 1);
}

//! Which resource a URI means, and what a read is.

use super::*;
use crate::model::audit_event::OperationType;
use crate::model::endpoint::ResourceForm;
use crate::model::uri_template::UriTemplate;
use crate::policy::PolicyBook;
use crate::testkit::rig::{Login, Rig};

fn resource(uri: &str, types: Vec<(&str, TypeDefinition)>) -> ToolDefinition {
    let template = UriTemplate::parse(uri).unwrap();
    let form = EndpointForm::Resource(ResourceForm { template, title: None, mime_type: "text/plain".to_owned() });
    ToolDefinition { form, ..tool(uri, types, None) }
}

fn catalog() -> ToolCatalog {
    let id = || vec![("id", of(TypeKind::Integer))];
    let book = resource("shop://books/{id}", id());
    let any = resource("shop://{kind}/{id}", id());
    ToolCatalog::build(vec![any, book, resource("shop://books/first", vec![]), tool("plain", vec![], None)]).unwrap()
}

fn resolved(name: &str, arguments: &Value) -> Option<(String, Value)> {
    let arguments = arguments.as_object().unwrap().clone();
    let (entry, arguments) = catalog().resolve(EndpointKind::Resource, name, arguments)?;
    Some((entry.definition.name.clone(), Value::Object(arguments)))
}

#[test]
fn a_uri_means_the_narrowest_resource_that_it_fits() {
    for (uri, name, arguments) in [
        ("shop://books/first", "shop://books/first", json!({})),
        ("SHOP://books/%66irst", "shop://books/first", json!({})),
        ("shop://books/second", "shop://books/{id}", json!({"id": "second"})),
        ("shop://maps/a%2Fb", "shop://{kind}/{id}", json!({"id": "a/b"})),
    ] {
        assert_eq!(resolved(uri, &json!({})), Some((name.to_owned(), arguments)), "{uri}");
    }
    for uri in ["shop://books", "shop://books/1/2", "other://books/1", "plain", ""] {
        assert_eq!(resolved(uri, &json!({})), None, "{uri}");
    }
}

#[test]
fn a_template_takes_arguments_and_a_uri_takes_none() {
    let given = json!({"id": 7});
    assert_eq!(resolved("shop://books/{id}", &given), Some(("shop://books/{id}".to_owned(), given.clone())));
    assert_eq!(resolved("shop://books/7", &given), None);
}

#[test]
fn resources_that_a_uri_could_both_mean_are_refused() {
    let other = resource("shop://{kind}/first", vec![]);
    let error = ToolCatalog::build(vec![other, resource("shop://books/{id}", vec![])]).unwrap_err();
    assert_eq!(
        error.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["tools/shop://books/{id}.yml: resource 'shop://books/{id}': a URI could also mean 'shop://{kind}/first' in \
          tools/shop://{kind}/first.yml"]
    );
    let twice = ToolCatalog::build(vec![tool("a", vec![], None), tool("a", vec![], None)]).unwrap_err();
    assert_eq!(twice[0].to_string(), "tools/a.yml: tool 'a': tools/a.yml has an endpoint of the same name");
}

#[actix::test]
async fn a_read_runs_the_sql_with_what_the_uri_holds() {
    let rig = Rig::start(Login::Off).await;
    let tools = rig.start_worker(catalog(), PolicyBook::default());
    let read = |uri: &str| CallTool { kind: EndpointKind::Resource, ..calls::call(uri, &json!({})) };
    tools.call_tool(read("shop://books/7")).await.unwrap();
    assert_eq!(rig.sql.queries()[0].arguments, [("id".to_owned(), SqlValue::Integer(7))]);
    let record = rig.audit.records().pop().unwrap();
    assert_eq!((record.operation_type, record.operation_name.as_str()), (OperationType::Resource, "shop://books/{id}"));
    let unknown = tools.call_tool(read("other://a/secret")).await.unwrap_err();
    assert_eq!(unknown, CallToolError::UnknownResource("other://a/secret".to_owned()));
    let record = rig.audit.records().pop().unwrap();
    assert_eq!(record.operation_name, "other:…", "what a URI holds may be sensitive");
    assert_eq!(record.error.as_deref(), Some("Endpoint 'other:…' not found in resources"));
}

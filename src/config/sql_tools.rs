//! `sql_tools`: the tools that the server brings along, to look at the database.

use super::authorization::SCOPES_OF_NOBODY;
use super::clients::read_scopes;
use super::error::ConfigError;
use super::reader::{Field, Table};
use mxcp_actors::model::endpoint::{EndpointForm, SQL_ARGUMENT, SqlSource};
use mxcp_actors::model::policy::PolicySet;
use mxcp_actors::model::schema::{TypeDefinition, TypeKind};
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::tool::{Parameter, ToolAnnotations, ToolDefinition};
use std::path::PathBuf;

/// Where they are switched on, for errors that name a file.
const PLACE: &str = "mxcp-site.yml (sql_tools)";
/// The longest SQL of a caller, in characters.
const SQL_MAX: u64 = 20_000;

const LIST_TABLES: &str = "SELECT table_name AS name, table_type AS type FROM information_schema.tables \
     WHERE table_catalog = current_database() AND table_schema = 'main' ORDER BY table_name";
const GET_TABLE_SCHEMA: &str = "SELECT column_name AS name, data_type AS type, is_nullable AS nullable \
     FROM information_schema.columns WHERE table_catalog = current_database() AND table_schema = 'main' \
     AND table_name = $table_name ORDER BY ordinal_position";

/// `sql_tools` as it is written.
#[derive(Default)]
pub(super) struct SqlTools {
    pub(super) is_enabled: bool,
    /// Whether the operator knows that rules about fields do not hold there.
    pub(super) may_bypass_field_policies: bool,
    /// What their callers need, and where that stands if it does.
    scopes: Option<(ScopeSet, ConfigError)>,
    execute_sql_query: Option<String>,
    list_tables: Option<String>,
    get_table_schema: Option<String>,
}

/// Reads the section.
pub(super) fn read(field: &Field<'_>) -> Option<SqlTools> {
    field.table(|table| {
        Some(SqlTools {
            is_enabled: table.get("enabled").and_then(|field| field.boolean()).unwrap_or(false),
            may_bypass_field_policies: table
                .get("may_bypass_field_policies")
                .and_then(|field| field.boolean())
                .unwrap_or(false),
            scopes: table.get_or_null("scopes").and_then(|field| Some((read_scopes(&field)?, field.place()))),
            execute_sql_query: read_description(table, "execute_sql_query"),
            list_tables: read_description(table, "list_tables"),
            get_table_schema: read_description(table, "get_table_schema"),
        })
    })
}

fn read_description(table: &mut Table<'_, '_>, tool: &'static str) -> Option<String> {
    table.get(tool)?.table(|table| table.get("description")?.nonempty_text())
}

impl SqlTools {
    /// What is wrong with their scopes where nobody signs in.
    pub(super) fn refuse_scopes_of_nobody(&self) -> Option<ConfigError> {
        let (_, place) = self.scopes.as_ref().filter(|(scopes, _)| !scopes.is_empty())?;
        Some(ConfigError { message: SCOPES_OF_NOBODY.to_owned(), ..place.clone() })
    }

    /// The tools, as if they had been written in files.
    pub(super) fn definitions(self) -> Vec<ToolDefinition> {
        let describe = |given: Option<String>, default: &str| given.unwrap_or_else(|| default.to_owned());
        let execute = describe(
            self.execute_sql_query,
            "Run one SELECT in DuckDB's SQL on the tables and views of the database and return its rows. It \
             can change nothing and read no files.",
        );
        let list = describe(self.list_tables, "List the tables and views of the database.");
        let schema = describe(self.get_table_schema, "List the columns of a table with their types.");
        let mut sql = text("The SELECT to run.");
        sql.max_length = Some(SQL_MAX);
        let table_name = vec![Parameter { name: "table_name".to_owned(), of: text("The name of the table.") }];
        let scopes = self.scopes.map(|(scopes, _)| scopes).unwrap_or_default();
        let tool = |name, description, parameters, sql| tool(name, description, parameters, sql, scopes.clone());
        vec![
            tool("execute_sql_query", execute, vec![Parameter { name: SQL_ARGUMENT.to_owned(), of: sql }], None),
            tool("list_tables", list, Vec::new(), Some(LIST_TABLES)),
            tool("get_table_schema", schema, table_name, Some(GET_TABLE_SCHEMA)),
        ]
    }
}

fn text(description: &str) -> TypeDefinition {
    let mut of = TypeDefinition::of(TypeKind::String);
    of.description = Some(description.to_owned());
    of
}

fn tool(
    name: &str,
    description: String,
    parameters: Vec<Parameter>,
    sql: Option<&str>,
    scopes: ScopeSet,
) -> ToolDefinition {
    let source = if sql.is_some() { SqlSource::Definition } else { SqlSource::Argument };
    ToolDefinition {
        name: name.to_owned(),
        form: EndpointForm::SqlTool(source),
        description: Some(description),
        tags: Vec::new(),
        annotations: ToolAnnotations { read_only: Some(true), ..ToolAnnotations::default() },
        parameters,
        returns: None,
        sql: sql.unwrap_or_default().into(),
        needs_external_token: false,
        scopes,
        policies: PolicySet::default(),
        path: PathBuf::from(PLACE),
    }
}

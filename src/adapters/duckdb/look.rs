//! SQL of strangers: what it may be before it is run.
//!
//! DuckDB can close itself to files and networks only as a whole and for ever, which would take them
//! from the operator's own SQL as well. So the text is parsed by DuckDB itself and its tree is read
//! here: one SELECT, of which every node, every table and every function is known to do nothing but
//! look at data. What is not known is refused. Afterwards it runs in a transaction that is read-only.

use super::harmless;
use super::lock::Lock;
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::sync::Arc;

/// How many bytes the rows may have together, about.
pub(super) const BYTES_MAX: usize = 4 * 1024 * 1024;

/// Gives the tree of `$sql` as JSON.
pub(super) const PARSE: &str = "SELECT CAST(json_serialize_sql($sql) AS VARCHAR) AS tree";

/// DuckDB's own functions. Others of a harmless name are the project's.
pub(super) const FUNCTIONS: &str = "SELECT DISTINCT lower(function_name) AS name FROM duckdb_functions() \
     WHERE internal AND function_type IN ('scalar', 'aggregate', 'macro', 'window')";

/// The tables and views of the project, and the names of DuckDB's own views.
pub(super) const TABLES: &str = "SELECT lower(schema_name) AS schema, lower(table_name) AS name, false AS is_own, \
     lower(current_database()) AS database FROM duckdb_tables() \
     WHERE database_name = current_database() AND NOT internal \
     UNION ALL SELECT lower(schema_name), lower(view_name), internal, lower(current_database()) FROM duckdb_views() \
     WHERE internal OR database_name = current_database()";

/// Harmless, and no functions to DuckDB, or ours.
const MORE_FUNCTIONS: [&str; 4] = ["unnest", "get_username", "get_user_email", "get_user_provider"];

const TABLE_FUNCTIONS: [&str; 6] = ["range", "generate_series", "unnest", "repeat", "json_each", "json_tree"];
const INFORMATION: &str = "information_schema";
const INFORMATION_TABLES: [&str; 3] = ["tables", "columns", "schemata"];

/// Nodes without a class: parts of a SELECT, and what may stand behind FROM.
const NODES: [&str; 16] = [
    "SELECT_NODE",
    "SET_OPERATION_NODE",
    "RECURSIVE_CTE_NODE",
    "CTE_NODE",
    "EMPTY",
    "JOIN",
    "SUBQUERY",
    "EXPRESSION_LIST",
    "PIVOT",
    "ORDER_MODIFIER",
    "LIMIT_MODIFIER",
    "LIMIT_PERCENT_MODIFIER",
    "DISTINCT_MODIFIER",
    "ORDER_DEFAULT",
    "ASCENDING",
    "DESCENDING",
];
/// Expressions.
const CLASSES: [&str; 17] = [
    "BETWEEN",
    "CASE",
    "CAST",
    "COLLATE",
    "COLUMN_REF",
    "COMPARISON",
    "CONJUNCTION",
    "CONSTANT",
    "FUNCTION",
    "LAMBDA",
    "LAMBDA_REF",
    "OPERATOR",
    "POSITIONAL_REFERENCE",
    "STAR",
    "SUBQUERY",
    "TYPE",
    "WINDOW",
];

/// What is known of DuckDB's functions, once for each database.
#[derive(Debug, Default)]
pub(super) struct KnownFunctions(Lock<Option<Arc<HashSet<String>>>>);

impl KnownFunctions {
    /// The names of those that may be called, read by `read` the first time.
    ///
    /// # Errors
    /// Those of `read`.
    pub(super) fn get<E>(&self, read: impl FnOnce() -> Result<Vec<String>, E>) -> Result<Arc<HashSet<String>>, E> {
        if let Some(known) = self.0.lock().clone() {
            return Ok(known);
        }
        let harmless: HashSet<&str> = harmless::names().collect();
        let is_harmless = |name: &String| harmless.contains(name.as_str());
        let mut names: HashSet<String> = read()?.into_iter().filter(is_harmless).collect();
        names.extend(MORE_FUNCTIONS.map(str::to_owned));
        let names = Arc::new(names);
        *self.0.lock() = Some(Arc::clone(&names));
        Ok(names)
    }
}

/// What the database holds.
#[derive(Debug, Default)]
pub(super) struct Tables {
    database: String,
    /// Schema and name.
    of_project: HashSet<(String, String)>,
    of_duckdb: HashSet<String>,
}

impl Tables {
    /// Takes the rows of [`TABLES`].
    pub(super) fn read(rows: &[Map<String, Value>]) -> Self {
        let mut tables = Self::default();
        for row in rows {
            let text = |key| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            tables.database = text("database");
            if row.get("is_own") == Some(&Value::Bool(false)) {
                tables.of_project.insert((text("schema"), text("name")));
            } else {
                tables.of_duckdb.insert(text("name"));
            }
        }
        tables
    }

    fn has(&self, schema: &str, name: &str) -> bool {
        // What looks like a file could become one between this look and the query.
        let is_file = name.contains(['.', '/', ':', '*']);
        !is_file && self.of_project.contains(&(schema.to_owned(), name.to_owned()))
    }
}

/// Judges the tree of a text.
///
/// # Errors
/// What in it is not allowed, for the one who wrote it.
pub(super) fn judge(tree: &str, functions: &HashSet<String>, tables: &Tables) -> Result<(), String> {
    let tree: Value = serde_json::from_str(tree).map_err(|_| "the SQL is nested too deeply".to_owned())?;
    if tree.get("error") != Some(&Value::Bool(false)) {
        let why = tree.get("error_message").and_then(Value::as_str).unwrap_or("the SQL cannot be read");
        let is_other = why.starts_with("Only SELECT");
        return Err(if is_other { "only a SELECT can be run here".to_owned() } else { why.to_owned() });
    }
    if tree.get("statements").and_then(Value::as_array).is_none_or(|statements| statements.len() != 1) {
        return Err("only one statement can be run here".to_owned());
    }
    let mut judge = Judge { functions, tables, named: HashSet::new() };
    judge.collect_names(&tree)?;
    judge.walk(&tree)
}

struct Judge<'a> {
    functions: &'a HashSet<String>,
    tables: &'a Tables,
    /// The names of common table expressions.
    named: HashSet<String>,
}

impl Judge<'_> {
    /// A name may be used where the expression is out of sight, and mean something else there; so it
    /// must not be the name of anything else.
    fn collect_names(&mut self, value: &Value) -> Result<(), String> {
        match value {
            Value::Object(fields) => {
                let entries = fields.get("cte_map").and_then(|map| map.get("map")).and_then(Value::as_array);
                for name in entries.into_iter().flatten().filter_map(|entry| entry.get("key")?.as_str()) {
                    let name = name.to_lowercase();
                    let is_word = name.chars().all(|sign| sign.is_alphanumeric() || sign == '_');
                    if !is_word || self.tables.of_duckdb.contains(&name) {
                        return Err(format!("WITH needs another name than \"{name}\""));
                    }
                    self.named.insert(name);
                }
                fields.values().try_for_each(|field| self.collect_names(field))
            }
            Value::Array(items) => items.iter().try_for_each(|item| self.collect_names(item)),
            _ => Ok(()),
        }
    }

    fn walk(&self, value: &Value) -> Result<(), String> {
        match value {
            Value::Object(fields) if fields.get("type").and_then(Value::as_str) == Some("TABLE_FUNCTION") => {
                let call = fields.get("function").and_then(Value::as_object);
                judge_table_function(call)?;
                // The call itself is judged; what it is given, and all else, is not yet.
                let given = call.into_iter().flatten().map(|(_, field)| field);
                let rest = fields.iter().filter(|(key, _)| *key != "function").map(|(_, field)| field);
                given.chain(rest).try_for_each(|field| self.walk(field))
            }
            Value::Object(fields) => {
                self.judge_node(fields)?;
                fields.values().try_for_each(|field| self.walk(field))
            }
            Value::Array(items) => items.iter().try_for_each(|item| self.walk(item)),
            _ => Ok(()),
        }
    }

    fn judge_node(&self, node: &Map<String, Value>) -> Result<(), String> {
        let text = |key: &str| node.get(key).and_then(Value::as_str);
        if let Some(class) = node.get("class") {
            return match class.as_str() {
                Some("FUNCTION" | "WINDOW") => self.judge_function(node),
                Some(class) if CLASSES.contains(&class) => Ok(()),
                Some("PARAMETER") => Err("the SQL has a parameter, which nobody gives a value".to_owned()),
                _ => Err(format!("the SQL has a part that is not allowed here: {class}")),
            };
        }
        match text("type") {
            None if node.get("type").is_none_or(Value::is_object) => self.judge_unnamed(node),
            Some("BASE_TABLE") => self.judge_table(node),
            Some("SHOW_REF") if node.get("query").is_some_and(Value::is_object) && text("table_name") == Some("") => {
                Ok(())
            }
            Some(known) if NODES.contains(&known) => Ok(()),
            Some(other) => Err(format!("the SQL has a part that is not allowed here: {other}")),
            None => Err("the SQL has a part that is not allowed here".to_owned()),
        }
    }

    /// Whatever calls a function is a node with a class.
    fn judge_unnamed(&self, node: &Map<String, Value>) -> Result<(), String> {
        match node.get("function_name") {
            None => Ok(()),
            Some(_) => self.judge_function(node),
        }
    }

    fn judge_function(&self, node: &Map<String, Value>) -> Result<(), String> {
        let path = path(node).ok_or("the SQL calls a function without a name")?;
        let (name, home) = path.split_last().ok_or("the SQL calls a function without a name")?;
        let is_at_home = home.iter().all(|part| matches!(part.as_str(), "main" | "system" | "pg_catalog"));
        if !is_at_home || !self.functions.contains(name) {
            return Err(format!("the function \"{name}\" cannot be called here"));
        }
        let Some(at) = harmless::joint(name) else { return Ok(()) };
        let arguments = node.get("arguments").and_then(Value::as_array);
        if arguments.is_some_and(|arguments| arguments.get(at).is_none_or(harmless::is_short_constant)) {
            Ok(())
        } else {
            let number = at + 1;
            Err(format!("argument {number} of \"{name}\" must be a short text as it is, with no column in it"))
        }
    }

    fn judge_table(&self, node: &Map<String, Value>) -> Result<(), String> {
        let path = path(node).ok_or("the SQL reads a table without a name")?;
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        let is_allowed = match parts.as_slice() {
            [name] => self.tables.has("main", name) || self.named.contains(*name),
            [INFORMATION, name] => INFORMATION_TABLES.contains(name),
            [schema, name] => self.tables.has(schema, name),
            [database, schema, name] => *database == self.tables.database && self.tables.has(schema, name),
            _ => false,
        };
        if is_allowed { Ok(()) } else { Err(format!("there is no table or view \"{}\"", path.join("."))) }
    }
}

fn judge_table_function(call: Option<&Map<String, Value>>) -> Result<(), String> {
    let path = call.and_then(path).unwrap_or_default();
    match path.as_slice() {
        [name] if TABLE_FUNCTIONS.contains(&name.as_str()) => Ok(()),
        _ => Err(format!("the function \"{}\" cannot be called here", path.join("."))),
    }
}

/// The parts of a name, in lower case.
fn path(node: &Map<String, Value>) -> Option<Vec<String>> {
    let parts = node.get("qualified_name")?.get("path")?.as_array()?;
    parts.iter().map(|part| part.as_str().map(str::to_lowercase)).collect()
}

/// About how many bytes a value has as JSON.
pub(super) fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| weight(item) + 1).sum::<usize>() + 2,
        Value::Object(fields) => fields.iter().map(|(name, field)| name.len() + weight(field) + 4).sum::<usize>() + 2,
    }
}

//! An endpoint file: the frame that all kinds share, and the tool in it.

use super::authorization::read_endpoint_scopes;
use super::endpoint_file::EndpointKind;
use super::policy_rules::Results;
use super::reader::{Field, Table};
use super::{endpoint_tests, files, policy_rules, prompt_file, resource_file, type_definition};
use crate::sql_text::may_read_external_token;
use mxcp_actors::model::endpoint::EndpointForm;
use mxcp_actors::model::policy::PolicySet;
use mxcp_actors::model::schema::TypeDefinition;
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::tool::{Parameter, ToolAnnotations, ToolDefinition};
use std::path::{Path, PathBuf};

/// Where an endpoint file is.
#[derive(Clone, Copy)]
pub(super) struct FilePlace<'a> {
    /// The project's root.
    pub(super) root: &'a Path,
    /// The file itself, absolute.
    pub(super) path: &'a Path,
    /// The file as it is named in errors.
    pub(super) name: &'a Path,
    /// Whether callers have tokens, with scopes.
    pub(super) has_authentication: bool,
}

/// What a file turned out to hold.
#[derive(Default)]
pub(super) struct Contents {
    /// What it defines.
    pub(super) kind: Option<EndpointKind>,
    /// The endpoint's name; that of a resource is its URI.
    pub(super) name: Option<String>,
    /// Whether the file says that the endpoint is not served.
    pub(super) is_disabled: bool,
    /// The endpoint, if nothing is wrong with it.
    pub(super) definition: Option<ToolDefinition>,
}

/// Reads a file of the folder for `expected`.
pub(super) fn read(file: &Field<'_>, expected: EndpointKind, place: FilePlace<'_>) -> Contents {
    let mut contents = Contents::default();
    file.visit(|table| {
        if let Some(version) = table.get("mxcp") {
            version.whole_number(0..=u64::MAX);
        }
        table.skip(&["metadata"]);
        let found: Vec<_> =
            EndpointKind::ALL.into_iter().filter_map(|kind| Some((kind, table.get(kind.as_str())?))).collect();
        match found.as_slice() {
            [(kind, field)] => read_definition(field, *kind, expected, place, &mut contents),
            [] => table.field().fault("expected one of the keys tool, resource, prompt"),
            [_, (_, second), ..] => {
                second.fault("a file defines one endpoint only; move this one to a file of its own");
            }
        }
    });
    contents
}

fn read_definition(
    field: &Field<'_>,
    kind: EndpointKind,
    expected: EndpointKind,
    place: FilePlace<'_>,
    contents: &mut Contents,
) {
    contents.kind = Some(kind);
    if kind != expected {
        let (kind, expected) = (kind.as_str(), expected.as_str());
        field.fault(format!("this folder is for {expected}s; move the file to the folder for {kind}s"));
        return;
    }
    contents.definition = field.table(|table| match kind {
        EndpointKind::Tool => read_tool(table, place, contents),
        EndpointKind::Resource => resource_file::read(table, place, contents),
        EndpointKind::Prompt => prompt_file::read(table, place, contents),
    });
}

fn read_tool(table: &mut Table<'_, '_>, place: FilePlace<'_>, contents: &mut Contents) -> Option<ToolDefinition> {
    contents.name = table.require("name").and_then(|field| read_name(&field));
    let returns = Returns::read(table);
    let shared = Shared::read(table, place, contents, returns.results());
    let annotations = table.get("annotations").and_then(|field| field.table(|table| Some(read_annotations(table))));
    let sql = read_sql(table, place, EndpointKind::Tool);
    let definition = shared.definition(contents.name.clone()?, EndpointForm::Tool, sql?, place)?;
    Some(ToolDefinition { annotations: annotations.unwrap_or_default(), returns: returns.of, ..definition })
}

/// `return` as it is written.
pub(super) struct Returns {
    /// The type, unless there is none or something is wrong with it.
    pub(super) of: Option<TypeDefinition>,
    is_faulty: bool,
}

impl Returns {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        let read = table.get("return").map(|field| type_definition::read(&field));
        Self { is_faulty: matches!(read, Some(None)), of: read.flatten() }
    }

    /// What rules may count on.
    pub(super) const fn results(&self) -> Results<'_> {
        if self.is_faulty { Results::Unknown } else { Results::Declared(self.of.as_ref()) }
    }
}

/// What all kinds of endpoints have.
pub(super) struct Shared {
    description: Option<String>,
    tags: Vec<String>,
    pub(super) parameters: Vec<Parameter>,
    /// `None` when they could not be read, which must not be taken for no rules.
    policies: Option<PolicySet>,
    /// As above.
    scopes: Option<ScopeSet>,
}

impl Shared {
    pub(super) fn read(
        table: &mut Table<'_, '_>,
        place: FilePlace<'_>,
        contents: &mut Contents,
        results: Results<'_>,
    ) -> Self {
        contents.is_disabled = table.get("enabled").and_then(|field| field.boolean()) == Some(false);
        let parameters = table.get("parameters").and_then(|field| read_parameters(&field)).unwrap_or_default();
        let policies = table.get("policies").map(|field| policy_rules::read(&field, &parameters, results));
        table.get("tests").inspect(endpoint_tests::check);
        Self {
            description: table.get("description").and_then(|field| field.text()),
            tags: table.get("tags").and_then(|field| field.texts()).unwrap_or_default(),
            parameters,
            policies: policies.unwrap_or_else(|| Some(PolicySet::default())),
            scopes: read_endpoint_scopes(table, place.has_authentication),
        }
    }

    /// The endpoint, with no result declared.
    pub(super) fn definition(
        self,
        name: String,
        form: EndpointForm,
        sql: String,
        place: FilePlace<'_>,
    ) -> Option<ToolDefinition> {
        Some(ToolDefinition {
            name,
            form,
            description: self.description,
            tags: self.tags,
            annotations: ToolAnnotations::default(),
            parameters: self.parameters,
            returns: None,
            needs_external_token: may_read_external_token(&sql),
            sql: sql.into(),
            scopes: self.scopes?,
            policies: self.policies?,
            path: place.name.to_owned(),
        })
    }
}

/// The SQL of a tool or a resource.
pub(super) fn read_sql(table: &mut Table<'_, '_>, place: FilePlace<'_>, kind: EndpointKind) -> Option<String> {
    table.get("language").inspect(|field| check_language(field, kind));
    table.require("source").and_then(|field| field.table(|table| read_source(table, place, kind)))
}

/// A name that clients show.
pub(super) fn read_name(field: &Field<'_>) -> Option<String> {
    let name = field.nonempty_text()?;
    let is_plain = name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if !is_plain {
        field.warn("some clients take only names of up to 64 letters, digits, _ and -");
    }
    Some(name)
}

fn read_annotations(table: &mut Table<'_, '_>) -> ToolAnnotations {
    let title = table.get("title").and_then(|field| field.text());
    let mut hint = |key| table.get(key).and_then(|field| field.boolean());
    ToolAnnotations {
        title,
        read_only: hint("readOnlyHint"),
        destructive: hint("destructiveHint"),
        idempotent: hint("idempotentHint"),
        open_world: hint("openWorldHint"),
    }
}

fn read_parameters(field: &Field<'_>) -> Option<Vec<Parameter>> {
    let mut names: Vec<String> = Vec::new();
    field.list(|item| {
        item.table(|table| {
            let name = table.require("name").and_then(|field| read_parameter_name(&field, &mut names));
            let of = type_definition::read_from(table);
            Some(Parameter { name: name?, of: of? })
        })
    })
}

fn read_parameter_name(field: &Field<'_>, names: &mut Vec<String>) -> Option<String> {
    let name = field.nonempty_text()?;
    let is_word = name.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
    if !is_word {
        field.fault("expected a letter or an underscore, then letters, digits and underscores");
        return None;
    }
    if names.contains(&name) {
        field.fault("another parameter has the same name");
        return None;
    }
    names.push(name.clone());
    Some(name)
}

/// Refuses any language but SQL.
fn check_language(field: &Field<'_>, kind: EndpointKind) {
    if field.choice(&[("sql", true), ("python", false)]) == Some(false) {
        let kind = kind.as_str();
        field.not_supported(&format!("write the {kind} in SQL, or set {kind}.enabled to false"));
    }
}

fn read_source(table: &mut Table<'_, '_>, place: FilePlace<'_>, kind: EndpointKind) -> Option<String> {
    table.get("language").inspect(|field| check_language(field, kind));
    let (code, file) = (table.get("code"), table.get("file"));
    let (field, sql) = match (code, file) {
        (Some(code), None) => {
            let sql = code.text()?;
            (code, sql)
        }
        (None, Some(file)) => {
            let path = source_path(&file.nonempty_text()?, place);
            match files::read_text(&path) {
                Ok(sql) => (file, sql),
                Err(why) => {
                    file.fault(format!("the file {} {why}", path.strip_prefix(place.root).unwrap_or(&path).display()));
                    return None;
                }
            }
        }
        (Some(_), Some(file)) => {
            file.fault("give either code or file, not both");
            return None;
        }
        (None, None) => {
            table.field().fault("expected one of the keys code, file");
            return None;
        }
    };
    if sql.trim().is_empty() {
        field.fault("there is no SQL in it");
        return None;
    }
    Some(sql)
}

/// A path that begins with a slash begins at the project's root, any other beside the file.
fn source_path(text: &str, place: FilePlace<'_>) -> PathBuf {
    match text.strip_prefix('/') {
        Some(text) => place.root.join(text.trim_start_matches('/')),
        None => place.path.parent().unwrap_or(place.root).join(text),
    }
}

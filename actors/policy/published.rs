//! The schema of a result after the rules: what they take out is not required any more, and what
//! they cover may be the mask.

use super::reshape::MASK;
use super::state::PolicyBook;
use crate::model::field_name::{is_same_field, path_behind};
use crate::model::policy::PolicyAction;
use crate::model::schema::{TypeDefinition, TypeKind};
use serde_json::{Map, Value, json};

impl PolicyBook {
    /// Changes the JSON Schema of the structured result of `endpoint`, so that it is true of what the
    /// rules leave of it too. Clients check results against it.
    pub fn adapt_schema(&self, endpoint: &str, schema: &mut Value) {
        let policies = self.of(endpoint);
        let Some(returns) = &policies.returns else { return };
        let is_object = returns.kind == TypeKind::Object;
        // Whatever is no object is wrapped in one.
        let Some(root) = (if is_object { Some(schema) } else { schema.pointer_mut("/properties/result") }) else {
            return;
        };
        for rule in policies.output.iter().map(|rule| &rule.rule) {
            match rule.action {
                PolicyAction::Deny => {}
                PolicyAction::FilterFields => rule.fields.iter().for_each(|path| at_path(root, path, &not_required)),
                PolicyAction::MaskFields => rule.fields.iter().for_each(|path| at_path(root, path, &maybe_masked)),
                PolicyAction::FilterSensitiveFields => without_sensitive(root, returns, is_object),
            }
        }
    }
}

/// Changes what is known of the fields at `path`, as `reshape` finds them.
fn at_path(schema: &mut Value, path: &str, change: &impl Fn(&mut Map<String, Value>, &str)) {
    let Some(fields) = uncovered(schema) else { return };
    if let Some(items) = fields.get_mut("items") {
        at_path(items, path, change);
        // Rows that differed in what is gone may be the same now.
        fields.remove("uniqueItems");
        fields.remove("enum");
    }
    if fields.contains_key("properties") {
        fields.remove("enum");
    }
    change(fields, path);
    for (name, inner) in properties(fields) {
        if let Some(rest) = path_behind(path, name) {
            at_path(inner, rest, change);
        }
    }
}

/// What a schema says of a value that is not covered by the mask.
fn uncovered(schema: &mut Value) -> Option<&mut Map<String, Value>> {
    let is_covered = schema.get("anyOf").is_some();
    if is_covered { schema.pointer_mut("/anyOf/0")?.as_object_mut() } else { schema.as_object_mut() }
}

fn properties(fields: &mut Map<String, Value>) -> impl Iterator<Item = (&String, &mut Value)> {
    fields.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten()
}

fn not_required(fields: &mut Map<String, Value>, name: &str) {
    let Some(Value::Array(required)) = fields.get_mut("required") else { return };
    required.retain(|field| !field.as_str().is_some_and(|field| is_same_field(field, name)));
    if required.is_empty() {
        fields.remove("required");
    }
}

fn maybe_masked(fields: &mut Map<String, Value>, name: &str) {
    let meant = properties(fields).filter(|(known, of)| is_same_field(known, name) && of.get("anyOf").is_none());
    for (_, property) in meant {
        let description = property.get("description").cloned();
        *property = json!({"anyOf": [property.take(), {"const": MASK}]});
        if let (Some(description), Some(property)) = (description, property.as_object_mut()) {
            property.insert("description".to_owned(), description);
        }
    }
}

/// A value that is sensitive as a whole becomes null, as any may be; only the outermost object
/// stays one.
fn without_sensitive(schema: &mut Value, of: &TypeDefinition, is_root_object: bool) {
    let Some(fields) = uncovered(schema).filter(|_| of.has_sensitive()) else { return };
    if of.sensitive {
        if is_root_object {
            fields.remove("required");
            fields.remove("enum");
        }
        return;
    }
    fields.remove("enum");
    if let (Some(item), Some(items)) = (of.items.as_deref(), fields.get_mut("items")) {
        without_sensitive(items, item, false);
        fields.remove("uniqueItems");
    }
    for (name, property) in &of.properties {
        if property.sensitive {
            not_required(fields, name);
            continue;
        }
        for (_, inner) in properties(fields).filter(|(known, _)| is_same_field(known, name)) {
            without_sensitive(inner, property, false);
        }
    }
}

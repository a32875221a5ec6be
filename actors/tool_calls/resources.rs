//! Which resource a URI means.

use super::catalog::{CatalogEntry, CatalogError};
use crate::model::endpoint::EndpointForm;
use crate::model::uri_template::{NormalUri, Overlap, UriTemplate};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The resources, those that leave the least open first: of two that a URI fits, the narrower one is
/// meant, and no two are equally narrow.
#[derive(Debug, Default)]
pub(super) struct ResourceIndex(Vec<Arc<CatalogEntry>>);

impl ResourceIndex {
    /// Puts the resources among `entries` in order.
    ///
    /// # Errors
    /// Every pair of which nobody could tell which one a URI means: their policies may differ.
    pub(super) fn build<'a>(entries: impl Iterator<Item = &'a Arc<CatalogEntry>>) -> Result<Self, Vec<CatalogError>> {
        let mut resources: Vec<_> = entries.filter(|entry| template(entry).is_some()).cloned().collect();
        let mut errors = Vec::new();
        for (index, one) in resources.iter().enumerate() {
            for two in resources.iter().skip(index + 1).filter(|two| are_ambiguous(one, two)) {
                let other = &two.definition;
                let message = format!("a URI could also mean '{}' in {}", other.name, other.path.display());
                errors.push(CatalogError::of(&one.definition, message));
            }
        }
        // Stable, so that the order of names decides among those that cannot be confused.
        resources.sort_by_key(|entry| template(entry).map_or(usize::MAX, UriTemplate::breadth));
        if errors.is_empty() { Ok(Self(resources)) } else { Err(errors) }
    }

    /// The resource that a URI means, and the arguments that it holds. What no parameter takes is
    /// dropped, as the definition does not ask for it.
    pub(super) fn find(&self, uri: &str) -> Option<(&Arc<CatalogEntry>, Map<String, Value>)> {
        let uri = NormalUri::parse(uri)?;
        self.0.iter().find_map(|entry| {
            let values = template(entry)?.matches(&uri)?;
            let is_parameter = |name: &str| entry.definition.parameters.iter().any(|known| known.name == name);
            let arguments = values.into_iter().filter(|(name, _)| is_parameter(name));
            Some((entry, arguments.map(|(name, value)| (name.to_owned(), Value::from(value))).collect()))
        })
    }
}

fn template(entry: &CatalogEntry) -> Option<&UriTemplate> {
    match &entry.definition.form {
        EndpointForm::Resource(form) => Some(&form.template),
        EndpointForm::Tool | EndpointForm::SqlTool(_) | EndpointForm::Prompt(_) => None,
    }
}

fn are_ambiguous(one: &CatalogEntry, two: &CatalogEntry) -> bool {
    let overlap = template(one).zip(template(two)).map(|(one, two)| one.overlap(two));
    overlap == Some(Overlap::Ambiguous)
}

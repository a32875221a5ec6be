//! Whether the path of a rule leads anywhere in a declared result.

use crate::model::schema::{TypeDefinition, TypeKind};

/// What the declared result says of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathFit {
    /// It leads to something, or nothing is said of what is there.
    Fits,
    /// Other names are listed there, but further ones are possible.
    Unlisted,
    /// No result can have it: a rule about it would protect nothing.
    Impossible,
}

/// Whether `path` is made of names joined by dots.
#[must_use]
pub fn is_path(path: &str) -> bool {
    path.split('.').all(|name| !name.trim().is_empty())
}

/// Tells where `path` leads in a result of the type `of`, through the items of lists, as the rules
/// follow it.
#[must_use]
pub fn fit(of: &TypeDefinition, path: &str) -> PathFit {
    match of.kind {
        TypeKind::Array => of.items.as_deref().map_or(PathFit::Fits, |item| fit(item, path)),
        TypeKind::Object => fit_in_object(of, path),
        TypeKind::String | TypeKind::Number | TypeKind::Integer | TypeKind::Boolean => PathFit::Impossible,
    }
}

fn fit_in_object(of: &TypeDefinition, path: &str) -> PathFit {
    let property = |name: &str| of.properties.iter().find(|(known, _)| known == name).map(|(_, of)| of);
    // A column may be named with a dot in it.
    if property(path).is_some() {
        return PathFit::Fits;
    }
    if let Some((first, rest)) = path.split_once('.')
        && let Some(inner) = property(first)
    {
        return fit(inner, rest);
    }
    match of.additional_properties {
        Some(false) => PathFit::Impossible,
        None | Some(true) if of.properties.is_empty() => PathFit::Fits,
        None | Some(true) => PathFit::Unlisted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_fits_what_is_declared_or_could_be_there() {
        let object = |additional, properties: Vec<(&str, TypeDefinition)>| TypeDefinition {
            additional_properties: additional,
            properties: properties.into_iter().map(|(name, of)| (name.to_owned(), of)).collect(),
            ..TypeDefinition::of(TypeKind::Object)
        };
        let number = || TypeDefinition::of(TypeKind::Integer);
        let pay = || object(Some(false), vec![("base", number()), ("a.b", number())]);
        let list = |item| TypeDefinition { items: Some(Box::new(item)), ..TypeDefinition::of(TypeKind::Array) };
        for (additional, otherwise) in
            [(Some(false), PathFit::Impossible), (None, PathFit::Unlisted), (Some(true), PathFit::Unlisted)]
        {
            let rows = list(object(
                additional,
                vec![("salary", number()), ("pay", list(pay())), ("free", object(None, vec![]))],
            ));
            for path in ["salary", "pay", "pay.base", "pay.a.b", "free.anything"] {
                assert_eq!(fit(&rows, path), PathFit::Fits, "{path}");
            }
            assert_eq!(fit(&rows, "salry"), otherwise);
            assert_eq!(fit(&rows, "pay.bse"), PathFit::Impossible);
            assert_eq!(fit(&rows, "salary.x"), PathFit::Impossible);
        }
        assert_eq!(fit(&number(), "salary"), PathFit::Impossible);
        assert_eq!(fit(&TypeDefinition::of(TypeKind::Array), "salary"), PathFit::Fits);
    }

    #[test]
    fn a_path_has_no_empty_names() {
        for path in ["", " ", ".", "a..b", ".a", "a.", "a. .b"] {
            assert!(!is_path(path), "{path}");
        }
        assert!(is_path("a") && is_path("a.b c"));
    }
}

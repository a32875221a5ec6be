//! Whether the path of a rule leads anywhere in a declared result.

use crate::model::field_name::{is_same_field, path_behind};
use crate::model::schema::{TypeDefinition, TypeKind};

/// What the declared result says of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathFit {
    /// It leads to something, or nothing is said of what is there.
    Fits,
    /// It leads to nothing that is declared.
    Misses {
        /// What is possible there all the same.
        room: Room,
        /// The paths that are declared where it goes astray.
        declared: Vec<String>,
    },
}

/// What a declared type says of what it does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// It says that there may be more (`additionalProperties: true`).
    Open,
    /// It does not say, which is taken for a yes when a result is checked.
    Unsaid,
    /// No result can have it.
    Closed,
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
    fit_below(of, path, "")
}

fn fit_below(of: &TypeDefinition, path: &str, before: &str) -> PathFit {
    match of.kind {
        TypeKind::Array => of.items.as_deref().map_or(PathFit::Fits, |item| fit_below(item, path, before)),
        TypeKind::Object => fit_in_object(of, path, before),
        TypeKind::String | TypeKind::Number | TypeKind::Integer | TypeKind::Boolean => {
            PathFit::Misses { room: Room::Closed, declared: Vec::new() }
        }
    }
}

fn fit_in_object(of: &TypeDefinition, path: &str, before: &str) -> PathFit {
    // A column may be named with a dot in it.
    if of.properties.iter().any(|(name, _)| is_same_field(name, path)) {
        return PathFit::Fits;
    }
    let below = of.properties.iter().filter_map(|(name, inner)| {
        let rest = path_behind(path, name)?;
        Some(fit_below(inner, rest, &format!("{before}{name}.")))
    });
    // Rules follow every name that the path begins with.
    let nearest = below.min_by_key(|fit| match fit {
        PathFit::Fits => None,
        PathFit::Misses { room, .. } => Some(*room),
    });
    nearest.unwrap_or_else(|| {
        let room = match of.additional_properties {
            _ if of.properties.is_empty() && of.additional_properties != Some(false) => return PathFit::Fits,
            Some(true) => Room::Open,
            None => Room::Unsaid,
            Some(false) => Room::Closed,
        };
        let declared = of.properties.iter().map(|(name, _)| format!("{before}{name}")).collect();
        PathFit::Misses { room, declared }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(additional: Option<bool>, properties: Vec<(&str, TypeDefinition)>) -> TypeDefinition {
        TypeDefinition {
            additional_properties: additional,
            properties: properties.into_iter().map(|(name, of)| (name.to_owned(), of)).collect(),
            ..TypeDefinition::of(TypeKind::Object)
        }
    }

    fn number() -> TypeDefinition {
        TypeDefinition::of(TypeKind::Integer)
    }

    fn list(item: TypeDefinition) -> TypeDefinition {
        TypeDefinition { items: Some(Box::new(item)), ..TypeDefinition::of(TypeKind::Array) }
    }

    fn misses(room: Room, declared: &[&str]) -> PathFit {
        PathFit::Misses { room, declared: declared.iter().map(|&path| path.to_owned()).collect() }
    }

    #[test]
    fn a_path_fits_what_is_declared_or_could_be_there() {
        let pay = || object(Some(false), vec![("base", number()), ("a.b", number())]);
        for (additional, room) in [(Some(false), Room::Closed), (None, Room::Unsaid), (Some(true), Room::Open)] {
            let rows = list(object(
                additional,
                vec![("salary", number()), ("pay", list(pay())), ("free", object(None, vec![]))],
            ));
            for path in ["salary", "Salary", "pay", "pay.base", "PAY.Base", "pay.a.b", "free.anything"] {
                assert_eq!(fit(&rows, path), PathFit::Fits, "{path}");
            }
            assert_eq!(fit(&rows, "salry"), misses(room, &["salary", "pay", "free"]));
            assert_eq!(fit(&rows, "pay.bse"), misses(Room::Closed, &["pay.base", "pay.a.b"]));
            assert_eq!(fit(&rows, "salary.x"), misses(Room::Closed, &[]));
        }
        assert_eq!(fit(&number(), "salary"), misses(Room::Closed, &[]));
        assert_eq!(fit(&TypeDefinition::of(TypeKind::Array), "salary"), PathFit::Fits);
        assert_eq!(fit(&object(Some(false), vec![]), "salary"), misses(Room::Closed, &[]));
    }

    #[test]
    fn every_name_that_a_path_begins_with_is_followed() {
        let closed = |name| object(Some(false), vec![(name, number())]);
        let both = object(Some(false), vec![("a", closed("x")), ("A", object(None, vec![("y", number())]))]);
        assert_eq!(fit(&both, "a.x"), PathFit::Fits);
        assert_eq!(fit(&both, "a.y"), PathFit::Fits);
        assert_eq!(fit(&both, "a.z"), misses(Room::Unsaid, &["A.y"]));
        let dotted = object(None, vec![("a", closed("x")), ("a.b", closed("c"))]);
        assert_eq!(fit(&dotted, "a.b.c"), PathFit::Fits);
    }

    #[test]
    fn a_path_has_no_empty_names() {
        for path in ["", " ", ".", "a..b", ".a", "a.", "a. .b"] {
            assert!(!is_path(path), "{path}");
        }
        assert!(is_path("a") && is_path("a.b c"));
    }
}

//! A tree with changes laid over it.

use super::layout::Span;
use mxcp_actors::ports::StoreError;
use sled::{IVec, Tree};
use std::collections::BTreeMap;
use std::ops::Bound;

/// What keys have become; `None` is a key that has gone.
pub(super) type Changes = BTreeMap<IVec, Option<IVec>>;

/// An entry of a tree.
pub(super) type Entry = (IVec, IVec);

/// What a tree would be with some changes. Writing sees by it what its group has done so far,
/// and reading what was there before the group that is on its way to the disk.
#[derive(Debug)]
pub(super) struct View<'a> {
    tree: &'a Tree,
    changes: &'a Changes,
}

impl<'a> View<'a> {
    /// `tree` as if `changes` were in it.
    pub(super) const fn new(tree: &'a Tree, changes: &'a Changes) -> Self {
        Self { tree, changes }
    }

    /// The value of `key`.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        match self.changes.get(key) {
            Some(changed) => Ok(changed.clone()),
            None => self.tree.get(key).map_err(|error| store_error(&error)),
        }
    }

    /// The first `limit` entries of `span`, in the order of their keys.
    pub(super) fn scan(&self, span: &Span, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let bounds = (Bound::Included(span.from.as_slice()), Bound::Excluded(span.to.as_slice()));
        let mut changed = self.changes.range::<[u8], _>(bounds).peekable();
        let mut found = Vec::new();
        for entry in self.tree.range::<&[u8], _>(bounds) {
            if found.len() >= limit {
                break;
            }
            let (key, value) = entry.map_err(|error| store_error(&error))?;
            while let Some((key, value)) = changed.next_if(|(changed, _)| **changed < key) {
                found.extend(present(key, value.as_ref()));
            }
            match changed.next_if(|(changed, _)| **changed == key) {
                Some((key, value)) => found.extend(present(key, value.as_ref())),
                None => found.push((key, value)),
            }
        }
        found.extend(changed.filter_map(|(key, value)| present(key, value.as_ref())));
        found.truncate(limit);
        Ok(found)
    }
}

fn present(key: &IVec, value: Option<&IVec>) -> Option<Entry> {
    Some((key.clone(), value?.clone()))
}

/// What a store says of an error of the database.
pub(super) fn store_error(error: &sled::Error) -> StoreError {
    StoreError { detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_view_is_what_the_tree_would_be(
            kept in btree_map(vec(0_u8..4, 0..3), any::<[u8; 1]>(), 0..12),
            changed in btree_map(vec(0_u8..4, 0..3), any::<Option<[u8; 1]>>(), 0..12),
            from in vec(0_u8..4, 0..3),
            to in vec(0_u8..4, 0..3),
            limit in 0_usize..8,
        ) {
            let database = sled::Config::new().temporary(true).open().unwrap();
            kept.iter().for_each(|(key, value)| drop(database.insert(key, value).unwrap()));
            let changes: Changes = changed
                .iter()
                .map(|(key, value)| (IVec::from(key.as_slice()), value.map(|value| IVec::from(&value))))
                .collect();
            let mut merged: BTreeMap<Vec<u8>, Option<[u8; 1]>> = kept.into_iter().map(|(key, value)| (key, Some(value))).collect();
            merged.extend(changed);
            let view = View::new(&database, &changes);
            for (key, value) in &merged {
                prop_assert_eq!(view.get(key).unwrap(), value.map(|value| IVec::from(&value)));
            }
            let span = Span { from: from.clone(), to: to.clone() };
            prop_assume!(from <= to);
            let wanted = merged.range(from..to).filter_map(|(key, value)| Some((key.clone(), (*value)?.to_vec())));
            let found = view.scan(&span, limit).unwrap();
            let found: Vec<_> = found.into_iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
            prop_assert_eq!(found, wanted.take(limit).collect::<Vec<_>>());
        }
    }
}
